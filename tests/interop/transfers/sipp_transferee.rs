//! SIPp as a transferee that does what no well-behaved one does: what our transferor makes of it.

use super::referral::done;
use crate::calls::phone::{Phone, Talk};
use crate::peer::scenario::{AUDIO, Player, Scenario};
use ringback::endpoint::agent::CallEventKind;
use ringback::ua::call::{By, Cause, Event};
use ringback::ua::transfer::{SubscriptionEnd, TransferorEvent};
use std::time::{Duration, Instant};

const TARGET: &str = "sip:carol@127.0.0.1:9";

/// SIPp takes our call.
fn answered() -> Scenario {
    Scenario::called().invited().answer("200 OK", "a", &[], AUDIO).recv("ACK")
}

/// We hang up.
fn hung_up(scenario: Scenario) -> Scenario {
    scenario.recv("BYE").reply("200 OK", &[], "")
}

/// Alice calls who plays this scenario, and refers him.
async fn refer(scenario: Scenario) -> (Phone, Talk, Player) {
    refer_with(scenario, 500).await
}

/// The same with another T1, in milliseconds: who has to wait gives up sooner.
async fn refer_with(scenario: Scenario, t1: u64) -> (Phone, Talk, Player) {
    let (player, alice) = (scenario.listen(), Phone::with_t1("alice", t1).await);
    let mut talk = alice.dial("bob", player.address()).await;
    talk.answered().await;
    talk.refers_to(TARGET, None).await;
    (alice, talk, player)
}

/// Did a NOTIFY come, whatever the call made of it?
fn is_notified(talk: &Talk) -> bool {
    talk.seen.iter().any(|what| match what {
        CallEventKind::Request(request) => request.as_bytes().starts_with(b"NOTIFY "),
        _ => false,
    })
}

