//! A hold and its resumption: the directions of the answers, and what is heard meanwhile.

use super::release::is_media_timeout;
use crate::check::judged::StepVerdict;
use crate::check::scene::trace::{MessageKind, Trace};
use crate::check::{Finding, HeardOnHold, Severity, Side};
use crate::sdp::{AudioDescription, Direction as SdpDirection};
use crate::syntax::Method;
use crate::transport::Direction;
use crate::ua::call::Hold as How;
use std::time::Instant;

const ZERO_ADVICE: &str = "platform: c=0.0.0.0 is a hold (RFC 3264 sec. 8.4); phone: newer firmware, or the setting for hold by a=sendonly";

/// Holder and held party, the way of holding, and its result.
pub(in crate::check) struct Holding<'a> {
    pub(in crate::check) how: How,
    pub(in crate::check) holder: &'a str,
    pub(in crate::check) held: &'a str,
    /// The direction of the answer.
    pub(in crate::check) answer: &'a str,
    /// Was the other end told?
    pub(in crate::check) passed_on: bool,
    /// Was the offer that came to the other end another one than the holder's?
    pub(in crate::check) changed: Option<OfferChanged>,
}

/// The direction in the last answer that this call got to a re-INVITE; without an attribute it is `sendrecv` (RFC 3264 sec. 5.1).
pub(in crate::check) fn direction(trace: &Trace) -> String {
    let Some(answer) = trace.received_last(MessageKind::Response(Method::Invite, 200, 299)) else {
        return "unknown".to_owned();
    };
    let body = String::from_utf8_lossy(answer.message.body()).into_owned();
    let attribute = body
        .lines()
        .filter_map(|line| line.trim().strip_prefix("a="))
        .rfind(|attribute| ["sendrecv", "sendonly", "recvonly", "inactive"].contains(attribute));
    attribute.unwrap_or("sendrecv").to_owned()
}

/// An offer that the holder made in the call and the held end got in another form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) struct OfferChanged {
    /// The direction that the holder wrote.
    pub(in crate::check) wrote: SdpDirection,
    /// The direction that the held end was told.
    pub(in crate::check) told: SdpDirection,
}

impl OfferChanged {
    /// The directions of the last offers since `began`, where the platform passed one on with another.
    pub(in crate::check) fn between(holder: &Trace, held: &Trace, began: Instant) -> Option<OfferChanged> {
        let last = |trace: &Trace, way: Direction| {
            let offers = [Method::Invite, Method::Update].map(|method| {
                let of_method =
                    trace.all(way, MessageKind::Request(method)).filter(|entry| entry.at >= began);
                of_method
                    .filter_map(|entry| Some((entry.at, AudioDescription::of(entry.message.body())?)))
                    .next_back()
            });
            offers.into_iter().flatten().max_by_key(|(at, _)| *at).map(|(_, offer)| offer.direction)
        };
        let (wrote, told) = (last(holder, Direction::Sent)?, last(held, Direction::Received)?);
        (wrote != told).then_some(OfferChanged { wrote, told })
    }

    /// In words, e.g. `alice wrote sendrecv, and bob was told sendonly`.
    fn told(&self, holder: &str, held: &str) -> String {
        format!("{holder} wrote {}, and {held} was told {}", self.wrote.as_str(), self.told.as_str())
    }
}

/// The hold was answered: as it may be (RFC 3264 sec. 6.1)? With a finding beside a pass where it is allowed and of little use.
pub(in crate::check) fn answered(holding: &Holding<'_>) -> (StepVerdict, Option<Finding>) {
    let Holding { how, holder, held, answer, .. } = holding;
    let told = if holding.passed_on { "passed on" } else { "not told" };
    let pass = StepVerdict::pass(format!("answered {answer}; {told} to {held}"));
    let (offered, allowed): (&str, &[&str]) = match how {
        How::SendOnly => ("sendonly", &["recvonly", "inactive"]),
        How::Inactive => ("inactive", &["inactive"]),
        // RFC 2543 knows no directions: whatever is answered, nothing is sent to no address.
        How::ZeroAddress => return (pass, None),
    };
    if !allowed.contains(answer) {
        let judged = StepVerdict::fail(
            "hold-answer-wrong",
            Side::Peer,
            format!("{holder}'s hold ({offered}) was answered {answer}, which no answer to it may be (H02)"),
            "platform fault: sendonly is answered recvonly or inactive (RFC 3264 sec. 6.1)",
        );
        return (judged, None);
    }
    let muted = (*how == How::SendOnly && *answer == "inactive").then(|| {
        let (how, advice) = match &holding.changed {
            Some(changed) if changed.told == SdpDirection::Inactive => (
                format!("; it was changed on its way: {}", changed.told(holder, held)),
                "platform: pass the direction of an offer on as the holder wrote it, or play music of its own to the held party",
            ),
            _ => (String::new(), "platform: answer recvonly, so that the held party hears the holder's music"),
        };
        Finding::new(
            "hold-answered-inactive",
            Severity::Warning,
            Side::Peer,
            format!(
                "{holder}'s hold (sendonly) was answered inactive: allowed, and its music reaches nobody (H02){how}"
            ),
            advice,
        )
    });
    (pass, muted)
}

