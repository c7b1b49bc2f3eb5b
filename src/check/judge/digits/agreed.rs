//! Telephone events in offer and answer, at either end (RFC 3264 sec. 6.1, RFC 4733 sec. 2.1).

use super::{Arrived, Pressed};
use crate::check::judged::StepVerdict;
use crate::check::{Finding, Severity, Side};
use crate::media::digit::Digit;
use crate::media::dtmf::DtmfMethod;
use crate::sdp::{Description, telephone_events};

/// Telephone events of one description: payload types with their clock rates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::check) struct Events(pub(in crate::check) Vec<(u8, u32)>);

/// Descriptions as both ends got them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::check) struct Agreed {
    /// In the answer to the end that sends; `None` where it is not known.
    pub(in crate::check) answer: Option<Events>,
    /// In the offer to the end that receives; `None` where it is not known, or that end made the offer.
    pub(in crate::check) offer: Option<Events>,
    /// The payload type that the receiving end agreed on.
    pub(in crate::check) receives: Option<u8>,
    /// The events that the sender was told the far end takes, as bits.
    pub(in crate::check) told: Option<u32>,
    /// The events that the receiving end, which is ours, takes by its own description.
    pub(in crate::check) takes: Option<u32>,
}

impl Events {
    /// Reads a body; `None` when it is no description.
    pub(in crate::check) fn of(body: &[u8]) -> Option<Events> {
        let description = Description::parse(body).ok()?;
        Some(Events(telephone_events(&description)))
    }

    /// Those whose clock rate is not that of G.711, e.g. `telephone-event/48000`, where there are no others.
    pub(in crate::check) fn other_rates(&self) -> Option<String> {
        let rates: Vec<String> = self
            .0
            .iter()
            .filter(|(_, hz)| *hz != 8_000)
            .map(|(_, hz)| format!("telephone-event/{hz}"))
            .collect();
        (!rates.is_empty() && rates.len() == self.0.len()).then(|| rates.join(", "))
    }
}

impl Agreed {
    /// The sender was told this number by the answer, and the receiver had written another number: a sentence with `; ` in front.
    pub(super) fn number_changed(&self, payload_type: u8) -> Option<String> {
        let wrote = self.receives.filter(|number| *number != payload_type)?;
        let told = self.answer.as_ref()?.0.iter().any(|(number, _)| *number == payload_type);
        told.then(|| {
            format!("; the called end wrote {wrote}, and the answer that arrived says {payload_type}: changed on the way")
        })
    }
}

/// Digits whose events the far end does not take, and which were not sent therefore. Few phones have keys for A to D: those alone are no failure.
pub(super) fn not_taken(agreed: &Agreed, digits: &[Digit]) -> StepVerdict {
    let named: Vec<String> = digits.iter().map(|digit| digit.character().to_string()).collect();
    let bit = |digit: &Digit| 1_u32 << digit.event();
    let is_changed = agreed.takes.is_some_and(|takes| digits.iter().all(|digit| takes & bit(digit) != 0));
    let seen = format!(
        "the far end takes no events for {} (the fmtp of telephone-event that the sender got says {}): not sent{}",
        named.join(", "),
        listed(agreed.told.unwrap_or_default()),
        if is_changed { "; the called end's own description has them: changed on the way" } else { "" }
    );
    let advice = "platform: tell each end the events that the other one takes, 0-15 for all digits (RFC 4733 sec. 2.4.1); phones do not send events that are not listed, or send tones in their place";
    if digits.iter().all(|digit| digit.event() > 11) {
        let finding = Finding::new("digits-not-taken", Severity::Warning, Side::Peer, seen.clone(), advice);
        return StepVerdict { finding: Some(finding), ..StepVerdict::pass(seen) };
    }
    StepVerdict::fail("digits-not-taken", Side::Peer, seen, advice)
}

/// Bits as RFC 4733 writes them: `0-9,11`.
fn listed(events: u32) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for event in (0..32).filter(|event| events & (1 << event) != 0) {
        match ranges.last_mut().filter(|(_, last)| last + 1 == event) {
            Some((_, last)) => *last = event,
            None => ranges.push((event, event)),
        }
    }
    let shown = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    shown.collect::<Vec<_>>().join(",")
}

/// Events cannot be sent: the answer has none that we may use.
pub(super) fn missing(agreed: &Agreed) -> StepVerdict {
    if let Some(rates) = agreed.answer.as_ref().and_then(Events::other_rates) {
        return StepVerdict::fail(
            "telephone-event-rate",
            Side::Peer,
            format!(
                "the answer has {rates} beside G.711: its clock does not fit the voice at 8000 Hz, so digits by RFC 4733 cannot be sent (D03)"
            ),
            "platform: answer with telephone-event/8000 beside PCMA and PCMU (RFC 4733 sec. 2.1); an answer gives the rates of the offer",
        );
    }
    StepVerdict::fail(
        "telephone-event-missing",
        Side::Peer,
        format!(
            "telephone-event is missing from the answer{}: digits by RFC 4733 cannot be sent (D01)",
            match (agreed.receives, &agreed.offer) {
                (Some(number), _) => format!(
                    ", although the called end's own has it (payload type {number}): taken out on the way"
                ),
                (None, Some(offer)) if offer.0.is_empty() =>
                    ", and was not in the offer to the called end".to_owned(),
                _ => String::new(),
            }
        ),
        "platform: enable telephone-event on this route; phone: DTMF 'auto', INFO or in-band meanwhile",
    )
}

/// Events came to an end that had not agreed to them.
pub(super) fn unasked(pressed: &Pressed, arrived: &Arrived) -> Option<Finding> {
    if pressed.agreed.receives.is_some() {
        return None;
    }
    let ours =
        arrived.observed.iter().filter_map(|observation| observation.rtp.filter(|rtp| !rtp.is_foreign));
    let mut types: Vec<u8> = ours.map(|rtp| rtp.payload_type).collect();
    types.sort_unstable();
    types.dedup();
    let named = types.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    if named.is_empty() {
        return None;
    }
    let offer = match &pressed.agreed.offer {
        Some(offer) => match offer.other_rates() {
            Some(rates) => {
                format!("the offer to the called end has {rates} only, which does not fit the voice")
            }
            None if offer.0.is_empty() => "telephone-event was not in the offer to the called end".to_owned(),
            None => "the answer of the called end has no telephone-event".to_owned(),
        },
        None => "the called end has no telephone-event in its description".to_owned(),
    };
    let by = match pressed.way {
        DtmfMethod::Rfc4733 => String::new(),
        way => format!(" for digits sent by {way}"),
    };
    Some(Finding::new(
        "events-not-agreed",
        Severity::Error,
        Side::Peer,
        format!("telephone events came with payload type {named}{by}, and were not agreed on: {offer}"),
        "platform: send events only where offer and answer have telephone-event; a phone drops a payload type that it does not know",
    ))
}
