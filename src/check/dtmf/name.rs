//! What the defects are called for people: a finding for each kind, with the digits that it met, and what to do.

use super::phase::{Fate, Phase};
use crate::check::judged::{Judged as Verdicted, interrupted};
use crate::check::press::Unpressed;
use crate::check::scene::Until;
use crate::check::{Finding, Severity, Side, Verdict};
use crate::media::digit::Digit;
use crate::media::dtmf::{By, Defect, Judged, Way};
use std::mem::discriminant;

/// Above this part of lost packets, what is missing says more about the path than about the platform.
const LOSSY: f64 = 0.10;

/// A phase's verdict, in one sentence, and what was found.
pub(super) struct Named {
    pub(super) verdict: Verdict,
    pub(super) detail: String,
    pub(super) findings: Vec<Finding>,
}

/// Judges a phase. With `alone`, its method is what was asked for; otherwise it is one of several.
pub(super) fn name(phase: &Phase, alone: bool) -> Named {
    let mut named = match &phase.fate {
        Fate::Sent { judged, loss, packets, plain, .. } => sent(phase, judged, *loss, *packets, *plain),
        Fate::NotNegotiated => of(Verdicted::fail(
            "telephone-event-missing",
            Side::Peer,
            "telephone-event is missing from the answer: digits by RFC 4733 cannot be sent (D01)".into(),
            "platform: enable telephone-event on this route; phone: DTMF 'auto', INFO or in-band meanwhile",
        )),
        Fate::InfoRefused { status, at } => info_refused(phase, *status, *at, alone),
        Fate::CallEnded => of(Verdicted::fail(
            "call-ended",
            Side::Peer,
            format!("the call ended while digits were sent by {}", phase.way),
            "see who hung up, and whether a digit is a feature code of the platform",
        )),
        Fate::Interrupted(Until::Interrupted(why)) => of(interrupted(*why)),
        Fate::Interrupted(_) => of(interrupted(crate::check::Interrupted::TimeLimit)),
    };
    for finding in &mut named.findings {
        finding.evidence = phase.evidence.clone();
    }
    named
}

impl Named {
    /// The verdict with the first of the findings.
    pub(super) fn first(self) -> Verdicted {
        Verdicted { verdict: self.verdict, detail: self.detail, finding: self.findings.into_iter().next() }
    }
}

/// Why these digits could not be sent by this way, where that way was asked for.
pub(in crate::check) fn unpressed(way: Way, sent: Vec<Digit>, why: Unpressed) -> Verdicted {
    name(&Phase { way, sent, fate: why.into(), evidence: 0..0 }, true).first()
}

fn of(judged: Verdicted) -> Named {
    Named { verdict: judged.verdict, detail: judged.detail, findings: judged.finding.into_iter().collect() }
}

fn info_refused(phase: &Phase, status: Option<u16>, at: usize, alone: bool) -> Named {
    let digit = phase.sent.get(at).map_or('?', |digit| digit.character());
    let Some(status) = status else {
        return of(Verdicted::fail(
            "info-not-answered",
            Side::Peer,
            format!("the INFO with digit {digit} was not answered (D14)"),
            "platform: it loses requests in the call; look at NAT and at the route of the dialog",
        ));
    };
    let (code, what, advice) = match status {
        405 | 501 => (
            "info-refused",
            "the far side takes no INFO (D11)",
            "set DTMF to RFC 4733 on the phone; nothing is wrong when RFC 4733 works",
        ),
        415 => (
            "info-type-refused",
            "neither application/dtmf-relay nor application/dtmf is taken (D12)",
            "phone: RFC 4733, or the body type that the platform's Accept names",
        ),
        481 | 408 => (
            "info-dialog-gone",
            "the platform does not know this call any more (D14)",
            "platform: in-dialog requests are misrouted; look at what changed the dialog before",
        ),
        _ => ("info-refused", "the digit was not taken", "platform: see the status in the ladder"),
    };
    let seen = format!("INFO with digit {digit} was refused with {status}: {what}");
    let lacking = matches!(status, 405 | 501 | 415) && !alone;
    // Who takes no INFO has to say so, and has said so: as one method of several that is worth knowing and no fault.
    let (verdict, severity) =
        if lacking { (Verdict::NotRun, Severity::Warning) } else { (Verdict::Fail, Severity::Error) };
    let finding = Finding::new(code, severity, Side::Peer, seen.clone(), advice);
    Named { verdict, detail: seen, findings: vec![finding] }
}

