//! Who is at the far end, as far as its messages say: P-Asserted-Identity, From (RFC 4916), Contact, and the origin of its session.

use super::body::sdp;
use crate::message::Message;
use crate::syntax::{Contact, HeaderName, NameAddr};
use crate::ua::response::text;

/// The far party of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FarParty {
    /// P-Asserted-Identity, else Remote-Party-ID, as it came (RFC 3325).
    pub asserted: Option<String>,
    /// The URI in its From (or, in its responses, in To).
    pub uri: Option<String>,
    /// The display name with that URI, without quotes.
    pub display_name: Option<String>,
    /// The URI in its Contact.
    pub contact: Option<String>,
    /// User name, session id and address of `o=` in its description, without the version: a change of these is another session.
    pub origin: Option<String>,
}

impl FarParty {
    /// What a message of the peer says of it.
    pub(super) fn of(message: &Message) -> FarParty {
        let named = if message.is_request() { message.from() } else { message.to() };
        let contact = message.contacts().find_map(|contact| match contact {
            Ok(Contact::Addr(address)) => Some(uri_of(&address)),
            _ => None,
        });
        let asserted =
            message.header(HeaderName::PAssertedIdentity).or(message.header(HeaderName::RemotePartyId));
        FarParty {
            asserted: asserted.map(text),
            uri: named.as_ref().ok().map(uri_of),
            display_name: named
                .ok()
                .map(|n| text(&n.display_name_unquoted()))
                .filter(|name| !name.is_empty()),
            contact,
            origin: sdp(message).and_then(origin),
        }
    }

    /// Takes over what is said and was not, or was otherwise: has anything changed that was known before?
    pub(super) fn update(&mut self, said: FarParty) -> bool {
        let mut changed = false;
        let pairs = [
            (&mut self.asserted, said.asserted),
            (&mut self.uri, said.uri),
            (&mut self.display_name, said.display_name),
            (&mut self.contact, said.contact),
            (&mut self.origin, said.origin),
        ];
        for (index, (known, said)) in pairs.into_iter().enumerate() {
            if said.is_none() || *known == said {
                continue;
            }
            // Who is asserted for the first time in the middle of a call is somebody that we were not told of.
            changed |= known.is_some() || index == 0;
            *known = said;
        }
        changed
    }
}

fn uri_of(address: &NameAddr<'_>) -> String {
    text(address.uri().as_bytes())
}

fn origin(description: &[u8]) -> Option<String> {
    let line = description.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"o="))?;
    let line = text(line);
    let fields: Vec<&str> = line.split_whitespace().collect();
    match fields[..] {
        [user, session, _, _, _, address] => Some(format!("{user} {session} {address}")),
        _ => None,
    }
}
