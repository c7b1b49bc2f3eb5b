//! Registrations in virtual time, against responses written by hand.
#![allow(clippy::unwrap_used)]

mod bindings;
mod challenges;
mod ends;
mod expiry;
mod properties;

use super::*;
use crate::message::Ids;
use crate::syntax::{Credentials as Parsed, HeaderName, Limits};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A registration, the time, and the ladder of what happened.
struct Play {
    registration: Registration,
    now: Instant,
    request: Option<Message>,
    finished: Vec<Finished>,
    ladder: String,
    /// Realm, nonce, cnonce and nc of every answer: no request may repeat one.
    answers: BTreeSet<(bool, [String; 4])>,
}

fn config() -> Config {
    let credentials = Credentials::new("alice", "secret");
    Config::new("sip:alice@lab.example", "sip:lab.example", "sip:alice@127.0.0.1:5070", credentials)
}

impl Play {
    fn new() -> Play {
        Play::of(config())
    }

    fn of(config: Config) -> Play {
        Play {
            registration: Registration::new(config, Ids::from_seed([7; 32])),
            now: Instant::now(),
            request: None,
            finished: Vec::new(),
            ladder: String::new(),
            answers: BTreeSet::new(),
        }
    }

    fn input(&mut self, input: Input) -> &mut Play {
        self.registration.handle_input(self.now, input);
        self.drain();
        self
    }

    fn command(&mut self, command: Command) -> &mut Play {
        self.input(Input::Command(command))
    }

    /// A response with this status line and these header lines to the request that was given last.
    fn respond(&mut self, status: &str, headers: &[&str]) -> &mut Play {
        let cseq = self.request().cseq().unwrap().number;
        self.respond_to(cseq, status, headers)
    }

