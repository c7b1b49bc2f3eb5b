//! Our client, in a process of its own.

use super::{CONCURRENCY, Work};
use futures_util::StreamExt;
use futures_util::future::join_all;
use ringback::auth::Credentials;
use ringback::check::{Pace, Probe, Reachable, Verdict};
use ringback::endpoint::{ClientEvent, Config, Endpoint};
use ringback::message::{Builder, Flow, Ids, Message, Transport};
use ringback::syntax::{HeaderName, Method};
use ringback::ua::End;
use ringback::ua::registration::{self, Registration};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Instant;

/// This program once more, as the client.
pub(super) fn command(work: Work, remote: SocketAddr, count: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["client", work.name(), &remote.to_string(), &count.to_string()]);
    command
}

/// Does the work and ends; panics unless every single one went well.
pub(super) fn run(work: Work, remote: SocketAddr, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let done = runtime.block_on(async {
        match work {
            Work::Options => options(remote, count).await,
            Work::Register => register(remote, count).await,
            Work::Check => check(remote, count).await,
        }
    });
    assert_eq!(done, count, "all of them went well");
}

/// One of many tasks over the same endpoint.
#[derive(Clone)]
struct Client {
    endpoint: Endpoint,
    flow: Flow,
}

impl Client {
    async fn new(remote: SocketAddr) -> Client {
        let mut config = Config::default();
        config.udp = vec!["127.0.0.1:0".parse().expect("an address")];
        let (endpoint, _) = Endpoint::bind(config).await.expect("an endpoint");
        let flow = endpoint.flow(Transport::Udp, remote).await.expect("a flow");
        Client { endpoint, flow }
    }

    /// Does `count` jobs, each of some workers one after the other; how many went well.
    async fn all<J: Future<Output = bool>>(count: usize, job: impl Fn(usize) -> J) -> usize {
        let (begun, done) = (Cell::new(0), Cell::new(0));
        let worker = || async {
            while begun.get() < count {
                let well = job(begun.replace(begun.get() + 1)).await;
                done.set(done.get() + usize::from(well));
            }
        };
        join_all((0..CONCURRENCY).map(|_| worker())).await;
        done.get()
    }
}

async fn options(remote: SocketAddr, count: usize) -> usize {
    let client = Client::new(remote).await;
    let ids = RefCell::new(client.endpoint.ids());
    let question = Question::new(&client.flow);
    Client::all(count, |_| {
        let request = question.ask(&mut ids.borrow_mut());
        let client = &client;
        async move {
            let recorder = client.endpoint.recorder();
            let mut transaction = recorder.request(request, client.flow).await.expect("it is sent");
            match transaction.next().await {
                Some(ClientEvent::Final(response)) => response.message.status() == Some(200),
                _ => false,
            }
        }
    })
    .await
}

/// What is the same in all requests, which SIPp does not print again each time either.
struct Question {
    remote: String,
    from: String,
    to: String,
    contact: String,
}

impl Question {
    fn new(Flow { local, remote, .. }: &Flow) -> Question {
        Question {
            remote: format!("sip:{remote}"),
            from: format!("<sip:probe@{local}>;tag="),
            to: format!("<sip:{remote}>"),
            contact: format!("<sip:probe@{local}>"),
        }
    }

    fn ask(&self, ids: &mut Ids) -> Message {
        let from = [self.from.as_str(), &ids.tag()].concat();
        Builder::request(Method::Options, &self.remote)
            .header(HeaderName::MaxForwards, "70")
            .header(HeaderName::From, from)
            .header(HeaderName::To, &self.to)
            .header(HeaderName::CallId, ids.call_id())
            .header(HeaderName::CSeq, "1 OPTIONS")
            .header(HeaderName::Contact, &self.contact)
            .header(HeaderName::Accept, "application/sdp")
            .header(HeaderName::UserAgent, "ringback")
            .build()
            .expect("a request")
    }
}

async fn register(remote: SocketAddr, count: usize) -> usize {
    let client = Client::new(remote).await;
    let ids = RefCell::new(client.endpoint.ids());
    let local = client.flow.local.to_string();
    Client::all(count, |i| bind(&client, &ids, &local, i)).await
}

/// Drives the machine of one registration until it is bound.
async fn bind(client: &Client, ids: &RefCell<Ids>, local: &str, i: usize) -> bool {
    let (aor, contact) = (format!("sip:user{i}@lab.example"), format!("sip:user{i}@{local}"));
    let credentials = Credentials::new(format!("user{i}"), "secret");
    let config = registration::Config::new(aor, "sip:lab.example", contact, credentials);
    let mut registration = Registration::new(config, ids.borrow_mut().fork());
    let recorder = client.endpoint.recorder();
    let bind = registration::Input::Command(registration::Command::Bind);
    registration.handle_input(Instant::now(), bind);
    loop {
        match registration.poll_output() {
            Some(registration::Output::Send(request)) => {
                let mut transaction = recorder.request(request, client.flow).await.expect("it is sent");
                let input = match transaction.next().await {
                    Some(ClientEvent::Final(response)) => registration::Input::Response(response.message),
                    _ => registration::Input::Timeout,
                };
                registration.handle_input(Instant::now(), input);
            }
            Some(registration::Output::Finished(finished)) => return finished.end == End::Accepted,
            _ => return false,
        }
    }
}

async fn check(remote: SocketAddr, count: usize) -> usize {
    let probe = Probe::bind("udp:127.0.0.1:0").await.expect("a probe");
    let checks = (0..count).map(move |_| Reachable::new(&format!("sip:{remote}")).expect("a URI"));
    let outcomes = probe.check_many(checks, Pace { concurrency: CONCURRENCY, per_second: None });
    outcomes
        .fold(0, |done, outcome| async move { done + usize::from(outcome.verdict == Verdict::Pass) })
        .await
}
