//! The parsers, each used as its documentation says.

use crate::Input;
use std::fmt::Debug;
use std::hint::black_box;

type Outcome = Result<usize, String>;

fn text(error: impl Debug) -> String {
    format!("{error:?}").chars().take(120).collect()
}

/// Keeps a value alive as a user would, and counts it.
fn seen<T, E: Debug>(count: &mut usize, value: Result<T, E>) -> Result<(), String> {
    black_box(value.map_err(text)?);
    *count += 1;
    Ok(())
}

fn all<T, E: Debug>(count: &mut usize, values: impl Iterator<Item = Result<T, E>>) -> Result<(), String> {
    for value in values {
        seen(count, value)?;
    }
    Ok(())
}

pub fn ringback_frame(input: &Input) -> Outcome {
    use ringback::{message::Message, syntax::Limits};
    match Message::parse(input.sip.clone(), &Limits::default()) {
        Ok(message) => black_box(&message),
        Err(error) => return Err(text(error)),
    };
    Ok(0)
}

pub fn ringback_full(input: &Input) -> Outcome {
    use ringback::message::Message;
    use ringback::syntax::{HeaderName, Limits};
    let message = match Message::parse(input.sip.clone(), &Limits::default()) {
        Ok(message) => message,
        Err(error) => return Err(text(error)),
    };
    let mut count = 0;
    all(&mut count, message.vias())?;
    seen(&mut count, message.from())?;
    seen(&mut count, message.to())?;
    seen(&mut count, message.cseq())?;
    seen(&mut count, message.call_id())?;
    all(&mut count, message.contacts())?;
    all(&mut count, message.addresses(HeaderName::Route))?;
    all(&mut count, message.addresses(HeaderName::RecordRoute))?;
    black_box(&message);
    Ok(count)
}

fn rsip_parse(input: &Input) -> Result<rsip::SipMessage, String> {
    rsip::SipMessage::try_from(input.text.as_str()).map_err(text)
}

pub fn rsip_frame(input: &Input) -> Outcome {
    black_box(&rsip_parse(input)?);
    Ok(0)
}

pub fn rsip_full(input: &Input) -> Outcome {
    use rsip::{Header, headers::ToTypedHeader, prelude::*};
    let message = rsip_parse(input)?;
    let mut count = 0;
    for header in message.headers().iter() {
        match header {
            Header::Via(h) => seen(&mut count, h.typed())?,
            Header::From(h) => seen(&mut count, h.typed())?,
            Header::To(h) => seen(&mut count, h.typed())?,
            Header::CSeq(h) => seen(&mut count, h.typed())?,
            Header::Contact(h) => seen(&mut count, h.typed())?,
            Header::CallId(h) => seen(&mut count, Ok::<_, String>(h.value()))?,
            Header::Route(h) => count += black_box(h.typed().map_err(text)?).uris().len(),
            Header::RecordRoute(h) => count += black_box(h.typed().map_err(text)?).uris().len(),
            _ => {}
        }
    }
    black_box(&message);
    Ok(count)
}

/// As `ezk-sip` itself receives a message: lines by the pull parser, the first as message line, the others into `Headers`.
fn ezk_parse(input: &Input) -> Result<(ezk_sip_types::msg::MessageLine, ezk_sip_types::Headers), String> {
    use ezk_sip_types::msg::{Line, MessageLine, PullParser};
    use ezk_sip_types::{Headers, parse::Parse};
    let utf8 = |line| std::str::from_utf8(line).map_err(text);
    let mut lines = PullParser::new(&input.sip, 0);
    let first = utf8(lines.next().ok_or("no line")?.map_err(text)?)?;
    let (_, start) = MessageLine::parse(&input.sip)(first).map_err(text)?;
    let mut headers = Headers::new();
    for line in lines {
        let (_, line) = Line::parse(&input.sip, utf8(line.map_err(text)?)?).map_err(text)?;
        headers.insert(line.name, line.value);
    }
    Ok((start, headers))
}

pub fn ezk_frame(input: &Input) -> Outcome {
    black_box(&ezk_parse(input)?);
    Ok(0)
}

pub fn ezk_full(input: &Input) -> Outcome {
    use ezk_sip_types::Name;
    use ezk_sip_types::header::typed::{CSeq, CallID, Contact, FromTo, Routing, Via};
    let message = ezk_parse(input)?;
    let headers = &message.1;
    let mut count = 0;
    let vias: Vec<Via> = headers.get_named().map_err(text)?;
    count += black_box(vias).len();
    seen(&mut count, headers.get::<FromTo>(Name::FROM))?;
    seen(&mut count, headers.get::<FromTo>(Name::TO))?;
    seen(&mut count, headers.get_named::<CSeq>())?;
    seen(&mut count, headers.get_named::<CallID>())?;
    if let Some(contacts) = headers.try_get_named::<Vec<Contact>>() {
        count += black_box(contacts.map_err(text)?).len();
    }
    for name in [Name::ROUTE, Name::RECORD_ROUTE] {
        if let Some(routes) = headers.try_get::<Vec<Routing>>(name) {
            count += black_box(routes.map_err(text)?).len();
        }
    }
    black_box(&message);
    Ok(count)
}

