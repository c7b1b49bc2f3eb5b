//! SIPp as a transferor, and as one that comes with a Replaces: what our transferee and our target make of it.

use super::referral::decides;
use crate::calls::phone::{Phone, Talk};
use crate::peer::scenario::{AUDIO, Player, Scenario};
use ringback::ua::call::{By, Cause, Command, Event};
use ringback::ua::transfer::{Declined, Referred, TransfereeEvent};
use std::time::Duration;

const REFER_TO: &str = "Refer-To: <sip:carol@127.0.0.1:9>";

/// SIPp calls us, and sends a REFER with these headers.
fn refers(headers: &[&str]) -> Scenario {
    Scenario::calls()
        .invite(&[], AUDIO)
        .may_get(180)
        .expect_dialog(200, &[])
        .request("ACK", "", &[], "")
        .request("REFER", "", headers, "")
}

/// Bob takes the call, and knows REFER.
async fn up(scenario: Scenario) -> (Phone, Talk, Player) {
    up_with(scenario, 500).await
}

/// The same with another T1, in milliseconds: who has to wait gives up sooner.
async fn up_with(scenario: Scenario, t1: u64) -> (Phone, Talk, Player) {
    let mut bob = Phone::with_t1("bob", t1).await;
    let player = scenario.call("bob", bob.address());
    let (talk, _) = bob.answers().await;
    (bob, talk, player)
}

async fn accepted(scenario: Scenario) -> (Phone, Talk, Player, u32, Referred) {
    accepted_with(scenario, 500).await
}

async fn accepted_with(scenario: Scenario, t1: u64) -> (Phone, Talk, Player, u32, Referred) {
    let (bob, mut talk, player) = up_with(scenario, t1).await;
    let (referral, referred) = talk.referred().await;
    talk.command(Command::AcceptRefer { referral }).await;
    (bob, talk, player, referral, referred)
}

/// How our NOTIFYs were answered so far.
fn answers(talk: &Talk) -> Vec<Option<u16>> {
    let status = |event: &Event| match event {
        Event::Transferee { event: TransfereeEvent::Notified { status }, .. } => Some(*status),
        _ => None,
    };
    talk.signals().into_iter().filter_map(status).collect()
}

