//! Dialogs from both sides, behind proxies of both kinds.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::syntax::Limits;

fn parse(text: &str) -> Message {
    Message::parse(text.replace('\n', "\r\n").into(), &Limits::default()).unwrap()
}

fn invite(more: &str) -> Message {
    parse(&format!(
        "INVITE sip:bob@lab.example SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nFrom: \"A\" <sip:alice@lab.example>;tag=a\n\
         To: <sip:bob@lab.example>\nCall-ID: 1\nCSeq: 7 INVITE\n{more}\n"
    ))
}

fn response(status: u16, to: &str, more: &str) -> Message {
    parse(&format!(
        "SIP/2.0 {status} x\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nFrom: \"A\" <sip:alice@lab.example>;tag=a\n\
         To: {to}\nCall-ID: 1\nCSeq: 7 INVITE\n{more}\n"
    ))
}

fn request(head: &str) -> Message {
    parse(&format!("{head}Call-ID: 1\nVia: SIP/2.0/UDP h;branch=z9hG4bK2\n\n"))
}

fn routes_of(message: &Message) -> Vec<&str> {
    let routes = message.headers().filter(|header| header.name == HeaderName::Route);
    routes.map(|header| std::str::from_utf8(header.value).unwrap()).collect()
}

fn uri_of(message: &Message) -> &str {
    std::str::from_utf8(message.request_uri_bytes().unwrap()).unwrap()
}

#[test]
fn both_sides_route_through_the_same_proxies_in_opposite_order() {
    let recorded = "Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr;x=y>;z\n";
    let invite = invite(&format!("{recorded}Contact: <sip:alice@192.0.2.1:5070>\n"));
    let ok =
        response(200, "<sip:bob@lab.example>;tag=b", &format!("{recorded}Contact: <sip:bob@192.0.2.2>\n"));
    let (mut caller, mut called) = (Dialog::uac(&invite, &ok).unwrap(), Dialog::uas(&invite, "b").unwrap());
    assert!(caller.is_confirmed() && !called.is_confirmed());
    let bye = caller.request(Method::Bye).build().unwrap();
    assert_eq!(uri_of(&bye), "sip:bob@192.0.2.2");
    assert_eq!(routes_of(&bye), ["<sip:p1.example;lr;x=y>;z", "<sip:p2.example;lr>"]);
    assert_eq!(bye.header(HeaderName::CSeq), Some(&b"8 BYE"[..]));
    assert_eq!(caller.ack(7).build().unwrap().header(HeaderName::CSeq), Some(&b"7 ACK"[..]));
    assert!(called.matches(&bye) && !caller.matches(&bye));
    let back = called.request(Method::Info).build().unwrap();
    assert_eq!(
        (uri_of(&back), back.header(HeaderName::CSeq)),
        ("sip:alice@192.0.2.1:5070", Some(&b"1 INFO"[..]))
    );
    assert_eq!(routes_of(&back), ["<sip:p2.example;lr>", "<sip:p1.example;lr;x=y>;z"]);
    assert!(caller.matches(&back) && !called.matches(&back));
}

#[test]
fn what_the_peer_folded_is_sent_on_one_line() {
    let invite = invite("Contact: <sip:alice@192.0.2.1:5070>\n");
    let recorded = "Record-Route: <sip:p1.example;lr>;x=\"a\n b\rc\"\nContact: <sip:bob@192.0.2.2>\n";
    let ok = response(200, "\"B\n o\rb\" <sip:bob@lab.example>;tag=b", recorded);
    let bye = Dialog::uac(&invite, &ok).unwrap().request(Method::Bye).build().unwrap();
    assert_eq!(routes_of(&bye), ["<sip:p1.example;lr>;x=\"a   b c\""]);
    assert_eq!(bye.header(HeaderName::To), Some(&b"\"B   o b\" <sip:bob@lab.example>;tag=b"[..]));
}

#[test]
fn a_strict_router_gets_the_request_uri_and_the_target_goes_last() {
    let recorded = "Record-Route: <sip:p2.example;lr>\nRecord-Route: <sip:p1.example?a=b>\nContact: <sip:bob@192.0.2.2?x=y>\n";
    let mut dialog =
        Dialog::uac(&invite(""), &response(200, "<sip:bob@lab.example>;tag=b", recorded)).unwrap();
    let bye = dialog.request(Method::Bye).build().unwrap();
    assert_eq!(uri_of(&bye), "sip:p1.example");
    assert_eq!(routes_of(&bye), ["<sip:p2.example;lr>", "<sip:bob@192.0.2.2>"]);
}

