//! Two endpoints that talk to each other.

use crate::support::*;
use ringback::endpoint::Endpoint;
use ringback::message::Transport;
use ringback::syntax::{HeaderName, Method};

async fn exchange(transport: Transport, address: &str) {
    let (udp, tcp): (&[&str], &[&str]) = match transport {
        Transport::Udp => (&[address], &[]),
        _ => (&[], &[address]),
    };
    let (server, mut incoming) = bind(udp, tcp).await;
    let (client, _) = bind(udp, &[]).await;
    let remote = local(&server, transport);
    let flow = client.flow(transport, remote).await.unwrap();
    assert_eq!((flow.transport, flow.remote), (transport, remote));

    let (recorder, mut transaction) = ask(&client, flow).await;
    let request = incoming.next_request().await.unwrap();
    assert_eq!(request.message.method(), Some(Method::Options));
    assert_eq!((request.flow.local, request.flow.remote), (flow.remote, flow.local));
    let via = request.message.top_via().unwrap();
    assert_eq!(via.transport(), transport.as_via().as_bytes());
    assert_eq!(via.received(), Some(flow.local.ip()));
    assert_eq!(via.rport(), Some(Some(flow.local.port())));

    server.respond(request.id, ok(&request.message)).await.unwrap();
    let received = answer(&mut transaction).await;
    assert_eq!(received.message.status(), Some(200));
    assert_eq!(received.flow, flow);
    assert!(received.at >= transaction.sent_at());
    assert_eq!(transaction.retransmissions(), 0);
    assert!(transaction.switched().is_none());
    assert!(transaction.next().await.is_none(), "a final response is the last event");

    let records = recorder.records();
    assert_eq!(ladder(&records), ["> OPTIONS", "< 200"]);
    assert_eq!(recorder.record_count(), 2);
    assert!(records.iter().all(|record| record.flow == flow));
    let (stats, theirs) = (client.stats(), server.stats());
    assert_eq!((stats.sent, stats.received, stats.dropped), (1, 1, 0));
    assert_eq!((theirs.sent, theirs.received, theirs.malformed), (1, 1, 0));
}

#[tokio::test]
async fn options_go_over_udp_and_ipv4() {
    exchange(Transport::Udp, "127.0.0.1:0").await;
}

#[tokio::test]
async fn options_go_over_udp_and_ipv6() {
    exchange(Transport::Udp, "[::1]:0").await;
}

#[tokio::test]
async fn options_go_over_tcp_and_ipv4() {
    exchange(Transport::Tcp, "127.0.0.1:0").await;
}

#[tokio::test]
async fn options_go_over_tcp_and_ipv6() {
    exchange(Transport::Tcp, "[::1]:0").await;
}

#[tokio::test]
async fn a_flow_from_a_wildcard_socket_has_a_real_address() {
    let (server, incoming) = bind(&["127.0.0.1:0", "[::1]:0"], &[]).await;
    answer_all(server.clone(), incoming);
    let (client, _) = bind(&["0.0.0.0:0", "[::]:0"], &[]).await;
    for (_, remote) in server.local_addrs() {
        let flow = client.flow(Transport::Udp, *remote).await.unwrap();
        assert!(flow.local.ip().is_loopback(), "{flow:?}");
        let (_, mut transaction) = ask(&client, flow).await;
        assert_eq!(answer(&mut transaction).await.flow, flow);
    }
}

#[tokio::test]
async fn a_family_that_is_not_bound_is_named() {
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let error = client.flow(Transport::Udp, "[::1]:5060".parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("no UDP socket is bound for IPv6"), "{error}");
}

#[tokio::test]
async fn requests_to_one_remote_share_a_connection() {
    let (server, incoming) = bind(&[], &["127.0.0.1:0"]).await;
    answer_all(server.clone(), incoming);
    let (client, _) = bind(&[], &[]).await;
    let remote = local(&server, Transport::Tcp);
    let (first, second) =
        tokio::join!(client.flow(Transport::Tcp, remote), client.flow(Transport::Tcp, remote));
    assert_eq!(first, second, "two that are opened at once are one");
    for _ in 0..3 {
        let flow = client.flow(Transport::Tcp, remote).await.unwrap();
        assert_eq!(Ok(flow), first);
        let (_, mut transaction) = ask(&client, flow).await;
        answer(&mut transaction).await;
    }
    assert_eq!((client.stats().connections, server.stats().connections), (1, 1));
}

