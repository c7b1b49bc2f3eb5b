//! Header lines: which of our names is which of rsip's variants.
use crate::syntax::HeaderName;
use ::rsip::headers::{Header, UntypedHeader};

macro_rules! variants {
    ($($name:ident)*) => {
        /// The variant of a name; `None` where rsip has none.
        pub(super) fn variant(name: HeaderName, value: String) -> Result<Header, String> {
            match name {
                $(HeaderName::$name => Ok(Header::$name(::rsip::headers::$name::new(value))),)*
                _ => Err(value),
            }
        }
        /// Name and value of a header of rsip's.
        pub(super) fn name_and_value(header: &Header) -> (&str, &str) {
            match header {
                $(Header::$name(header) => (HeaderName::$name.as_str(), header.value()),)*
                Header::Other(name, value) => (name, value),
            }
        }
    };
}

variants! {
    Accept AcceptEncoding AcceptLanguage AlertInfo Allow AuthenticationInfo Authorization CSeq CallId CallInfo Contact ContentDisposition
    ContentEncoding ContentLanguage ContentLength ContentType Date ErrorInfo Event Expires From InReplyTo MaxForwards MimeVersion
    MinExpires Organization Priority ProxyAuthenticate ProxyAuthorization ProxyRequire RecordRoute ReplyTo Require RetryAfter Route Server
    Subject SubscriptionState Supported Timestamp To Unsupported UserAgent Via Warning WwwAuthenticate
}

/// A header of rsip's; `raw_name` is what is written for a name that nobody knows.
pub(super) fn header(name: HeaderName, raw_name: &str, value: String) -> Header {
    variant(name, value).unwrap_or_else(|value| {
        let name = if name == HeaderName::Other { raw_name } else { name.as_str() };
        Header::Other(name.to_owned(), value)
    })
}
