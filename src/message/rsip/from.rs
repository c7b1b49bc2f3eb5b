//! rsip's messages as ours.
use super::header::name_and_value;
use super::uri::{from_method, from_uri};
use super::{ConvertError, ConvertErrorKind};
use crate::message::{Builder, Message, reason_phrase};
use crate::syntax::HeaderName;
use ::rsip::{Header, Headers, Request, Response, SipMessage, StatusCode, Version};

impl TryFrom<&SipMessage> for Message {
    type Error = ConvertError;

    fn try_from(message: &SipMessage) -> Result<Message, ConvertError> {
        match message {
            SipMessage::Request(request) => request.try_into(),
            SipMessage::Response(response) => response.try_into(),
        }
    }
}

impl TryFrom<&Request> for Message {
    type Error = ConvertError;

    fn try_from(request: &Request) -> Result<Message, ConvertError> {
        check_version(&request.version)?;
        let uri = from_uri(&request.uri, "Request-URI")?;
        let builder = Builder::request(from_method(request.method), uri);
        finish(builder, &request.headers, &request.body)
    }
}

impl TryFrom<&Response> for Message {
    type Error = ConvertError;

    fn try_from(response: &Response) -> Result<Message, ConvertError> {
        check_version(&response.version)?;
        let status = response.status_code.code();
        let reason = match &response.status_code {
            StatusCode::Other(_, reason) => reason,
            _ => reason_phrase(status),
        };
        finish(Builder::status_line(status, reason), &response.headers, &response.body)
    }
}

/// The request without its Via headers: the transaction that sends it writes its own.
///
/// # Errors
/// What the conversion to a [`Message`] refuses.
pub fn to_send(request: &Request) -> Result<Message, ConvertError> {
    let mut request = request.clone();
    request.headers.retain(|header| !matches!(header, Header::Via(_)));
    Message::try_from(&request)
}

fn check_version(version: &Version) -> Result<(), ConvertError> {
    match version {
        Version::V2 => Ok(()),
        Version::V1 => Err(ConvertError::new("SIP-Version", ConvertErrorKind::Version)),
    }
}

/// The header lines in their order, without Content-Length, which comes from the body.
fn finish(mut builder: Builder, headers: &Headers, body: &[u8]) -> Result<Message, ConvertError> {
    for header in headers.iter() {
        let (name, value) = name_and_value(header);
        if HeaderName::from_bytes(name.as_bytes()) != HeaderName::ContentLength {
            builder = builder.header_named(name, value);
        }
    }
    Ok(builder.bare_body(body).build()?)
}
