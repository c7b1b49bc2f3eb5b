//! A registrar that is a script: healthy, but for what a test changes in its answers.

use super::scene::{PROBE, REGISTRAR, ip};
use ringback::check::{Account, Check, Outcome, Probe, ProbeConfig, Reachable, Register};
use ringback::message::{Builder, Message, StreamDecoder, StreamItem, Transport};
use ringback::sim::MemoryNetwork;
use ringback::syntax::{HeaderName, Limits};
use ringback::transport::{Listener, Network, Stream};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What goes back.
pub(crate) enum Reply {
    Bytes(Vec<u8>),
    /// Waits before what comes next, over a connection.
    Pause(Duration),
    /// Closes the connection.
    Close,
}

/// One account's registrar.
#[derive(Default)]
pub(crate) struct Registrar {
    /// Contact values (URI in brackets, parameters but for expires) with their seconds.
    pub(crate) bindings: Vec<(String, u32)>,
    /// Every request that came, in order, retransmissions too.
    pub(crate) requests: Vec<Message>,
    /// Asks for no digest.
    pub(crate) open: bool,
    pub(crate) challenge: Option<String>,
}

/// The challenge of the healthy one.
pub(crate) const CHALLENGE: &str = "Digest realm=\"pbx.example.com\", nonce=\"abc123\", qop=\"auth\"";

impl Registrar {
    /// Beside these bindings of other devices.
    pub(crate) fn with(bindings: &[&str]) -> Registrar {
        Registrar {
            bindings: bindings.iter().map(|b| ((*b).to_owned(), 3_600)).collect(),
            ..Registrar::default()
        }
    }

    /// A status of one's own, with header lines.
    pub(crate) fn answer(
        &self,
        request: &Message,
        status: u16,
        phrase: &str,
        headers: &[(&str, &str)],
    ) -> String {
        let mut response = Builder::response(request, status, phrase, Some("tag"));
        for (name, value) in headers {
            response = response.header_named(name, value.as_bytes());
        }
        text(&response.build().unwrap())
    }

    pub(crate) fn challenge(&self, request: &Message) -> String {
        let challenge = self.challenge.as_deref().unwrap_or(CHALLENGE);
        self.answer(request, 401, "Unauthorized", &[("WWW-Authenticate", challenge)])
    }

    /// Is it the first of its exchange?
    pub(crate) fn is_unanswered(&self, request: &Message) -> bool {
        !self.open && request.header(HeaderName::Authorization).is_none()
    }

    /// What a healthy registrar says; it keeps the binding.
    pub(crate) fn healthy(&mut self, request: &Message) -> String {
        if request.method() != Some(ringback::syntax::Method::Register) {
            return self.answer(request, 200, "OK", &[]);
        }
        if self.is_unanswered(request) {
            return self.challenge(request);
        }
        self.store(request);
        self.list(request)
    }

    /// Takes the binding of a request.
    pub(crate) fn store(&mut self, request: &Message) {
        let Some(contact) = request.header(HeaderName::Contact) else { return };
        let value = String::from_utf8_lossy(contact).into_owned();
        let (uri, params) = value.split_at(value.find('>').unwrap() + 1);
        let expires = params.split(";expires=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
        self.bindings.retain(|(kept, _)| kept != uri);
        if expires > 0 {
            self.bindings.push((uri.to_owned(), expires));
        }
    }

    /// A 200 with all bindings, each in a line of its own.
    pub(crate) fn list(&self, request: &Message) -> String {
        let contacts: Vec<String> =
            self.bindings.iter().map(|(uri, expires)| format!("{uri};expires={expires}")).collect();
        let headers: Vec<(&str, &str)> = contacts.iter().map(|c| ("Contact", c.as_str())).collect();
        self.answer(request, 200, "OK", &headers)
    }
}

pub(crate) fn text(message: &Message) -> String {
    String::from_utf8_lossy(message.as_bytes()).into_owned()
}

type Script = Box<dyn FnMut(&mut Registrar, &Message) -> Vec<Reply> + Send>;

/// A peer and a probe in one network in memory.
pub(crate) struct Scripted {
    pub(crate) probe: Probe,
    pub(crate) registrar: Arc<Mutex<Registrar>>,
    listening: tokio::task::AbortHandle,
}

impl Scripted {
    /// The peer answers each request with one text.
    pub(crate) async fn new(
        registrar: Registrar,
        mut script: impl FnMut(&mut Registrar, &Message) -> String + Send + 'static,
    ) -> Scripted {
        Scripted::raw(registrar, move |registrar, request| {
            vec![Reply::Bytes(script(registrar, request).into_bytes())]
        })
        .await
    }