async fn referral_over(talk: &mut Talk) {
    talk.signal("the end of the referral", |event| match event {
        Event::Transferee { event: TransfereeEvent::Over, .. } => Some(()),
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_481_to_our_notify_ends_the_subscription_and_not_the_call() {
    for status in ["481 Call/Transaction Does Not Exist", "403 Forbidden"] {
        let scenario = refers(&[REFER_TO])
            .expect(202, &[])
            .recv_with("NOTIFY", &["Event: refer", "Subscription-State: active", "SIP/2.0 100 Trying"])
            .reply(status, &[], "")
            .pause(500)
            .request("BYE", "", &[], "")
            .expect(200, &[]);
        let (bob, mut talk, player, referral, _) = accepted(scenario).await;
        referral_over(&mut talk).await;
        // Nobody listens any more: nothing is sent.
        talk.command(Command::Notify { referral, status: 200, phrase: None }).await;
        let (by, cause, _) = talk.ended().await;
        assert_eq!((by, cause), (By::Peer, Cause::HungUp));
        assert_eq!(answers(&talk), [status[..3].parse().ok()]);
        player.finished();
        assert_eq!((bob.sent("NOTIFY"), bob.sent("BYE")), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notify_without_answer_is_given_up_and_the_call_goes_on() {
    let scenario = refers(&[REFER_TO])
        .expect(202, &[])
        .recv("NOTIFY")
        .pause(8_000)
        .request("BYE", "", &[], "")
        .expect(200, &[]);
    let (bob, mut talk, player, _, _) = accepted_with(scenario, 100).await;
    referral_over(&mut talk).await;
    assert_eq!(answers(&talk), [None]);
    assert_eq!(talk.gone().await, By::Peer);
    player.finished();
    assert_eq!((bob.sent("NOTIFY"), bob.sent("BYE")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transferor_that_hangs_up_at_once_is_told_all_the_same() {
    let scenario = refers(&[REFER_TO, "Referred-By: <sip:sipp@127.0.0.1>"])
        .expect(202, &[])
        .recv("NOTIFY")
        .reply("200 OK", &[], "")
        .request("BYE", "", &[], "")
        .expect(200, &["CSeq: [0-9]+ BYE"])
        .recv_with("NOTIFY", &["Subscription-State: active", "SIP/2.0 180 Ringing"])
        .reply("200 OK", &[], "")
        .recv_with("NOTIFY", &["Subscription-State: terminated;reason=noresource", "SIP/2.0 486 Busy Here"])
        .reply("200 OK", &[], "");
    let (bob, mut talk, player, referral, referred) = accepted(scenario).await;
    assert_eq!(referred.referred_by.as_deref(), Some("<sip:sipp@127.0.0.1>"));
    assert_eq!(talk.gone().await, By::Peer);
    talk.command(Command::Notify { referral, status: 180, phrase: None }).await;
    talk.notifies(referral, 486).await;
    assert_eq!(answers(&talk), [Some(200); 3]);
    player.finished();
    assert_eq!(bob.sent("NOTIFY"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refer_that_wants_no_notify_gets_none() {
    let scenario = refers(&[REFER_TO, "Refer-Sub: false", "Require: norefersub"])
        .expect(202, &["Refer-Sub: false"])
        .pause(300)
        .request("BYE", "", &[], "")
        .expect(200, &[]);
    let (bob, mut talk, player, referral, _) = accepted(scenario).await;
    talk.command(Command::Notify { referral, status: 200, phrase: None }).await;
    assert_eq!(talk.gone().await, By::Peer);
    player.finished();
    assert_eq!(bob.sent("NOTIFY"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refer_that_cannot_be_taken_is_refused_by_itself() {
    for (headers, status, pattern) in [
        (&[][..], 400, "Bad Request"),
        (&[REFER_TO, REFER_TO], 400, "Bad Request"),
        (&["Refer-To: <tel:+15550100>"], 416, "Unsupported URI Scheme"),
        (&[REFER_TO, "Require: foo"], 420, "Unsupported: foo"),
        (&["Refer-To: <sip:carol@127.0.0.1:9?Replaces=1%40x>"], 400, "Bad Request"),
    ] {
        let scenario =
            refers(headers).expect(status, &[pattern]).request("BYE", "", &[], "").expect(200, &[]);
        let (bob, mut talk, player) = up(scenario).await;
        assert_eq!(talk.gone().await, By::Peer, "{headers:?}");
        let declined =
            Event::Transferee { referral: 0, event: TransfereeEvent::Declined(Declined::Unusable(status)) };
        assert!(talk.signals().contains(&&declined), "{headers:?}: {:#?}", talk.signals());
        player.finished();
        assert_eq!((bob.sent("NOTIFY"), bob.sent("BYE")), (0, 0));
    }
}

/// A call of SIPp to carol, and the Replaces that somebody else would name it with.
async fn replaceable(carol: &mut Phone, more: impl FnOnce(Scenario) -> Scenario) -> (Talk, Player, String) {
    let scenario =
        Scenario::calls().invite(&[], AUDIO).may_get(180).expect_dialog(200, &[]).request("ACK", "", &[], "");
    let player = more(scenario).call("carol", carol.address());
    let (talk, _) = carol.answers().await;
    let dialog = talk.handle.dialog().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // As carol sees it: her tag is the to-tag.
    let value = format!(
        "Replaces: {};to-tag={};from-tag={}",
        text(&dialog.call_id),
        text(&dialog.local_tag),
        text(&dialog.remote_tag)
    );
    (talk, player, value)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaces_of_a_call_that_is_up_takes_its_place() {
    let mut carol = Phone::new("carol").await;
    let (mut old, replaced, value) =
        replaceable(&mut carol, |scenario| scenario.recv("BYE").reply("200 OK", &[], "")).await;
    let taking = Scenario::calls()
        .invite(&[&value, "Require: replaces"], AUDIO)
        .may_get(180)
        .expect_dialog(200, &[])
        .request("ACK", "", &[], "")
        .recv("BYE")
        .reply("200 OK", &[], "")
        .call("carol", carol.address());
    let (mut new, replacement) = carol.answers().await;
    assert_eq!(replacement.map(|replacement| replacement.decision), Some(Ok(())));
    old.replaced_by(&new).await;
    replaced.finished();
    new.hang_up().await;
    taking.finished();
    assert_eq!(carol.sent("BYE"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaces_of_a_call_that_just_ended_gets_603() {
    // After 64*T1 (6.4 s) carol's agent has no such call any more, and remembers its dialog only.
    for (hangs_up, wait) in [("we", 0), ("SIPp", 0), ("we", 7_500)] {
        let mut carol = Phone::with_t1("carol", 100).await;
        let more = |scenario: Scenario| match hangs_up {
            "we" => scenario.recv("BYE").reply("200 OK", &[], ""),
            _ => scenario.pause(300).request("BYE", "", &[], "").expect(200, &[]),
        };
        let (mut old, replaced, value) = replaceable(&mut carol, more).await;
        if hangs_up == "we" {
            old.hang_up().await;
        } else {
            assert_eq!(old.gone().await, By::Peer);
        }
        replaced.finished();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let late = Scenario::calls()
            .invite(&[&value, "Require: replaces"], AUDIO)
            .expect_dialog(603, &[])
            .ack_refusal()
            .call("carol", carol.address());
        let invitation = carol.invited().await;
        assert_eq!(invitation.replaces().unwrap().decision, Err(603), "{hangs_up} {wait}");
        let mut refused = carol.take_invitation(invitation, decides);
        assert_eq!(refused.ended().await.1, Cause::Refused(603));
        late.finished();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaces_that_names_no_call_or_the_wrong_way_round_gets_481() {
    let mut carol = Phone::new("carol").await;
    let (mut old, replaced, value) =
        replaceable(&mut carol, |scenario| scenario.recv("BYE").reply("200 OK", &[], "")).await;
    // A gateway that hides tags mixes them up.
    let swapped = value.replace("to-tag", "x").replace("from-tag", "to-tag").replace(";x=", ";from-tag=");
    for (value, status) in [
        (swapped.as_str(), 481),
        ("Replaces: nobody;to-tag=1;from-tag=2", 481),
        (&format!("{value};early-only"), 486),
        (&value.replace("to-tag", "two-tag"), 400),
    ] {
        let late = Scenario::calls()
            .invite(&[value], AUDIO)
            .expect_dialog(status, &[])
            .ack_refusal()
            .call("carol", carol.address());
        let invitation = carol.invited().await;
        assert_eq!(invitation.replaces().unwrap().decision, Err(status), "{value}");
        let mut refused = carol.take_invitation(invitation, decides);
        assert_eq!(refused.ended().await.1, Cause::Refused(status), "{value}");
        late.finished();
    }
    // The call that was named goes on.
    old.hang_up().await;
    replaced.finished();
}