#[tokio::test]
async fn a_recorder_keeps_the_connection_that_it_opened() {
    let (server, incoming) = bind(&[], &["127.0.0.1:0"]).await;
    answer_all(server.clone(), incoming);
    let (client, _) = bind(&[], &[]).await;
    let recorder = client.recorder();
    let flow = recorder.flow(Transport::Tcp, local(&server, Transport::Tcp)).await.unwrap();
    let mut transaction = recorder.request(options(&client, flow), flow).await.unwrap();
    answer(&mut transaction).await;
    server.close().await;
    tokio::time::timeout(SOON, async {
        while recorder.record_count() < 4 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(ladder(&recorder.records()), ["opened", "> OPTIONS", "< 200", "closed: closed by the peer"]);
}

#[tokio::test]
async fn who_wants_no_requests_answers_by_itself() {
    let (server, incoming) = bind(&["127.0.0.1:0"], &[]).await;
    drop(incoming);
    let (client, _) = bind(&["127.0.0.1:0"], &[]).await;
    let flow = client.flow(Transport::Udp, local(&server, Transport::Udp)).await.unwrap();
    let recorder = client.recorder();
    for (method, status) in [
        (Method::Options, 200),
        (Method::Notify, 481),
        (Method::Bye, 481),
        (Method::Message, 405),
        (Method::Register, 405),
        (Method::Other(b"NONSENSE"), 405),
    ] {
        let mut transaction = recorder.request(request(&client, method, flow, b""), flow).await.unwrap();
        let response = answer(&mut transaction).await.message;
        assert_eq!(response.status(), Some(status), "{method}");
        let agent = response.header(HeaderName::Server).unwrap();
        assert!(agent.starts_with(b"ringback/"), "{}", String::from_utf8_lossy(agent));
        if status != 481 {
            assert_eq!(response.tokens(HeaderName::Allow).collect::<Vec<_>>(), [b"OPTIONS"]);
        }
    }
}

#[tokio::test]
async fn the_loop_ends_when_nobody_holds_it() {
    let (endpoint, mut incoming) = bind(&["127.0.0.1:0"], &[]).await;
    let recorder = endpoint.recorder();
    drop(endpoint);
    drop(recorder);
    assert!(tokio::time::timeout(SOON, incoming.next_request()).await.unwrap().is_none());
}

#[tokio::test]
async fn closing_ends_what_runs() {
    let (client, mut incoming) = bind(&["127.0.0.1:0"], &[]).await;
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let flow = client.flow(Transport::Udp, silent.local_addr().unwrap()).await.unwrap();
    let (recorder, mut transaction) = ask(&client, flow).await;
    client.close().await;
    let error = failure(&mut transaction).await;
    assert!(error.to_string().contains("our endpoint was closed"), "{error}");
    assert!(incoming.next_request().await.is_none());
    assert!(recorder.request(options(&client, flow), flow).await.is_err());
    client.close().await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let (first, _) = bind(&["127.0.0.1:0"], &[]).await;
    let taken = local(&first, Transport::Udp).to_string();
    let error = Endpoint::bind(config(&[&taken], &[])).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot bind udp:{taken}: ")), "{error}");
}

#[tokio::test]
async fn a_chosen_tcp_port_is_that_of_udp_where_it_is_free() {
    let (server, incoming) = bind(&["127.0.0.1:0", "[::1]:0"], &["127.0.0.1:0", "[::1]:0"]).await;
    answer_all(server.clone(), incoming);
    let ports = |transport| {
        let of = server.local_addrs().iter().filter(move |(t, _)| *t == transport);
        of.map(|(_, address)| *address).collect::<Vec<_>>()
    };
    // Somebody else may have the port for TCP, but hardly both.
    let (udp, tcp) = (ports(Transport::Udp), ports(Transport::Tcp));
    assert!(udp.iter().any(|address| tcp.contains(address)), "{udp:?} {tcp:?}");
}

#[test]
fn handles_may_go_to_other_threads() {
    fn check<T: Send + Sync>() {}
    check::<Endpoint>();
    check::<ringback::endpoint::Recorder>();
    check::<ringback::endpoint::ClientTransaction>();
    check::<ringback::endpoint::Incoming>();
}
