//! A transfer: what was asked for, what was seen of it, and what that is called.

pub(in crate::check) mod after;
pub(in crate::check) mod beside;
pub(in crate::check) mod consult;
pub(in crate::check) mod identity;
pub(in crate::check) mod keys;
pub(in crate::check) mod park;
pub(in crate::check) mod refer;
pub(in crate::check) mod refused;
pub(in crate::check) mod release;
#[cfg(test)]
mod tests;

use crate::check::judged::StepVerdict;
use crate::check::scene::{Ears, ReferAnswer, Told};
use crate::check::transfer::TransferTarget;
use crate::check::{Heard, TransferKind};
use std::time::Duration;

/// Length of a sound that is no party's tone from which on it is heard.
pub(in crate::check) const SOUND: Duration = Duration::from_millis(300);

/// A final NOTIFY that comes this long after the answer of the target is late: one that was lost once or twice has come by then.
const LATE: Duration = Duration::from_secs(2);

/// The transfer that was asked for.
#[derive(Debug, Clone)]
pub(in crate::check) struct Wanted {
    /// Names of the parties: caller, callee, target.
    pub(in crate::check) names: [String; 3],
    /// The numbers of the one who transfers, of the one who is transferred, and of the one to whom.
    pub(in crate::check) transferor: usize,
    pub(in crate::check) transferee: usize,
    pub(in crate::check) target: usize,
    pub(in crate::check) kind: TransferKind,
    /// Reactions of the target when the transferee calls it, and when the transferor does before.
    pub(in crate::check) target_does: TransferTarget,
    pub(in crate::check) asked_does: TransferTarget,
    /// Form in which the REFER names the target.
    pub(in crate::check) uri: String,
    /// Replaces names a call that rings.
    pub(in crate::check) early_replaces: bool,
    /// The transferor hangs up when the REFER is accepted.
    pub(in crate::check) hang_up_early: bool,
    /// Time for the transfer.
    pub(in crate::check) wait: Duration,
}

impl Wanted {
    pub(in crate::check) fn transferor(&self) -> &str {
        self.names.get(self.transferor).map_or("", String::as_str)
    }

    pub(in crate::check) fn transferee(&self) -> &str {
        self.names.get(self.transferee).map_or("", String::as_str)
    }

    pub(in crate::check) fn target(&self) -> &str {
        self.names.get(self.target).map_or("", String::as_str)
    }

    /// Do the right two hear each other?
    pub(in crate::check) fn is_done(&self, heard: Heard) -> bool {
        heard.joined(self.transferee, self.target)
    }

    /// The transferor's call has to take over, or be taken over by, something: not so where it gives its call to the target up.
    pub(in crate::check) fn replaces(&self) -> bool {
        self.kind == TransferKind::Attended || self.early_replaces
    }
}

/// The parties that heard each other, and the place of the transferee.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::check) struct Aftermath {
    pub(in crate::check) ears: Ears,
    /// Has the transferee a call that is up?
    pub(in crate::check) transferee_up: bool,
    /// Does the target ring, without having answered?
    pub(in crate::check) target_rings: bool,
}

impl Aftermath {
    pub(in crate::check) fn heard(&self) -> Heard {
        self.ears.heard
    }

    /// Is the transferee where it was before?
    pub(in crate::check) fn is_back(&self, wanted: &Wanted) -> bool {
        self.heard().joined(wanted.transferee, wanted.transferor)
    }

    /// Does this party hear a sound that is no party's tone?
    pub(in crate::check) fn hears_sound(&self, party: usize) -> bool {
        self.ears.else_heard.get(party).is_some_and(|time| *time >= SOUND)
    }

    /// Fate of the transferee.
    pub(in crate::check) fn fate(&self, wanted: &Wanted) -> String {
        let heard = self.heard();
        if wanted.is_done(heard) {
            format!("talks to {}", wanted.target())
        } else if self.is_back(wanted) {
            format!("is back with {}", wanted.transferor())
        } else if !self.transferee_up {
            "was cut off".to_owned()
        } else if !heard.is_alone(wanted.transferee) {
            format!("is in a call in which {}", heard.told(&wanted.names))
        } else if self.hears_sound(wanted.transferee) && self.target_rings {
            format!(
                "is in a call in which a tone of the platform is heard while {} rings (ringback)",
                wanted.target()
            )
        } else if self.hears_sound(wanted.transferee) {
            "is in a call in which nobody is heard but a sound of the platform (a tone, an announcement)"
                .to_owned()
        } else {
            "is in a call in which nobody is heard".to_owned()
        }
    }
}

