//! One thing that is open at a peer.

use crate::check::display::Printable;
use crate::check::{Account, Destination};
use crate::message::Message;
use std::fmt;
use std::time::SystemTime;

/// Something that a check has open at a peer, with what it takes to remove it; no secret is in it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Left {
    /// Name of the account.
    pub account: String,
    /// Its address of record.
    pub aor: String,
    /// Address to which its requests went, as `host:port`.
    pub server: String,
    /// The binding or call that is open.
    pub open: LeftOpen,
    /// Time at which it ends by itself, to the second: the expiry that a binding was granted. `None` where that is not known.
    pub until: Option<SystemTime>,
}

/// A binding or a call that is open.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LeftOpen {
    /// A binding.
    Binding {
        /// Its Contact URI, with the token that no other binding has.
        contact: String,
        /// Its `+sip.instance`, without `<>`.
        instance: Option<String>,
    },
    /// A call.
    Call {
        /// Its Call-ID.
        call_id: String,
        /// The BYE that ends it, without Via and credentials; `None` where nobody has answered its INVITE with a tag.
        bye: Option<Message>,
        /// The CANCEL that ends it while nobody has answered its INVITE, with the Via of that and without credentials; `None` once it is answered.
        cancel: Option<Message>,
    },
}

impl Left {
    pub(in crate::check) fn of(account: &Account, next_hop: &Destination, open: LeftOpen) -> Left {
        let (name, aor) = (account.name().to_owned(), account.aor().to_owned());
        Left { account: name, aor, server: next_hop.to_string(), open, until: None }
    }

    /// Has it ended by itself?
    pub fn is_over(&self, now: SystemTime) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl fmt::Display for Left {
    /// `binding of alice at 192.0.2.1:5060: sip:...`, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Left { account, aor, server, open, .. } = self;
        let (what, which) = match open {
            LeftOpen::Binding { contact, .. } => ("binding", contact),
            LeftOpen::Call { call_id, bye: Some(_), cancel: None } => ("call", call_id),
            LeftOpen::Call { call_id, .. } => ("call that nobody answered yet", call_id),
        };
        write!(f, "{what} of {}", Printable(account))?;
        if account != aor {
            write!(f, " ({})", Printable(aor))?;
        }
        write!(f, " at {}: {}", Printable(server), Printable(which))
    }
}
