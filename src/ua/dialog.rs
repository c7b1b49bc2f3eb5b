//! Dialogs (RFC 3261 sec. 12): ids, route sets, targets and CSeq, early and confirmed.
//!
//! What a dialog keeps is copied out of the messages, so that a tag does not pin the buffer that it came in.
//!
//! Dialogs are found by Call-ID and both tags alone: proxies and B2BUAs on the way change URIs, Contacts and routes, but not these. A
//! peer of RFC 2543 has no tag; its tag is empty here.
//!
//! ```
//! use ringback::message::{Builder, Message};
//! use ringback::syntax::{HeaderName, Limits, Method};
//! use ringback::ua::dialog::Dialog;
//!
//! let invite = Builder::request(Method::Invite, "sip:bob@lab.example")
//!     .header(HeaderName::From, "<sip:alice@lab.example>;tag=a")
//!     .header(HeaderName::To, "<sip:bob@lab.example>")
//!     .header(HeaderName::CallId, "1")
//!     .header(HeaderName::CSeq, "1 INVITE")
//!     .build()?;
//! let ok = "SIP/2.0 200 OK\r\nFrom: <sip:alice@lab.example>;tag=a\r\nTo: <sip:bob@lab.example>;tag=b\r\nCall-ID: 1\r\n\
//!           CSeq: 1 INVITE\r\nContact: <sip:bob@192.0.2.2>\r\nRecord-Route: <sip:p1.example;lr>, <sip:p2.example;lr>\r\n\r\n";
//! let ok = Message::parse(ok.into(), &Limits::default())?;
//! let mut dialog = Dialog::uac(&invite, &ok)?;
//! let bye = dialog.request(Method::Bye).build()?;
//! assert_eq!(bye.request_uri_bytes(), Some(&b"sip:bob@192.0.2.2"[..]));
//! assert_eq!(bye.header(HeaderName::Route), Some(&b"<sip:p2.example;lr>"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use crate::message::{Builder, FieldError, Message};
use crate::syntax::{Contact, HeaderName, Method, NameAddr, Uri};

/// Most routes that a dialog takes from Record-Route.
pub const MAX_ROUTES: usize = 32;
/// The last CSeq number that may be given (RFC 3261 sec. 8.1.1.5).
const MAX_CSEQ: u32 = 0x7fff_ffff;
/// The number of a BYE that [`Dialog::parting`] gives.
const PARTING_CSEQ: u32 = 0x4000_0000;

/// What tells a dialog from others (RFC 3261 sec. 12), seen from our side. Tags are empty where a side has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: Box<[u8]>,
    /// Our tag.
    pub local_tag: Box<[u8]>,
    /// The peer's tag.
    pub remote_tag: Box<[u8]>,
}

impl DialogId {
    /// The dialog that a request from the peer belongs to.
    ///
    /// # Errors
    /// A request without readable From, To or Call-ID.
    pub fn of_request(request: &Message) -> Result<DialogId, FieldError> {
        DialogId::new(request.call_id()?, request.to()?.tag(), request.from()?.tag())
    }

    /// The dialog that a response from the peer belongs to, or makes.
    ///
    /// # Errors
    /// A response without readable From, To or Call-ID.
    pub fn of_response(response: &Message) -> Result<DialogId, FieldError> {
        DialogId::new(response.call_id()?, response.from()?.tag(), response.to()?.tag())
    }

    fn new(call_id: &[u8], local: Option<&[u8]>, remote: Option<&[u8]>) -> Result<DialogId, FieldError> {
        let tag = |tag: Option<&[u8]>| tag.unwrap_or_default().into();
        Ok(DialogId { call_id: call_id.into(), local_tag: tag(local), remote_tag: tag(remote) })
    }
}

/// Why a message makes no dialog.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialogError {
    /// A field that is needed is missing or bad.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// More than [`MAX_ROUTES`].
    #[error("more than {MAX_ROUTES} routes")]
    TooManyRoutes,
}

/// A request that comes too late (RFC 3261 sec. 12.2.2): it is answered 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("CSeq {given} after {last}")]
pub struct OutOfOrder {
    /// The number of the request.
    pub given: u32,
    /// The highest that came before.
    pub last: u32,
}