#[test]
fn a_confirmed_dialog_takes_target_and_routes_of_the_200() {
    let early = response(
        180,
        "<sip:bob@lab.example>;tag=b",
        "Record-Route: <sip:p.example;lr>\nContact: <sip:media@192.0.2.3>\n",
    );
    let mut dialog = Dialog::uac(&invite(""), &early).unwrap();
    assert!(!dialog.is_confirmed());
    let ok = response(200, "<sip:bob@lab.example>;tag=b", "Contact: <sip:bob@192.0.2.2>\n");
    dialog.confirm(Some(&ok)).unwrap();
    let ack = dialog.ack(7).build().unwrap();
    assert_eq!((uri_of(&ack), routes_of(&ack)), ("sip:bob@192.0.2.2", vec![]));
    dialog.refresh_target(&response(
        200,
        "<sip:bob@lab.example>;tag=b",
        "m: <sip:bob@192.0.2.9>;x\nRecord-Route: <sip:new.example;lr>\n",
    ));
    let bye = dialog.request(Method::Bye).build().unwrap();
    assert_eq!((uri_of(&bye), routes_of(&bye)), ("sip:bob@192.0.2.9", vec![]));
}

#[test]
fn two_forks_are_two_dialogs() {
    let fork = |tag: &str| {
        let to = format!("<sip:bob@lab.example>;tag={tag}");
        Dialog::uac(&invite(""), &response(180, &to, "Contact: <sip:bob@192.0.2.2>\n")).unwrap()
    };
    let (one, two) = (fork("b1"), fork("b2"));
    assert_ne!(one.id(), two.id());
    let bye = request(
        "BYE sip:alice@h SIP/2.0\nFrom: x <sip:other@b2bua.example>;tag=b2\nTo: sip:gone@h;tag=a\nCSeq: 1 BYE\n",
    );
    assert!(two.matches(&bye) && !one.matches(&bye), "found by tags alone");
}

#[test]
fn a_peer_without_tags_has_a_dialog_too() {
    let ok = response(200, "<sip:bob@lab.example>", "");
    let mut dialog = Dialog::uac(&invite(""), &ok).unwrap();
    assert!(dialog.id().remote_tag.is_empty());
    assert_eq!(uri_of(&dialog.request(Method::Bye).build().unwrap()), "sip:bob@lab.example");
    assert!(dialog.matches(&request(
        "BYE sip:alice@h SIP/2.0\nFrom: sip:bob@lab.example\nTo: <sip:alice@lab.example>;tag=a\nCSeq: 1 BYE\n"
    )));
    let old = request("INVITE sip:bob@h SIP/2.0\nFrom: sip:old@h\nTo: sip:bob@h\nCSeq: 1 INVITE\n");
    let mut called = Dialog::uas(&old, "b").unwrap();
    let bye = called.request(Method::Bye).build().unwrap();
    assert_eq!((uri_of(&bye), bye.header(HeaderName::From)), ("sip:old@h", Some(&b"sip:bob@h;tag=b"[..])));
    assert!(
        called
            .matches(&request("BYE sip:bob@h SIP/2.0\nFrom: sip:old@h\nTo: sip:bob@h;tag=b\nCSeq: 2 BYE\n"))
    );
}

#[test]
fn requests_that_come_too_late_are_told() {
    let mut dialog = Dialog::uas(&invite(""), "b").unwrap();
    let numbered = |method: &str, number: u32| {
        request(&format!(
            "{method} sip:bob@h SIP/2.0\nFrom: <sip:a@h>;tag=a\nTo: <sip:b@h>;tag=b\nCSeq: {number} {method}\n"
        ))
    };
    assert_eq!(dialog.check_order(&numbered("ACK", 7)), Ok(()));
    assert_eq!(dialog.check_order(&numbered("INFO", 20)), Ok(()), "gaps are no fault");
    assert_eq!(dialog.check_order(&numbered("BYE", 19)), Err(OutOfOrder { given: 19, last: 20 }));
    assert_eq!(dialog.check_order(&numbered("ACK", 7)), Ok(()));
    assert_eq!(dialog.check_order(&numbered("BYE", 21)), Ok(()));
}

#[test]
fn what_makes_no_dialog_is_named() {
    let many = "Record-Route: <sip:p.example;lr>\n".repeat(33);
    let error = Dialog::uac(&invite(""), &response(200, "<sip:b@h>;tag=b", &many)).unwrap_err();
    assert_eq!(error, DialogError::TooManyRoutes);
    let bad = response(200, "<sip:b@h>;tag=b", "Record-Route: <sip:p.example\n");
    assert!(matches!(Dialog::uac(&invite(""), &bad), Err(DialogError::Field(_))));
    assert!(Dialog::uac(&invite(""), &parse("SIP/2.0 200 OK\nTo: <sip:b@h>\n\n")).is_err());
}
