//! What the tests share: endpoints on loopback, requests, answers.

use ringback::endpoint::{ClientEvent, ClientTransaction, Config, Endpoint, Incoming, Received, Recorder};
use ringback::message::{Builder, Flow, Message, Transport};
use ringback::syntax::{HeaderName, Method};
use ringback::transport::{Direction, Record, RecordEvent, TransportError};
use std::net::SocketAddr;
use std::time::Duration;

/// Nothing on loopback takes this long unless it hangs.
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) fn config(udp: &[&str], tcp: &[&str]) -> Config {
    let mut config = Config::default();
    config.udp = udp.iter().map(|a| a.parse().unwrap()).collect();
    config.tcp = tcp.iter().map(|a| a.parse().unwrap()).collect();
    config.seed = Some([7; 32]);
    config
}

pub(crate) async fn bind(udp: &[&str], tcp: &[&str]) -> (Endpoint, Incoming) {
    Endpoint::bind(config(udp, tcp)).await.unwrap()
}

pub(crate) fn local(endpoint: &Endpoint, transport: Transport) -> SocketAddr {
    endpoint.local_addrs().iter().find(|(t, _)| *t == transport).unwrap().1
}

pub(crate) fn request(endpoint: &Endpoint, method: Method<'_>, flow: Flow, body: &[u8]) -> Message {
    let mut ids = endpoint.ids();
    let builder = Builder::request(method, format!("sip:{}", flow.remote))
        .header(HeaderName::MaxForwards, "70")
        .header(HeaderName::From, format!("<sip:probe@{}>;tag={}", flow.local, ids.tag()))
        .header(HeaderName::To, format!("<sip:{}>", flow.remote))
        .header(HeaderName::CallId, ids.call_id())
        .header(HeaderName::CSeq, format!("1 {method}"));
    if body.is_empty() { builder.build().unwrap() } else { builder.body("text/plain", body).build().unwrap() }
}

pub(crate) fn options(endpoint: &Endpoint, flow: Flow) -> Message {
    request(endpoint, Method::Options, flow, b"")
}

/// Sends OPTIONS in a new recorder.
pub(crate) async fn ask(endpoint: &Endpoint, flow: Flow) -> (Recorder, ClientTransaction) {
    let recorder = endpoint.recorder();
    let transaction = recorder.request(options(endpoint, flow), flow).await.unwrap();
    (recorder, transaction)
}

/// The final response, provisional ones left out.
pub(crate) async fn answer(transaction: &mut ClientTransaction) -> Received {
    let wait = async {
        loop {
            match transaction.next().await.expect("an event") {
                ClientEvent::Provisional(_) => {}
                ClientEvent::Final(received) => return received,
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(SOON, wait).await.expect("an answer in time")
}

pub(crate) async fn failure(transaction: &mut ClientTransaction) -> TransportError {
    match tokio::time::timeout(SOON, transaction.next()).await.expect("an end in time") {
        Some(ClientEvent::Failed(error)) => {
            assert!(transaction.next().await.is_none(), "a failure is the last event");
            error
        }
        other => panic!("{other:?}"),
    }
}

/// Answers every request with 200.
pub(crate) fn answer_all(endpoint: Endpoint, mut incoming: Incoming) {
    tokio::spawn(async move {
        while let Some(request) = incoming.next_request().await {
            endpoint.respond(request.id, ok(&request.message)).await.unwrap();
        }
    });
}

pub(crate) fn ok(request: &Message) -> Message {
    Builder::response(request, 200, "OK", Some("answer")).build().unwrap()
}

/// A record in a few words: `> OPTIONS`, `< 200`, `> OPTIONS again`, `malformed`, `opened`, ...
pub(crate) fn ladder(records: &[Record]) -> Vec<String> {
    let line = |record: &Record| match &record.event {
        RecordEvent::Message { direction, bytes, retransmission } => {
            let arrow = if *direction == Direction::Sent { '>' } else { '<' };
            let text = String::from_utf8_lossy(bytes);
            let words: Vec<&str> = text.split(' ').collect();
            let what = if words[0] == "SIP/2.0" { words[1] } else { words[0] };
            format!("{arrow} {what}{}", if *retransmission > 0 { " again" } else { "" })
        }
        RecordEvent::Malformed { .. } => "malformed".to_owned(),
        RecordEvent::Opened => "opened".to_owned(),
        RecordEvent::Closed(why) => format!("closed: {why}"),
        RecordEvent::Failed(error) => format!("failed: {}", error.kind),
        RecordEvent::Note(_) => "note".to_owned(),
        other => format!("{other:?}"),
    };
    records.iter().map(line).collect()
}
