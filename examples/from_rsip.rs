//! Moves a small program that holds rsip's types over to ringback, one step at a time. The program goes on working after each of them.
//!
//! `cargo run --example from_rsip`
use ringback::check::{Probe, Register, Verdict};
use ringback::endpoint::ClientEvent;
use ringback::message::{Transport, rsip::to_send};
use ringback::sim::{Lab, User};
use ringback::syntax::HeaderName;
use rsip::{headers, prelude::*};
use std::{error::Error, net::SocketAddr};

/// The program as it was: a request out of rsip's types, to be printed into a socket.
fn options(uri: &rsip::Uri, local: SocketAddr) -> rsip::Request {
    let headers: Vec<rsip::Header> = vec![
        headers::Via::new(format!("SIP/2.0/UDP {local};branch={}", rsip::param::Branch::default())).into(),
        headers::From::new(format!("<sip:probe@{local}>;tag={}", rsip::param::Tag::default())).into(),
        headers::To::new(format!("<{uri}>")).into(),
        headers::CallId::default().into(),
        headers::CSeq::new("1 OPTIONS").into(),
        headers::MaxForwards::default().into(),
    ];
    rsip::Request {
        method: rsip::Method::Options,
        uri: uri.clone(),
        version: rsip::Version::V2,
        headers: headers.into(),
        body: Vec::new(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let lab = Lab::builder().user(User::new("alice", "alicepw")).start().await?;
    let uri = rsip::Uri::try_from(lab.uri(Transport::Udp)?)?;
    let remote: SocketAddr = uri.host_with_port.clone().try_into()?;

    // 1. The same request goes out by a transaction: sent again until it is answered, matched, timed out.
    let probe = Probe::bind("udp:127.0.0.1:0").await?;
    let recorder = probe.endpoint().recorder();
    let flow = recorder.flow(Transport::Udp, remote).await?;
    let mut transaction = recorder.request(to_send(&options(&uri, flow.local))?, flow).await?;
    let received = loop {
        match transaction.next().await {
            Some(ClientEvent::Final(received)) => break received,
            Some(ClientEvent::Provisional(_)) => {}
            other => return Err(format!("no answer: {other:?}").into()),
        }
    };
    // 2. The code that reads the answer still gets rsip's types.
    let response = rsip::Response::try_from(&received.message)?;
    println!("{}, {}", response.status_code, response.cseq_header()?);
    // 3. That code asks our message, which reads lists as well.
    let methods = received.message.tokens(HeaderName::Allow).count();
    println!("{methods} methods allowed");
    // 4. What was a program of its own becomes a question.
    let outcome = probe.check(Register::new(&lab.account("alice", Transport::Udp)?)).await;
    println!("\n{outcome}");
    lab.shutdown().await;
    if outcome.verdict == Verdict::Pass { Ok(()) } else { Err(outcome.summary.into()) }
}
