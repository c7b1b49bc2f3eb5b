//! What is of transfers alone (RFC 3515, 3891, 3892, 4488, 5589): whom a REFER names, which dialog an INVITE takes over, and the
//! subscription that tells what came of it, seen from either end.
//!
//! A [call](crate::ua::call) uses this inside its dialog: [`Refer`] is its command, [`TransferorEvent`] and [`TransfereeEvent`] are what it
//! tells. [`outside`] has REFER without a call.
//!
//! | role | what it does |
//! |---|---|
//! | transferor | sends REFER; hears by NOTIFY what the transferee gets from the target |
//! | transferee | takes REFER, calls the target, notifies |
//! | target | is called, and with Replaces gives up its call with the transferor for the new one |
//!
//! ```
//! use ringback::ua::dialog::DialogId;
//! use ringback::ua::transfer::{Replaces, Target};
//!
//! // The call that the transferor has with the target, as the transferor sees it.
//! let ours = DialogId { call_id: (*b"7@a").into(), local_tag: (*b"mine").into(), remote_tag: (*b"theirs").into() };
//! let target = Target::new("sip:carol@192.0.2.3").with_replaces(Replaces::of_ours(&ours));
//! let value = target.value();
//! assert_eq!(value, "<sip:carol@192.0.2.3?Replaces=7%40a%3Bto-tag%3Dtheirs%3Bfrom-tag%3Dmine>");
//! assert_eq!(Target::parse(value.as_bytes())?, target);
//! # Ok::<(), ringback::ua::transfer::TransferError>(())
//! ```

mod issued;
mod notification;
pub mod outside;
mod received;
mod referrals;
mod replaces;
mod target;

#[cfg(test)]
mod tests;

pub(in crate::ua) use issued::Issued;
pub use issued::{MAX_SUBSCRIPTION, Refer, SubscriptionEnd, TransferorEvent};
pub use notification::{MAX_FRAGMENT, Notification, SIPFRAG};
pub use received::{Declined, MAX_NOTES, Referred, SUBSCRIPTION, TransfereeEvent};
pub(in crate::ua) use received::{Notify, Received};
pub(in crate::ua) use referrals::Referrals;
pub use replaces::{DialogState, Replaces};
pub use target::{MAX_HEADERS, Target};

use crate::syntax::SyntaxError;

/// Most referrals of one call in each direction that are open at once; a further REFER of the peer is
/// answered 486, one of ours is not sent.
pub const MAX_REFERRALS: usize = 8;

/// What is wrong with a Refer-To or a Replaces.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// It cannot be read.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// A Replaces without `to-tag` or `from-tag` (RFC 3891 sec. 6.1).
    #[error("Replaces without {0}")]
    NoTag(&'static str),
    /// A header that may stand once stands more often.
    #[error("more than one {0}")]
    Repeated(&'static str),
    /// More headers in the Refer-To than [`MAX_HEADERS`].
    #[error("more than {MAX_HEADERS} headers in Refer-To")]
    TooManyHeaders,
}
