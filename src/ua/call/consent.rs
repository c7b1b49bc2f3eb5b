//! What a peer may make us do: call somebody else (REFER, 3xx). Nothing, unless the owner of the call asked for it.

use super::super::transfer::Target;
use crate::syntax::{Host, Scheme, Uri, unescape};

/// Which REFERs of the peer a call takes (RFC 3515 sec. 2.4.2, RFC 5589 sec. 5): who obeys each of them dials what a stranger chose, at his
/// owner's cost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Refers {
    /// None: 603, and [`Unexpected`](crate::ua::transfer::TransfereeEvent::Unexpected) tells whom it named. REFER is not in Allow then.
    #[default]
    Declined,
    /// Those to call one of these; any other gets 603 as well. An entry is a URI (no `<>`), whose user and host have to be those of the
    /// Refer-To, or a user part alone, for platforms that put an address of their own in the host's place. `tel:` and a telephone number as
    /// user are the same. One REFER is taken in a call; those after it get 603.
    Expected(Vec<String>),
    /// All of them: the owner looks at each and decides ([`Command::AcceptRefer`](super::Command::AcceptRefer)). What a PBX does.
    Asked,
}

/// Which 3xx a call that we make follows (RFC 3261 sec. 8.1.3.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Redirects {
    /// None: it is the final answer, and [`Rejection::targets`](super::Rejection::targets) tells where it leads.
    #[default]
    Refused,
    /// Once, to its first Contact at one of these hosts (names or addresses, no port; without regard to case).
    Hosts(Vec<String>),
    /// Once, to its first Contact, whatever its host.
    Any,
}

impl Refers {
    /// Is a REFER to this target taken?
    pub fn takes(&self, target: &Target) -> bool {
        match self {
            Refers::Declined => false,
            Refers::Expected(expected) => {
                target.method.eq_ignore_ascii_case("INVITE")
                    && expected.iter().any(|entry| names(entry, &target.uri))
            }
            Refers::Asked => true,
        }
    }

    pub(super) fn is_declined(&self) -> bool {
        *self == Refers::Declined
    }
}

impl Redirects {
    /// Is a Contact with this URI followed?
    pub fn follows(&self, uri: &str) -> bool {
        match self {
            Redirects::Refused => false,
            Redirects::Any => true,
            Redirects::Hosts(hosts) => host_of(uri).is_some_and(|host| {
                hosts.iter().any(|allowed| plain(allowed).eq_ignore_ascii_case(plain(&host)))
            }),
        }
    }
}

/// Does an entry of [`Refers::Expected`] name this URI?
fn names(entry: &str, uri: &str) -> bool {
    let (Some((user, host)), Ok(entry_uri)) = (party(uri), Uri::parse(entry.as_bytes())) else {
        return party(uri).is_some_and(|(user, _)| user == user_of(entry.as_bytes()));
    };
    match entry_uri.scheme() {
        Scheme::Sip | Scheme::Sips | Scheme::Tel => party(entry).is_some_and(|(expected, at)| {
            let same_host = match (&at, &host) {
                (Some(at), Some(host)) => at.eq_ignore_ascii_case(host),
                // A tel: URI is at no host.
                _ => true,
            };
            expected == user && same_host
        }),
        _ => user == user_of(entry.as_bytes()),
    }
}

/// A user (or number), and the parameters of the number in order.
type User = (Vec<u8>, Vec<Vec<u8>>);

/// User (or number) and host of a URI. One with a password is nobody's.
fn party(uri: &str) -> Option<(User, Option<String>)> {
    let uri = Uri::parse(uri.as_bytes()).ok()?;
    if uri.scheme() == Scheme::Tel {
        let rest = uri.as_bytes().splitn(2, |b| *b == b':').nth(1)?;
        return Some((user_of(rest), None));
    }
    if uri.password().is_some() {
        return None;
    }
    Some((user_of(uri.user().unwrap_or_default()), uri.host().map(text_of)))
}

/// Parameters of a telephone number stand inside of the user part (RFC 3261 sec. 19.1.6), and say where it leads: `rn` and `npdi` (RFC 4694)
/// route to another number, `phone-context` makes another number of it. A number with others is another target.
fn user_of(user: &[u8]) -> User {
    let mut parts = user.split(|b| *b == b';');
    let name = number(parts.next().unwrap_or_default());
    let mut params: Vec<Vec<u8>> = parts.map(|param| unescape(param).to_ascii_lowercase()).collect();
    params.sort();
    (name, params)
}