fn sent(phase: &Phase, judged: &Judged, loss: f64, packets: u64, plain: bool) -> Named {
    let all: String = phase.sent.iter().map(|digit| digit.character()).collect();
    let mut named = Named {
        verdict: Verdict::Pass,
        detail: format!("sent {all} by {}, received {}", phase.way, shown(&judged.received)),
        findings: Vec::new(),
    };
    if plain {
        named.findings.push(Finding::new(
            "info-type",
            Severity::Warning,
            Side::Peer,
            "application/dtmf-relay was refused with 415, application/dtmf was taken (D12)",
            "platform: accept both; phone: set the body type to 'dtmf'",
        ));
    }
    let percent = loss * 100.0;
    let missing = judged.defects.iter().any(|defect| caused_by_loss(*defect));
    let others = judged.defects.iter().any(|defect| !defect.is_legal() && !caused_by_loss(*defect));
    if loss > LOSSY {
        let seen = if missing {
            format!(
                "{percent:.0} % of the packets were lost on the way: what is missing may be the path's fault"
            )
        } else {
            format!("{percent:.0} % of the packets were lost on the way; the digits got through all the same")
        };
        let severity = if missing { Severity::Error } else { Severity::Warning };
        named.findings.push(Finding::new(
            "path-lossy",
            severity,
            Side::Path,
            seen.clone(),
            "mend the path first (Wi-Fi, uplink, duplex), then run it again; longer digits survive more loss",
        ));
        named.verdict = match (missing, others) {
            (_, true) => Verdict::Fail,
            (true, false) => Verdict::Inconclusive,
            (false, false) => Verdict::Pass,
        };
        named.detail = format!("{}; {seen}", named.detail);
    }
    let mut kinds: Vec<Defect> = Vec::new();
    for defect in &judged.defects {
        if !kinds.iter().any(|kind| same_kind(*kind, *defect)) {
            kinds.push(*defect);
        }
    }
    for kind in kinds {
        let alike: Vec<Defect> =
            judged.defects.iter().copied().filter(|defect| same_kind(kind, *defect)).collect();
        let mut finding = finding(phase, kind, &alike, packets);
        if loss > LOSSY && caused_by_loss(kind) {
            finding.severity = Severity::Warning;
            finding.side = Side::Path;
        } else if finding.severity == Severity::Error {
            named.verdict = Verdict::Fail;
            named.detail = finding.seen.clone();
        }
        named.findings.push(finding);
    }
    named
}

fn same_kind(one: Defect, other: Defect) -> bool {
    match (one, other) {
        (Defect::Doubled { by: one, .. }, Defect::Doubled { by: other, .. }) => one == other,
        _ => discriminant(&one) == discriminant(&other),
    }
}

/// May lost packets alone have done this?
fn caused_by_loss(defect: Defect) -> bool {
    matches!(
        defect,
        Defect::NothingArrived
            | Defect::Lost { .. }
            | Defect::Merged { .. }
            | Defect::Shortened { .. }
            | Defect::NoEndPacket { .. }
            | Defect::NoMarker { .. }
            | Defect::Changed { .. }
            | Defect::Doubled { by: By::Repeat, .. }
    )
}

fn shown(digits: &str) -> &str {
    if digits.is_empty() { "nothing" } else { digits }
}

