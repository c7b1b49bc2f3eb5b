//! The peers do what the tests beside this one rely on: seen by other hands than ours.

use crate::eventually;
use crate::peer::baresip::{Baresip, Line};
use crate::peer::kamailio::Kamailio;
use crate::peer::port;
use crate::peer::sipp::Sipp;
use crate::peer::sipsak;
use ringback::message::Transport;
use std::net::SocketAddr;
use std::time::Duration;

#[test]
fn kamailio_takes_a_binding_of_another_client_and_lists_it() {
    let kamailio = Kamailio::start(&[]);
    assert_eq!(kamailio.bindings(), []);
    let (status, printed) =
        sipsak::register(kamailio.port(), "alice", "alicepw", "sip:alice@192.0.2.9:5060", 600);
    assert_eq!(status, 0, "{printed}\n{}", kamailio.log());
    kamailio.add_binding("bob", "sip:bob@192.0.2.7:5060");
    let bindings = kamailio.bindings();
    let held: Vec<_> = bindings.iter().map(|held| (held.user.as_str(), held.contact.as_str())).collect();
    assert_eq!(held, [("alice", "sip:alice@192.0.2.9:5060"), ("bob", "sip:bob@192.0.2.7:5060")]);
    assert!(bindings[0].user_agent.starts_with("sipsak"));
}

#[test]
fn kamailio_refuses_a_wrong_password_of_another_client() {
    let kamailio = Kamailio::start(&[]);
    let (status, printed) =
        sipsak::register(kamailio.port(), "alice", "wrong", "sip:alice@192.0.2.9:5060", 600);
    assert_ne!(status, 0, "{printed}");
    assert_eq!(kamailio.bindings(), []);
}

#[test]
fn kamailio_finds_an_interval_too_brief() {
    let kamailio = Kamailio::start(&["MIN_EXPIRES=120"]);
    let (status, printed) =
        sipsak::register(kamailio.port(), "alice", "alicepw", "sip:alice@192.0.2.9:5060", 60);
    assert_ne!(status, 0, "{printed}");
    assert!(printed.contains("SIP/2.0 423 ") && printed.contains("Min-Expires: 120"), "{printed}");
}

#[test]
fn kamailio_challenges_with_sha_256_when_told() {
    let kamailio = Kamailio::start(&["ALGORITHM=\"SHA-256\""]);
    let (_, printed) = sipsak::register(kamailio.port(), "alice", "alicepw", "sip:alice@192.0.2.9:5060", 60);
    assert!(printed.contains("algorithm=SHA-256"), "{printed}");
}

#[test]
fn baresip_registers_refreshes_and_leaves() {
    let kamailio = Kamailio::start(&[]);
    let registrar = SocketAddr::from(([127, 0, 0, 1], kamailio.port()));
    let phone = Baresip::start(Line { user: "alice", registrar, transport: Transport::Udp }, 3);
    let first = eventually("baresip's binding", || kamailio.bindings().pop());
    assert!(first.user_agent.starts_with("baresip"), "{first:?}");
    let refreshed =
        eventually("its refresh", || kamailio.bindings().pop().filter(|now| now.cseq > first.cseq));
    assert_eq!(refreshed.contact, first.contact);
    assert!(phone.log().contains("200 OK"), "{}", phone.log());
    phone.quit();
    assert_eq!(kamailio.bindings(), []);
}

/// What SIPp answers first to a REGISTER that is written down here.
fn sipp_answers(scenario: &str, headers: &str) -> Option<String> {
    let sipp = Sipp::start(scenario);
    let remote = sipp.address();
    let request = format!(
        "REGISTER sip:{remote} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKlab\r\nMax-Forwards: 70\r\n\
         From: <sip:a@{remote}>;tag=a\r\nTo: <sip:a@{remote}>\r\nCall-ID: lab\r\nCSeq: 1 REGISTER\r\n{headers}\
         Content-Length: 0\r\n\r\n"
    );
    port::ask(remote, request.as_bytes(), Duration::from_secs(1))
        .ok()
        .map(|answer| String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn sipp_plays_its_scenarios() {
    const CONTACT: &str = "Contact: <sip:a@127.0.0.1:9>;q=1\r\nExpires: 60\r\n";
    let stale = sipp_answers("stale_forever", "").unwrap();
    assert!(stale.starts_with("SIP/2.0 401 ") && stale.contains("stale=true"), "{stale}");
    let bare = sipp_answers("no_challenge", "").unwrap();
    assert!(bare.starts_with("SIP/2.0 401 ") && !bare.contains("WWW-Authenticate"), "{bare}");
    let later = sipp_answers("retry_after", "").unwrap();
    assert!(later.starts_with("SIP/2.0 503 ") && later.contains("Retry-After: 120"), "{later}");
    let endless = sipp_answers("no_expires", CONTACT).unwrap();
    assert!(endless.contains("Contact: <sip:a@127.0.0.1:9>\r\n") && !endless.contains("xpires"), "{endless}");
    let healthy = sipp_answers("healthy", CONTACT).unwrap();
    assert!(healthy.contains("Contact: <sip:a@127.0.0.1:9>;expires=120\r\n"), "{healthy}");
    let trying = sipp_answers("trying_only", "").unwrap();
    assert!(trying.starts_with("SIP/2.0 100 "), "{trying}");
    assert_eq!(sipp_answers("silence", ""), None);
}
