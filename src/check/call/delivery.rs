//! The callee that the INVITE names which came to it: its account, or the number that was dialled, and where.

use super::{B, Call};
use crate::check::judged::StepVerdict;
use crate::check::scene::Scene;
use crate::check::{Finding, Severity, Side, Verdict};
use crate::message::Message;
use crate::syntax::Uri;

/// Number of last digits in which two numbers have to agree to be the same, however their beginnings are written (`+7`, `8`, `00`).
const SAME_DIGITS: usize = 10;
/// Fewest digits of a number.
const LEAST_DIGITS: usize = 3;

/// The users in the Request-URI and in To.
pub(super) fn called(invite: &Message) -> [String; 2] {
    let user = |uri: Option<Uri<'_>>| {
        let user = uri.and_then(|uri| uri.user().map(|user| String::from_utf8_lossy(user).into_owned()));
        user.unwrap_or_default()
    };
    [user(invite.request_uri().and_then(Result::ok)), user(invite.to().ok().map(|to| to.uri()))]
}

/// Do both name the same number?
pub(in crate::check) fn same(one: &str, other: &str) -> bool {
    let digits = |text: &str| -> Vec<u8> { text.bytes().filter(u8::is_ascii_digit).rev().collect() };
    let (ours, theirs) = (digits(one), digits(other));
    let compared = ours.len().min(theirs.len()).min(SAME_DIGITS);
    one == other || compared >= LEAST_DIGITS && ours[..compared] == theirs[..compared]
}

/// Text about a call, by who was dialled, who was called in both places, and who the callee is.
#[derive(Debug, PartialEq, Eq)]
enum Delivery {
    /// The number, or the account where that was dialled, in the Request-URI.
    AsDialled,
    /// The account; the number was dialled, and is in To only.
    ToOnly,
    /// The account; the number that was dialled is nowhere.
    Account,
    /// Somebody else.
    Other,
}

fn delivery(dialled: &str, own: &[&str], [uri, to]: [&str; 2]) -> Delivery {
    let is_own = uri.is_empty() || own.contains(&uri);
    let number = Some(dialled).filter(|dialled| !own.contains(dialled));
    match number {
        Some(number) if same(uri, number) => Delivery::AsDialled,
        _ if !is_own => Delivery::Other,
        Some(number) if same(to, number) => Delivery::ToOnly,
        Some(_) => Delivery::Account,
        None => Delivery::AsDialled,
    }
}

/// The step `delivery`, where there is something to say.
pub(super) fn judge(call: &Call, scene: &mut Scene<'_>) {
    let (Some(party), Ok(target)) = (scene.ends.parties.get(B), Uri::parse(call.target().as_bytes())) else {
        return;
    };
    let Some((_, invite)) = party.invitations.first() else { return };
    let dialled = target.user().map(|user| String::from_utf8_lossy(user).into_owned()).unwrap_or_default();
    let contact = party.contact_user();
    let own = [contact.as_str(), party.account.user()];
    let [uri, to] = called(invite);
    let name = call.callee_name().to_owned();
    let expected = call.expect_number;
    let judged = match delivery(&dialled, &own, [&uri, &to]) {
        Delivery::Other => StepVerdict::fail(
            "wrong-line-rang",
            Side::Peer,
            format!(
                "the INVITE that came to {name} is for {uri}: a device with several accounts rings that line"
            ),
            "platform: call the Contact of the account that is meant (U14); device: a user and a port of its own for each account",
        ),
        Delivery::ToOnly => {
            let seen = format!(
                "{dialled} was dialled; the INVITE that came to {name} has it in To only, its Request-URI names {uri}"
            );
            let advice = "a PBX at this account that looks at the Request-URI sends every call to its default: route by To there, or let the platform put the called number into the Request-URI as before (U05)";
            if !expected {
                let finding = Finding::new("number-only-in-to", Severity::Warning, Side::Peer, seen, advice);
                return scene.note(finding);
            }
            StepVerdict::fail("number-only-in-to", Side::Peer, seen, advice)
        }
        Delivery::Account if expected => StepVerdict::fail(
            "number-not-delivered",
            Side::Peer,
            format!(
                "{dialled} was dialled, and the INVITE that came to {name} does not name it: its Request-URI names {uri}, To {to}"
            ),
            "platform: deliver calls of this account as to a trunk, with the called number in the Request-URI",
        ),
        _ if !expected => return,
        _ if own.contains(&dialled.as_str()) => StepVerdict::of(
            Verdict::NotRun,
            "no-number-dialled",
            Side::Setup,
            format!("{dialled} is the account, and no number"),
            "say which number is dialled (--dial)",
        ),
        _ => StepVerdict::pass(format!("the Request-URI names {uri}")),
    };
    let step = scene.begin("delivery");
    // A wrong name in the INVITE is no reason not to listen.
    let _ = scene.end(step, judged);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_called_is_told_by_the_request_uri_first() {
        let own = ["bob", "bob-account"];
        for (dialled, uri, to, is) in [
            ("bob", "bob", "bob", Delivery::AsDialled),
            ("202", "bob", "bob", Delivery::Account),
            ("202", "bob", "202", Delivery::ToOnly),
            ("202", "202", "202", Delivery::AsDialled),
            ("202", "bob-account", "202", Delivery::ToOnly),
            ("+74951234567", "84951234567", "", Delivery::AsDialled),
            ("+74951234567", "bob", "84951234567", Delivery::ToOnly),
            ("+74951234567", "84951234568", "+74951234567", Delivery::Other),
            ("202", "alice", "202", Delivery::Other),
            ("bob", "alice", "bob", Delivery::Other),
            ("bob", "", "", Delivery::AsDialled),
            ("*43", "43", "", Delivery::Other),
        ] {
            assert_eq!(delivery(dialled, &own, [uri, to]), is, "{dialled}: {uri}, {to}");
        }
    }
}