/// The digits that a kind of defect met, e.g. `1, 5 and 7 (of 16)`.
fn digits(phase: &Phase, alike: &[Defect]) -> String {
    let positions: Vec<usize> = alike.iter().filter_map(|defect| position(*defect)).collect();
    let total = phase.sent.len();
    if positions.len() == total && total > 1 {
        return if total == 2 { "both digits".to_owned() } else { format!("all {total} digits") };
    }
    let named: Vec<String> = positions
        .iter()
        .map(|at| {
            let digit = phase.sent.get(*at).map_or('?', |digit: &Digit| digit.character());
            format!("{digit} (place {})", at + 1)
        })
        .collect();
    match named.as_slice() {
        [one] => format!("digit {one}"),
        many => format!("digits {}", many.join(", ")),
    }
}

fn position(defect: Defect) -> Option<usize> {
    match defect {
        Defect::Lost { position }
        | Defect::Merged { position }
        | Defect::Doubled { position, .. }
        | Defect::Swapped { position }
        | Defect::Changed { position, .. }
        | Defect::Shortened { position, .. }
        | Defect::TooQuiet { position }
        | Defect::NoEndPacket { position }
        | Defect::NoMarker { position }
        | Defect::WrongPayloadType { position, .. }
        | Defect::WrongClockRate { position, .. }
        | Defect::AnotherSsrc { position } => Some(position),
        Defect::NothingArrived
        | Defect::Converted { .. }
        | Defect::Invented { .. }
        | Defect::NoDigit { .. } => None,
    }
}

fn finding(phase: &Phase, kind: Defect, alike: &[Defect], packets: u64) -> Finding {
    let which = digits(phase, alike);
    let error =
        |code, side, seen: String, advice: &str| Finding::new(code, Severity::Error, side, seen, advice);
    match kind {
        Defect::NothingArrived if packets == 0 && phase.way != Way::Info => error(
            "no-media",
            Side::Path,
            "no RTP at all reached the far end while the digits were sent (N12)".into(),
            "allow the UDP media ports and the platform's media addresses on the firewall",
        ),
        Defect::NothingArrived => nothing(phase.way),
        Defect::Converted { from, to } => Finding::new(
            "converted",
            Severity::Info,
            Side::Peer,
            format!("sent by {from}, arrived by {to}"),
            "legal; what takes digits at the far end has to take them by this way",
        ),
        Defect::Lost { .. } => error(
            "digits-lost",
            Side::Peer,
            format!("{which} did not arrive"),
            "platform: it drops single digits; compare with the same digits sent slower and longer",
        ),
        Defect::Merged { .. } => error(
            "digits-merged",
            Side::Peer,
            format!("{which} came as one with the same digit before it: \"11\" is read as \"1\" (D06)"),
            "a gap of at least 50 to 100 ms, and a new timestamp and marker for each press (firmware or platform)",
        ),
        Defect::Doubled { by, .. } => doubled(phase.way, by, &which),
        Defect::Swapped { .. } => error(
            "digits-swapped",
            Side::Path,
            format!("{which} came after the digit that was sent behind"),
            "the path changes the order of packets; a receiver has to order them by RTP timestamp",
        ),
        Defect::Changed { into, .. } => error(
            "digits-changed",
            Side::Peer,
            format!("{which} arrived as another one ({into})"),
            "tones through a codec or noise suppression are misread (D15): PCMA or PCMU, or RFC 4733",
        ),
        Defect::Invented { digit, .. } => error(
            "digits-invented",
            Side::Peer,
            format!("digit {digit} arrived that was never sent"),
            "something on the way takes voice for digits (talk-off), or plays its own",
        ),
        Defect::NoDigit { event } => error(
            "no-digit",
            Side::Peer,
            format!("an event came that is no digit: code {event} (D19)"),
            "switch off hook-flash; use the transfer key",
        ),
        Defect::Shortened { milliseconds, .. } => error(
            "digits-short",
            Side::Peer,
            format!(
                "{which} arrived with {milliseconds} ms, shorter than the 40 ms that a receiver needs (D09)"
            ),
            "set the length of digits to 100 ms with 100 ms between, on the phone and on the platform",
        ),
        Defect::TooQuiet { .. } => error(
            "digits-quiet",
            Side::Peer,
            format!("{which} arrived weaker than -36 dBm0 (D09)"),
            "set the level of digits to -8 to -10 dBm0",
        ),
        Defect::NoEndPacket { .. } => error(
            "no-end-packet",
            Side::Peer,
            format!("{which} had no end packet (D08)"),
            "digits of at least 100 ms; the sender has to repeat the end three times (RFC 4733 sec. 2.5.1.4)",
        ),
        Defect::NoMarker { .. } => error(
            "no-marker",
            Side::Peer,
            format!("{which} had no marker on the first packet: a strict receiver drops it (D07)"),
            "platform: mark the first packet (RFC 4733 sec. 2.3.3), or tell events apart by timestamp",
        ),
        Defect::WrongPayloadType { payload_type, .. } => error(
            "wrong-payload-type",
            Side::Peer,
            format!(
                "{which} came with payload type {payload_type}, which our description did not give (D02)"
            ),
            "the sender has to take the number from the far side's SDP; as a stopgap use 101 on both sides",
        ),
        Defect::WrongClockRate { hz, .. } => error(
            "wrong-clock-rate",
            Side::Peer,
            format!("the duration of {which} runs on a clock of {hz} Hz beside voice at 8000 Hz (D03)"),
            "offer one wide-band codec less, or let the platform match the rate of the voice",
        ),
        Defect::AnotherSsrc { .. } => error(
            "another-ssrc",
            Side::Peer,
            format!("{which} came from another source (SSRC) than the voice (D10)"),
            "platform: events belong into the voice's own stream",
        ),
    }
}

