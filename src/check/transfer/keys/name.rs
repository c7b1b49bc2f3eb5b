//! What can go wrong with a transfer by keys, and what it is called.

use super::{Effect, Keyed};
use crate::check::Heard;
use crate::check::Side;
use crate::check::judged::Judged;
use crate::check::transfer::name::{fate, one_way, still_heard};
use crate::check::transfer::play::Played;
use crate::check::transfer::{Transfer, TransferTarget};

/// The transferor and the target do not hear each other, or the transferee hears them.
fn consult_not_heard(check: &Transfer, heard: Heard) -> Judged {
    let names = check.names();
    let (transferor, transferee, target) = check.roles();
    let (t, e, c) = (&names[transferor], &names[transferee], &names[target]);
    Judged::fail(
        "consult-not-heard",
        Side::Peer,
        format!("{c} answered, and {t} should talk to {c} while {e} waits: {}", heard.told(&names)),
        "platform: the feature code connects the wrong legs; second line with the ladder",
    )
}

/// The step `after`: who hears whom, and what became of the keys.
pub(super) fn judge(keyed: &Keyed<'_>, played: &Played, effect: &Effect) -> Judged {
    let check = keyed.check;
    let names = check.names();
    let (transferor, transferee, target) = check.roles();
    let (t, e, c) = (&names[transferor], &names[transferee], &names[target]);
    let after = played.after;
    let fate = fate(check, played);
    if let Some(heard) = effect.unheard {
        return consult_not_heard(check, heard);
    }
    if after.joined(transferee, target) {
        if !after.is_alone(transferor) {
            return still_heard(check, after);
        }
        return Judged::pass(after.told(&names).to_string());
    }
    if let Some(judged) = one_way(check, after) {
        return judged;
    }
    if after.joined(transferor, target) {
        let (named, advice) = if effect.consulted {
            ("completing-code-ignored", "hang up instead; or look at the completing code of the platform")
        } else {
            ("wrong-parties-joined", "platform: it joins the wrong two legs; second line with the ladder")
        };
        return Judged::fail(
            named,
            Side::Peer,
            format!("{e} should talk to {c}; instead {}", after.told(&names)),
            advice,
        );
    }
    let refuses = !matches!(check.target, TransferTarget::Answers);
    if !played.transferee_up {
        return Judged::fail(
            "transferee-dropped",
            Side::Peer,
            format!("{t} pressed {}, and {e} was cut off", keyed.keys),
            "platform: the one to be transferred may lose its call only when the new one is there",
        );
    }
    if effect.alerted > 0 && refuses {
        return Judged::fail(
            "target-refused",
            Side::Peer,
            format!("{c} did not take the call; {e} {fate}"),
            "as it should be, when the one to be transferred is back with the transferor",
        );
    }
    if effect.alerted > 0 {
        return Judged::fail(
            "not-carried-out",
            Side::Peer,
            format!("{c} was called, and is not connected with {e}; {e} {fate}"),
            "platform: when the target answers it takes the place of the transferor",
        );
    }
    untaken(keyed, effect, c, played)
}

/// Nobody was called: were the keys not understood, or was the number?
pub(in crate::check::transfer) fn untaken(
    keyed: &Keyed<'_>,
    effect: &Effect,
    what: &str,
    played: &Played,
) -> Judged {
    let check = keyed.check;
    let names = check.names();
    let (transferor, transferee, _) = check.roles();
    let (t, e) = (&names[transferor], &names[transferee]);
    let fate = match played.after.joined(transferor, transferee) {
        true => format!("still talks to {t}"),
        false => fate(check, played),
    };
    let (code, number) = (keyed.keys.code(), keyed.keys.number());
    let way = keyed.keys.ask().way;
    let (of_code, of_number) = keyed.keys.digits();
    if effect.taken {
        return Judged::fail(
            "number-unknown",
            Side::Setup,
            format!("the PBX took {code} and did not call {what} at {number}; {e} {fate}"),
            "is this the number of the target, as it is dialled from this phone? else it is not allowed for this class of service",
        );
    }
    if effect.arrived >= of_code + of_number {
        return Judged::fail(
            "feature-code-ignored",
            Side::Peer,
            format!(
                "{t} pressed {}, and nothing followed: {e} was sent all digits by {way}, and {fate}",
                keyed.keys
            ),
            "transfer by the phone's transfer key (REFER) instead; platform: it does not look for this code in bridged calls: keep the media on the PBX, take digits of this kind (RFC 4733, INFO), and allow the code to this user",
        );
    }
    if effect.arrived == 0 {
        return Judged::fail(
            "feature-code-ignored",
            Side::Peer,
            format!(
                "{t} pressed {}, nothing followed, and none of the digits got through by {way}; {e} {fate}",
                keyed.keys
            ),
            "see with `ringback dtmf` which kind of digits arrives; transfer by the phone's transfer key (REFER) meanwhile",
        );
    }
    Judged::fail(
        "not-carried-out",
        Side::Peer,
        format!(
            "the PBX kept the digits behind {code} to itself, and nothing followed: {what} was not called; {e} {fate}"
        ),
        "platform: it takes the code and makes no call of it; second line with the ladder",
    )
}
