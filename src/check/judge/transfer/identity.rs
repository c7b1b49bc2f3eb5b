//! The identities that the parties are shown, before and after the transfer (RFC 3325, 3892, 4916).
//!
//! A wrong name breaks no call: the transfer is judged by the audio, and what is shown wrongly is a warning (severity S3 in the failure
//! catalogue). It does break what reads the caller's number: screens of operators, CRM.

use super::Wanted;
use crate::check::{Finding, Identity, Sees, Severity, Shown, Side};
use crate::message::Message;
use crate::syntax::{HeaderName, NameAddr, Uri};

impl Shown {
    pub(in crate::check) fn of(message: &Message) -> Shown {
        let named = if message.is_request() { message.from() } else { message.to() };
        let first = |name| message.values(name).next().map(text);
        Shown {
            uri: named.as_ref().map(|named| text(named.uri().as_bytes())).unwrap_or_default(),
            display_name: named
                .ok()
                .map(|named| text(&named.display_name_unquoted()))
                .filter(|name| !name.is_empty()),
            asserted: first(HeaderName::PAssertedIdentity),
            remote_party_id: first(HeaderName::RemotePartyId),
            referred_by: message.header(HeaderName::ReferredBy).map(text),
        }
    }

    /// The users that it names, the one first that a phone shows: what the network asserts goes before what the caller says.
    fn users(&self) -> impl Iterator<Item = String> + '_ {
        let asserted = self.asserted.iter().chain(&self.remote_party_id);
        asserted.map(|value| user_of_value(value)).chain([user_of(&self.uri)])
    }

    /// The user that a phone shows; empty for nobody.
    fn user(&self) -> String {
        self.users().next().unwrap_or_default()
    }

    /// Does it name nobody: anonymous (RFC 3323, 3325), or no user at all?
    fn is_nobody(&self) -> bool {
        let user = self.user();
        user.is_empty()
            || user.eq_ignore_ascii_case("anonymous")
            || self.asserted.is_none() && self.uri.ends_with("anonymous.invalid")
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).trim().to_owned()
}

fn user_of(uri: &str) -> String {
    Uri::parse(uri.as_bytes()).ok().map_or_else(String::new, |uri| match uri.user() {
        Some(user) => text(&crate::syntax::unescape(user)),
        // A tel: URI is its number, up to its parameters.
        None if uri.host().is_none() => {
            let whole = text(uri.as_bytes());
            let number = whole.split_once(':').map_or("", |(_, number)| number);
            number.split(';').next().unwrap_or_default().to_owned()
        }
        None => String::new(),
    })
}

fn user_of_value(value: &str) -> String {
    NameAddr::parse_first(value.as_bytes())
        .map(|(named, _)| user_of(&text(named.uri().as_bytes())))
        .unwrap_or_default()
}

/// Fills in who sees whom, when the right two are joined. `aors`: the addresses of record of the parties; `calls_itself`: the transferee called
/// the target with its own phone.
pub(in crate::check) fn judge(wanted: &Wanted, aors: [&str; 3], calls_itself: bool, identity: &mut Identity) {
    let known = |party: usize, first: Option<&Shown>| -> Vec<String> {
        let own = aors.get(party).map(|aor| user_of(aor));
        own.into_iter()
            .chain(first.into_iter().flat_map(Shown::users))
            .filter(|user| !user.is_empty())
            .collect()
    };
    let transferees = known(wanted.transferee, identity.transferee_first.as_ref());
    let transferors = known(wanted.transferor, identity.transferor_first.as_ref());
    let mut targets = known(wanted.target, None);
    targets.push(user_of(&wanted.uri));
    let sees = |shown: Option<&Shown>, right: &[String]| match shown {
        None => Sees::Transferor,
        Some(shown) if right.contains(&shown.user()) => Sees::Right,
        Some(shown) if shown.is_nobody() => Sees::Nobody,
        Some(shown) if transferors.contains(&shown.user()) => Sees::Transferor,
        Some(shown) => Sees::Other(shown.user()),
    };
    let hidden = identity.transferee_first.as_ref().is_some_and(Shown::is_nobody);
    identity.target_sees = Some(match sees(identity.to_target.as_ref(), &transferees) {
        // A party that hid before the transfer may hide after it.
        Sees::Nobody if hidden => Sees::Right,
        seen => seen,
    });
    let itself = calls_itself && identity.to_transferee.is_none();
    identity.transferee_sees =
        Some(if itself { Sees::Right } else { sees(identity.to_transferee.as_ref(), &targets) });
}

/// Part of it that is lost.
pub(in crate::check) fn lost(wanted: &Wanted, identity: &Identity) -> Vec<Finding> {
    let (t, e, c) = (wanted.transferor(), wanted.transferee(), wanted.target());
    let by = identity.to_target.as_ref().is_some_and(|shown| shown.referred_by.is_some());
    let referred = if by { "Referred-By is there" } else { "no Referred-By" };
    let instead = match (&identity.target_sees, &identity.to_target) {
        (Some(Sees::Transferor), None) => {
            Some(format!("{c} was not told that it talks to {e} now: it still sees {t}"))
        }
        (Some(Sees::Transferor), Some(shown)) => {
            Some(format!("{c} was called as if by {t}, not by {e}: {shown}; {referred}"))
        }
        (Some(Sees::Nobody), Some(shown)) => {
            Some(format!("{c} was called as if by nobody, not by {e}: {shown}; {referred}"))
        }
        _ => None,
    };
    let mut findings = Vec::new();
    if let Some(seen) = instead {
        findings.push(Finding::new(
            "caller-identity-lost",
            Severity::Warning,
            Side::Peer,
            seen,
            "platform: show the transferee in From and P-Asserted-Identity, the transferor in Referred-By; calls work, but screens and CRM lose the caller",
        ));
    }
    if let (Some(Sees::Other(user)), Some(shown)) = (&identity.target_sees, &identity.to_target) {
        findings.push(Finding::new(
            "caller-identity-changed",
            Severity::Info,
            Side::Peer,
            format!("{c} sees {user}, which is neither {e} nor {t} as they were shown before: {shown}"),
            "look whether that number is the transferee's own",
        ));
    }
    if identity.transferee_sees == Some(Sees::Transferor) {
        findings.push(Finding::new(
            "connected-identity-not-told",
            Severity::Info,
            Side::Peer,
            format!("{e} was not told that it talks to {c} now: it still sees {t}"),
            "platform: a re-INVITE or UPDATE may say so, in P-Asserted-Identity or From (RFC 4916)",
        ));
    }
    findings
}
