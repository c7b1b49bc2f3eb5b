//! A transfer by keys: who hears whom afterwards, and what became of the keys.

use super::{Aftermath, SOUND, Wanted, after};
use crate::check::judged::StepVerdict;
use crate::check::scene::Ears;
use crate::check::transfer::TransferTarget;
use crate::check::{Heard, Side};
use crate::media::dtmf::DtmfMethod;
use std::time::Duration;

/// Length of a sound of the PBX in all from which on it is heard.
const PBX_SOUND: Duration = Duration::from_millis(200);

/// The keys that were pressed, in words, and how.
#[derive(Debug, Clone)]
pub(in crate::check) struct Keys {
    /// All of them, e.g. `##,203`.
    pub(in crate::check) all: String,
    pub(in crate::check) code: String,
    pub(in crate::check) number: String,
    pub(in crate::check) way: DtmfMethod,
    /// Number of digits of code and number.
    pub(in crate::check) digits: usize,
}

/// Reactions of the PBX to the keys.
#[derive(Debug, Clone, Default)]
pub(in crate::check) struct KeysSeen {
    /// Digits that reached the far party.
    pub(in crate::check) arrived: usize,
    /// The two were no longer connected at some time, or one of them heard the PBX.
    pub(in crate::check) is_taken: bool,
    /// Number of times that the target was called.
    pub(in crate::check) alerted: usize,
    /// The transferor talked to the target, and the transferee waited.
    pub(in crate::check) is_consulted: bool,
    /// The target answered, and the consultation was not heard as it should be.
    pub(in crate::check) unheard: Option<Heard>,
    /// Time for which the transferee heard a sound that is nobody's tone, in all.
    pub(in crate::check) sound: Duration,
}

impl KeysSeen {
    /// Adds what the audio shows of the keys. `are_up`: transferor and transferee both have a call.
    pub(in crate::check) fn note(&mut self, wanted: &Wanted, ears: &Ears, are_up: bool) {
        let Wanted { transferor, transferee, .. } = *wanted;
        let is_apart = !ears.heard.hears(transferor, transferee) && !ears.heard.hears(transferee, transferor);
        let sound = |party: usize| ears.else_heard.get(party).copied().unwrap_or_default();
        let hears_pbx = [transferor, transferee].into_iter().any(|party| sound(party) >= PBX_SOUND);
        self.is_taken |= are_up && (is_apart || hears_pbx);
        if ears.heard.is_alone(transferee) && sound(transferee) >= SOUND {
            self.sound += sound(transferee);
        }
    }
}

/// Does it sound as a consultation should? Transferor and target talk, the transferee hears neither.
pub(in crate::check) fn is_consulted(wanted: &Wanted, ears: &Ears) -> bool {
    ears.heard.joined(wanted.transferor, wanted.target) && ears.heard.is_alone(wanted.transferee)
}

/// The step `consult` where it came to that.
pub(in crate::check) fn consulted(wanted: &Wanted, ears: &Ears) -> StepVerdict {
    let sound = ears.else_heard.get(wanted.transferee).is_some_and(|time| *time >= PBX_SOUND);
    let music = if sound { "a sound of the PBX" } else { "nothing" };
    let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
    StepVerdict::pass(format!("{t} talks to {c}; {e} hears {music}"))
}

/// The step `after`: who hears whom, and what became of the keys.
pub(in crate::check) fn judge(
    wanted: &Wanted,
    keys: &Keys,
    aftermath: &Aftermath,
    effect: &KeysSeen,
) -> StepVerdict {
    let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
    let heard = aftermath.heard();
    let fate = aftermath.fate(wanted);
    if let Some(heard) = effect.unheard {
        return StepVerdict::fail(
            "consult-not-heard",
            Side::Peer,
            format!(
                "{c} answered, and {t} should talk to {c} while {e} waits: {}",
                heard.told(&wanted.names)
            ),
            "platform: the feature code connects the wrong legs; second line with the ladder",
        );
    }
    if wanted.is_done(heard) {
        if !heard.is_alone(wanted.transferor) {
            return after::still_heard(wanted, heard);
        }
        return StepVerdict::pass(heard.told(&wanted.names).to_string());
    }
    if let Some(judged) = after::one_way(wanted, heard) {
        return judged;
    }
    if heard.joined(wanted.transferor, wanted.target) {
        let (code, advice) = if effect.is_consulted {
            ("completing-code-ignored", "hang up instead; or look at the completing code of the platform")
        } else {
            ("wrong-parties-joined", "platform: it joins the wrong two legs; second line with the ladder")
        };
        return StepVerdict::fail(
            code,
            Side::Peer,
            format!("{e} should talk to {c}; instead {}", heard.told(&wanted.names)),
            advice,
        );
    }
    if effect.alerted > 0
        && let Some(judged) = not_taken(wanted, keys, aftermath, effect)
    {
        return judged;
    }
    if !aftermath.transferee_up {
        return StepVerdict::fail(
            "transferee-dropped",
            Side::Peer,
            format!("{t} pressed {}, and {e} was cut off{}", keys.all, after_sound(effect)),
            "platform: the one to be transferred may lose its call only when the new one is there",
        );
    }
    if effect.alerted > 0 {
        return StepVerdict::fail(
            "not-carried-out",
            Side::Peer,
            format!("{c} was called, and is not connected with {e}; {e} {fate}"),
            "platform: when the target answers it takes the place of the transferor",
        );
    }
    untaken(wanted, keys, effect, c, aftermath)
}