fn rsipstack_parse(input: &Input) -> Result<rsipstack::sip::SipMessage, String> {
    rsipstack::sip::SipMessage::try_from(input.sip.clone()).map_err(text)
}

pub fn rsipstack_frame(input: &Input) -> Outcome {
    black_box(&rsipstack_parse(input)?);
    Ok(0)
}

pub fn rsipstack_full(input: &Input) -> Outcome {
    use rsipstack::sip::{Header, prelude::*, typed};
    let message = rsipstack_parse(input)?;
    let mut count = 0;
    for header in message.headers().iter() {
        match header {
            Header::Via(h) => seen(&mut count, h.typed())?,
            Header::From(h) => seen(&mut count, h.typed())?,
            Header::To(h) => seen(&mut count, h.typed())?,
            Header::CSeq(h) => seen(&mut count, h.typed())?,
            Header::Contact(h) => seen(&mut count, h.typed())?,
            Header::CallId(h) => seen(&mut count, Ok::<_, String>(h.value()))?,
            Header::Route(h) => {
                count += black_box(typed::Route::parse_header_list(h.value()).map_err(text)?).len();
            }
            Header::RecordRoute(h) => {
                count += black_box(typed::RecordRoute::parse_header_list(h.value()).map_err(text)?).len();
            }
            _ => {}
        }
    }
    black_box(&message);
    Ok(count)
}

fn rsiprtp_parse(input: &Input) -> Result<rsiprtp::sip::parser::Message, String> {
    rsiprtp::sip::parser::Message::parse(&input.sip).map_err(text)
}

pub fn rsiprtp_frame(input: &Input) -> Outcome {
    black_box(&rsiprtp_parse(input)?);
    Ok(0)
}

pub fn rsiprtp_full(input: &Input) -> Outcome {
    use rsiprtp::sip::parser::typed::{CSeq, Contact, From, To, Via};
    use rsiprtp::sip::parser::{Header, Message};
    use rsiprtp::sip::{RecordRoute, Route};
    let message = rsiprtp_parse(input)?;
    let headers = match &message {
        Message::Request(request) => &request.headers,
        Message::Response(response) => &response.headers,
    };
    let mut count = 0;
    for header in headers.iter() {
        match header {
            Header::Via(value) => seen(&mut count, Via::parse(value))?,
            Header::From(value) => seen(&mut count, From::parse(value))?,
            Header::To(value) => seen(&mut count, To::parse(value))?,
            Header::CSeq(value) => seen(&mut count, CSeq::parse(value))?,
            Header::Contact(value) => seen(&mut count, Contact::parse(value))?,
            Header::CallId(value) => seen(&mut count, Ok::<_, String>(value))?,
            Header::Route(value) => all(&mut count, value.split(',').map(Route::parse))?,
            Header::RecordRoute(value) => all(&mut count, value.split(',').map(RecordRoute::parse))?,
            _ => {}
        }
    }
    black_box(&message);
    Ok(count)
}

fn sipx_parse(input: &Input) -> Result<sipx_sip::Message, String> {
    sipx_sip::parse_datagram(input.sip.clone(), &sipx_sip::Limits::datagram()).map_err(text)
}

pub fn sipx_frame(input: &Input) -> Outcome {
    black_box(&sipx_parse(input)?);
    Ok(0)
}

pub fn sipx_full(input: &Input) -> Outcome {
    use sipx_sip::headers::{CSeq, CallId, ContactValue, From, RecordRoute, Route, To, Via};
    let message = sipx_parse(input)?;
    let headers = message.headers();
    let mut count = 0;
    all(&mut count, headers.typed_all::<Via>())?;
    all(&mut count, headers.typed::<From>().into_iter())?;
    all(&mut count, headers.typed::<To>().into_iter())?;
    all(&mut count, headers.typed::<CSeq>().into_iter())?;
    all(&mut count, headers.typed::<CallId>().into_iter())?;
    all(&mut count, headers.typed_all::<ContactValue>())?;
    all(&mut count, headers.typed_all::<Route>())?;
    all(&mut count, headers.typed_all::<RecordRoute>())?;
    black_box(&message);
    Ok(count)
}