    fn respond_to(&mut self, cseq: u32, status: &str, headers: &[&str]) -> &mut Play {
        self.ladder.push_str(&format!("< {status}\n"));
        let mut text = format!(
            "SIP/2.0 {status}\r\n\
             Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK1;rport=40404;received=192.0.2.9\r\n\
             From: <sip:alice@lab.example>;tag=f\r\nTo: <sip:alice@lab.example>;tag=t\r\n\
             Call-ID: c\r\nCSeq: {cseq} REGISTER\r\n"
        );
        for header in headers {
            text.push_str(&header.replace("OWN", self.registration.contact()));
            text.push_str("\r\n");
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        let response = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        self.input(Input::Response(response))
    }

    /// Lets time pass up to the machine's own deadline, and no further.
    fn wait(&mut self) -> Duration {
        let due = self.registration.poll_timeout().expect("a deadline");
        let waited = due - self.now;
        self.now = due;
        self.registration.handle_timeout(due);
        self.drain();
        waited
    }

    fn drain(&mut self) {
        while let Some(output) = self.registration.poll_output() {
            match output {
                Output::Send(request) => {
                    for answer in answers(&request).iter().filter(|a| !a.get("nc").is_empty()) {
                        let key = ["realm", "nonce", "cnonce", "nc"].map(|name| answer.get(name));
                        assert!(
                            self.answers.insert((answer.proxy, key)),
                            "an nc is repeated: {}",
                            self.ladder
                        );
                    }
                    self.ladder.push_str(&self.rung(&request));
                    self.request = Some(request);
                }
                Output::Finished(finished) => {
                    let Finished { command, end, requests, .. } = &*finished;
                    self.ladder.push_str(&format!("= {command:?}: {end:?}, {requests} sent\n"));
                    self.finished.push(*finished);
                }
            }
        }
    }

    /// One line: CSeq, Contact, Expires, and of each answer to a challenge the nonce and nc.
    fn rung(&self, request: &Message) -> String {
        let mut line = format!("> {}", request.cseq().unwrap().number);
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        for name in [HeaderName::Contact, HeaderName::Expires] {
            if let Some(value) = request.header(name) {
                let value = text(value).replace(self.registration.contact(), "OWN");
                line.push_str(&format!(" {}: {value}", name.as_str()));
            }
        }
        for answer in answers(request) {
            let short = if answer.proxy { "proxy" } else { "server" };
            line.push_str(&format!(" [{short} {} {}]", answer.get("nonce"), answer.get("nc")));
        }
        line + "\n"
    }

    fn request(&self) -> &Message {
        self.request.as_ref().expect("a request")
    }

    fn sent(&self) -> usize {
        self.ladder.lines().filter(|l| l.starts_with('>')).count()
    }

    /// The last command that ended.
    fn finished(&self) -> &Finished {
        self.finished.last().expect("an end")
    }

    fn answer(&self) -> &Answer {
        self.finished().answer.as_ref().expect("an answer")
    }

    #[track_caller]
    fn ladder_is(&self, expected: &str) {
        let lines = |text: &str| text.lines().map(|l| l.trim().to_owned()).collect::<Vec<_>>().join("\n");
        assert_eq!(lines(self.ladder.trim()), lines(expected.trim()));
    }
}

/// One Authorization or Proxy-Authorization.
struct Answered {
    proxy: bool,
    value: Vec<u8>,
}

impl Answered {
    fn get(&self, name: &str) -> String {
        let found = Parsed::parse(&self.value).unwrap().params.get(name.as_bytes());
        found.map(|p| String::from_utf8(p.unquoted().into_owned()).unwrap()).unwrap_or_default()
    }
}

fn answers(request: &Message) -> Vec<Answered> {
    let answer = |name| matches!(name, HeaderName::Authorization | HeaderName::ProxyAuthorization);
    request
        .headers()
        .filter(|h| answer(h.name))
        .map(|h| Answered { proxy: h.name == HeaderName::ProxyAuthorization, value: h.value.to_vec() })
        .collect()
}

fn challenge(nonce: &str, more: &str) -> String {
    format!("WWW-Authenticate: Digest realm=\"lab.example\", nonce=\"{nonce}\", qop=\"auth\"{more}")
}

const GRANTED: &str = "Contact: <OWN>;expires=300";

#[test]
fn a_registration_from_query_to_removal_keeps_call_id_and_counts_cseq_and_nc() {
    let mut play = Play::new();
    play.command(Command::Query).respond("401 Unauthorized", &[&challenge("n1", "")]);
    let call_id = play.request().call_id().unwrap().to_vec();
    play.respond("200 OK", &[]);
    play.command(Command::Bind).respond("200 OK", &[GRANTED]);
    play.command(Command::Bind).respond("200 OK", &[GRANTED]);
    play.command(Command::Remove).respond("200 OK", &[]);
    play.ladder_is(
        "> 1
         < 401 Unauthorized
         > 2 [server n1 00000001]
         < 200 OK
         = Query: Accepted, 2 sent
         > 3 Contact: <OWN>;expires=300 Expires: 300 [server n1 00000002]
         < 200 OK
         = Bind: Accepted, 1 sent
         > 4 Contact: <OWN>;expires=300 Expires: 300 [server n1 00000003]
         < 200 OK
         = Bind: Accepted, 1 sent
         > 5 Contact: <OWN>;expires=0 [server n1 00000004]
         < 200 OK
         = Remove: Accepted, 1 sent",
    );
    assert_eq!(play.request().call_id().unwrap(), call_id);
    assert_eq!(play.registration.call_id().as_bytes(), call_id);
    assert_eq!(play.registration.poll_timeout(), None, "nothing is left to refresh");
}

#[test]
fn a_request_has_everything_that_a_registrar_needs_but_no_via() {
    let config = Config {
        routes: vec!["<sip:proxy.example.com;lr>".to_owned()],
        instance: Some("urn:uuid:00000000-0000-4000-8000-000000000001".to_owned()),
        ..config()
    };
    let mut play = Play::of(config);
    play.command(Command::Bind);
    let request = play.request();
    let text = |name| String::from_utf8(request.header(name).unwrap().to_vec()).unwrap();
    assert_eq!(request.request_uri_bytes().unwrap(), b"sip:lab.example");
    assert_eq!(text(HeaderName::Route), "<sip:proxy.example.com;lr>");
    assert_eq!(text(HeaderName::MaxForwards), "70");
    assert_eq!(text(HeaderName::To), "<sip:alice@lab.example>");
    assert!(text(HeaderName::From).starts_with("<sip:alice@lab.example>;tag="));
    assert!(text(HeaderName::UserAgent).starts_with("ringback/"));
    assert_eq!(
        text(HeaderName::Contact),
        format!(
            "<{}>;expires=300;+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-000000000001>\"",
            play.registration.contact()
        )
    );
    assert!(request.header(HeaderName::Via).is_none());
}

#[test]
fn the_token_stands_before_the_headers_of_a_contact_uri() {
    let play = Play::of(Config { contact: "sip:a@127.0.0.1?x=y".to_owned(), ..config() });
    let contact = play.registration.contact();
    assert!(contact.starts_with("sip:a@127.0.0.1;rb=") && contact.ends_with("?x=y"), "{contact}");
}

#[test]
fn no_request_ever_names_the_bindings_of_everybody() {
    let mut play = Play::new();
    for command in [Command::Query, Command::Bind, Command::Remove, Command::Bind, Command::Remove] {
        play.command(command).respond("200 OK", &["Contact: <sip:alice@192.0.2.1>;expires=60", GRANTED]);
        assert!(!play.request().headers().any(|h| h.name == HeaderName::Contact && h.value.contains(&b'*')));
    }
}

#[test]
fn commands_wait_for_the_one_that_runs_and_too_many_are_turned_away() {
    let mut play = Play::new();
    play.command(Command::Query);
    for _ in 0..MAX_WAITING {
        play.command(Command::Remove);
    }
    assert_eq!(play.sent(), 1);
    play.command(Command::Bind);
    assert_eq!((play.finished().command, &play.finished().end), (Command::Bind, &End::Busy));
    play.respond("200 OK", &[]);
    assert_eq!(play.sent(), 2, "the next one begins when the first has ended");
    for _ in 0..MAX_WAITING {
        play.respond("200 OK", &[]);
    }
    assert_eq!(play.finished.len(), MAX_WAITING + 2);
}