/// The target was called, and did what it was told to do: it refused, or only rang.
fn not_taken(wanted: &Wanted, keys: &Keys, aftermath: &Aftermath, effect: &KeysSeen) -> Option<StepVerdict> {
    let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
    let (code, did) = match wanted.target_does {
        TransferTarget::Answers => return None,
        TransferTarget::Refuses(status) => ("target-refused", format!("{c} refused with {status}")),
        TransferTarget::Rings => ("target-not-answered", format!("{c} rang and did not answer")),
    };
    let fate = aftermath.fate(wanted);
    let seen = format!("{t} pressed {}: {did}; {e} {fate}", keys.all);
    if aftermath.is_back(wanted) {
        return Some(StepVerdict::pass(seen));
    }
    let heard = if aftermath.transferee_up { String::new() } else { after_sound(effect) };
    Some(StepVerdict::fail(
        code,
        Side::Peer,
        format!("{seen}{heard}, and was not given back to {t}"),
        "platform: when the target does not take the call, the one to be transferred goes back to the transferor",
    ))
}

/// Text about the sound of the platform that the transferee heard before.
fn after_sound(effect: &KeysSeen) -> String {
    match effect.sound {
        Duration::ZERO => String::new(),
        time => format!(" after {:.0} s of a sound of the platform", time.as_secs_f64().max(1.0)),
    }
}

/// Nobody was called (`what`): were the keys not understood, or was the number?
pub(in crate::check) fn untaken(
    wanted: &Wanted,
    keys: &Keys,
    effect: &KeysSeen,
    what: &str,
    aftermath: &Aftermath,
) -> StepVerdict {
    let (t, e) = (wanted.transferor(), wanted.transferee());
    let fate = match aftermath.is_back(wanted) {
        true => format!("still talks to {t}"),
        false => aftermath.fate(wanted),
    };
    let Keys { all, code, number, way, digits } = keys;
    if effect.is_taken {
        return StepVerdict::fail(
            "number-unknown",
            Side::Setup,
            format!("the PBX took {code} and did not call {what} at {number}; {e} {fate}"),
            "is this the number of the target, as it is dialled from this phone? else it is not allowed for this class of service, or somebody else answers there (mailbox, forwarding)",
        );
    }
    if effect.arrived >= *digits {
        return StepVerdict::fail(
            "feature-code-ignored",
            Side::Peer,
            format!("{t} pressed {all}, and nothing followed: {e} was sent all digits by {way}, and {fate}"),
            "transfer by the phone's transfer key (REFER) instead; platform: it does not look for this code in bridged calls: keep the media on the PBX, take digits of this kind (RFC 4733, INFO), and allow the code to this user",
        );
    }
    if effect.arrived == 0 {
        return StepVerdict::fail(
            "feature-code-ignored",
            Side::Peer,
            format!(
                "{t} pressed {all}, nothing followed, and none of the digits got through by {way}; {e} {fate}"
            ),
            "see with `ringback dtmf` which kind of digits arrives; transfer by the phone's transfer key (REFER) meanwhile",
        );
    }
    StepVerdict::fail(
        "not-carried-out",
        Side::Peer,
        format!(
            "the PBX kept the digits behind {code} to itself, and nothing followed: {what} was not called; {e} {fate}"
        ),
        "platform: it takes the code and makes no call of it; second line with the ladder",
    )
}
