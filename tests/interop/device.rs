//! Devices of others at our own registrar: seen as registered, refreshing, and gone when they leave.

use crate::eventually;
use crate::peer::baresip::{Baresip, Line};
use crate::peer::{Peer, port, sipsak};
use ringback::message::Transport;
use ringback::sim::registrar::Config;
use ringback::sim::{Lab, User};
use std::fs;

/// The shortest that baresip can be kept waiting for: it refreshes after nine tenths.
const EXPIRES_SECONDS: u32 = 3;

async fn lab(user: User) -> Lab {
    let mut config = Config::default();
    config.min_expires = 1;
    Lab::builder().registrar(config).user(user).start().await.unwrap()
}

async fn registers_refreshes_and_leaves(user: User, transport: Transport) {
    let lab = lab(user).await;
    let registrar = lab.addr(transport).unwrap();
    let phone = Baresip::start(Line { user: "phone", registrar, transport }, EXPIRES_SECONDS);

    let first = eventually("baresip's binding", || lab.bindings("phone").pop());
    assert!(first.user_agent.as_deref().is_some_and(|agent| agent.starts_with("baresip")), "{first:?}");
    assert!(
        eventually("the answer", || phone.log().contains("200 OK").then(|| phone.log()))
            .contains("1 binding")
    );

    let refreshed =
        eventually("a refresh", || lab.bindings("phone").pop().filter(|now| now.cseq > first.cseq));
    assert_eq!((&refreshed.contact, &refreshed.call_id), (&first.contact, &first.call_id));
    assert_eq!(lab.bindings("phone").len(), 1);

    phone.quit();
    assert_eq!(lab.bindings("phone"), []);
    let seen = lab.seen();
    assert!(seen.iter().all(|seen| seen.flow.transport == transport), "{seen:?}");
    assert_eq!(seen[0].status, Some(401), "{seen:?}");
    assert_eq!(seen.last().unwrap().status, Some(200), "{seen:?}");
    lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn baresip_registers_by_udp() {
    registers_refreshes_and_leaves(User::new("phone", "phonepw"), Transport::Udp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn baresip_registers_by_tcp() {
    registers_refreshes_and_leaves(User::new("phone", "phonepw"), Transport::Tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn baresip_with_a_wrong_password_is_not_registered() {
    let lab = lab(User::new("phone", "another")).await;
    let transport = Transport::Udp;
    let registrar = lab.addr(transport).unwrap();
    let phone = Baresip::start(Line { user: "phone", registrar, transport }, 60);
    eventually("the refusal", || lab.seen().iter().any(|seen| seen.with_credentials).then_some(()));
    eventually("baresip's word on it", || phone.log().contains("401").then_some(()));
    assert_eq!(lab.bindings("phone"), []);
}

#[test]
fn sipsak_registers_at_the_binary_s_embedded_network() {
    let dir = tempfile::tempdir().unwrap();
    let port = port::free();
    let bind = format!("127.0.0.1:{port}");
    let log = dir.path().join("log");
    let ready = || fs::read_to_string(&log).is_ok_and(|log| log.contains(&format!("sip:{bind} answers")));
    let args = ["sim", "--bind", &bind, "--user", "alice:alicepw", "--user", "bob:bobpw:A01"];
    let program = (env!("CARGO_BIN_EXE_ringback"), "this package");
    let mut sim = Peer::start(program, args, dir, ready).expect("the embedded network starts");
    let register = |user, password| sipsak::register(port, user, password, "sip:phone@192.0.2.9:5060", 600);
    let (status, printed) = register("alice", "alicepw");
    assert_eq!(status, 0, "{printed}\n{}", sim.log());
    let (status, printed) = register("alice", "wrong");
    assert_ne!(status, 0, "{printed}");
    let (status, printed) = register("bob", "bobpw");
    assert_ne!(status, 0, "a fault that is switched on for bob: {printed}");
    sim.stop();
}
