//! What a call needs of the endpoint: CANCEL with its reason, ACK outside any transaction, and the whole record of an endpoint.

use super::support::{bind, ladder};
use ringback::endpoint::{ClientEvent, IncomingEvent};
use ringback::message::{Builder, Flow, Message, Transport};
use ringback::syntax::{HeaderName, Method};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(5);

fn invite(flow: Flow, method: Method<'_>) -> Message {
    Builder::request(method, format!("sip:{}", flow.remote))
        .header(HeaderName::MaxForwards, "70")
        .header(HeaderName::From, "<sip:a@127.0.0.1>;tag=a")
        .header(HeaderName::To, "<sip:b@127.0.0.1>")
        .header(HeaderName::CallId, "invite-1")
        .header(HeaderName::CSeq, format!("1 {method}"))
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_cancel_carries_its_reason_and_the_invite_ends_with_487() {
    let (called, mut incoming) = bind(&["127.0.0.1:0"], &[]).await;
    let (caller, _) = bind(&["127.0.0.1:0"], &[]).await;
    let flow = caller.flow(Transport::Udp, called.local_addrs()[0].1).await.unwrap();
    let (recorder, theirs) = (caller.recorder(), called.recorder());
    theirs.record_all();
    let mut transaction = recorder.request(invite(flow, Method::Invite), flow).await.unwrap();
    let request = incoming.next_request().await.unwrap();
    let ringing = Builder::response(&request.message, 180, "Ringing", Some("b")).build().unwrap();
    called.respond(request.id, ringing).await.unwrap();
    loop {
        match transaction.next().await.unwrap() {
            ClientEvent::Provisional(received) if received.message.status() == Some(180) => break,
            ClientEvent::Provisional(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let reason = "SIP;cause=200;text=\"Call completed elsewhere\"";
    let mut cancel = transaction.cancel(&recorder, Some(reason.to_owned())).await.unwrap();
    match tokio::time::timeout(SOON, incoming.next()).await.unwrap().unwrap() {
        IncomingEvent::Cancelled { invite, reasons, .. } => {
            assert_eq!(invite, request.id);
            assert_eq!(reasons, [reason]);
        }
        other => panic!("{other:?}"),
    }
    let terminated =
        Builder::response(&request.message, 487, "Request Terminated", Some("b")).build().unwrap();
    called.respond(request.id, terminated).await.unwrap();
    let Some(ClientEvent::Final(done)) = cancel.next().await else { panic!("no answer to the CANCEL") };
    assert_eq!(done.message.status(), Some(200));
    let Some(ClientEvent::Final(done)) = transaction.next().await else { panic!("no end of the INVITE") };
    assert_eq!(done.message.status(), Some(487));
    let ours = ladder(&recorder.records());
    assert_eq!(ours.iter().filter(|line| *line == "> CANCEL").count(), 1, "{ours:?}");
    // The called side has claimed no Call-ID, and has all of it.
    let seen = ladder(&theirs.records());
    assert!(seen.starts_with(&["< INVITE".to_owned()]) && seen.contains(&"< CANCEL".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn a_second_cancel_has_nothing_to_cancel_and_a_reason_that_is_none_is_refused() {
    let (called, mut incoming) = bind(&["127.0.0.1:0"], &[]).await;
    let (caller, _) = bind(&["127.0.0.1:0"], &[]).await;
    let flow = caller.flow(Transport::Udp, called.local_addrs()[0].1).await.unwrap();
    let recorder = caller.recorder();
    let mut transaction = recorder.request(invite(flow, Method::Invite), flow).await.unwrap();
    for wrong in ["SIP\r\nX: y", "", ";cause=200"] {
        let refused = transaction.cancel(&recorder, Some(wrong.to_owned())).await;
        assert!(matches!(refused, Err(ringback::Error::Usage { .. })), "{wrong:?}");
    }
    let request = incoming.next_request().await.unwrap();
    let busy = Builder::response(&request.message, 486, "Busy Here", Some("b")).build().unwrap();
    called.respond(request.id, busy).await.unwrap();
    while !matches!(transaction.next().await, Some(ClientEvent::Final(_))) {}
    let mut late = transaction.cancel(&recorder, None).await.unwrap();
    assert!(tokio::time::timeout(SOON, late.next()).await.unwrap().is_none());
}

#[tokio::test]
async fn an_ack_of_a_2xx_arrives_as_an_ack_and_is_recorded() {
    let (called, mut incoming) = bind(&["127.0.0.1:0"], &[]).await;
    let (caller, _) = bind(&["127.0.0.1:0"], &[]).await;
    let flow = caller.flow(Transport::Udp, called.local_addrs()[0].1).await.unwrap();
    let recorder = caller.recorder();
    let mut transaction = recorder.request(invite(flow, Method::Invite), flow).await.unwrap();
    let request = incoming.next_request().await.unwrap();
    let ok = Builder::response(&request.message, 200, "OK", Some("b")).build().unwrap();
    called.respond(request.id, ok).await.unwrap();
    while !matches!(transaction.next().await, Some(ClientEvent::Final(_))) {}
    recorder.send_outside(invite(flow, Method::Ack), flow).await.unwrap();
    match tokio::time::timeout(SOON, incoming.next()).await.unwrap().unwrap() {
        IncomingEvent::Ack { message, .. } => assert_eq!(message.method(), Some(Method::Ack)),
        other => panic!("{other:?}"),
    }
    assert_eq!(ladder(&recorder.records()).last().map(String::as_str), Some("> ACK"));
}
