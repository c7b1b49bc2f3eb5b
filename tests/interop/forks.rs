//! Several that are called as one through Kamailio, which forks to all bindings and members at once and passes every 200 on.

use crate::eventually;
use crate::peer::baresip::{Baresip, Line};
use crate::peer::kamailio::Kamailio;
use ringback::check::{Account, Fork, ForkResult, ForkTrial, Outcome, Probe, RingOrder, Severity, Verdict};
use ringback::message::Transport;
use std::net::{Ipv4Addr, SocketAddr};

fn account(user: &str, kamailio: &Kamailio, transport: Transport) -> Account {
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, kamailio.port()));
    Account::new(&format!("sip:{user}@lab.example"), format!("{user}pw"))
        .unwrap()
        .named(user)
        .registrar(&format!("sip:{server};transport={transport}"))
        .unwrap()
}

fn devices(kamailio: &Kamailio, number: usize, transport: Transport) -> Fork {
    let (alice, bob) = (account("alice", kamailio, transport), account("bob", kamailio, transport));
    Fork::bindings(&alice, &bob, number).unwrap()
}

/// Asks, and sees that Kamailio's bindings are what they were.
async fn check(kamailio: &Kamailio, fork: Fork) -> Outcome {
    let before = kamailio.bindings();
    let outcome = Probe::bind("udp:127.0.0.1:0").await.unwrap().check(fork).await;
    assert_eq!(kamailio.bindings(), before, "{outcome}");
    outcome
}

fn codes(outcome: &Outcome, severity: Severity) -> Vec<&str> {
    outcome.findings.iter().filter(|found| found.severity == severity).map(|found| &*found.code).collect()
}

/// All was as it should be; what programs get of it.
fn passed(outcome: &Outcome) -> &ForkResult {
    assert_eq!((outcome.verdict, codes(outcome, Severity::Error)), (Verdict::Pass, vec![]), "{outcome}");
    let result = outcome.fork().unwrap();
    assert_eq!((result.trials.len(), result.legs_left), (4, 0), "{outcome}");
    result
}

fn all_rounds_are_right(outcome: &Outcome, ends: usize) {
    let result = passed(outcome);
    let answer = result.trial(ForkTrial::Answer).unwrap();
    assert_eq!((answer.rang.len(), answer.order), (ends, Some(RingOrder::Parallel)), "{outcome}");
    assert_eq!((answer.winner, answer.heard[0].as_slice()), (Some(0), [1].as_slice()), "{outcome}");
    let silent = |(party, heard): (usize, &Vec<usize>)| party < 2 || heard.is_empty();
    assert!(answer.heard.iter().enumerate().all(silent), "{outcome}");
    assert_eq!(answer.released.len(), ends - 1, "{outcome}");
    for one in &answer.released {
        assert_eq!((&*one.by, one.acknowledged), ("CANCEL", true), "{outcome}");
        assert_eq!(one.reasons, ["SIP;cause=200;text=\"Call completed elsewhere\""], "{outcome}");
    }
    let race = result.trial(ForkTrial::Race).unwrap();
    assert_eq!((race.answered.len(), race.released.len()), (2, ends - 1), "{outcome}");
    let winner = race.winner.unwrap();
    assert_eq!(race.heard[0], [winner + 1], "{outcome}");
    assert_eq!(race.heard.iter().filter(|heard| !heard.is_empty()).count(), 2, "{outcome}");
    let refuse = result.trial(ForkTrial::Refuse).unwrap();
    assert_eq!((refuse.refusal, refuse.refused.len()), (None, 1), "{outcome}");
    assert!(refuse.winner.is_some_and(|winner| !refuse.refused.contains(&winner)), "{outcome}");
    assert_eq!(result.trial(ForkTrial::SecondCall).unwrap().second_rang.len(), ends, "{outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_and_three_devices_of_one_account_work_as_one_over_udp_and_tcp() {
    let each = [(2, Transport::Udp), (3, Transport::Udp), (2, Transport::Tcp), (3, Transport::Tcp)];
    let running = each.map(|(number, transport)| {
        tokio::spawn(async move {
            let kamailio = Kamailio::start(&[]);
            let outcome = check(&kamailio, devices(&kamailio, number, transport)).await;
            all_rounds_are_right(&outcome, number);
        })
    });
    for one in running {
        one.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_two_accounts_works_as_one() {
    let kamailio = Kamailio::start(&[]);
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| account(name, &kamailio, Transport::Udp));
    let outcome = check(&kamailio, Fork::group(&alice, "600", [&bob, &carol]).unwrap()).await;
    all_rounds_are_right(&outcome, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_answers_that_both_reach_the_caller_it_keeps_one() {
    let kamailio = Kamailio::start(&[]);
    // Where the CANCEL is faster than the second answer, there is but one: on a busy machine that may be so once.
    let mut raced = Vec::new();
    for _ in 0..5 {
        let outcome = check(&kamailio, devices(&kamailio, 2, Transport::Udp).trials([ForkTrial::Race])).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
        let race = outcome.facts.iter().find(|fact| fact.name == "race");
        if race.is_some_and(|race| race.value.contains("with BYE by the caller")) {
            let released = &outcome.fork().unwrap().trials[0].released[0];
            assert_eq!((&*released.by, released.acknowledged), ("BYE", true), "{outcome}");
            return;
        }
        raced.push(outcome.to_string());
    }
    panic!("in five races no second answer reached the caller:\n{}", raced.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_without_reason_is_a_warning() {
    let kamailio = Kamailio::start(&["NO_CANCEL_REASON"]);
    let outcome = check(&kamailio, devices(&kamailio, 3, Transport::Udp).trials([ForkTrial::Answer])).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    assert_eq!(codes(&outcome, Severity::Warning), ["cancel-reason-lost"; 2], "{outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_486_ends_its_own_branch_and_a_603_the_whole_call() {
    let kamailio = Kamailio::start(&[]);
    for (status, refusal, winner) in [(486, None, true), (603, Some(603), false)] {
        let fork =
            devices(&kamailio, 3, Transport::Udp).trials([ForkTrial::Refuse]).refuses_with(status).unwrap();
        let outcome = check(&kamailio, fork).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
        let round = &outcome.fork().unwrap().trials[0];
        assert_eq!((round.refusal, round.winner.is_some()), (refusal, winner), "{outcome}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_that_we_did_not_write_rings_along_and_is_cancelled_each_time() {
    let kamailio = Kamailio::start(&[]);
    let registrar = SocketAddr::from((Ipv4Addr::LOCALHOST, kamailio.port()));
    let phone = Baresip::phone(Line { user: "bob", registrar, transport: Transport::Udp }, &[0; 8_000]);
    eventually("baresip's binding", || kamailio.bindings().pop());
    let outcome = check(&kamailio, devices(&kamailio, 2, Transport::Udp).beside_live_devices(true)).await;
    passed(&outcome);
    assert_eq!(codes(&outcome, Severity::Warning), ["rings-other-devices"], "{outcome}");
    // Four calls, and a second one in the last.
    let closed = tokio::task::block_in_place(|| phone.wait("CALL_CLOSED", 5));
    assert_eq!((phone.events("CALL_INCOMING").len(), closed.len()), (5, 5), "{outcome}");
    assert!(phone.events("CALL_ESTABLISHED").is_empty(), "{}", phone.log());
}
