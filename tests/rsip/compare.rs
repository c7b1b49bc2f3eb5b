//! One datagram read by both parsers, value by value. The fuzz target `rsip_difference` uses this file as well.
use super::known::{DEVIATIONS, Deviation};
use bytes::Bytes;
use ringback::message::{FieldError, Message};
use ringback::syntax::{Contact, HeaderName, Limits, SyntaxErrorKind};
use rsip::prelude::*;
use rsip::{SipMessage, typed};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Is it a message, and of which sort?
    Message,
    Method,
    RequestUri,
    Status,
    /// Transport, sent-by and branch of the top Via.
    Via,
    FromTag,
    ToTag,
    CallId,
    CSeq,
    MaxForwards,
    /// The URI of the first Contact.
    Contact,
    Body,
}

impl Field {
    /// The header that holds it.
    pub fn header(self) -> Option<HeaderName> {
        match self {
            Field::Via => Some(HeaderName::Via),
            Field::FromTag => Some(HeaderName::From),
            Field::ToTag => Some(HeaderName::To),
            Field::CallId => Some(HeaderName::CallId),
            Field::CSeq => Some(HeaderName::CSeq),
            Field::MaxForwards => Some(HeaderName::MaxForwards),
            Field::Contact => Some(HeaderName::Contact),
            _ => None,
        }
    }
}

/// What a parser made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Absent,
    Bad,
    Is(String),
}

/// One value that the two read differently.
#[derive(Debug)]
pub struct Case<'a> {
    /// What both were given.
    pub bytes: &'a [u8],
    /// What we made of it.
    pub message: Result<&'a Message, SyntaxErrorKind>,
    pub field: Field,
    pub ours: Value,
    pub theirs: Value,
}

impl Case<'_> {
    /// The known deviation that explains it.
    pub fn explanation(&self) -> Option<&'static Deviation> {
        DEVIATIONS.iter().find(|deviation| (deviation.explains)(self))
    }
    /// The text of the field: its first header, or the Request-URI.
    pub fn text(&self) -> &[u8] {
        let Ok(message) = self.message else { return &[] };
        match self.field.header() {
            Some(name) => message.header(name),
            None => message.request_uri_bytes(),
        }
        .unwrap_or_default()
    }
}

/// Calls `visit` for each value that the two read differently.
pub fn differences(bytes: &[u8], mut visit: impl FnMut(Case<'_>)) {
    let ours = Message::parse(Bytes::copy_from_slice(bytes), &Limits::default());
    let theirs = SipMessage::try_from(bytes).ok();
    let message = ours.as_ref().map_err(|error| error.kind);
    let mut check = |field, ours: Value, theirs: Value| {
        if ours != theirs {
            visit(Case { bytes, message, field, ours, theirs });
        }
    };
    let ours_is = match &ours {
        Ok(message) => sort(message.is_request()),
        Err(_) => Value::Bad,
    };
    let theirs_is = theirs.as_ref().map_or(Value::Bad, |message| sort(message.is_request()));
    let alike = ours_is == theirs_is;
    check(Field::Message, ours_is, theirs_is);
    let (Ok(ours), Some(theirs), true) = (&ours, &theirs, alike) else { return };
    match theirs {
        SipMessage::Request(request) => {
            check(Field::Method, method(ours), is(request.method));
            check(Field::RequestUri, request_uri(ours), debug(&request.uri));
        }
        SipMessage::Response(response) => {
            check(Field::Status, ours.status().map_or(Value::Absent, is), is(response.status_code.code()));
        }
    }
    check(Field::Via, our_via(ours), their_via(theirs));
    check(
        Field::FromTag,
        our_tag(ours.from()),
        theirs.from_header().map_or(Value::Absent, |from| tag(from.tag())),
    );
    check(Field::ToTag, our_tag(ours.to()), theirs.to_header().map_or(Value::Absent, |to| tag(to.tag())));
    check(
        Field::CallId,
        of(ours.call_id().map(lossy)),
        theirs.call_id_header().map_or(Value::Absent, |id| is(id.value())),
    );
    check(Field::CSeq, our_cseq(ours), their_cseq(theirs));
    check(
        Field::MaxForwards,
        ours.max_forwards().map_or(Value::Absent, of),
        theirs.max_forwards_header().map_or(Value::Absent, |max| max.num().map_or(Value::Bad, is)),
    );
    check(Field::Contact, our_contact(ours), their_contact(theirs));
    check(Field::Body, is(ours.body().escape_ascii()), is(theirs.body().escape_ascii()));
}

fn is(value: impl ToString) -> Value {
    Value::Is(value.to_string())
}

fn debug(value: impl std::fmt::Debug) -> Value {
    Value::Is(format!("{value:?}"))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn of<T: ToString>(value: Result<T, FieldError>) -> Value {
    match value {
        Ok(value) => is(value),
        Err(FieldError::Missing(_)) => Value::Absent,
        Err(_) => Value::Bad,
    }
}

fn sort(is_request: bool) -> Value {
    is(if is_request { "request" } else { "response" })
}

fn method(ours: &Message) -> Value {
    ours.method().map_or(Value::Absent, is)
}

fn request_uri(ours: &Message) -> Value {
    match ours.request_uri() {
        None => Value::Absent,
        Some(Err(_)) => Value::Bad,
        Some(Ok(uri)) => match rsip::Uri::try_from(&uri) {
            Ok(uri) => debug(uri),
            Err(_) => is(lossy(uri.as_bytes())),
        },
    }
}

fn via(via: &typed::Via) -> Value {
    debug((via.transport, &via.uri.host_with_port, via.branch().map(|branch| branch.value())))
}

fn our_via(ours: &Message) -> Value {
    match ours.top_via() {
        Err(error) => of::<String>(Err(error)),
        Ok(value) => typed::Via::try_from(&value).map_or(Value::Bad, |value| via(&value)),
    }
}

fn their_via(theirs: &SipMessage) -> Value {
    match theirs.via_header().map(|header| header.typed()) {
        Err(_) => Value::Absent,
        Ok(Err(_)) => Value::Bad,
        Ok(Ok(value)) => via(&value),
    }
}

fn our_tag(value: Result<ringback::syntax::NameAddr<'_>, FieldError>) -> Value {
    of(value.map(|value| lossy(value.tag().unwrap_or_default())))
}

fn tag(value: Result<Option<rsip::param::Tag>, rsip::Error>) -> Value {
    value.map_or(Value::Bad, |tag| Value::Is(tag.map(Into::into).unwrap_or_default()))
}

fn our_cseq(ours: &Message) -> Value {
    of(ours.cseq().map(|cseq| format!("{} {}", cseq.number, cseq.method)))
}

fn their_cseq(theirs: &SipMessage) -> Value {
    match theirs.cseq_header().map(|header| header.typed()) {
        Err(_) => Value::Absent,
        Ok(cseq) => cseq.map_or(Value::Bad, is),
    }
}

fn our_contact(ours: &Message) -> Value {
    match ours.contacts().next() {
        None => Value::Absent,
        Some(Err(_)) => Value::Bad,
        Some(Ok(Contact::Star)) => is("*"),
        Some(Ok(Contact::Addr(address))) => match rsip::Uri::try_from(&address.uri()) {
            Ok(uri) => debug(uri),
            Err(_) => is(lossy(address.uri().as_bytes())),
        },
    }
}

fn their_contact(theirs: &SipMessage) -> Value {
    match theirs.contact_header().map(|header| header.typed()) {
        Err(_) => Value::Absent,
        Ok(contact) => contact.map_or(Value::Bad, |contact| debug(contact.uri)),
    }
}
