//! The grammar of RFC 3261 sec. 25 over `&[u8]`: framing, start line, headers and one file per header value.
//! No I/O, no clock, no allocation.

mod challenge;
pub(crate) mod class;
mod cseq;
mod date;
mod error;
mod frame;
mod grammar;
mod head;
mod header_name;
mod host;
mod method;
mod name_addr;
mod params;
mod uri;
mod uri_compare;
mod via;
mod warning;

pub use challenge::{AuthParams, Challenge, Credentials};
pub use cseq::CSeq;
pub use date::Date;
pub use error::{Limit, SyntaxError, SyntaxErrorKind};
pub use frame::{Framing, Limits, frame_stream};
pub(crate) use frame::{head_end, message_length};
pub(crate) use head::{Head, Span, StartLine};
pub use header_name::HeaderName;
pub use host::{Host, HostPort};
pub use method::Method;
pub use name_addr::{Contact, NameAddr};
pub use params::{Param, Params};
pub use uri::{Scheme, Uri, unescape};
pub use via::Via;
pub use warning::{RAck, RetryAfter, Warning};