/// A user part without escapes; of a telephone number without its visual separators (RFC 3966 sec. 3).
fn number(user: &[u8]) -> Vec<u8> {
    let user = unescape(user).into_owned();
    let is_number = user.iter().any(u8::is_ascii_digit)
        && user.iter().all(|b| b.is_ascii_digit() || b"+-.()*#".contains(b));
    if is_number { user.into_iter().filter(|b| !b"-.()".contains(b)).collect() } else { user }
}

/// The host of a URI, in lower case and without brackets.
pub(super) fn host_of(uri: &str) -> Option<String> {
    let uri = Uri::parse(uri.as_bytes()).ok()?;
    uri.host().map(|host| text_of(host).to_ascii_lowercase())
}

fn text_of(host: Host<'_>) -> String {
    match host {
        Host::Name(name) => String::from_utf8_lossy(name).into_owned(),
        Host::V4(address) => address.to_string(),
        Host::V6(address) => address.to_string(),
    }
}

fn plain(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(expected: &[&str], uri: &str) -> bool {
        Refers::Expected(expected.iter().map(|s| (*s).to_owned()).collect()).takes(&Target::new(uri))
    }

    #[test]
    fn only_the_expected_target_is_called() {
        assert!(takes(&["sip:carol@pbx.example"], "sip:carol@PBX.example;transport=tcp"));
        assert!(takes(&["sip:carol@pbx.example"], "sip:%63arol@pbx.example"));
        assert!(takes(&["sip:x@y", "sip:carol@pbx.example:5070"], "sip:carol@pbx.example"));
        assert!(!takes(&["sip:carol@pbx.example"], "sip:+19005550000@pbx.example"));
        assert!(!takes(&["sip:carol@pbx.example"], "sip:carol@evil.example"));
        assert!(!takes(&["sip:carol@pbx.example"], "sip:pbx.example"));
        assert!(!takes(&["sip:carol@pbx.example"], "sip:Carol@pbx.example"));
        assert!(!takes(&[], "sip:carol@pbx.example"));
    }

    #[test]
    fn a_user_alone_is_taken_at_any_host() {
        assert!(takes(&["1003"], "sip:1003@10.0.0.7:5080"));
        assert!(takes(&["carol"], "sip:carol@[2001:db8::1]"));
        assert!(!takes(&["1003"], "sip:10031@10.0.0.7"));
        assert!(!takes(&["1003"], "sip:10.0.0.7"));
    }

    #[test]
    fn a_number_is_the_same_in_every_form() {
        assert!(takes(&["tel:+1-555-0100"], "sip:+15550100@pbx.example;user=phone"));
        assert!(takes(&["sip:+15550100@pbx.example"], "tel:+1(555)0100"));
        assert!(!takes(&["tel:+15550100"], "tel:+19005550000"));
    }

    #[test]
    fn what_makes_another_number_of_it_is_another_target() {
        for user in [
            "203;npdi;rn=+19005551234",
            "203;phone-context=+1900555",
            "203;isub=900",
            "203:pw",
            "203%3Brn=+1900",
        ] {
            for entry in ["203", "sip:203@pbx.example", "tel:203"] {
                assert!(!takes(&[entry], &format!("sip:{user}@pbx.example;user=phone")), "{user}");
            }
        }
        assert!(!takes(&["tel:203"], "tel:203;rn=+19005551234"));
        assert!(takes(&["tel:203;phone-context=pbx.example"], "tel:203;Phone-Context=PBX.example"));
        assert!(!takes(&["tel:203;phone-context=pbx.example"], "tel:203"));
    }

    #[test]
    fn another_method_than_invite_is_not_obeyed() {
        let mut target = Target::new("sip:carol@pbx.example");
        target.method = "BYE".to_owned();
        assert!(!Refers::Expected(vec!["carol".to_owned()]).takes(&target));
        assert!(!Refers::Declined.takes(&Target::new("sip:carol@pbx.example")));
    }

    #[test]
    fn a_redirect_is_followed_to_allowed_hosts_only() {
        let hosts = Redirects::Hosts(vec!["pbx.example".into(), "[2001:db8::1]".into(), "192.0.2.1".into()]);
        for (uri, follows) in [
            ("sip:x@PBX.example:5070;transport=tcp", true),
            ("sip:x@[2001:db8::1]:5070", true),
            ("sip:x@192.0.2.1", true),
            ("sip:x@192.0.2.9", false),
            ("sip:x@sub.pbx.example", false),
            ("tel:+15550100", false),
        ] {
            assert_eq!(hosts.follows(uri), follows, "{uri}");
        }
        assert!(!Redirects::Refused.follows("sip:x@pbx.example"));
        assert!(Redirects::Any.follows("sip:x@192.0.2.9"));
    }
}