/// One dialog.
#[derive(Debug, Clone)]
pub struct Dialog {
    id: DialogId,
    /// From of our requests, with our tag.
    local: Box<[u8]>,
    /// To of our requests, with the peer's tag.
    remote: Box<[u8]>,
    /// The URI that our requests are for.
    target: Box<[u8]>,
    /// Route values in the order of our requests.
    routes: Vec<Box<[u8]>>,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    confirmed: bool,
}

impl Dialog {
    /// The dialog that a response (101 to 299) to our request makes.
    ///
    /// # Errors
    /// [`DialogError`].
    pub fn uac(request: &Message, response: &Message) -> Result<Dialog, DialogError> {
        let target = contact(response).or_else(|| request.request_uri_bytes().map(Into::into));
        let remote_tag = DialogId::of_response(response)?.remote_tag;
        Ok(Dialog {
            // Ours are those of the request (RFC 3261 sec. 12.1.2), whatever an ALG makes of them in the answer.
            id: DialogId::new(request.call_id()?, request.from()?.tag(), Some(&remote_tag))?,
            local: value(request, HeaderName::From),
            remote: value(response, HeaderName::To),
            target: target.unwrap_or_default(),
            routes: routes(response, true)?,
            local_cseq: request.cseq()?.number,
            remote_cseq: None,
            confirmed: response.status().is_some_and(|status| status >= 200),
        })
    }

    /// The dialog that a request from the peer makes, when it is answered with `local_tag` in To. It is early.
    ///
    /// # Errors
    /// [`DialogError`].
    pub fn uas(request: &Message, local_tag: &str) -> Result<Dialog, DialogError> {
        let mut id = DialogId::of_request(request)?;
        let mut local = value(request, HeaderName::To).into_vec();
        if id.local_tag.is_empty() {
            local.extend_from_slice(format!(";tag={local_tag}").as_bytes());
            id.local_tag = local_tag.as_bytes().into();
        }
        let from = request.from()?;
        Ok(Dialog {
            id,
            local: local.into(),
            remote: value(request, HeaderName::From),
            target: contact(request).unwrap_or_else(|| bare(&from.uri())),
            routes: routes(request, false)?,
            local_cseq: 0,
            remote_cseq: Some(request.cseq()?.number),
            confirmed: false,
        })
    }

    /// Its id.
    pub fn id(&self) -> &DialogId {
        &self.id
    }

    /// Has it got its 2xx?
    pub fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// The URI that our requests are for.
    pub fn target(&self) -> &[u8] {
        &self.target
    }

    /// The number of our last request.
    pub fn local_cseq(&self) -> u32 {
        self.local_cseq
    }

    /// Does this request from the peer belong to it?
    pub fn matches(&self, request: &Message) -> bool {
        DialogId::of_request(request).is_ok_and(|id| id == self.id)
    }

    /// We sent or received the 2xx. As the side that called, hand in the 2xx: its routes and Contact count from now on (RFC 3261
    /// sec. 13.2.2.4).
    ///
    /// # Errors
    /// [`DialogError`]; the dialog is confirmed then with what it had.
    pub fn confirm(&mut self, response: Option<&Message>) -> Result<(), DialogError> {
        self.confirmed = true;
        if let Some(response) = response {
            self.refresh_target(response);
            self.routes = routes(response, true)?;
        }
        Ok(())
    }

    /// Takes the Contact of a request or 2xx that refreshes the target (INVITE, UPDATE); routes stay as they are (RFC 3261 sec. 12.2).
    pub fn refresh_target(&mut self, message: &Message) {
        if let Some(target) = contact(message) {
            self.target = target;
        }
    }

    /// Looks at the CSeq of a request from the peer.
    ///
    /// # Errors
    /// [`OutOfOrder`]. An ACK has the number of its INVITE and is never that; what cannot be read counts as 0.
    pub fn check_order(&mut self, request: &Message) -> Result<(), OutOfOrder> {
        if request.method() == Some(Method::Ack) {
            return Ok(());
        }
        let given = request.cseq().map_or(0, |cseq| cseq.number);
        match self.remote_cseq {
            Some(last) if given < last => Err(OutOfOrder { given, last }),
            _ => {
                self.remote_cseq = Some(given);
                Ok(())
            }
        }
    }

