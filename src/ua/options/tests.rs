//! Capability queries against responses written by hand.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::auth::{Expected, Ha1, Hash, NonceState, Presented, Qop};
use crate::syntax::{Credentials as Parsed, Limits};
use bytes::Bytes;

struct Play {
    query: Query,
    requests: Vec<Message>,
    finished: Vec<Finished>,
}

fn config() -> Config {
    Config::new("sip:bob@lab.example;transport=udp", "sip:probe@127.0.0.1:5070")
}

fn with_credentials() -> Config {
    Config { credentials: Some(Credentials::new("probe", "secret")), ..config() }
}

impl Play {
    fn of(config: Config) -> Play {
        let query = Query::new(config, Ids::from_seed([9; 32]));
        let mut play = Play { query, requests: Vec::new(), finished: Vec::new() };
        play.input(Input::Begin);
        play
    }

    fn input(&mut self, input: Input) -> &mut Play {
        let now = Instant::now();
        self.query.handle_input(now, input);
        self.query.handle_timeout(now);
        assert_eq!(self.query.poll_timeout(), None);
        while let Some(output) = self.query.poll_output() {
            match output {
                Output::Send(request) => self.requests.push(request),
                Output::Finished(finished) => self.finished.push(*finished),
            }
        }
        self
    }

    fn respond(&mut self, status: &str, headers: &[&str]) -> &mut Play {
        let cseq = self.request().cseq().unwrap().number;
        let mut text = format!(
            "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK1;rport=7;received=192.0.2.9\r\n\
             From: <sip:p@h>;tag=f\r\nTo: <sip:b@h>;tag=t\r\nCall-ID: c\r\nCSeq: {cseq} OPTIONS\r\n"
        );
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        let response = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        self.input(Input::Response(response))
    }

    fn request(&self) -> &Message {
        self.requests.last().unwrap()
    }

    fn finished(&self) -> &Finished {
        self.finished.last().unwrap()
    }
}

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"lab.example\", nonce=\"n1\", qop=\"auth\"";

#[test]
fn the_request_has_what_rfc_3261_section_11_asks_for() {
    let config = Config {
        contact: Some("sip:probe@127.0.0.1:5070".to_owned()),
        routes: vec!["<sip:proxy.example.com;lr>".to_owned()],
        ..config()
    };
    let play = Play::of(config);
    let request = play.request();
    let text = |name| String::from_utf8(request.header(name).unwrap().to_vec()).unwrap();
    assert_eq!(request.method(), Some(Method::Options));
    assert_eq!(request.request_uri_bytes().unwrap(), b"sip:bob@lab.example;transport=udp");
    assert_eq!(text(HeaderName::Accept), "application/sdp");
    assert_eq!(text(HeaderName::MaxForwards), "70");
    assert_eq!(text(HeaderName::To), "<sip:bob@lab.example;transport=udp>");
    assert!(text(HeaderName::From).starts_with("<sip:probe@127.0.0.1:5070>;tag="));
    assert_eq!(text(HeaderName::Contact), "<sip:probe@127.0.0.1:5070>");
    assert_eq!(text(HeaderName::Route), "<sip:proxy.example.com;lr>");
    assert_eq!(text(HeaderName::CSeq), "1 OPTIONS");
    assert!(request.header(HeaderName::Via).is_none());
}

#[test]
fn capabilities_are_read_from_the_answer() {
    let mut play = Play::of(config());
    let headers = [
        "Allow: INVITE, ACK",
        "Allow: BYE",
        "Supported: timer,path",
        "k: gruu",
        "Accept: application/sdp, application/dtmf-relay",
        "Allow-Events: presence",
        "User-Agent: Phone 1.0",
        "Warning: 399 h \"x\"",
    ];
    play.respond("200 OK", &headers);
    assert_eq!(play.finished().end, End::Accepted);
    let found = play.finished().capabilities.as_ref().unwrap();
    assert_eq!(found.allow, ["INVITE", "ACK", "BYE"]);
    assert_eq!(found.supported, ["timer", "path", "gruu"]);
    assert_eq!(found.accept, ["application/sdp", "application/dtmf-relay"]);
    assert_eq!(found.allow_events, ["presence"]);
    assert_eq!(found.server.as_deref(), Some("Phone 1.0"));
    assert_eq!(found.warnings, ["399 h \"x\""]);
    assert_eq!((found.received, found.rport), ("192.0.2.9".parse().ok(), Some(7)));
}

