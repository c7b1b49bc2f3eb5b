//! Who the parties are told that they talk to, before and after the transfer (RFC 3325, 3892, 4916).
//!
//! A wrong name breaks no call: the transfer is judged by the audio, and what is shown wrongly is a warning (severity S3 in the failure
//! catalogue). It does break what reads the caller's number: screens of operators, CRM.

use super::Transfer;
use crate::check::scene::Ends;
use crate::check::scene::trace::{Trace, What};
use crate::check::{Finding, Identity, Run, Sees, Severity, Shown, Side};
use crate::message::Message;
use crate::syntax::{HeaderName, Method, NameAddr, Uri};
use std::time::Instant;

impl Shown {
    fn of(message: &Message) -> Shown {
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

/// Where the messages are that show it.
pub(super) struct Cast<'a> {
    pub(super) check: &'a Transfer,
    pub(super) stage: &'a Ends,
    /// The leg of the first call that is the transferor's.
    pub(super) ours: usize,
    /// INVITEs that the target had got before the REFER.
    pub(super) invited_before: usize,
    /// When the REFER went out.
    pub(super) since: Instant,
}

impl Cast<'_> {
    /// Reads it from what every party was sent.
    pub(super) fn identity(&self, run: &Run) -> Identity {
        let (transferor, transferee, target) = self.check.roles();
        let invitations = |party: usize| self.stage.parties.get(party).map(|party| &party.invitations);
        let invite = |party: usize, number: usize| {
            invitations(party).and_then(|all| all.get(number)).map(|(_, invite)| Shown::of(invite))
        };
        let answer = |leg: usize| {
            let trace = Trace::of(run, self.stage.legs.get(leg)?.handle.call_id());
            let answer = trace.received(What::Response(Method::Invite, 200, 299))?;
            Some(Shown::of(&answer.message))
        };
        let (transferee_first, other_first) = if self.check.by_callee {
            (invite(transferor, 0), self.first_leg(transferee).and_then(answer))
        } else {
            (answer(self.ours), invite(transferee, 0))
        };
        let transferor_first =
            (0..self.invited_before).find_map(|number| invite(target, number)).or(other_first);
        let called = invite(target, self.invited_before);
        let to_target = self.told(target).or(called);
        Identity {
            transferee_first,
            transferor_first,
            to_target,
            to_transferee: self.told(transferee),
            target_sees: None,
            transferee_sees: None,
        }
    }

    fn first_leg(&self, party: usize) -> Option<usize> {
        self.stage.legs.iter().position(|leg| leg.party == party)
    }

    /// The last re-INVITE or UPDATE since the REFER that names somebody, in a call of this party that is up.
    fn told(&self, party: usize) -> Option<Shown> {
        let legs = self.stage.legs.iter().filter(|leg| leg.party == party && leg.seen.is_up());
        let changes = legs.flat_map(|leg| {
            // From is the same in the whole of a dialog, unless it is to say something (RFC 4916).
            let invite = self.stage.parties.get(party).and_then(|party| {
                let of_leg = |invite: &&(Instant, Message)| {
                    invite.1.call_id().is_ok_and(|id| id == leg.handle.call_id().as_bytes())
                };
                party.invitations.iter().find(of_leg).map(|(_, invite)| Shown::of(invite).uri)
            });
            let requests = leg.seen.requests.iter().filter(move |(at, request)| {
                *at >= self.since && matches!(request.method(), Some(Method::Invite | Method::Update))
            });
            requests.filter_map(move |(at, request)| {
                let shown = Shown::of(request);
                let named = shown.asserted.is_some() || shown.remote_party_id.is_some();
                let renamed = invite.as_ref().is_some_and(|before| *before != shown.uri);
                (named || renamed).then_some((*at, shown))
            })
        });
        changes.max_by_key(|(at, _)| *at).map(|(_, shown)| shown)
    }

    /// Did the transferee call the target itself?
    fn calls_itself(&self) -> bool {
        self.stage.referrals.iter().any(|referral| {
            referral.dialled.and_then(|leg| self.stage.seen(leg)).is_some_and(|seen| seen.answered.is_some())
        })
    }

    /// Fills in who sees whom, when the right two are joined.
    pub(super) fn judge(&self, identity: &mut Identity) {
        let (transferor, transferee, target) = self.check.roles();
        let accounts = [&self.check.a, &self.check.b, &self.check.c];
        let known = |party: usize, first: Option<&Shown>| -> Vec<String> {
            let own = accounts.get(party).map(|account| user_of(account.aor()));
            own.into_iter()
                .chain(first.into_iter().flat_map(Shown::users))
                .filter(|user| !user.is_empty())
                .collect()
        };
        let transferees = known(transferee, identity.transferee_first.as_ref());
        let transferors = known(transferor, identity.transferor_first.as_ref());
        let targets = {
            let mut all = known(target, None);
            all.push(user_of(&self.check.refer_to.uri(self.check.c.aor())));
            all
        };
        let sees = |shown: Option<&Shown>, right: &[String]| match shown {
            None => Sees::Transferor,
            Some(shown) if right.contains(&shown.user()) => Sees::Right,
            Some(shown) if shown.is_nobody() => Sees::Nobody,
            Some(shown) if transferors.contains(&shown.user()) => Sees::Transferor,
            Some(shown) => Sees::Other(shown.user()),
        };
        let hidden = identity.transferee_first.as_ref().is_some_and(Shown::is_nobody);
        identity.target_sees = Some(match sees(identity.to_target.as_ref(), &transferees) {
            // Who hid before the transfer may hide after it.
            Sees::Nobody if hidden => Sees::Right,
            seen => seen,
        });
        let itself = self.calls_itself() && identity.to_transferee.is_none();
        identity.transferee_sees =
            Some(if itself { Sees::Right } else { sees(identity.to_transferee.as_ref(), &targets) });
    }
}

/// Writes it down, and what is lost of it.
pub(super) fn tell(check: &Transfer, identity: &Identity, run: &mut Run) {
    let shown = |shown: &Option<Shown>| shown.as_ref().map_or_else(String::new, Shown::to_string);
    run.fact("transferee-first-shown", shown(&identity.transferee_first));
    run.fact("transferor-first-shown", shown(&identity.transferor_first));
    run.fact("target-was-shown", shown(&identity.to_target));
    run.fact("transferee-was-shown", shown(&identity.to_transferee));
    let evidence = 0..run.record_count();
    for finding in lost(check, identity) {
        run.find(finding.shown_by(evidence.clone()));
    }
}

fn lost(check: &Transfer, identity: &Identity) -> Vec<Finding> {
    let names = check.names();
    let (transferor, transferee, target) = check.roles();
    let (t, e, c) = (&names[transferor], &names[transferee], &names[target]);
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
