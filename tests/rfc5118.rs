//! The messages of RFC 5118: IPv6 in every place where SIP has an address. Each section of its chapter 4, none left out.
//!
//! The bodies' Content-Length is written as it is counted: the RFC's own figures are off by some bytes.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use ringback::message::Message;
use ringback::syntax::{Contact, Host, HostPort, Limits, Method, SyntaxErrorKind};
use std::net::IpAddr;

/// Lines end with CRLF on the wire; `LENGTH` is the body's.
fn message(text: &str) -> Message {
    let text = text.replace('\n', "\r\n");
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let text = text.replace("LENGTH", &body.len().to_string());
    let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
    message.check_mandatory().unwrap();
    message
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

/// Address and port of the Request-URI.
fn target(m: &Message) -> (Option<IpAddr>, Option<u16>) {
    let uri = m.request_uri().unwrap().unwrap();
    (uri.host().unwrap().ip(), uri.port())
}

fn contact(m: &Message) -> Option<IpAddr> {
    let Contact::Addr(address) = m.contacts().next().unwrap().unwrap() else { panic!("a star") };
    address.uri().host().unwrap().ip()
}

fn sent_by(m: &Message) -> Vec<(Option<IpAddr>, Option<u16>)> {
    m.vias().map(|via| via.map(|via| (via.host().ip(), via.port())).unwrap()).collect()
}

/// The addresses of the `c=` lines.
fn connections(m: &Message) -> Vec<String> {
    let body = std::str::from_utf8(m.body()).unwrap();
    body.lines().filter_map(|line| line.strip_prefix("c=IN ")).map(str::to_owned).collect()
}

const REGISTER: &str = "To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
Contact: \"Caller\" <sip:caller@[2001:db8::1]>
CSeq: 98176 REGISTER
Content-Length: 0

";

#[test]
fn section_4_1_a_reference_in_every_address_is_read() {
    let m = message(&format!("REGISTER sip:[2001:db8::10] SIP/2.0\n{REGISTER}"));
    assert_eq!((m.method(), target(&m)), (Some(Method::Register), (ip("2001:db8::10"), None)));
    assert_eq!((sent_by(&m), contact(&m)), (vec![(ip("2001:db8::9:1"), None)], ip("2001:db8::1")));
}

#[test]
fn section_4_2_an_address_without_brackets_is_refused() {
    let m = message(&format!("REGISTER sip:2001:db8::10 SIP/2.0\n{REGISTER}"));
    // Framing takes it, so that it can be answered with 400.
    let error = m.request_uri().unwrap().unwrap_err();
    assert_eq!((error.kind, error.offset), (SyntaxErrorKind::Number, "REGISTER sip:2001:".len()));
}

#[test]
fn section_4_3_a_port_inside_the_brackets_belongs_to_the_address() {
    let m = message(&format!("REGISTER sip:[2001:db8::10:5070] SIP/2.0\n{REGISTER}"));
    assert_eq!(target(&m), (ip("2001:db8::10:5070"), None));
}

#[test]
fn section_4_4_a_port_behind_the_brackets_is_a_port() {
    let m = message(&format!("REGISTER sip:[2001:db8::10]:5070 SIP/2.0\n{REGISTER}"));
    assert_eq!(target(&m), (ip("2001:db8::10"), Some(5070)));
}

#[test]
fn section_4_5_received_is_read_with_and_without_brackets() {
    let with = message(
        "BYE sip:[2001:db8::10] SIP/2.0
To: sip:user@example.com;tag=bd76ya
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
CSeq: 321 BYE
Content-Length: 0

",
    );
    let without = message(
        "OPTIONS sip:[2001:db8::10] SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3
Call-ID: SSG95523997077@hlau_4100
Max-Forwards: 70
Contact: \"Caller\" <sip:caller@[2001:db8::9:1]>
CSeq: 921 OPTIONS
Content-Length: 0

",
    );
    for (m, branch) in [(&with, &b"z9hG4bKas3-111"[..]), (&without, b"z9hG4bKas3")] {
        let via = m.top_via().unwrap();
        assert_eq!((via.received(), via.branch()), (ip("2001:db8::9:255"), Some(branch)));
        assert_eq!(sent_by(m), [(ip("2001:db8::9:1"), None)]);
    }
    assert_eq!(contact(&without), ip("2001:db8::9:1"));
}

#[test]
fn section_4_6_addresses_in_a_description_stay_as_they_came() {
    let m = message(
        "INVITE sip:user@[2001:db8::10] SIP/2.0
To: sip:user@[2001:db8::10]
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::20];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: \"Caller\" <sip:caller@[2001:db8::20]>
CSeq: 8612 INVITE
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: LENGTH

v=0
o=assistant 971731711378798081 0 IN IP6 2001:db8::20
s=Live video feed for today's meeting
c=IN IP6 2001:db8::20
t=3338481189 3370017201
m=audio 6000 RTP/AVP 2
a=rtpmap:2 G726-32/8000
m=video 6024 RTP/AVP 107
a=rtpmap:107 H263-1998/90000
",
    );
    assert_eq!((target(&m).0, contact(&m)), (ip("2001:db8::10"), ip("2001:db8::20")));
    assert_eq!(m.to().unwrap().uri().host().unwrap().ip(), ip("2001:db8::10"));
    assert_eq!(connections(&m), ["IP6 2001:db8::20"]);
    assert!(m.body().ends_with(b"H263-1998/90000\r\n"));
}

