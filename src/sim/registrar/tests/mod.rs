#![allow(clippy::unwrap_used)]
//! A caller that registers with a registrar, in a time of its own.
mod digest;
mod faults;
mod rules;

use super::*;
use crate::auth::{Credentials, DigestChallenge, DigestSession};
use crate::message::Builder;
use crate::message::Transport;
use crate::syntax::Limits;

const SOURCE: &str = "192.0.2.7:5062";

fn flow(transport: Transport, remote: &str) -> Flow {
    Flow { transport, local: "192.0.2.1:5060".parse().unwrap(), remote: remote.parse().unwrap() }
}

/// A device of alice's, or what plays one.
struct Caller {
    registrar: Registrar,
    now: Instant,
    flow: Flow,
    call_id: String,
    cseq: u32,
    password: &'static str,
    auth_user: &'static str,
    session: Option<DigestSession>,
    proxy_session: Option<DigestSession>,
    extra: Vec<(HeaderName, String)>,
    /// Everything but responses that came out since the last request.
    others: Vec<Output>,
    last: Option<Message>,
    /// How the last answer goes out.
    delivery: Option<Delivery>,
}

impl Caller {
    fn new(user: User) -> Caller {
        Caller::with(Config::default(), user)
    }
    fn with(config: Config, user: User) -> Caller {
        let now = Instant::now();
        let mut registrar = Registrar::new(config, [3; 32]);
        registrar.set_user(now, user);
        Caller {
            registrar,
            now,
            flow: flow(Transport::Udp, SOURCE),
            call_id: "one@phone".into(),
            cseq: 0,
            password: "alicepw",
            auth_user: "alice",
            session: None,
            proxy_session: None,
            extra: Vec::new(),
            others: Vec::new(),
            last: None,
            delivery: None,
        }
    }
    fn alice() -> Caller {
        Caller::new(User::new("alice", "alicepw"))
    }
    fn faulty(fault: &str) -> Caller {
        Caller::new(User::new("alice", "alicepw").fault(fault).unwrap())
    }
    fn later(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }
    fn header(&mut self, name: HeaderName, value: &str) -> &mut Caller {
        self.extra.push((name, value.into()));
        self
    }

    fn build(&mut self, method: Method<'_>, to: &str, extra: &[(HeaderName, String)]) -> Message {
        self.cseq += 1;
        let mut request = Builder::request(method, "sip:lab.example")
            .header(
                HeaderName::Via,
                "SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bKx;rport=5062;received=192.0.2.7",
            )
            .header(HeaderName::MaxForwards, "70")
            .header(HeaderName::From, format!("<{to}>;tag=1"))
            .header(HeaderName::To, format!("<{to}>"))
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format!("{} {method}", self.cseq))
            .header(HeaderName::UserAgent, "TestPhone/1.0");
        for (name, value) in self.extra.iter().chain(extra) {
            request = request.header(*name, value);
        }
        request.build().unwrap()
    }
    /// Hands a request in; the response, when there is one.
    fn hand_in(&mut self, request: Message) -> Option<Message> {
        self.last = Some(request.clone());
        self.registrar.handle_input(self.now, Input::Request { token: 7, message: request, flow: self.flow });
        self.others.clear();
        let mut answer = None;
        while let Some(output) = self.registrar.poll_output() {
            match output {
                Output::Respond { token, response, delivery } => {
                    assert_eq!(token, 7);
                    // What the registrar writes has to be readable.
                    Message::parse(response.bytes().clone(), &Limits::default()).unwrap();
                    response.check_mandatory().unwrap();
                    self.delivery = Some(delivery);
                    answer = Some(response);
                }
                other => self.others.push(other),
            }
        }
        answer
    }
    /// One REGISTER without credentials.
    fn plain(&mut self, extra: &[(HeaderName, &str)]) -> Message {
        let extra: Vec<_> = extra.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let request = self.build(Method::Register, "sip:alice@lab.example", &extra);
        self.hand_in(request).expect("an answer")
    }
    /// One REGISTER with credentials for the nonces that are known.
    fn answer(&mut self, extra: &[(HeaderName, &str)]) -> Message {
        let mut lines: Vec<_> = extra.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let sessions = [
            (HeaderName::Authorization, self.session.as_mut()),
            (HeaderName::ProxyAuthorization, self.proxy_session.as_mut()),
        ];
        for (name, session) in sessions {
            if let Some(session) = session {
                let value = session.authorize(Method::Register, b"sip:lab.example", b"").unwrap();
                lines.push((name, String::from_utf8(value).unwrap()));
            }
        }
        let request = self.build(Method::Register, "sip:alice@lab.example", &lines);
        self.hand_in(request).expect("an answer")
    }
    /// Takes the first challenge of a response that we can answer.
    fn take(&mut self, response: &Message) {
        let credentials = Credentials::new(self.auth_user, self.password);
        for (name, proxy) in [(HeaderName::WwwAuthenticate, false), (HeaderName::ProxyAuthenticate, true)] {
            let Some(challenge) = response.challenges(name).next() else { continue };
            let challenge = DigestChallenge::from_challenge(&challenge.unwrap()).unwrap();
            let session = Some(DigestSession::new(challenge, &credentials, "0a4f113b"));
            *(if proxy { &mut self.proxy_session } else { &mut self.session }) = session;
        }
    }
    /// A whole registration: asks, answers the challenges, gives the last response.
    fn register(&mut self, extra: &[(HeaderName, &str)]) -> Message {
        let mut response = self.answer(extra);
        for _ in 0..2 {
            if !matches!(response.status(), Some(401 | 407)) {
                break;
            }
            self.take(&response);
            response = self.answer(extra);
        }
        response
    }
    fn bind(&mut self, contact: &str) -> Message {
        self.register(&[(HeaderName::Contact, contact)])
    }
    /// The contacts that the registrar holds.
    fn held(&self) -> Vec<String> {
        self.registrar.bindings(self.now, "alice").into_iter().map(|binding| binding.contact).collect()
    }
}

/// The Contact values of a response, as they came.
fn contacts(response: &Message) -> Vec<String> {
    let contacts = response.headers().filter(|header| header.name == HeaderName::Contact);
    contacts.map(|header| String::from_utf8(header.value.to_vec()).unwrap()).collect()
}
fn value(response: &Message, name: HeaderName) -> Option<String> {
    response.header(name).map(|value| String::from_utf8(value.to_vec()).unwrap())
}
