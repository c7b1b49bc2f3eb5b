//! Facts and figures of a call, written down at its end whatever became of it.

use super::{B, Call};
use crate::check::judge::setup::{self, answerer};
use crate::check::scene::Scene;
use crate::check::scene::trace::{MessageKind, Trace, header};
use crate::check::{Finding, MetricValue, Run, Severity, Side};
use crate::sdp::MediaPlan;
use crate::syntax::{HeaderName, Method};
use crate::ua::call::{By, Cause};

/// Everything that was seen of the call.
pub(super) fn write_down(call: &Call, scene: &mut Scene<'_>) {
    let Some(leg) = scene.ends.legs.first() else { return };
    let trace = scene.trace(0);
    let (seen, callee) = (&leg.seen, scene.ends.called(B));
    let mut facts: Vec<(&'static str, String)> = Vec::new();
    let at_callee = callee.and_then(|leg| scene.ends.seen(leg));
    facts.push(("result", setup::result(seen, at_callee, trace.is_last_answered()).to_owned()));
    if let Some((_, rejection)) = &seen.rejected {
        if let Some(status) = rejection.status {
            facts.push(("status", format!("{status} {}", rejection.phrase)));
        }
        facts.extend(rejection.reasons.iter().map(|reason| ("reason", reason.clone())));
        facts.extend(rejection.warnings.iter().map(|warning| ("warning", warning.clone())));
    }
    if let Some(answer) = trace.received(MessageKind::Response(Method::Invite, 200, 299)) {
        facts.push(("answered-by", answerer(&answer.message)));
        facts.push(("answered-as", header(&answer.message, HeaderName::PAssertedIdentity)));
        facts.push(("session-expires", header(&answer.message, HeaderName::SessionExpires)));
    }
    if seen.progress.iter().any(|(_, status, _)| *status >= 180) {
        let early = if seen.early_media.is_some() { "yes" } else { "no" };
        facts.push(("early-media", early.to_owned()));
    }
    if let Some(plan) = &seen.plan {
        facts.push(("media", media(plan)));
    }
    if let Some((_, invite)) = scene.ends.parties.get(B).and_then(|party| party.invitations.first()) {
        let from = header(invite, HeaderName::From);
        facts.push(("caller-id", from.split_once(";tag=").map_or(from.as_str(), |(who, _)| who).to_owned()));
        facts.push(("caller-id-asserted", header(invite, HeaderName::PAssertedIdentity)));
        let [as_uri, as_to] = super::delivery::called(invite);
        facts.extend([("called-as", as_uri), ("called-to", as_to)]);
    }
    if let Some(ended) = &seen.ended {
        let by = match (ended.by, call.callee_hangs_up && callee.is_some()) {
            (By::Local, _) => call.a.name(),
            (By::Peer, true) => call.callee_name(),
            (By::Peer, false) => "the far side",
        };
        let how = match &ended.cause {
            Cause::Cancelled => " (cancelled)",
            Cause::HungUp => "",
            _ => " (broken off)",
        };
        let why =
            if ended.reasons.is_empty() { String::new() } else { format!(": {}", ended.reasons.join(", ")) };
        facts.push(("hung-up-by", format!("{by}{how}{why}")));
    }
    let rung = scene
        .ends
        .parties
        .get(B)
        .map_or(0, |party| party.invitations.len())
        .saturating_sub(scene.ends.rung_again(0, B));
    for (name, value) in facts {
        scene.run.fact(name, value);
    }
    metrics(scene.run, &trace);
    twice(call, scene, rung);
}

fn metrics(run: &mut Run, trace: &Trace) {
    let times =
        [("srd", trace.request_delay()), ("ring", trace.ringing_time()), ("sdd", trace.disconnect_delay())];
    for (name, time) in times {
        if let Some(time) = time {
            run.metric(name, MetricValue::Duration(time));
        }
    }
}

/// `PCMA, payload type 8 sent and 8 received, 20 ms, telephone-event 101 sent and 101 received`.
fn media(plan: &MediaPlan) -> String {
    let mut text = format!(
        "{}, payload type {} sent and {} received, {} ms",
        plan.codec.as_str(),
        plan.send_payload_type,
        plan.receive_payload_type,
        plan.ptime.as_millis()
    );
    match (plan.send_telephone_event, plan.receive_telephone_event) {
        (Some(sent), Some(received)) => {
            text += &format!(
                ", telephone-event {} sent and {} received",
                sent.payload_type, received.payload_type
            );
        }
        (Some(sent), None) => text += &format!(", telephone-event {} only sent", sent.payload_type),
        (None, Some(received)) => {
            text += &format!(", telephone-event {} only received", received.payload_type)
        }
        (None, None) => text += ", no telephone-event",
    }
    text
}

/// The callee was rung more often than once.
fn twice(call: &Call, scene: &mut Scene<'_>, rung: usize) {
    if rung > 1 {
        let name = call.callee_name().to_owned();
        scene.note(Finding::new(
            "rung-twice",
            Severity::Warning,
            Side::Peer,
            format!("{rung} INVITEs came to {name} for one call; all but the first were answered 486"),
            "platform: one call rings a device once; look for the same device in a group twice, or for a loop",
        ));
    }
}