#[test]
fn section_4_7_both_families_stand_in_one_list_of_vias() {
    let m = message(
        "BYE sip:user@host.example.net SIP/2.0
Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144
Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200
Call-ID: 997077@lau_4100
Max-Forwards: 70
CSeq: 89187 BYE
To: sip:user@example.net;tag=9817--94
From: sip:user@example.com;tag=81x2
Content-Length: 0

",
    );
    let all = [(ip("2001:db8::9:1"), Some(6050)), (ip("192.0.2.1"), None), (ip("2001:db8::9:255"), None)];
    assert_eq!(sent_by(&m), all);
    assert_eq!(m.vias().last().unwrap().unwrap().received(), ip("192.0.2.200"));
}

#[test]
fn section_4_8_both_families_stand_in_one_description() {
    let m = message(
        "INVITE sip:user@[2001:db8::10] SIP/2.0
To: sip:user@[2001:db8::10]
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: \"Caller\" <sip:caller@[2001:db8::9:1]>
Max-Forwards: 70
CSeq: 8912 INVITE
Content-Type: application/sdp
Content-Length: LENGTH

v=0
o=bob 280744730 28977631 IN IP4 host.example.com
s=
t=0 0
m=audio 22334 RTP/AVP 0
c=IN IP4 192.0.2.1
m=video 6024 RTP/AVP 107
c=IN IP6 2001:db8::1
a=rtpmap:107 H263-1998/90000
",
    );
    assert_eq!(connections(&m), ["IP4 192.0.2.1", "IP6 2001:db8::1"]);
    assert_eq!(contact(&m), ip("2001:db8::9:1"));
}

#[test]
fn section_4_9_mapped_addresses_are_read_as_ipv6() {
    let m = message(
        "INVITE sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:user@east.example.com;tag=81x2
Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19
Via: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: \"T. desk phone\" <sip:ted@[::ffff:192.0.2.2]>
CSeq: 612 INVITE
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: LENGTH

v=0
o=assistant 971731711378798081 0 IN IP6 ::ffff:192.0.2.2
s=Call me soon, please!
c=IN IP6 ::ffff:192.0.2.2
t=3338481189 3370017201
m=audio 6000 RTP/AVP 2
a=rtpmap:2 G726-32/8000
m=video 6024 RTP/AVP 107
a=rtpmap:107 H263-1998/90000
",
    );
    assert_eq!(sent_by(&m), [(ip("::ffff:192.0.2.10"), Some(19823)), (ip("::ffff:192.0.2.2"), None)]);
    assert_eq!(
        (contact(&m), connections(&m)),
        (ip("::ffff:192.0.2.2"), vec!["IP6 ::ffff:192.0.2.2".to_owned()])
    );
}

#[test]
fn section_4_10_a_third_colon_is_taken_for_two() {
    for colons in [":::", "::"] {
        let m = message(&format!(
            "OPTIONS sip:user@[2001:db8{colons}192.0.2.1] SIP/2.0
To: sip:user@[2001:db8{colons}192.0.2.1]
From: sip:user@example.com;tag=810x2
Via: SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111
Call-ID: G9559905523997077@hlau_4100
CSeq: 689 OPTIONS
Max-Forwards: 70
Content-Length: 0

"
        ));
        assert_eq!(target(&m), (ip("2001:db8::192.0.2.1"), None));
        // What came is what is sent on: nothing is written anew.
        assert!(m.request_uri_bytes().unwrap().ends_with(format!("{colons}192.0.2.1]").as_bytes()));
    }
    assert!(HostPort::parse(b"[2001:db8:::1]").is_err());
    assert_eq!(HostPort::parse(b"[::]").unwrap().host, Host::V6("::".parse().unwrap()));
}
