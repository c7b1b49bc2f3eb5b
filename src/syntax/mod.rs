//! The grammar of RFC 3261 sec. 25 over `&[u8]`: framing, start line, headers and one file per header value.
//! No I/O, no clock, no allocation.
//!
//! A value borrows from the text that it was parsed from. One that may stand once has `parse`, for the whole text; one of a comma list has
//! `parse_first`, which also gives what follows the comma. Errors say what is wrong and at which byte. [`Message`](crate::message::Message)
//! has an accessor for most of them.
//!
//! ```
//! use ringback::syntax::{Host, NameAddr, SyntaxErrorKind, Uri, Via};
//!
//! let text = b"SIP/2.0/UDP [2001:db8::9:1]:5070;branch=z9hG4bK1, SIP/2.0/TCP pbx.example.com";
//! let (via, rest) = Via::parse_first(text)?;
//! assert_eq!((via.port(), via.branch()), (Some(5070), Some(&b"z9hG4bK1"[..])));
//! assert_eq!(Via::parse_first(rest)?.0.host(), Host::Name(b"pbx.example.com"));
//!
//! let to = NameAddr::parse(b"\"Bob\" <sip:bob@example.com;transport=tcp>;tag=a6")?;
//! assert_eq!((&*to.display_name_unquoted(), to.tag()), (&b"Bob"[..], Some(&b"a6"[..])));
//! assert!(to.uri().is_equivalent(&Uri::parse(b"SIP:bob@EXAMPLE.com;Transport=TCP")?));
//!
//! let error = Uri::parse(b"sip:bob@[2001:db8::1").unwrap_err();
//! assert_eq!((error.kind, error.offset), (SyntaxErrorKind::Host, 8));
//! # Ok::<(), ringback::syntax::SyntaxError>(())
//! ```

mod authentication_info;
mod challenge;
pub(crate) mod class;
mod content_disposition;
mod cseq;
mod date;
mod diversion;
mod error;
mod escaped;
mod event;
mod frame;
mod grammar;
mod head;
mod header_name;
mod history_info;
mod host;
mod limits;
mod line_ends;
mod media_type;
mod method;
mod multipart;
pub(crate) mod name_addr;
mod params;
mod rack;
mod reason;
mod refer_to;
mod referred_by;
mod remote_party_id;
mod replaces;
mod retry_after;
mod session_expires;
mod sip_frag;
mod tel;
mod uri;
mod via;
mod warning;

pub use authentication_info::AuthenticationInfo;
pub use challenge::{AuthParams, Challenge, Credentials};
pub use content_disposition::ContentDisposition;
pub use cseq::CSeq;
pub use date::Date;
pub use diversion::Diversion;
pub use error::{Limit, SyntaxError, SyntaxErrorKind};
pub use escaped::unescape;
pub use event::{Event, SubscriptionState};
pub use frame::{Framing, frame_stream};
pub(crate) use frame::{head_end, message_length};
pub(crate) use head::{Head, Span, StartLine};
pub use header_name::HeaderName;
pub use history_info::{HistoryInfo, TargetFrom};
pub use host::{Host, HostPort};
pub use limits::Limits;
pub use media_type::MediaType;
pub use method::Method;
pub use multipart::{Multipart, Part, multipart};
pub use name_addr::{Contact, NameAddr};
pub use params::{Param, Params};
pub use rack::RAck;
pub use reason::Reason;
pub use refer_to::ReferTo;
pub use referred_by::ReferredBy;
pub use remote_party_id::RemotePartyId;
pub use replaces::Replaces;
pub use retry_after::RetryAfter;
pub use session_expires::{Refresher, SessionExpires};
pub use sip_frag::SipFrag;
pub use tel::Tel;
pub use uri::{Scheme, Uri};
pub use via::Via;
pub use warning::Warning;
