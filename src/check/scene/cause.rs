//! What is known of a whole call, and explains what is found in one of its steps.

use super::Scene;
use super::trace::MessageKind;
use crate::check::judge::astray::{self, Led};
use crate::check::judged::StepVerdict;
use crate::check::{Finding, Severity, Side};
use crate::syntax::Method;

impl Scene<'_> {
    /// The verdict with the cause in front, where requests went unanswered because the Contact leads them astray.
    pub(super) fn with_cause(&self, mut judged: StepVerdict) -> StepVerdict {
        let Some(finding) = &mut judged.finding else { return judged };
        let before = finding.seen.clone();
        self.give_cause(finding);
        if finding.seen != before {
            judged.detail = finding.seen.clone();
        }
        judged
    }

    /// The same for a finding alone.
    pub(super) fn give_cause(&self, finding: &mut Finding) {
        if finding.advice == astray::ADVICE || !astray::may_be_by_contact(&finding.code) {
            return;
        }
        if let Some(cause) = self.astray() {
            finding.seen = format!("{cause}: {}", finding.seen);
            finding.advice = astray::ADVICE.to_owned();
        }
    }

    /// Where the requests of an end of ours go, if that is nowhere.
    fn astray(&self) -> Option<String> {
        let answer = MessageKind::Response(Method::Invite, 200, 299);
        let invite = MessageKind::Request(Method::Invite);
        (0..self.ends.legs.len()).find_map(|number| {
            let leg = self.leg(number);
            let what = if leg.is_caller { answer } else { invite };
            // Of a call between two of ours the other end is the one that came up with it.
            let other = (0..self.ends.legs.len()).find(|other| {
                let other = self.leg(*other);
                let [caller, callee] = if leg.is_caller { [leg, other] } else { [other, leg] };
                other.is_caller != leg.is_caller && callee.began >= caller.began
            });
            let (trace, others) = (self.trace(number), other.map(|other| self.trace(other)));
            astray::astray(&Led {
                name: self.name(leg.party),
                other: other.map_or("the far end", |other| self.name(self.leg(other).party)),
                came: &trace.received(what)?.message,
                wrote: others.as_ref().and_then(|trace| Some(&trace.sent(what)?.message)),
                signalling: self.ends.parties.get(leg.party)?.flow().remote,
            })
        })
    }

    /// Further devices that answered calls of ours, and what else came to the caller's media port: the voice of two devices, maybe.
    pub(super) fn note_answered_twice(&mut self) {
        for number in 0..self.ends.legs.len() {
            let leg = self.leg(number);
            let (further, name) = (leg.seen.forks_hung_up, self.name(leg.party));
            if further == 0 {
                continue;
            }
            let media: String = self
                .beside_answer
                .iter()
                .filter(|(to, _)| to == name)
                .map(|(_, seen)| format!("; {seen}"))
                .collect();
            self.note(Finding::new(
                "answered-twice",
                Severity::Warning,
                Side::Peer,
                format!(
                    "{further} further device(s) answered the same call; each was sent ACK and BYE{media}"
                ),
                "platform fault: cancel the other devices as soon as one has answered",
            ));
        }
    }

    /// Is this, at the media port of this party, what a further device that answered explains? It is kept for
    /// [`Scene::note_answered_twice`].
    pub(super) fn is_of_further_answer(&mut self, to: &str, finding: &Finding) -> bool {
        let is_other_media = ["foreign-media", "unagreed-payload"].contains(&finding.code.as_ref());
        let is_answered_twice = |leg: &super::Leg| leg.seen.forks_hung_up > 0 && self.name(leg.party) == to;
        let is_its = is_other_media && self.ends.legs.iter().any(is_answered_twice);
        if is_its {
            self.beside_answer.push((to.to_owned(), finding.seen.clone()));
        }
        is_its
    }
}