/// Judges what both hear while one holds.
pub(in crate::check) fn heard(
    holding: &Holding<'_>,
    holder_hears_held: bool,
    held_hears: HeardOnHold,
    sound: &str,
) -> (StepVerdict, Option<Finding>) {
    let Holding { holder, held, answer, .. } = holding;
    if holder_hears_held {
        // A phone that holds plays nothing of what comes: the hold works all the same.
        let leak = Finding::new(
            "held-party-heard",
            Severity::Warning,
            Side::Peer,
            format!(
                "{holder} has put {held} on hold (answered {answer}), and {held}'s voice still comes to {holder}; {held} hears {sound}"
            ),
            "platform: apply the direction of the offer; a phone that does not drop what comes while it holds lets it be heard",
        );
        return (
            StepVerdict::pass(format!("{held}'s voice still comes to {holder}; {held} hears {sound}")),
            Some(leak),
        );
    }
    let is_unnoticed =
        holding.how == How::ZeroAddress && !holding.passed_on && held_hears != HeardOnHold::OtherSound;
    let unnoticed = is_unnoticed.then(|| {
        Finding::new(
            "old-hold-unnoticed",
            Severity::Warning,
            Side::Peer,
            format!(
                "{held} was not told of the hold by the address 0.0.0.0, and hears no music but {sound} (H01)"
            ),
            ZERO_ADVICE,
        )
    });
    (StepVerdict::pass(format!("{holder} does not hear {held}; {held} hears {sound}")), unnoticed)
}

/// The call was ended while it was held.
pub(in crate::check) fn dropped(holding: &Holding<'_>, reasons: &str) -> StepVerdict {
    let why = if reasons.is_empty() { String::new() } else { format!(": {reasons}") };
    if !is_media_timeout(reasons) {
        return StepVerdict::fail(
            "dropped-on-hold",
            Side::Peer,
            format!("the call ended while it was held{why}"),
            "second line: the platform's log of this Call-ID",
        );
    }
    // A platform that knows this way of hold tells the other end, or plays music to it.
    if holding.how == How::ZeroAddress && !holding.passed_on {
        return StepVerdict::fail(
            "old-hold-not-known",
            Side::Peer,
            format!(
                "the hold by the address 0.0.0.0 was taken for a live address, and the platform ended the call{why} (H01)"
            ),
            ZERO_ADVICE,
        );
    }
    StepVerdict::fail(
        "media-timeout",
        Side::Peer,
        format!("the platform ended the held call{why} (H15)"),
        "platform: a hold has no media by its nature; a longer timeout for held calls, or none",
    )
}

/// Judges what was heard after the resumption, which was answered so: sound that does not come back is the resumption's.
pub(in crate::check) fn resumed(mutual: StepVerdict, resume: &Holding<'_>) -> StepVerdict {
    if mutual.verdict != crate::check::Verdict::Fail {
        return mutual;
    }
    let Holding { holder, held, answer, .. } = resume;
    let detail = mutual.detail;
    if let Some(changed) = resume.changed.filter(|changed| changed.wrote == SdpDirection::SendRecv) {
        return StepVerdict::fail(
            "no-audio-after-resume",
            Side::Peer,
            format!(
                "{holder}'s resume was changed on its way: {}; it was answered {answer}, and {detail} (H03)",
                changed.told(holder, held)
            ),
            "platform: pass the direction of an offer on as it was written: who resumes writes sendrecv, and the other end has to get it (RFC 3264 sec. 8.4)",
        );
    }
    StepVerdict::fail(
        "no-audio-after-resume",
        Side::Peer,
        match *answer {
            "sendrecv" => format!("after the resume, {detail}"),
            other => format!("the resume was answered {other}: {detail} (H03)"),
        },
        "platform: an offer that resumes has to be answered sendrecv, and the media turned on again in both directions",
    )
}
