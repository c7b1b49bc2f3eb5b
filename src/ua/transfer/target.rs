//! Refer-To (RFC 3515 sec. 2.1): whom a REFER names, by which method, and with which headers.

use super::{Replaces, TransferError};
use crate::syntax::{HeaderName, ReferTo, Scheme, Uri};
use crate::ua::response::text;

/// Most headers in one Refer-To.
pub const MAX_HEADERS: usize = 32;

/// Whom a REFER names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// Its URI, without headers and without `method`: what the new request is for.
    pub uri: String,
    /// The method of the new request: `INVITE` as a rule.
    pub method: String,
    /// The dialog that the new call takes over: then the transfer is an attended one.
    pub replaces: Option<Replaces>,
    /// Further headers for the new request, in order, without escapes.
    pub headers: Vec<(String, String)>,
}

impl Target {
    /// A call to this URI (no `<>`, no headers).
    pub fn new(uri: impl Into<String>) -> Target {
        Target { uri: uri.into(), method: "INVITE".to_owned(), replaces: None, headers: Vec::new() }
    }

    /// The same, taking over a dialog of the target.
    #[must_use]
    pub fn with_replaces(mut self, replaces: Replaces) -> Target {
        self.replaces = Some(replaces);
        self
    }

    /// The same, with one more header for the new request.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Target {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Reads the value of a Refer-To.
    ///
    /// # Errors
    /// A value that is not one address, or with a Replaces that is none.
    pub fn parse(value: &[u8]) -> Result<Target, TransferError> {
        Target::from_value(&ReferTo::parse(value)?)
    }

    /// Copies a value that was read.
    ///
    /// # Errors
    /// As [`Target::parse`].
    pub fn from_value(value: &ReferTo<'_>) -> Result<Target, TransferError> {
        let uri = value.address.uri();
        let (mut replaces, mut headers) = (None, Vec::new());
        for (count, (name, field)) in uri.header_fields().enumerate() {
            if count == MAX_HEADERS {
                return Err(TransferError::TooManyHeaders);
            }
            if HeaderName::from_bytes(&name) != HeaderName::Replaces {
                headers.push((text(&name), text(&field)));
            } else if replaces.replace(Replaces::parse(&field)?).is_some() {
                return Err(TransferError::Repeated("Replaces in Refer-To"));
            }
        }
        let method = text(value.method().as_bytes());
        Ok(Target { uri: without_method(&uri), method, replaces, headers })
    }

    /// The value of a Refer-To, with everything that has to be escaped in it escaped (RFC 3261 sec. 19.1.2).
    pub fn value(&self) -> String {
        let mut value = format!("<{}", self.uri);
        if self.method != "INVITE" {
            value.push_str(";method=");
            value.push_str(&self.method);
        }
        let replaces = self.replaces.iter().map(|replaces| ("Replaces", replaces.value()));
        let others = self.headers.iter().map(|(name, value)| (name.as_str(), value.clone().into_bytes()));
        for (index, (name, field)) in replaces.chain(others).enumerate() {
            value.push(if index == 0 { '?' } else { '&' });
            escape(name.as_bytes(), &mut value);
            value.push('=');
            escape(&field, &mut value);
        }
        value.push('>');
        value
    }

    /// Is the URI one that can be called by SIP?
    pub fn is_sip(&self) -> bool {
        Uri::parse(self.uri.as_bytes())
            .is_ok_and(|uri| matches!(uri.scheme(), Scheme::Sip | Scheme::Sips) && uri.host().is_some())
    }

    /// The further headers that may go into the new request: none that routes it, names the parties or the dialog, describes a body, or
    /// proves who we are (RFC 3261 sec. 19.1.5).
    pub fn usable_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let usable = |name: &str| {
            let is_word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            is_word
                && !name.eq_ignore_ascii_case("body")
                && !matches!(
                    HeaderName::from_bytes(name.as_bytes()),
                    HeaderName::Accept
                        | HeaderName::Allow
                        | HeaderName::Authorization
                        | HeaderName::CallId
                        | HeaderName::Contact
                        | HeaderName::ContentLength
                        | HeaderName::ContentType
                        | HeaderName::CSeq
                        | HeaderName::From
                        | HeaderName::MaxForwards
                        | HeaderName::MinSe
                        | HeaderName::PAssertedIdentity
                        | HeaderName::PPreferredIdentity
                        | HeaderName::Path
                        | HeaderName::ProxyAuthorization
                        | HeaderName::ProxyRequire
                        | HeaderName::RecordRoute
                        | HeaderName::ReferredBy
                        | HeaderName::Require
                        | HeaderName::Route
                        | HeaderName::SessionExpires
                        | HeaderName::Supported
                        | HeaderName::To
                        | HeaderName::UserAgent
                        | HeaderName::Via
                )
        };
        let clean = |value: &str| !value.chars().any(|c| c.is_control());
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        headers.filter(move |(name, value)| usable(name) && clean(value))
    }

    /// Does a `Require` among the headers ask that Replaces is obeyed or the call refused (RFC 5589 sec. 7.3)?
    pub fn requires_replaces(&self) -> bool {
        let required = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Require"));
        required
            .flat_map(|(_, value)| value.split(','))
            .any(|tag| tag.trim().eq_ignore_ascii_case("replaces"))
    }
}

/// A URI as it may stand in a start line: without headers and without its `method`.
fn without_method(uri: &Uri<'_>) -> String {
    let whole = text(uri.as_bytes());
    let headers = uri.headers().len();
    let bare = if whole.ends_with('?') && headers == 0 { 1 } else { headers + usize::from(headers > 0) };
    let whole = whole.get(..whole.len().saturating_sub(bare)).unwrap_or(&whole).to_owned();
    let params = text(uri.params().as_bytes());
    let Some(front) = whole.strip_suffix(&params).filter(|_| !params.is_empty()) else { return whole };
    let kept = params.split(';').skip(1).filter(|param| {
        let name = param.split('=').next().unwrap_or_default();
        !name.trim().eq_ignore_ascii_case("method")
    });
    kept.fold(front.to_owned(), |uri, param| uri + ";" + param)
}

/// `hnv-unreserved` and `unreserved` stay (RFC 3261 sec. 25.1), all else is escaped.
fn escape(octets: &[u8], out: &mut String) {
    for &octet in octets {
        if octet.is_ascii_alphanumeric() || b"-_.!~*'()[]/?:+$".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
    }
}
