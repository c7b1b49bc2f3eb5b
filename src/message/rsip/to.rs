//! Our messages and values as rsip's.
use super::header::header;
use super::uri::{to_host_with_port, to_method, to_params, to_transport, to_uri};
use super::{ConvertError, ConvertErrorKind, text};
use crate::message::{Message, builder::unfolded};
use crate::syntax::{Contact, HeaderName, NameAddr, SyntaxError, Via};
use ::rsip::typed;
use ::rsip::{Headers, Request, Response, SipMessage, StatusCode, Version};

impl TryFrom<&Message> for SipMessage {
    type Error = ConvertError;

    fn try_from(message: &Message) -> Result<SipMessage, ConvertError> {
        match message.is_request() {
            true => Request::try_from(message).map(SipMessage::Request),
            false => Response::try_from(message).map(SipMessage::Response),
        }
    }
}

impl TryFrom<&Message> for Request {
    type Error = ConvertError;

    fn try_from(message: &Message) -> Result<Request, ConvertError> {
        let (Some(method), Some(uri)) = (message.method(), message.request_uri()) else {
            return Err(ConvertError::new("message", ConvertErrorKind::NotARequest));
        };
        let method = to_method(method).ok_or(ConvertError::new("method", ConvertErrorKind::Method))?;
        let uri = uri.map_err(|error| ConvertError::new("Request-URI", ConvertErrorKind::Syntax(error)))?;
        Ok(Request {
            method,
            uri: to_uri(&uri, "Request-URI")?,
            version: Version::V2,
            headers: to_headers(message)?,
            body: message.body().to_vec(),
        })
    }
}

impl TryFrom<&Message> for Response {
    type Error = ConvertError;

    fn try_from(message: &Message) -> Result<Response, ConvertError> {
        let (Some(status), Some(reason)) = (message.status(), message.reason()) else {
            return Err(ConvertError::new("message", ConvertErrorKind::NotAResponse));
        };
        let status_code = match StatusCode::from(status) {
            StatusCode::Other(status, _) => {
                StatusCode::Other(status, text(reason, "reason phrase")?.to_owned())
            }
            listed => listed,
        };
        Ok(Response {
            status_code,
            version: Version::V2,
            headers: to_headers(message)?,
            body: message.body().to_vec(),
        })
    }
}

fn to_headers(message: &Message) -> Result<Headers, ConvertError> {
    let mut headers = Vec::new();
    for line in message.headers() {
        let raw_name = String::from_utf8_lossy(line.raw_name);
        let place = if line.name == HeaderName::Other { &*raw_name } else { line.name.as_str() };
        let values = match line.name {
            HeaderName::Via => split(line.value, |rest| Via::parse_first(rest).map(|(_, rest)| rest)),
            HeaderName::Contact => split(line.value, |rest| Contact::parse_first(rest).map(|(_, rest)| rest)),
            _ => vec![line.value],
        };
        for value in values {
            let value = unfolded(value);
            headers.push(header(line.name, &raw_name, text(&value, place)?.to_owned()));
        }
    }
    Ok(headers.into())
}

/// The values of a comma list, each as it came; the whole of it where one breaks the grammar.
fn split(list: &[u8], after_first: impl Fn(&[u8]) -> Result<&[u8], SyntaxError>) -> Vec<&[u8]> {
    let (mut values, mut rest) = (Vec::new(), list);
    while !rest.is_empty() {
        let Ok(next) = after_first(rest) else { return vec![list] };
        let first = rest[..rest.len() - next.len()].trim_ascii();
        let first = if next.is_empty() { first } else { first.strip_suffix(b",").unwrap_or(first) };
        values.push(first.trim_ascii_end());
        rest = next;
    }
    if values.is_empty() { vec![list] } else { values }
}

macro_rules! addresses {
    ($($name:ident)*) => {$(
        impl TryFrom<&NameAddr<'_>> for typed::$name {
            type Error = ConvertError;

            /// The display name keeps its quotes, as rsip's parser leaves it.
            fn try_from(address: &NameAddr<'_>) -> Result<typed::$name, ConvertError> {
                let place = stringify!($name);
                let display_name = unfolded(address.display_name());
                Ok(typed::$name {
                    display_name: match display_name.is_empty() {
                        true => None,
                        false => Some(text(&display_name, place)?.to_owned()),
                    },
                    uri: to_uri(&address.uri(), place)?,
                    params: to_params(address.params(), place)?,
                })
            }
        }
    )*};
}

addresses! { From To Contact }

impl TryFrom<&Via<'_>> for typed::Via {
    type Error = ConvertError;

    fn try_from(via: &Via<'_>) -> Result<typed::Via, ConvertError> {
        let transport = text(via.transport(), "Via")?;
        Ok(typed::Via {
            version: Version::V2,
            transport: to_transport(transport)
                .ok_or(ConvertError::new("Via", ConvertErrorKind::Transport))?,
            uri: ::rsip::Uri {
                scheme: None,
                auth: None,
                host_with_port: to_host_with_port(via.host(), via.port(), "Via")?,
                params: Vec::new(),
                headers: Vec::new(),
            },
            params: to_params(via.params(), "Via")?,
        })
    }
}