#[test]
fn any_other_final_response_is_told_with_its_status() {
    for status in ["404 Not Found", "481 No Call", "486 Busy Here", "302 Moved", "500 Oops", "603 Decline"] {
        let mut play = Play::of(config());
        play.respond("100 Trying", &[]);
        assert!(play.finished.is_empty());
        play.respond(status, &["Retry-After: 5"]);
        assert_eq!(play.finished().end, End::Refused);
        let found = play.finished().capabilities.as_ref().unwrap();
        assert_eq!(found.status.to_string(), status[..3]);
        assert_eq!(found.retry_after, Some(Duration::from_secs(5)));
    }
}

#[test]
fn without_credentials_a_challenge_is_the_answer() {
    let mut play = Play::of(config());
    play.respond("401 Unauthorized", &[CHALLENGE]);
    assert_eq!((&play.finished().end, play.requests.len()), (&End::Refused, 1));
    assert_eq!(play.finished().challenges[0].realm, "lab.example");
    assert!(!play.finished().challenges[0].answered);
    assert_eq!(play.finished().capabilities.as_ref().unwrap().status, 401);
}

#[test]
fn with_credentials_a_challenge_is_answered_in_the_same_call_id() {
    let mut play = Play::of(with_credentials());
    play.respond("401 Unauthorized", &[CHALLENGE]).respond("200 OK", &[]);
    assert_eq!((&play.finished().end, play.finished().requests), (&End::Accepted, 2));
    let [first, second] = &play.requests[..] else { panic!("{} requests", play.requests.len()) };
    assert_eq!(first.call_id().unwrap(), second.call_id().unwrap());
    assert_eq!(first.from().unwrap().tag(), second.from().unwrap().tag());
    assert_eq!(second.cseq().unwrap().number, 2);
    let presented = Parsed::parse(second.header(HeaderName::Authorization).unwrap()).unwrap();
    let expected = Expected {
        method: Method::Options,
        request_uri: b"sip:bob@lab.example;transport=udp",
        body: b"",
        realm: "lab.example",
        username: "probe",
        algorithm: None,
        qop: &[Qop::Auth],
        opaque: None,
        nonce: NonceState::Live { last_nc: 0 },
    };
    let ha1 = Ha1::new(Hash::Md5, "probe", b"lab.example", "secret");
    assert_eq!(expected.verify(&Presented::from_credentials(&presented).unwrap(), &ha1), Ok(1));
}

#[test]
fn a_refused_answer_ends_it_and_the_far_side_is_still_known_to_be_there() {
    let mut play = Play::of(with_credentials());
    play.respond("401 Unauthorized", &[CHALLENGE]).respond("401 Unauthorized", &[CHALLENGE]);
    assert_eq!(play.finished().end, End::CredentialsRefused { stale: false });
    assert_eq!(play.finished().capabilities.as_ref().unwrap().status, 401);
}

#[test]
fn the_next_question_has_a_new_call_id_and_the_same_nonce() {
    let mut play = Play::of(with_credentials());
    play.respond("401 Unauthorized", &[CHALLENGE]).respond("200 OK", &[]);
    play.input(Input::Begin);
    let [.., before, now] = &play.requests[..] else { panic!() };
    assert_ne!(before.call_id().unwrap(), now.call_id().unwrap());
    assert_eq!(now.cseq().unwrap().number, 1);
    let value = Parsed::parse(now.header(HeaderName::Authorization).unwrap()).unwrap();
    assert_eq!(value.params.get(b"nc").unwrap().value, Some(&b"00000002"[..]));
}

#[test]
fn silence_is_silence_and_nothing_is_heard_when_nothing_was_asked() {
    let mut play = Play::of(config());
    play.input(Input::Begin);
    assert_eq!(play.requests.len(), 1, "one question at a time");
    play.input(Input::Timeout);
    assert_eq!(play.finished().end, End::Timeout);
    assert!(play.finished().capabilities.is_none());
    play.respond("200 OK", &[]).input(Input::TransportFailed);
    assert_eq!(play.finished.len(), 1);
}