    pub(crate) async fn raw(
        registrar: Registrar,
        script: impl FnMut(&mut Registrar, &Message) -> Vec<Reply> + Send + 'static,
    ) -> Scripted {
        let network = MemoryNetwork::new([3; 32]);
        let host = network.host([ip(REGISTRAR)]);
        let address = SocketAddr::new(ip(REGISTRAR), 5060);
        let registrar = Arc::new(Mutex::new(registrar));
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let answer = {
            let registrar = Arc::clone(&registrar);
            move |request: Message| {
                let mut registrar = registrar.lock().unwrap();
                registrar.requests.push(request.clone());
                script.lock().unwrap()(&mut registrar, &request)
            }
        };
        let datagrams = host.bind_udp(address).unwrap();
        let by_datagram = answer.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; 65_535];
            while let Ok((length, from)) = poll_fn(|cx| datagrams.poll_recv(cx, &mut buffer)).await {
                let Ok(request) = Message::parse(buffer[..length].to_vec().into(), &Limits::default()) else {
                    continue;
                };
                if request.method().is_none() {
                    continue;
                }
                for reply in by_datagram(request.with_received_from(from)) {
                    if let Reply::Bytes(bytes) = reply {
                        datagrams.try_send(&bytes, from).unwrap();
                    }
                }
            }
        });
        let mut listener = host.listen(address).unwrap();
        let listening = tokio::spawn(async move {
            while let Ok(stream) = accept(&mut listener).await {
                tokio::spawn(serve(stream, answer.clone()));
            }
        });
        let listening = listening.abort_handle();
        let mut config = ProbeConfig::default();
        config.endpoint.network = Some(Arc::new(network.host([ip(PROBE)])));
        config.endpoint.udp = vec![SocketAddr::new(ip(PROBE), 5070)];
        config.endpoint.seed = Some([4; 32]);
        Scripted { probe: Probe::with(config).await.unwrap(), registrar, listening }
    }

    /// Refuses connections from now on.
    pub(crate) fn close_tcp(&self) {
        self.listening.abort();
    }

    pub(crate) fn account(&self, user: &str, transport: Transport) -> Account {
        let account = Account::new(&format!("sip:{user}@pbx.example.com"), "secret").unwrap();
        account.registrar(&format!("sip:{REGISTRAR}:5060;transport={transport}")).unwrap()
    }

    pub(crate) async fn check(&self, check: impl Check) -> Outcome {
        self.probe.check(check).await
    }

    pub(crate) async fn register(&self, transport: Transport) -> Outcome {
        self.check(Register::new(&self.account("alice", transport))).await
    }

    pub(crate) async fn reachable(&self, transport: Transport) -> Outcome {
        let check = Reachable::new(&format!("sip:{REGISTRAR}:5060;transport={transport}")).unwrap();
        self.check(check.timeout(Duration::from_secs(10))).await
    }

    /// The requests that came, retransmissions left out.
    pub(crate) fn requests(&self) -> Vec<Message> {
        let mut seen: Vec<Message> = Vec::new();
        for request in &self.registrar.lock().unwrap().requests {
            if !seen
                .iter()
                .any(|known| known.cseq() == request.cseq() && known.call_id() == request.call_id())
            {
                seen.push(request.clone());
            }
        }
        seen
    }
}

async fn accept(listener: &mut Box<dyn Listener>) -> std::io::Result<Box<dyn Stream>> {
    poll_fn(|cx| listener.poll_accept(cx)).await
}

async fn serve(mut stream: Box<dyn Stream>, answer: impl Fn(Message) -> Vec<Reply>) {
    let mut decoder = StreamDecoder::new(Limits::default());
    let mut buffer = vec![0; 8_192];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        decoder.push(&buffer[..read]);
        while let Ok(Some(item)) = decoder.next() {
            let StreamItem::Message(request) = item else { continue };
            if request.method().is_none() {
                continue;
            }
            for reply in answer(request) {
                match reply {
                    Reply::Bytes(bytes) => stream.write_all(&bytes).await.unwrap(),
                    Reply::Pause(time) => tokio::time::sleep(time).await,
                    Reply::Close => return,
                }
            }
        }
    }
}

/// Everything that a reader is told: summary, steps and findings, without the facts.
pub(crate) fn told(outcome: &Outcome) -> String {
    let mut text = outcome.summary.clone();
    for step in &outcome.steps {
        text.push_str(&format!("\n{} {} {}", step.name, step.verdict, step.detail));
    }
    for finding in &outcome.findings {
        text.push_str(&format!("\n{} {} -> {}", finding.code, finding.seen, finding.advice));
    }
    text
}

/// The side of the first error.
pub(crate) fn blamed(outcome: &Outcome) -> Option<&'static str> {
    let error = outcome.findings.iter().find(|f| f.severity == ringback::check::Severity::Error);
    error.map(|finding| finding.side.as_str())
}
