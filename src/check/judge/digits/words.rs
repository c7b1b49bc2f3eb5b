//! The names of the defects for people: a finding for each kind, with the digits that it met, and what to do.

use super::{Arrived, Pressed, info};
use crate::check::{Finding, Severity, Side};
use crate::media::digit::Digit;
use crate::media::dtmf::{By, Defect, DtmfMethod, Observation};
use std::time::Duration;

/// Digits of this length are not lost for their length.
const LONG_ENOUGH: Duration = Duration::from_millis(100);

pub(super) fn shown(digits: &str) -> &str {
    if digits.is_empty() { "nothing" } else { digits }
}

/// The digits that a kind of defect met, e.g. `digits 1 (place 2), 5 (place 3)`.
fn digits(pressed: &Pressed, alike: &[Defect]) -> String {
    let positions: Vec<usize> = alike.iter().filter_map(|defect| defect.position()).collect();
    places(&pressed.sent, &positions)
}

/// Digits by their places.
pub(super) fn places(sent: &[Digit], positions: &[usize]) -> String {
    let total = sent.len();
    if positions.len() == total && total > 1 {
        return if total == 2 { "both digits".to_owned() } else { format!("all {total} digits") };
    }
    let named: Vec<String> = positions
        .iter()
        .map(|at| {
            let digit = sent.get(*at).map_or('?', |digit: &Digit| digit.character());
            format!("{digit} (place {})", at + 1)
        })
        .collect();
    match named.as_slice() {
        [one] => format!("digit {one}"),
        many => format!("digits {}", many.join(", ")),
    }
}

/// E.g. `1.0 s`.
fn seconds(milliseconds: u32) -> String {
    format!("{:.1} s", f64::from(milliseconds) / 1_000.0)
}

