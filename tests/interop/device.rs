//! baresip as a phone at our own registrar: seen as registered, refreshing, and gone when it leaves.

use crate::eventually;
use crate::peer::baresip::Baresip;
use ringback::message::Transport;
use ringback::sim::registrar::Config;
use ringback::sim::{Lab, User};

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
    let phone = Baresip::start("phone", "phonepw", registrar, &transport.to_string(), EXPIRES_SECONDS);

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
    let phone = Baresip::start("phone", "phonepw", lab.addr(Transport::Udp).unwrap(), "udp", 60);
    eventually("the refusal", || lab.seen().iter().any(|seen| seen.with_credentials).then_some(()));
    eventually("baresip's word on it", || phone.log().contains("401").then_some(()));
    assert_eq!(lab.bindings("phone"), []);
}
