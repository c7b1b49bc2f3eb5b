//! The 13 valid torture messages of RFC 4475 (sec. 3.1.1): every typed value, as `tests/data/rfc4475/values.txt` has it.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use ringback::message::Message;
use ringback::syntax::{Contact, Date, HeaderName, Host, Limits, MediaType, NameAddr, Params, Uri};
use std::fmt::Write;
use std::path::PathBuf;

const VALID: [&str; 13] = [
    "wsinv",
    "intmeth",
    "esc01",
    "escnull",
    "esc02",
    "lwsdisp",
    "longreq",
    "dblreq",
    "semiuri",
    "transports",
    "mpart01",
    "unreason",
    "noreason",
];

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rfc4475"))
}

fn params(params: Params<'_>) -> String {
    let one =
        |value: Option<&[u8]>| value.map_or(String::new(), |value| format!("={}", value.escape_ascii()));
    params.iter().map(|p| format!(" ;{}{}", p.name.escape_ascii(), one(p.value))).collect()
}

fn host(host: Host<'_>) -> String {
    match host {
        Host::Name(name) => name.escape_ascii().to_string(),
        Host::V4(address) => address.to_string(),
        Host::V6(address) => address.to_string(),
    }
}

/// A number that need not be there.
fn number(number: Option<impl ToString>) -> String {
    number.map_or("-".to_owned(), |number| number.to_string())
}

fn uri(uri: &Uri<'_>) -> String {
    let part = |part: Option<&[u8]>| part.map_or("-".to_owned(), |part| part.escape_ascii().to_string());
    let host = uri.host().map_or("-".to_owned(), host);
    let (user, password) = (part(uri.user()), part(uri.password()));
    format!("{:?} {user} {password} {host} {}{}", uri.scheme(), number(uri.port()), params(uri.params()))
}

fn address(address: &NameAddr<'_>) -> String {
    let name = address.display_name_unquoted();
    format!("\"{}\" <{}>{}", name.escape_ascii(), uri(&address.uri()), params(address.params()))
}

/// Every typed value, a line for each.
fn values(m: &Message) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| writeln!(out, "  {name}: {value}").unwrap();
    match (m.method(), m.status()) {
        (Some(method), _) => {
            line("request", format!("{method} {}", uri(&m.request_uri().unwrap().unwrap())));
        }
        (_, status) => {
            line("response", format!("{} \"{}\"", status.unwrap(), m.reason().unwrap().escape_ascii()));
        }
    }
    for via in m.vias() {
        let via = via.unwrap();
        let (transport, port) = (via.transport().escape_ascii(), number(via.port()));
        line("Via", format!("{transport} {} {port}{}", host(via.host()), params(via.params())));
    }
    line("From", address(&m.from().unwrap()));
    line("To", address(&m.to().unwrap()));
    line("Call-ID", m.call_id().unwrap().escape_ascii().to_string());
    let cseq = m.cseq().unwrap();
    line("CSeq", format!("{} {}", cseq.number, cseq.method));
    if let Some(number) = m.max_forwards() {
        line("Max-Forwards", number.unwrap().to_string());
    }
    for contact in m.contacts() {
        let contact = contact.unwrap();
        let Contact::Addr(address_of) = contact else { panic!("a star") };
        let (q, expires) = (number(contact.q_thousandths()), number(contact.expires()));
        line("Contact", format!("{}, q {q} expires {expires}", address(&address_of)));
    }
    for name in [HeaderName::Route, HeaderName::RecordRoute] {
        for value in m.addresses(name) {
            line(name.as_str(), address(&value.unwrap()));
        }
    }
    for kind in m.parsed_list(HeaderName::Accept, MediaType::parse_first) {
        let kind = kind.unwrap();
        line("Accept", format!("{}/{}", kind.kind.escape_ascii(), kind.subtype.escape_ascii()));
    }
    if let Some(kind) = m.parsed(HeaderName::ContentType, MediaType::parse) {
        let kind = kind.unwrap();
        let (name, subtype) = (kind.kind.escape_ascii(), kind.subtype.escape_ascii());
        line("Content-Type", format!("{name}/{subtype}{}", params(kind.params)));
    }
    if let Some(date) = m.parsed(HeaderName::Date, Date::parse) {
        line("Date", format!("{}", date.unwrap().unix_seconds()));
    }
    for header in m.headers().filter(|header| header.name == HeaderName::Other) {
        line(&format!("other {}", header.raw_name.escape_ascii()), header.value.escape_ascii().to_string());
    }
    for part in m.parts(&Limits::default()).into_iter().flat_map(Result::unwrap) {
        let part = part.unwrap();
        let kind = part.header(HeaderName::ContentType).unwrap().escape_ascii();
        line("part", format!("{kind}, {} headers, {} bytes", part.headers().count(), part.body.len()));
    }
    line("body", format!("{} bytes", m.body().len()));
    out
}

#[test]
fn every_typed_value_of_the_valid_messages_is_right() {
    let mut seen = String::new();
    for name in VALID {
        let bytes = std::fs::read(folder().join(format!("{name}.dat"))).unwrap();
        let message = Message::parse(Bytes::from(bytes), &Limits::default()).unwrap();
        writeln!(seen, "{name}\n{}", values(&message)).unwrap();
    }
    let wanted = std::fs::read_to_string(folder().join("values.txt")).unwrap();
    for (number, (seen, wanted)) in seen.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(seen, wanted, "line {}", number + 1);
    }
    assert_eq!(seen.lines().count(), wanted.lines().count());
}