fn nothing(way: Way) -> Finding {
    let (code, seen, advice) = match way {
        Way::Rfc4733 => (
            "events-dropped",
            "telephone-event was agreed on and voice arrives, but no digit does: the events are thrown away (D18)",
            "platform or device: it offers what it does not read; take telephone-event out of its offer, or use INFO",
        ),
        Way::Info => (
            "info-not-delivered",
            "every INFO was answered 200, and no digit reached the far end by any way (D13)",
            "platform fault: it answers INFO itself and passes nothing on; use RFC 4733 meanwhile",
        ),
        Way::InBand => (
            "tones-lost",
            "voice arrives, but none of the tones does",
            "platform: it mutes in-band digits or sends them through a compressing codec; use RFC 4733",
        ),
    };
    Finding::new(code, Severity::Error, Side::Peer, seen, advice)
}

fn doubled(way: Way, by: By, which: &str) -> Finding {
    let (code, seen, advice) = match by {
        By::InBand => (
            "doubled-in-band",
            format!("{which} arrived twice: by {way}, and as tones in the audio (D04)"),
            "one method only on the phone; platform: mute tones in the audio while events are sent",
        ),
        By::Info => (
            "doubled-info",
            format!("{which} arrived twice: by {way}, and by INFO (D04)"),
            "one method only: switch off INFO or RFC 4733 on the phone or the platform",
        ),
        By::Rfc4733 => (
            "doubled-rfc4733",
            format!("{which} arrived twice: by {way}, and by RFC 4733 (D04)"),
            "one method only: the platform makes events out of what it also passes on",
        ),
        By::Restart => (
            "event-restarted",
            format!("the event of {which} was begun anew under another timestamp: it counts twice (D05)"),
            "firmware or platform: all packets of an event carry one timestamp (RFC 4733 sec. 2.3.2)",
        ),
        By::Repeat => (
            "digits-repeated",
            format!("{which} arrived twice, each a press of its own"),
            "platform: it sends digits again; look for two converters on the way",
        ),
    };
    Finding::new(code, Severity::Error, Side::Peer, seen, advice)
}