pub(super) fn finding(pressed: &Pressed, arrived: &Arrived, kind: Defect, alike: &[Defect]) -> Finding {
    let which = digits(pressed, alike);
    let error =
        |code, side, seen: String, advice: &str| Finding::new(code, Severity::Error, side, seen, advice);
    match kind {
        Defect::NothingArrived if arrived.packets == 0 && pressed.way != DtmfMethod::Info => error(
            "no-media",
            Side::Path,
            "no RTP at all reached the far end while the digits were sent (N12)".into(),
            "allow the UDP media ports and the platform's media addresses on the firewall",
        ),
        Defect::NothingArrived => info::unread(&arrived.infos, true)
            .or_else(|| info::empty(&arrived.infos))
            .unwrap_or_else(|| nothing(pressed)),
        Defect::Converted { from, to } => Finding::new(
            "converted",
            Severity::Info,
            Side::Peer,
            format!("sent by {from}, arrived by {to}"),
            "legal; the far end has to take digits sent this way",
        ),
        Defect::Lost { .. } if alike.iter().all(|lost| is_dropped(arrived, *lost)) => error(
            "digits-lost",
            Side::Peer,
            format!(
                "{which} did not arrive, and the voice around did: {} packets are taken out",
                if alike.len() == 1 { "its" } else { "their" }
            ),
            "platform: it takes these digits for itself (a feature code, a filter of A to D) or drops them; the path is not at fault",
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
        Defect::Doubled { by: By::Repeat, .. }
            if pressed.way == DtmfMethod::Info && arrived.infos_repeated > 0 =>
        {
            error(
                "digits-repeated",
                Side::Peer,
                format!(
                    "{which} arrived more than once, each a press of its own: the INFOs were answered so late that they were sent again ({} repetitions, RFC 3261 sec. 17.1.2.2), and the platform passed each on as a new one",
                    arrived.infos_repeated
                ),
                "platform: know a repetition by its branch, and answer it as the first (RFC 3261 sec. 17.2.2); answer an INFO within half a second",
            )
        }
        Defect::Doubled { by, .. } => doubled(pressed.way, by, &which),
        Defect::Swapped { .. } => error(
            "digits-swapped",
            Side::Path,
            format!("{which} came after the digit that was sent behind"),
            "the path changes the order of packets; a receiver has to order them by RTP timestamp",
        ),
        Defect::Changed { into, .. } => error(
            "digits-changed",
            Side::Peer,
            format!("{which} arrived as another digit ({into})"),
            match alike.iter().filter_map(|defect| came_by(arrived, *defect)).next().unwrap_or(pressed.way) {
                DtmfMethod::InBand => {
                    "tones through a codec or noise suppression are misread (D15): PCMA or PCMU, or RFC 4733"
                }
                DtmfMethod::Rfc4733 if pressed.way == DtmfMethod::Rfc4733 => {
                    "platform: it rewrites events, whose number says the digit (RFC 4733 sec. 3.2): look for a rule for digits, a converter, or two calls that share a relay"
                }
                DtmfMethod::Info if pressed.way == DtmfMethod::Info => {
                    "platform: it rewrites the digit in the body of INFO: look at what converts it on the way, also * and # written as 10 and 11"
                }
                _ => {
                    "platform: what turns digits of one method into another misreads or mistranslates them: send one method through, and compare"
                }
            },
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
            if arrived.expected.duration >= LONG_ENOUGH {
                "platform: its relay drops the packets with the end bit, or ends events by itself: it has to pass on all three (RFC 4733 sec. 2.5.1.4); phones play such a digit until it times out, or not at all"
            } else {
                "digits of at least 100 ms; the sender has to repeat the end three times (RFC 4733 sec. 2.5.1.4)"
            },
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
                "{which} came with payload type {payload_type}, which our description did not give (D02){}",
                pressed.agreed.number_changed(payload_type).unwrap_or_default()
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
        Defect::AnotherAddress { .. } => error(
            "another-address",
            Side::Peer,
            format!(
                "{which} came from another address than the voice: a receiver that takes media from one address hears none of them"
            ),
            "platform: events belong into the voice's own stream",
        ),
        Defect::SharedTimestamp { .. } => Finding::new(
            "events-share-timestamp",
            Severity::Warning,
            Side::Peer,
            format!(
                "{which} came as events under one RTP timestamp: a receiver that goes by the timestamp takes them for one digit"
            ),
            "platform: each event has the timestamp of its beginning (RFC 4733 sec. 2.2.1); seen where digits are held back and sent on together",
        ),
        Defect::Late { is_overtaken, .. } => late(&which, alike, is_overtaken, arrived),
        Defect::Broken { milliseconds, .. } => Finding::new(
            "tones-broken",
            Severity::Warning,
            Side::Peer,
            format!(
                "the tones of {which} came in pieces, {milliseconds} ms apart: a receiver may take them for two presses"
            ),
            "platform: it puts other sound among the tones that it makes; use RFC 4733",
        ),
        Defect::SparseUpdates { .. } => {
            let longest = alike.iter().filter_map(|defect| match defect {
                Defect::SparseUpdates { milliseconds, .. } => Some(*milliseconds),
                _ => None,
            });
            Finding::new(
                "updates-sparse",
                Severity::Warning,
                Side::Peer,
                format!(
                    "the updates of {which} came up to {} apart; the ends came: a receiver that misses three updates ends the digit early",
                    seconds(longest.max().unwrap_or_default())
                ),
                "platform: update a running event in each packet time, at least every 50 ms (RFC 4733 sec. 2.5.1.2)",
            )
        }
    }
}

/// By which way the digit came that is at this place.
fn came_by(arrived: &Arrived, changed: Defect) -> Option<DtmfMethod> {
    let Defect::Changed { into, .. } = changed else { return None };
    arrived.observed.iter().find(|seen| seen.digit == Some(into)).map(|seen| seen.way)
}

/// Whether the digit's packets are missing among voice that is not.
fn is_dropped(arrived: &Arrived, lost: Defect) -> bool {
    lost.position().is_some_and(|at| arrived.expected.around.dropped.contains(&at))
}

fn late(which: &str, alike: &[Defect], is_overtaken: bool, arrived: &Arrived) -> Finding {
    let times: Vec<u32> = alike
        .iter()
        .filter_map(
            |defect| if let Defect::Late { milliseconds, .. } = defect { Some(*milliseconds) } else { None },
        )
        .collect();
    let (least, most) = (times.iter().min().copied(), times.iter().max().copied());
    let (least, most) = (seconds(least.unwrap_or_default()), seconds(most.unwrap_or_default()));
    let after = if least == most { most } else { format!("{least} to {most}") };
    let advice = "platform: it holds digits back to look for feature codes (*, #): shorten that time, or switch the codes off where nobody needs them";
    if is_overtaken {
        let at = alike.iter().filter_map(|defect| defect.position()).min().unwrap_or_default();
        let behind: String =
            arrived.expected.digits.iter().skip(at + 1).map(|digit| digit.character()).collect();
        return Finding::new(
            "digits-late",
            Severity::Error,
            Side::Peer,
            format!(
                "{which} came {after} after being sent, behind digits that were sent later ({behind}): they are read in the wrong order"
            ),
            advice,
        );
    }
    Finding::new(
        "digits-late",
        Severity::Warning,
        Side::Peer,
        format!("{which} came late, {after} after being sent"),
        advice,
    )
}

/// Digits of the phase before.
pub(super) fn belated(belated: &[&Observation]) -> Option<Finding> {
    let came: String = belated.iter().filter_map(|seen| Some(seen.digit?.character())).collect();
    let way = belated.first()?.way;
    Some(Finding::new(
        "digits-late",
        Severity::Warning,
        Side::Peer,
        format!("{came} of the digits sent before came by {way} when the next ones were being sent already"),
        "platform: it holds digits back; a receiver that waits for them has given up by then",
    ))
}

/// Events from somebody who is no part of the call.
pub(super) fn foreign(foreign: &[&Observation]) -> Option<Finding> {
    let digits: Vec<String> = foreign
        .iter()
        .map(|seen| {
            seen.digit.map_or_else(|| format!("event {}", seen.event), |digit| format!("digit {digit}"))
        })
        .collect();
    let mut sources: Vec<String> = foreign
        .iter()
        .filter_map(|seen| Some(format!("{} (SSRC {:08x})", seen.rtp?.remote?, seen.rtp?.ssrc)))
        .collect();
    sources.dedup();
    foreign.first()?;
    Some(Finding::new(
        "foreign-events",
        Severity::Warning,
        Side::Path,
        format!(
            "telephone events ({}) came from a foreign source, {}, which no description names: not counted",
            digits.join(", "),
            sources.join(", ")
        ),
        "somebody else sends to our media port: media ports open to all need SRTP or a firewall",
    ))
}

fn nothing(pressed: &Pressed) -> Finding {
    let (code, seen, advice) = match pressed.way {
        DtmfMethod::Rfc4733 if pressed.agreed.offer.is_some() && pressed.agreed.receives.is_none() => (
            "events-dropped",
            "telephone-event was agreed on with the caller and not with the called end, and no digit comes by another way: the events are thrown away (D18)",
            "platform: offer telephone-event to both ends, or turn events into INFO or tones for the one that has none",
        ),
        DtmfMethod::Rfc4733 => (
            "events-dropped",
            "telephone-event was agreed on and voice arrives, but no digit does: the events are thrown away (D18)",
            "platform or device: it offers what it does not read; take telephone-event out of its offer, or use INFO",
        ),
        DtmfMethod::Info => (
            "info-not-delivered",
            "every INFO was answered 200, and no digit reached the far end by any way (D13)",
            "platform fault: it answers INFO itself and passes nothing on; use RFC 4733 meanwhile",
        ),
        DtmfMethod::InBand => (
            "tones-lost",
            "voice arrives, but none of the tones does",
            "platform: it mutes in-band digits or sends them through a compressing codec; use RFC 4733",
        ),
    };
    Finding::new(code, Severity::Error, Side::Peer, seen, advice)
}

fn doubled(way: DtmfMethod, by: By, which: &str) -> Finding {
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
            format!("the event of {which} began again under another timestamp: it counts twice (D05)"),
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
