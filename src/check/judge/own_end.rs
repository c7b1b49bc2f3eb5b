//! Refusals of our own ends: whom the status speaks of that comes back from them is known.

use crate::check::Side;
use crate::check::judged::StepVerdict;
use crate::ua::expected::Foreign;

/// Our own end refused the INVITE that came to it, as the RFCs have it. `told`: what came of it.
pub(in crate::check) fn refused_here(name: &str, status: u16, why: &str, told: &str) -> StepVerdict {
    let seen = format!("our end {name} refused the INVITE that came to it with {status}: {why}{told}");
    match status {
        420 => StepVerdict::open(
            "refused-here",
            Side::Probe,
            seen,
            "the platform requires an extension that this probe does not have: test with a phone that has it; where no phone is to need it, let the platform write it in Supported (RFC 3261 sec. 20.32)",
        ),
        422 => StepVerdict::fail(
            "refused-here",
            Side::Peer,
            seen,
            "platform: ask phones for sessions of 90 s or more, better 1800 (RFC 4028 sec. 5), or switch its session timer off",
        ),
        481 => StepVerdict::fail(
            "refused-here",
            Side::Peer,
            seen,
            "platform: an INVITE that begins a call has no To tag, and its Replaces names a call that is there (RFC 3261 sec. 12.2.2, RFC 3891 sec. 3)",
        ),
        486 => StepVerdict::fail(
            "refused-here",
            Side::Peer,
            seen,
            "platform: Replaces with early-only takes over calls that still ring; leave it away for one that is answered (RFC 3891 sec. 3)",
        ),
        _ => StepVerdict::fail(
            "refused-here",
            Side::Peer,
            seen,
            "platform: look at the INVITE to this end in the ladder, at the header that is named",
        ),
    }
}

/// The call came more than once at the same time, and our end took the first: as a phone with one line does. `told`: what came of it.
pub(in crate::check) fn busy_with_itself(name: &str, more: usize, told: &str) -> StepVerdict {
    let times = if more == 1 { "a second INVITE".to_owned() } else { format!("{more} more INVITEs") };
    StepVerdict::fail(
        "rung-twice",
        Side::Peer,
        format!(
            "{times} came to {name} while it rang with the first for the same call: our end refused what was too much with 486, as a phone does whose line is taken{told}"
        ),
        "platform: one call rings a device once, and a refusal of one branch does not end the others: look for the same device in a group twice, for two bindings of one device, or for a loop",
    )
}

/// The only call that came was not taken for the one that was dialled. `told`: what came of it.
pub(in crate::check) fn foreign(name: &str, why: &Foreign, told: &str) -> StepVerdict {
    let status = why.status();
    match why {
        Foreign::Caller(who) => StepVerdict::open(
            "foreign-call",
            Side::Setup,
            format!(
                "the only call that came to {name} is from {who}, who was not expected: our end refused it with {status}{told}"
            ),
            "if this is our own caller, let the platform show the account's user or its full number (From, P-Asserted-Identity, Remote-Party-ID); else somebody uses this account: take a test account, or a quiet hour",
        ),
        _ => StepVerdict::fail(
            "foreign-call",
            Side::Peer,
            format!(
                "the only INVITE that came to {name} is not for its binding ({why}): our end refused it with {status}{told}"
            ),
            "platform: call the Contact of the registration, letter by letter, from the address that takes registrations",
        ),
    }
}