/// Everything that the transferor was told, in order.
fn told(talk: &Talk) -> Vec<TransferorEvent> {
    let event = |event: &Event| match event {
        Event::Transferor { token: 1, event } => Some(event.clone()),
        _ => None,
    };
    talk.signals().into_iter().filter_map(event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_202_and_silence_is_waited_for_no_longer_than_64_t1_and_the_call_goes_on() {
    let (alice, mut talk, player) =
        refer_with(hung_up(answered().recv("REFER").reply("202 Accepted", &[], "")), 100).await;
    assert_eq!(talk.refer_answered().await, 202);
    let since = Instant::now();
    assert_eq!(talk.told().await, (vec![], SubscriptionEnd::NeverCame));
    let waited = since.elapsed();
    assert!((5_900..12_000).contains(&waited.as_millis()), "{waited:?}");
    talk.hang_up().await;
    player.finished();
    assert_eq!((alice.sent("REFER"), alice.sent("BYE")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notify_before_the_202_counts() {
    let scenario = answered()
        .kept("REFER")
        .notify("active;expires=60", "100 Trying")
        .expect(200, &["CSeq: [0-9]+ NOTIFY"])
        .answer("202 Accepted", "a", &[], "")
        .notify("terminated;reason=noresource", "200 OK")
        .expect(200, &["CSeq: [0-9]+ NOTIFY"]);
    let (alice, mut talk, player) = refer(hung_up(scenario)).await;
    assert_eq!(talk.told().await, (vec![100, 200], done()));
    assert_eq!(talk.refer_answered().await, 202);
    let told = told(&talk);
    // Requests and responses come to us by different ways: the 202 may be told after the second NOTIFY as well.
    assert!(matches!(told[0], TransferorEvent::Notified(_)), "{told:#?}");
    assert!(told.contains(&TransferorEvent::Accepted { status: 202, subscribed: true }), "{told:#?}");
    talk.hang_up().await;
    player.finished();
    assert_eq!(alice.sent("REFER"), 1);
}

/// Where the REFER gets no answer at all, a NOTIFY makes the subscription (RFC 6665 sec. 4.1.2.4).
#[tokio::test(flavor = "multi_thread")]
async fn notifies_without_any_answer_to_the_refer_are_believed() {
    let scenario = answered()
        .kept("REFER")
        .notify("active;expires=60", "100 Trying")
        .expect(200, &[])
        .pause(7_500)
        .notify("terminated;reason=noresource", "200 OK")
        .expect(200, &[]);
    let (_alice, mut talk, player) = refer_with(hung_up(scenario), 100).await;
    assert_eq!(talk.told().await, (vec![100, 200], done()));
    assert!(told(&talk).contains(&TransferorEvent::Unanswered), "{:#?}", told(&talk));
    talk.hang_up().await;
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bye_before_the_notify_ends_the_call_and_not_the_subscription() {
    let scenario = answered()
        .recv("REFER")
        .reply("202 Accepted", &[], "")
        .request("BYE", "a", &[], "")
        .expect(200, &["CSeq: [0-9]+ BYE"])
        .pause(300)
        .notify("active;expires=60", "180 Ringing")
        .expect(200, &["CSeq: [0-9]+ NOTIFY"])
        .notify("terminated;reason=noresource", "603 Decline")
        .expect(200, &["CSeq: [0-9]+ NOTIFY"])
        // There is no subscription any more.
        .notify("terminated;reason=noresource", "200 OK")
        .expect(481, &["CSeq: [0-9]+ NOTIFY"]);
    let (alice, mut talk, player) = refer(scenario).await;
    let (by, cause, _) = talk.ended().await;
    assert_eq!((by, cause), (By::Peer, Cause::HungUp));
    assert_eq!(talk.told().await, (vec![180, 603], done()));
    player.finished();
    assert_eq!((alice.sent("BYE"), alice.sent("REFER")), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_notified_is_told_even_when_nobody_was_called() {
    // Refused by the target, as the one NOTIFY says; done, as the next one says.
    let scenario = answered()
        .recv("REFER")
        .reply("202 Accepted", &[], "")
        .notify("active;expires=60", "486 Busy Here")
        .expect(200, &[])
        .notify("terminated;reason=noresource", "200 OK")
        .expect(200, &[]);
    let (_alice, mut talk, player) = refer(hung_up(scenario)).await;
    assert_eq!(
        talk.told().await,
        (vec![486, 200], done()),
        "both, in order: who is to be believed is judged by ear"
    );
    talk.hang_up().await;
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_200_is_as_good_as_a_202() {
    let scenario = answered()
        .recv("REFER")
        .reply("200 OK", &[], "")
        .notify("terminated;reason=noresource", "200 OK")
        .expect(200, &[]);
    let (_alice, mut talk, player) = refer(hung_up(scenario)).await;
    assert_eq!(talk.refer_answered().await, 200);
    assert_eq!(talk.told().await, (vec![200], done()));
    talk.hang_up().await;
    player.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refer_that_is_refused_is_not_tried_again_and_leaves_the_call_alone() {
    for (status, header) in [
        ("405 Method Not Allowed", "Allow: INVITE, ACK, BYE, CANCEL"),
        ("420 Bad Extension", "Unsupported: norefersub"),
        ("429 Provide Referrer Identity", "Server: x"),
        ("481 Call/Transaction Does Not Exist", "Server: x"),
        ("501 Not Implemented", "Server: x"),
        ("603 Decline", "Reason: Q.850;cause=21"),
    ] {
        let scenario = answered()
            .recv_with("REFER", &["Refer-To: <sip:carol@127.0.0.1:9>", "Referred-By: <sip:alice@"])
            .reply(status, &[header], "")
            // It stays up: an INFO is answered as before.
            .request("INFO", "a", &["Content-Type: application/dtmf"], "5")
            .expect(200, &["CSeq: [0-9]+ INFO"])
            // Nobody waits for a NOTIFY.
            .notify("terminated;reason=noresource", "200 OK")
            .expect(481, &["CSeq: [0-9]+ NOTIFY"]);
        let (alice, mut talk, player) = refer(hung_up(scenario)).await;
        let (number, phrase) = status.split_once(' ').unwrap();
        assert_eq!(talk.refer_answered().await.to_string(), number);
        let infos = |talk: &Talk| {
            talk.signals().iter().filter(|event| matches!(event, Event::InfoReceived { .. })).count()
        };
        // Both come, and the INFO may be told before the refusal.
        while infos(&talk) == 0 || !is_notified(&talk) {
            talk.until("the INFO and the NOTIFY", |_| Some(())).await;
        }
        let told = told(&talk);
        let reasons = if number == "603" { vec!["Q.850;cause=21".to_owned()] } else { Vec::new() };
        assert_eq!(
            told,
            [TransferorEvent::Refused {
                status: number.parse().unwrap(),
                phrase: phrase.to_owned(),
                reasons,
                warnings: Vec::new()
            }]
        );
        talk.hang_up().await;
        player.finished();
        assert_eq!((alice.sent("REFER"), alice.sent("BYE")), (1, 1), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refer_without_any_answer_is_given_up() {
    let (alice, mut talk, player) = refer_with(hung_up(answered().recv("REFER")), 100).await;
    let since = Instant::now();
    talk.signal("the end of patience", |event| match event {
        Event::Transferor { event: TransferorEvent::Unanswered, .. } => Some(()),
        _ => None,
    })
    .await;
    assert!(since.elapsed() < Duration::from_secs(12));
    talk.hang_up().await;
    player.finished();
    assert_eq!(alice.sent("REFER"), 1);
}