/// Facts that the target saw of a transfer.
#[derive(Debug, Clone, Default)]
pub(in crate::check) struct TargetSaw {
    /// INVITEs that reached it for the transfer, without those that took a call over.
    pub(in crate::check) alerted: usize,
    /// Something of the transfer reached it, so that it could refuse.
    pub(in crate::check) is_asked: bool,
    /// It has answered in a call that came for the transfer; how long after the REFER, by its own 200.
    pub(in crate::check) answered_after: Option<Duration>,
    /// It still rings.
    pub(in crate::check) rings: bool,
    /// The call that rang there was cancelled: the Reasons.
    pub(in crate::check) cancelled: Option<Vec<String>>,
    /// The call that it had answered was ended from the other side: how long after its answer, and the Reasons.
    pub(in crate::check) ended: Option<(Duration, Vec<String>)>,
    /// Its own phone could not use the description of the media that came: why.
    pub(in crate::check) media_failed: Option<String>,
    /// Its own phone refused by itself the call that came: with which status, and why.
    pub(in crate::check) refused: Option<(u16, String)>,
}

/// The transferee's own call to the target, where it was its phone that was asked to call.
#[derive(Debug, Clone, Default)]
pub(in crate::check) struct OwnCall {
    pub(in crate::check) is_answered: bool,
    /// The answering party, as far as it says so: its program and its address.
    pub(in crate::check) answerer: String,
    /// Place to which it was sent instead: the status, and the Contact.
    pub(in crate::check) redirected: Option<(u16, String)>,
}

/// Facts about a transfer by REFER.
#[derive(Debug, Clone)]
pub(in crate::check) struct Transferred {
    pub(in crate::check) answer: ReferAnswer,
    pub(in crate::check) told: Told,
    /// Time from the REFER until the transferor was told the final status.
    pub(in crate::check) told_after: Option<Duration>,
    pub(in crate::check) after: Aftermath,
    pub(in crate::check) target: TargetSaw,
    pub(in crate::check) own_call: Option<OwnCall>,
    /// Why the new call did not come up, or who does not hear whom in it, as it is told of every call.
    pub(in crate::check) new_call: Option<StepVerdict>,
    /// Replaces reached the transferee otherwise than it was sent.
    pub(in crate::check) is_mangled: bool,
    /// Who was called after the REFER and is not the target: its name, and with which status its phone refused that.
    pub(in crate::check) called_instead: Option<(String, Option<u16>)>,
}

impl Transferred {
    /// Time from the answer of the target until the transferor was told of it, where that is long.
    pub(in crate::check) fn told_late(&self) -> Option<Duration> {
        let (told, answered) = (self.told_after?, self.target.answered_after?);
        let late = told.saturating_sub(answered);
        (self.told.is_done() && late >= LATE).then_some(late)
    }

    /// Was the REFER accepted?
    pub(in crate::check) fn is_accepted(&self) -> bool {
        matches!(self.answer, ReferAnswer::Accepted(_))
    }
}

impl Told {
    /// The last status.
    pub(in crate::check) fn last(&self) -> Option<u16> {
        self.statuses.last().copied()
    }

    /// Told at last that the target has answered?
    pub(in crate::check) fn is_done(&self) -> bool {
        self.last().is_some_and(|status| (200..300).contains(&status))
    }

    /// No NOTIFY came, of whatever kind.
    pub(in crate::check) fn is_nothing(&self) -> bool {
        self.statuses.is_empty() && self.without_status == 0 && self.refused.is_empty()
    }

    /// Everything that came, in words: `told 100, 200`.
    pub(in crate::check) fn words(&self) -> String {
        let mut words = Vec::new();
        if !self.statuses.is_empty() {
            let statuses: Vec<String> = self.statuses.iter().map(u16::to_string).collect();
            words.push(format!("told {}", statuses.join(", ")));
        }
        match self.without_status {
            0 => {}
            1 => words.push("a NOTIFY came without a status in its body".to_owned()),
            n => words.push(format!("{n} NOTIFYs came without a status in their bodies")),
        }
        if !self.refused.is_empty() {
            words.push(format!("NOTIFY came that could not be used: {}", self.refused.join("; ")));
        }
        if words.is_empty() { "no NOTIFY came".to_owned() } else { words.join("; ") }
    }
}
