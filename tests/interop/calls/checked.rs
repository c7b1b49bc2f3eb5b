//! The check of calls through Kamailio: both ends ours, and a telephone that we did not write.

use crate::peer::baresip::{Baresip, Line};
use crate::peer::kamailio::Kamailio;
use ringback::check::{Account, Call, Outcome, Probe, Verdict};
use ringback::message::Transport;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn account(user: &str, kamailio: &Kamailio, ip: IpAddr, transport: Transport) -> Account {
    let server = SocketAddr::new(ip, kamailio.port());
    Account::new(&format!("sip:{user}@{server}"), format!("{user}pw"))
        .unwrap()
        .transport(transport)
        .named(user)
}

async fn probe(ip: IpAddr) -> Probe {
    Probe::bind(&format!("udp:{}", SocketAddr::new(ip, 0))).await.unwrap()
}

fn finding(outcome: &Outcome, code: &str) {
    assert!(outcome.finding(code).is_some(), "{code}: {outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_hear_each_other_through_a_proxy_that_records_the_route() {
    let kamailio = Kamailio::start(&[]);
    for (ip, transport) in [(V4, Transport::Udp), (V4, Transport::Tcp), (V6, Transport::Udp)] {
        let alice = account("alice", &kamailio, ip, transport);
        let bob = account("bob", &kamailio, ip, transport);
        for callee_hangs_up in [false, true] {
            let mut call = Call::between(&alice, &bob).listen(Duration::from_secs(1));
            if callee_hangs_up {
                call = call.hang_up_by_callee();
            }
            let outcome = probe(ip).await.check(call).await;
            assert_eq!(outcome.verdict, Verdict::Pass, "{transport} {ip}: {outcome}");
            let serious = outcome.findings.iter().any(|finding| finding.code != "retransmissions");
            assert!(!serious, "{transport} {ip}: {outcome}");
            assert!(kamailio.bindings().is_empty(), "{outcome}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_that_we_did_not_write_is_reached_busy_absent_and_played_to() {
    let kamailio = Kamailio::start(&[]);
    let proxy = SocketAddr::new(V4, kamailio.port());
    let alice = account("alice", &kamailio, V4, Transport::Udp);
    let call = || Call::to(&alice, "bob").unwrap();
    let probe = probe(V4).await;
    let absent = probe.check(call()).await;
    assert_eq!(absent.verdict, Verdict::Fail, "{absent}");
    finding(&absent, "unavailable");

    let tone: Vec<i16> = (0..8_000 * 30).map(|n| if n / 8 % 2 == 0 { 6_000 } else { -6_000 }).collect();
    let phone = Baresip::phone(Line { user: "bob", registrar: proxy, transport: Transport::Udp }, &tone);
    crate::eventually("baresip's binding", || kamailio.bindings().pop());
    let checked = tokio::spawn({
        let (probe, call) = (probe.clone(), call());
        async move { probe.check(call).await }
    });
    tokio::task::block_in_place(|| phone.wait("CALL_INCOMING", 1));
    phone.command("accept", "");
    let reached = checked.await.unwrap();
    assert_eq!(reached.verdict, Verdict::Pass, "{reached}");
    let fact = |name: &str| reached.fact(name);
    assert_eq!(fact("heard"), Some("sound"), "{reached}");
    assert!(fact("answered-by").is_some_and(|who| who.contains("baresip")), "{reached}");

    let hello: Vec<i16> = (0..8_000).map(|n| if n / 4 % 2 == 0 { 8_000 } else { -8_000 }).collect();
    let checked = tokio::spawn({
        let (probe, call) = (probe.clone(), call().play(hello).unwrap());
        async move { probe.check(call).await }
    });
    tokio::task::block_in_place(|| phone.wait("CALL_INCOMING", 2));
    phone.command("accept", "");
    let played = checked.await.unwrap();
    assert_eq!(played.verdict, Verdict::Pass, "{played}");
    let loud = |samples: &[i16]| samples.iter().filter(|sample| sample.unsigned_abs() > 6_000).count();
    assert!(loud(&phone.heard()) > 7_000, "it heard the announcement: {}", loud(&phone.heard()));

    let checked = tokio::spawn({
        let (probe, call) = (probe.clone(), call());
        async move { probe.check(call).await }
    });
    tokio::task::block_in_place(|| phone.wait("CALL_INCOMING", 3));
    phone.command("hangup", "");
    let refused = checked.await.unwrap();
    assert_eq!(refused.verdict, Verdict::Fail, "{refused}");
    finding(&refused, "busy");
}
