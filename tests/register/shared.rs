//! Connections that several checks share: how many share one, and what a broken one costs.

use crate::seen::finding;
use futures_util::StreamExt;
use ringback::check::{Account, Check, Outcome, Pace, Probe, ProbeConfig, Reachable, Register, Verdict};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Users that were asked about, connection by connection.
type Asked = Arc<Mutex<Vec<BTreeSet<String>>>>;

/// A registrar over TCP that answers what came within a moment together; whose user is `evil` gets an answer that cannot be cut out of the stream,
/// before all others.
async fn registrar() -> (SocketAddr, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Asked::default();
    let all = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = {
                let mut all = all.lock().unwrap();
                all.push(BTreeSet::new());
                all.len() - 1
            };
            tokio::spawn(serve(stream, number, Arc::clone(&all)));
        }
    });
    (address, asked)
}

async fn serve(mut stream: TcpStream, number: usize, asked: Asked) {
    let (mut buffer, mut read) = (vec![0; 65_536], 0);
    loop {
        match stream.read(&mut buffer[read..]).await {
            Ok(0) | Err(_) => return,
            Ok(more) => read += more,
        }
        // Until all that are in flight are there.
        tokio::time::sleep(Duration::from_millis(150)).await;
        let text = String::from_utf8(buffer[..read].to_vec()).unwrap();
        if !text.ends_with("\r\n\r\n") {
            continue;
        }
        read = 0;
        let mut requests: Vec<&str> = text.split("\r\n\r\n").filter(|text| !text.is_empty()).collect();
        let user = |text: &str| {
            let to = text.lines().find(|line| line.starts_with("To:")).unwrap();
            to[to.find("sip:").unwrap() + 4..].split(['@', '>']).next().unwrap().to_owned()
        };
        requests.sort_by_key(|text| user(text) != "evil");
        for request in requests {
            asked.lock().unwrap()[number].insert(user(request));
            let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
            let copied = request.lines().filter(|line| copied.iter().any(|name| line.starts_with(name)));
            let head = copied.fold("SIP/2.0 200 OK\r\n".to_owned(), |head, line| {
                let tag = if line.starts_with("To:") { ";tag=x" } else { "" };
                format!("{head}{line}{tag}\r\n")
            });
            let length = if user(request) == "evil" { "minus one" } else { "0" };
            let answer = format!("{head}Content-Length: {length}\r\n\r\n");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

async fn ask(address: SocketAddr, users: &[&str], more: Vec<ringback::check::BoxedCheck>) -> Vec<Outcome> {
    let probe = Probe::with(ProbeConfig::default().bind("tcp:127.0.0.1:0").unwrap()).await.unwrap();
    let account = |user: &&str| {
        let account = Account::new(&format!("sip:{user}@lab.example"), "secret").unwrap();
        account.registrar(&format!("sip:{address};transport=tcp")).unwrap()
    };
    let mut checks: Vec<_> =
        users.iter().map(|user| Register::new(&account(user)).query_only(true).boxed()).collect();
    checks.extend(more);
    let pace = Pace { concurrency: 100, per_second: None };
    probe.check_many(checks, pace).collect().await
}

#[tokio::test]
async fn a_broken_connection_costs_those_on_it_one_more_try_and_nobody_his_verdict() {
    let (address, asked) = registrar().await;
    let users = ["a", "b", "c", "d", "evil", "e", "f", "g"];
    let options = Reachable::new(&format!("sip:h@{address};transport=tcp")).unwrap().boxed();
    let outcomes = ask(address, &users, vec![options]).await;
    assert_eq!(outcomes.len(), 9);
    for outcome in &outcomes {
        let is_evil = outcome.subject.contains("evil");
        assert_eq!(outcome.verdict != Verdict::Pass, is_evil, "{outcome}");
        if !is_evil {
            assert!(
                finding(outcome, "connection-lost").seen.contains("sent again on one of its own"),
                "{outcome}"
            );
        }
    }
    let evil: Vec<_> = asked.lock().unwrap().iter().filter(|users| users.contains("evil")).cloned().collect();
    assert_eq!(evil.len(), 2, "once more, and no more");
    assert_eq!(
        (evil[0].len(), evil[1].len()),
        (9, 1),
        "the second time on a connection of its own: {evil:?}"
    );
}

#[tokio::test]
async fn a_connection_is_shared_by_sixteen_checks_at_a_time() {
    let (address, asked) = registrar().await;
    let names: Vec<String> = (0..40).map(|number| format!("user{number}")).collect();
    let users: Vec<&str> = names.iter().map(String::as_str).collect();
    let outcomes = ask(address, &users, Vec::new()).await;
    assert!(outcomes.iter().all(|outcome| outcome.verdict == Verdict::Pass), "{}", outcomes[0]);
    let mut shared: Vec<usize> = asked.lock().unwrap().iter().map(BTreeSet::len).collect();
    shared.sort_unstable();
    assert_eq!(shared, [8, 16, 16]);
}