    /// The next request to the peer, without Via: Request-URI, Route, Max-Forwards, From, To, Call-ID and CSeq.
    pub fn request(&mut self, method: Method<'_>) -> Builder {
        self.local_cseq = if self.local_cseq < MAX_CSEQ { self.local_cseq + 1 } else { 1 };
        self.with_cseq(method, self.local_cseq)
    }

    /// The BYE that ends it from outside, should its owner be gone: with a CSeq far ahead of what its owner may have used by then (gaps are
    /// allowed, RFC 3261 sec. 12.2.2), so that it is the same for the life of the dialog.
    pub fn parting(&self) -> Builder {
        self.with_cseq(Method::Bye, PARTING_CSEQ.max(self.local_cseq.saturating_add(1)))
    }

    /// The ACK of a 2xx to our INVITE of this number.
    pub fn ack(&self, invite_cseq: u32) -> Builder {
        self.with_cseq(Method::Ack, invite_cseq)
    }

    fn with_cseq(&self, method: Method<'_>, cseq: u32) -> Builder {
        // A strict router wants itself in the Request-URI, and the target behind all others (RFC 3261 sec. 12.2.1.1).
        let strict = self.routes.first().and_then(|first| {
            let (first, _) = NameAddr::parse_first(first).ok()?;
            first.uri().params().get(b"lr").is_none().then(|| bare(&first.uri()))
        });
        let mut builder = Builder::request(method, strict.as_deref().unwrap_or(&self.target));
        for route in self.routes.iter().skip(usize::from(strict.is_some())) {
            builder = builder.header(HeaderName::Route, route);
        }
        if strict.is_some() {
            builder = builder.header(HeaderName::Route, [b"<", &*self.target, b">"].concat());
        }
        builder
            .header(HeaderName::MaxForwards, "70")
            .header(HeaderName::From, &self.local)
            .header(HeaderName::To, &self.remote)
            .header(HeaderName::CallId, &self.id.call_id)
            .header(HeaderName::CSeq, format!("{cseq} {method}"))
    }
}

/// A header's value as it came, on one line.
fn value(message: &Message, name: HeaderName) -> Box<[u8]> {
    message.header(name).unwrap_or_default().iter().map(on_one_line).collect()
}

/// Folds and control characters are read and not written.
fn on_one_line(byte: &u8) -> u8 {
    if byte.is_ascii_control() { b' ' } else { *byte }
}

/// The first Contact that is an address.
fn contact(message: &Message) -> Option<Box<[u8]>> {
    message.contacts().find_map(|contact| match contact {
        Ok(Contact::Addr(address)) => Some(bare(&address.uri())),
        _ => None,
    })
}

/// A URI as it may stand in the start line: without headers.
fn bare(uri: &Uri<'_>) -> Box<[u8]> {
    let text = uri.as_bytes();
    let headers = uri.headers().len();
    let end = if headers == 0 { text.len() } else { text.len().saturating_sub(headers + 1) };
    text.get(..end).unwrap_or(text).into()
}

/// The route set from Record-Route; `reversed` for the side that called.
fn routes(message: &Message, reversed: bool) -> Result<Vec<Box<[u8]>>, DialogError> {
    let mut routes = Vec::new();
    for address in message.addresses(HeaderName::RecordRoute) {
        let address = address?;
        if routes.len() == MAX_ROUTES {
            return Err(DialogError::TooManyRoutes);
        }
        let mut text = [b"<", address.uri().as_bytes(), b">"].concat();
        for param in address.params().iter() {
            text.push(b';');
            text.extend_from_slice(param.name);
            if let Some(value) = param.value {
                text.push(b'=');
                text.extend(value.iter().map(on_one_line));
            }
        }
        routes.push(text.into_boxed_slice());
    }
    if reversed {
        routes.reverse();
    }
    Ok(routes)
}
