//! Transfers: one side against a script that does what well-behaved peers do, and what they never do; and two sides of ours.
use super::*;
use crate::ua::dialog::DialogId;
use crate::ua::transfer::{Declined, Refer, Replaces, Target};

const CAROL: &str = "sip:carol@192.0.2.3";
const FRAG: &str = "message/sipfrag;version=2.0";

/// A call of ours that the script has answered as `b`.
fn up() -> World {
    let mut world = World::scripted();
    world.sides[0].config.referrals = true;
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 200, "b", &[CONTACT], &sdp_of(7000));
    assert!(world.call(0).is_up());
    world
}

fn refer() -> Command {
    Command::Refer(Box::new(Refer::new(1, Target::new(CAROL))))
}

fn referring(world: &mut World) -> Message {
    world.command(0, refer()).run(5);
    world.last("REFER")
}

fn notify(world: &mut World, cseq: u32, state: &str, status: &str) -> u16 {
    let state = format!("Subscription-State: {state}");
    world.ask("NOTIFY", cseq, &["Event: refer", &state], (FRAG, &format!("SIP/2.0 {status}\r\n")));
    world.status()
}

/// What came of our transfer, in order.
fn told(world: &World) -> Vec<String> {
    world.events(0).into_iter().filter(|event| event.starts_with("refer")).collect()
}

#[track_caller]
fn hangs_up_clean(world: &mut World) {
    world.command(0, HANG_UP).run(5);
    let bye = world.last("BYE");
    world.reply(&bye, 200, "", &[], "").run(300_000);
    assert!(world.sides[0].finished && world.sides[0].layer.is_empty(), "{:#?}", world.ladder);
    assert_eq!(world.call(0).poll_timeout(), None);
}

fn text(message: &Message, name: HeaderName) -> String {
    message.header(name).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

#[test]
fn a_blind_transfer_is_accepted_notified_and_done() {
    let mut world = up();
    let refer = referring(&mut world);
    assert_eq!(text(&refer, HeaderName::ReferTo), format!("<{CAROL}>"));
    assert_eq!(text(&refer, HeaderName::ReferredBy), "<sip:alice@lab.example>");
    assert_eq!(text(&refer, HeaderName::Contact), "<sip:alice@127.0.0.1:39999>");
    world.reply(&refer, 202, "", &[], "");
    assert_eq!(notify(&mut world, 1, "active;expires=60", "100 Trying"), 200);
    assert_eq!(notify(&mut world, 2, "active;expires=50", "180 Ringing"), 200);
    assert_eq!(notify(&mut world, 3, "terminated;reason=noresource", "200 OK"), 200);
    assert_eq!(
        told(&world),
        [
            "refer 1 accepted 202 true",
            "refer 1 notified Some(100) active",
            "refer 1 notified Some(180) active",
            "refer 1 notified Some(200) terminated",
            "refer 1 over Terminated { reason: Some(\"noresource\") }"
        ]
    );
    // The subscription is over: what still comes is for nobody.
    assert_eq!(notify(&mut world, 4, "active", "200 OK"), 481);
    assert!(!world.call(0).has_referrals() && world.call(0).is_up());
    hangs_up_clean(&mut world);
}

#[test]
fn an_attended_transfer_names_the_dialog_with_the_target_in_escapes() {
    let mut world = up();
    let dialog = DialogId {
        call_id: b"9@h".as_slice().into(),
        local_tag: b"o".as_slice().into(),
        remote_tag: b"t".as_slice().into(),
    };
    let target =
        Target::new(CAROL).with_replaces(Replaces::of_ours(&dialog)).with_header("Require", "replaces");
    world.command(0, Command::Refer(Box::new(Refer::new(1, target.clone())))).run(5);
    let refer = world.last("REFER");
    let wanted = format!("<{CAROL}?Replaces=9%40h%3Bto-tag%3Dt%3Bfrom-tag%3Do&Require=replaces>");
    assert_eq!(text(&refer, HeaderName::ReferTo), wanted);
    assert_eq!(Target::parse(wanted.as_bytes()), Ok(target));
    world.reply(&refer, 202, "", &[], "");
    hangs_up_clean(&mut world);
}

#[test]
fn a_refusal_is_told_with_its_status_and_the_call_goes_on() {
    for status in [405, 420, 429, 481, 603] {
        let mut world = up();
        let refer = referring(&mut world);
        world.reply(&refer, status, "", &["Reason: Q.850;cause=21"], "");
        assert_eq!(told(&world), [format!("refer 1 refused {status}")]);
        let (_, Event::Transferor { event: TransferorEvent::Refused { reasons, .. }, .. }) =
            world.sides[0].events.last().unwrap()
        else {
            panic!("{:?}", world.events(0))
        };
        assert_eq!(reasons[..], ["Q.850;cause=21"]);
        assert!(world.call(0).is_up() && !world.call(0).has_referrals());
        hangs_up_clean(&mut world);
    }
}

#[test]
fn a_202_and_silence_is_given_up_after_64_t1() {
    let mut world = up();
    let refer = referring(&mut world);
    world.reply(&refer, 202, "", &[], "");
    let accepted = world.sides[0].events.last().unwrap().0;
    world.run(100_000);
    assert_eq!(told(&world)[1..], ["refer 1 over NeverCame"]);
    let given_up = world.sides[0].events.last().unwrap().0;
    assert_eq!(given_up - accepted, 32_000);
    assert!(world.call(0).is_up());
    hangs_up_clean(&mut world);
}

#[test]
fn a_refer_that_nobody_answers_ends_the_referral_and_not_the_call() {
    let mut world = up();
    world.command(0, refer()).run(40_000);
    assert_eq!(told(&world), ["refer 1 unanswered"]);
    assert!(world.call(0).is_up() && !world.call(0).has_referrals());
    hangs_up_clean(&mut world);
}

#[test]
fn a_notify_before_the_202_counts() {
    let mut world = up();
    let refer = referring(&mut world);
    assert_eq!(notify(&mut world, 1, "terminated;reason=noresource", "200 OK"), 200);
    world.reply(&refer, 202, "", &[], "");
    assert_eq!(
        told(&world),
        [
            "refer 1 notified Some(200) terminated",
            "refer 1 over Terminated { reason: Some(\"noresource\") }",
            "refer 1 accepted 202 true"
        ]
    );
    assert!(!world.call(0).has_referrals());
    hangs_up_clean(&mut world);
}

#[test]
fn a_notify_after_the_bye_is_taken_until_the_subscription_is_over() {
    let mut world = up();
    let refer = referring(&mut world);
    world.reply(&refer, 202, "", &[], "").ask("BYE", 1, &[], ("", ""));
    assert_eq!((world.status(), world.sides[0].finished), (200, false));
    assert_eq!(notify(&mut world, 2, "active;expires=60", "180 Ringing"), 200);
    // The session is over, whatever else comes.
    world.ask("INFO", 3, &[], ("application/dtmf", "1"));
    assert_eq!(world.status(), 481);
    assert_eq!(notify(&mut world, 4, "terminated;reason=noresource", "486 Busy Here"), 200);
    assert_eq!(notify(&mut world, 5, "terminated;reason=noresource", "486 Busy Here"), 481);
    assert_eq!(
        told(&world)[2..],
        ["refer 1 notified Some(486) terminated", "refer 1 over Terminated { reason: Some(\"noresource\") }"]
    );
    world.run(100_000);
    assert!(world.sides[0].finished && world.sides[0].layer.is_empty());
}

#[test]
fn nobody_waits_for_a_notify_for_ever_after_the_call() {
    let mut world = up();
    let refer = referring(&mut world);
    world.reply(&refer, 202, "", &[], "");
    notify(&mut world, 1, "active;expires=4294967295", "100 Trying");
    world.command(0, HANG_UP).run(5);
    let bye = world.last("BYE");
    world.reply(&bye, 200, "", &[], "").run(59_000);
    assert!(!world.sides[0].finished);
    world.run(2_000);
    assert_eq!(told(&world).last().unwrap(), "refer 1 over CallOver");
    assert!(world.sides[0].finished && world.call(0).poll_timeout().is_none());
    assert_eq!(notify(&mut world, 2, "terminated", "200 OK"), 481);
}

#[test]
fn a_subscription_whose_time_is_over_ends() {
    let mut world = up();
    let refer = referring(&mut world);
    world.reply(&refer, 202, "", &[], "");
    notify(&mut world, 1, "active;expires=10", "100 Trying");
    world.run(41_000);
    assert!(world.call(0).has_referrals());
    world.run(2_000);
    assert_eq!(told(&world).last().unwrap(), "refer 1 over Expired");
}

#[test]
fn a_transfer_without_subscription_is_over_when_that_is_granted() {
    let suppress = |world: &mut World| {
        let mut refer = Refer::new(7, Target::new(CAROL));
        refer.suppress_subscription = true;
        world.command(0, Command::Refer(Box::new(refer))).run(5);
        let refer = world.last("REFER");
        assert_eq!(text(&refer, HeaderName::ReferSub), "false");
        assert!(text(&refer, HeaderName::Supported).contains("norefersub"));
        refer
    };
    let mut world = up();
    let refer = suppress(&mut world);
    world.reply(&refer, 202, "", &["Refer-Sub: false"], "");
    assert_eq!(told(&world), ["refer 7 accepted 202 false", "refer 7 over Suppressed"]);
    // Who does not know it subscribes us all the same.
    let refer = suppress(&mut world);
    world.reply(&refer, 200, "", &[], "");
    assert_eq!(notify(&mut world, 1, "terminated;reason=noresource", "503 "), 200);
    assert_eq!(told(&world)[2..4], ["refer 7 accepted 200 true", "refer 7 notified Some(503) terminated"]);
    hangs_up_clean(&mut world);
}

#[test]
fn two_transfers_at_once_are_told_apart_by_the_id() {
    let mut world = up();
    let first = referring(&mut world);
    world.command(0, Command::Refer(Box::new(Refer::new(2, Target::new(CAROL))))).run(5);
    let second = world.last("REFER");
    world.reply(&first, 202, "", &[], "").reply(&second, 202, "", &[], "");
    let id = |message: &Message| format!("Event: refer;id={}", message.cseq().unwrap().number);
    let body = (FRAG, "SIP/2.0 200 OK");
    let over = "Subscription-State: terminated;reason=noresource";
    world.ask("NOTIFY", 1, &[&id(&second), over], body);
    assert_eq!(told(&world)[2..3], ["refer 2 notified Some(200) terminated"]);
    world.ask("NOTIFY", 2, &[&id(&second), over], body);
    // Only the first is open: what fits none is taken for it, and the wrong id is told.
    assert_eq!(world.status(), 200);
    let told = world.sides[0].events.iter().rev().find_map(|(_, event)| match event {
        Event::Transferor { token, event: TransferorEvent::Notified(told) } => Some((*token, told.clone())),
        _ => None,
    });
    let (token, told) = told.unwrap();
    assert_eq!((token, told.refer_cseq), (1, first.cseq().unwrap().number));
    assert_eq!(told.event_id, Some(second.cseq().unwrap().number.to_string()));
    hangs_up_clean(&mut world);
}

#[test]
fn a_notify_that_is_none_of_a_transfer_is_refused_and_one_that_cannot_be_read_is_told() {
    let mut world = up();
    let refer = referring(&mut world);
    world.reply(&refer, 202, "", &[], "");
    world.ask("NOTIFY", 1, &["Event: presence", "Subscription-State: active"], ("", ""));
    assert_eq!(
        (world.status(), text(&world.last_response(), HeaderName::AllowEvents)),
        (489, "refer".into())
    );
    world.ask("NOTIFY", 2, &["Event: refer"], ("", ""));
    assert_eq!(world.status(), 400);
    for (cseq, body) in [(3, ("", "")), (4, ("text/plain", "done")), (5, (FRAG, "SIP/2.0 abc"))] {
        world.ask("NOTIFY", cseq, &["Event: refer", "Subscription-State: active"], body);
        assert_eq!(
            (world.status(), told(&world).last().unwrap().as_str()),
            (200, "refer 1 notified None active")
        );
    }
    world.ask(
        "NOTIFY",
        6,
        &["Event: refer", "Subscription-State: terminated"],
        ("message/sipfrag", "SIP/2.0 200"),
    );
    assert_eq!(told(&world)[told(&world).len() - 2], "refer 1 notified Some(200) terminated");
    hangs_up_clean(&mut world);
}

#[test]
fn challenges_to_refer_and_notify_are_answered() {
    let mut world = World::scripted();
    world.sides[0].config.credentials = Some(Credentials::new("alice", "secret"));
    world.sides[0].config.referrals = true;
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 200, "b", &[CONTACT], &sdp_of(7000));
    let challenge = ["Proxy-Authenticate: Digest realm=\"lab\", nonce=\"n\", qop=\"auth\""];
    let first = referring(&mut world);
    world.reply(&first, 407, "", &challenge, "");
    let again = world.last("REFER");
    assert!(text(&again, HeaderName::ProxyAuthorization).contains("uri=\"sip:bob@127.0.0.1:49999\""));
    world.reply(&again, 202, "", &[], "");
    // The id is the number of the one that was accepted.
    let id = format!("Event: refer;id={}", again.cseq().unwrap().number);
    world.ask("NOTIFY", 1, &[&id, "Subscription-State: terminated"], (FRAG, "SIP/2.0 200 OK"));
    assert_eq!(told(&world).len(), 3);
    world.ask("REFER", 2, &["Refer-To: <sip:carol@192.0.2.3>"], ("", ""));
    world.command(0, Command::AcceptRefer { referral: 1 }).run(5);
    let notify = world.last("NOTIFY");
    world.reply(&notify, 401, "", &["WWW-Authenticate: Digest realm=\"b\", nonce=\"m\""], "");
    let again = world.last("NOTIFY");
    assert!(text(&again, HeaderName::Authorization).contains("realm=\"b\""));
    assert_eq!(again.body(), notify.body());
    world.reply(&again, 200, "", &[], "");
    assert_eq!(world.events(0).last().unwrap(), "referral 1 notified Some(200)");
    hangs_up_clean(&mut world);
}

fn referred(world: &mut World, cseq: u32, headers: &[&str]) -> u16 {
    world.ask("REFER", cseq, headers, ("", ""));
    world.inbox.iter().rev().find(|m| m.status().is_some()).map_or(0, |m| m.status().unwrap())
}

#[test]
fn the_transferee_accepts_notifies_in_order_and_ends_with_the_final_status() {
    let mut world = up();
    let to = "Refer-To: <sip:carol@192.0.2.3;method=INVITE;user=phone?Replaces=1%40h%3Bto-tag%3Da%3Bfrom-tag%3Db&Subject=x&Route=%3Csip:evil%3E>";
    world.ask("REFER", 4, &[to, "Referred-By: <sip:bob@lab.example>"], ("", ""));
    let (_, Event::Transferee { referral: 1, event: TransfereeEvent::Referred(referred) }) =
        world.sides[0].events.last().unwrap().clone()
    else {
        panic!("{:?}", world.events(0))
    };
    assert_eq!((referred.target.uri.as_str(), referred.cseq), ("sip:carol@192.0.2.3;user=phone", 4));
    assert_eq!(referred.target.replaces.as_ref().unwrap().value(), b"1@h;to-tag=a;from-tag=b");
    world.command(0, Command::AcceptRefer { referral: 1 }).run(5);
    assert_eq!((world.status(), text(&world.last_response(), HeaderName::ReferSub)), (202, String::new()));
    let notify = |status| Command::Notify { referral: 1, status, phrase: None };
    // None before the one before is answered.
    world.command(0, notify(180)).command(0, notify(200)).command(0, notify(404)).run(5);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let notify = world.last("NOTIFY");
        assert_eq!(text(&notify, HeaderName::Event), "refer;id=4");
        seen.push((
            String::from_utf8_lossy(notify.body()).trim().to_owned(),
            text(&notify, HeaderName::SubscriptionState),
        ));
        world.reply(&notify, 200, "", &[], "");
    }
    assert_eq!(seen[0], ("SIP/2.0 100 Trying".to_owned(), "active;expires=180".to_owned()));
    assert!(seen[1].0 == "SIP/2.0 180 Ringing" && seen[1].1.starts_with("active;expires="));
    assert_eq!(seen[2], ("SIP/2.0 200 OK".to_owned(), "terminated;reason=noresource".to_owned()));
    assert_eq!(world.events(0).last().unwrap(), "referral 1 over");
    // The call that it makes says why, and nothing that it must not say.
    let mut next = World::scripted();
    next.sides[0].config = config("alice", 40_000).referred(&referred);
    next.dial().run(5);
    let invite = next.last("INVITE");
    assert_eq!(text(&invite, HeaderName::Replaces), "1@h;to-tag=a;from-tag=b");
    assert_eq!(text(&invite, HeaderName::ReferredBy), "<sip:bob@lab.example>");
    assert_eq!(
        (text(&invite, HeaderName::Subject), invite.header(HeaderName::Route)),
        ("x".to_owned(), None)
    );
    hangs_up_clean(&mut world);
}

#[test]
fn a_refer_that_cannot_be_taken_is_refused_at_once() {
    let mut world = up();
    for (cseq, headers, status) in [
        (1, &[][..], 400),
        (2, &["Refer-To: <sip:a@b>", "Refer-To: <sip:c@d>"], 400),
        (3, &["Refer-To: <sip:a@b>, <sip:c@d>"], 400),
        (4, &["Refer-To: <sip:a@b?Replaces=1%3Bto-tag%3D2>"], 400),
        (5, &["Refer-To: <http://a.example/>"], 416),
        (6, &["Refer-To: <sip:a@b>", "Require: multiple-refer"], 420),
        (7, &["Refer-To: <sip:a@b>", "Replaces: 1;to-tag=a;from-tag=b"], 400),
    ] {
        assert_eq!(referred(&mut world, cseq, headers), status, "{headers:?}");
    }
    assert!(world.call(0).is_up() && !world.call(0).has_referrals());
    world.sides[0].config.referrals = false;
    hangs_up_clean(&mut world);
    let mut deaf = World::scripted();
    deaf.ask("INVITE", 1, &[], ("application/sdp", &sdp_of(7000))).command(0, Command::Answer).run(5);
    deaf.ask("ACK", 1, &[], ("", "")).ask("REFER", 2, &["Refer-To: <sip:a@b>"], ("", ""));
    assert_eq!(
        (deaf.status(), text(&deaf.last_response(), HeaderName::Allow).contains("REFER")),
        (405, false)
    );
}

#[test]
fn the_transferee_may_refuse_and_must_decide_in_time() {
    let mut world = up();
    world.ask("REFER", 1, &["Refer-To: <sip:a@b>"], ("", ""));
    world.command(0, Command::RefuseRefer { referral: 1, status: 603 }).run(5);
    assert_eq!((world.status(), world.call(0).has_referrals()), (603, false));
    world.ask("REFER", 2, &["Refer-To: <sip:a@b>"], ("", "")).run(9_000);
    assert_eq!(world.status(), 480);
    let declined = format!("referral 2 declined {:?}", Declined::Undecided);
    assert_eq!(world.events(0).last().unwrap(), &declined);
    for cseq in 3..=10 {
        world.ask("REFER", cseq, &["Refer-To: <sip:a@b>"], ("", ""));
    }
    assert_eq!(referred(&mut world, 11, &["Refer-To: <sip:a@b>"]), 486);
    hangs_up_clean(&mut world);
}

#[test]
fn a_transferor_that_wants_no_notify_gets_none() {
    let mut world = up();
    world.ask("REFER", 1, &["Refer-To: <sip:a@b>", "Refer-Sub: false", "Supported: norefersub"], ("", ""));
    world.command(0, Command::AcceptRefer { referral: 1 });
    world.command(0, Command::Notify { referral: 1, status: 200, phrase: None }).run(5);
    assert_eq!(
        (world.status(), text(&world.last_response(), HeaderName::ReferSub)),
        (202, "false".to_owned())
    );
    assert!(world.times("> NOTIFY").is_empty() && !world.call(0).has_referrals());
    assert_eq!(world.events(0).last().unwrap(), "referral 1 over");
    hangs_up_clean(&mut world);
}

#[test]
fn a_481_to_a_notify_ends_the_subscription_and_not_the_call() {
    let mut world = up();
    world.ask("REFER", 1, &["Refer-To: <sip:a@b>"], ("", ""));
    world.command(0, Command::AcceptRefer { referral: 1 }).run(5);
    let notify = world.last("NOTIFY");
    world.reply(&notify, 481, "", &[], "");
    assert_eq!(world.events(0)[2..], ["referral 1 notified Some(481)", "referral 1 over"]);
    world.command(0, Command::Notify { referral: 1, status: 200, phrase: None }).run(50);
    assert!(world.call(0).is_up() && world.times("> NOTIFY").len() == 1);
    hangs_up_clean(&mut world);
}

#[test]
fn the_transferee_notifies_after_the_bye_of_the_transferor() {
    let mut world = up();
    world.ask("REFER", 1, &["Refer-To: <sip:a@b>"], ("", "")).ask("BYE", 2, &[], ("", ""));
    world.command(0, Command::AcceptRefer { referral: 1 }).run(5);
    let trying = world.last("NOTIFY");
    world.reply(&trying, 200, "", &[], "");
    world.command(0, Command::Notify { referral: 1, status: 486, phrase: Some("Busy".to_owned()) }).run(5);
    let busy = world.last("NOTIFY");
    assert_eq!(busy.body(), b"SIP/2.0 486 Busy\r\n");
    world.reply(&busy, 200, "", &[], "").run(33_000);
    assert!(world.sides[0].finished, "{:?}", world.events(0));
}

#[test]
fn a_transferee_that_says_nothing_more_ends_its_subscription_when_its_time_is_over() {
    let mut world = up();
    world.ask("REFER", 1, &["Refer-To: <sip:a@b>"], ("", ""));
    world.command(0, Command::AcceptRefer { referral: 1 }).run(5);
    let trying = world.last("NOTIFY");
    world.reply(&trying, 200, "", &[], "").run(181_000);
    let last = world.last("NOTIFY");
    assert_eq!(
        (last.body(), text(&last, HeaderName::SubscriptionState)),
        (&b"SIP/2.0 100 Trying\r\n"[..], "terminated;reason=timeout".to_owned())
    );
    world.reply(&last, 200, "", &[], "");
    assert_eq!(world.events(0).last().unwrap(), "referral 1 over");
    hangs_up_clean(&mut world);
}

#[test]
fn an_invite_with_replaces_is_read_and_one_with_two_is_refused() {
    let mut world = World::scripted();
    world.ask(
        "INVITE",
        1,
        &["Replaces: 5@h;to-tag=a;from-tag=b;early-only"],
        ("application/sdp", &sdp_of(7000)),
    );
    let replaces = world.call(0).replaces().unwrap();
    assert_eq!(
        (replaces.value(), replaces.early_only),
        (b"5@h;to-tag=a;from-tag=b;early-only".to_vec(), true)
    );
    world.command(0, Command::Refuse { status: 486, reason: None }).run(5);
    for headers in [
        &["Replaces: 5@h;to-tag=a;from-tag=b", "Replaces: 6@h;to-tag=a;from-tag=b"][..],
        &["Replaces: 5@h;to-tag=a;from-tag=b", "Join: 6@h;to-tag=a;from-tag=b"],
        &["Replaces: 5@h;to-tag=a"],
        &["Replaces: <"],
    ] {
        let mut world = World::scripted();
        world.ask("INVITE", 1, headers, ("application/sdp", &sdp_of(7000)));
        assert_eq!(world.status(), 400, "{headers:?}");
    }
}

#[test]
fn a_call_that_is_replaced_says_by_which_and_hangs_up() {
    let mut world = up();
    world.command(0, Command::GiveWay { by: "other".to_owned() }).run(5);
    let bye = world.last("BYE");
    world.reply(&bye, 200, "", &[], "").run(100_000);
    assert_eq!(world.events(0)[1..], ["replaced by other", "ended Local HungUp"]);
    // Not answered: CANCEL.
    let mut world = World::scripted();
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 180, "b", &[CONTACT], "");
    let ringing = world.call(0).dialogs().map(|(_, state)| state).collect::<Vec<_>>();
    assert_eq!(ringing, [crate::ua::transfer::DialogState::EarlyCaller]);
    world.command(0, Command::GiveWay { by: "other".to_owned() }).run(5);
    let cancel = world.last("CANCEL");
    world.reply(&cancel, 200, "b", &[], "").reply(&invite, 487, "b", &[], "").run(100_000);
    assert_eq!(world.events(0)[1..], ["replaced by other", "ended Local Cancelled"]);
}

#[test]
fn somebody_else_at_the_far_end_is_told() {
    let told = |world: &World| -> Vec<FarParty> {
        let events = world.sides[0].events.iter();
        let far = events.filter_map(|(_, e)| if let Event::FarParty(far) = e { Some(far) } else { None });
        far.map(|far| (**far).clone()).collect()
    };
    let mut world = up();
    assert_eq!(world.call(0).far_party().unwrap().uri.as_deref(), Some("sip:bob@lab.example"));
    let asserted = "P-Asserted-Identity: \"Carol\" <sip:carol@lab.example>";
    world.ask("INVITE", 1, &[asserted], ("application/sdp", &sdp_of(7000))).ask("ACK", 1, &[], ("", ""));
    assert_eq!(told(&world)[0].asserted.as_deref(), Some("\"Carol\" <sip:carol@lab.example>"));
    // The same again is no news; another session is.
    world.ask("UPDATE", 2, &[asserted], ("", ""));
    assert_eq!(told(&world).len(), 1);
    let other = sdp_of(7000).replace("o=- 5", "o=- 6");
    world.ask("INVITE", 3, &[asserted], ("application/sdp", &other)).ask("ACK", 3, &[], ("", ""));
    assert_eq!((told(&world).len(), told(&world)[1].origin.as_deref()), (2, Some("- 6 127.0.0.1")));
    hangs_up_clean(&mut world);
}

#[test]
fn two_of_ours_transfer_and_both_know_the_end() {
    let mut world = World::new();
    world.sides.iter_mut().for_each(|side| side.config.referrals = true);
    world.dial().run(10).command(1, Command::Answer).run(100);
    let refer = Command::Refer(Box::new(Refer::new(3, Target::new(CAROL))));
    world.command(0, refer).run(10).command(1, Command::AcceptRefer { referral: 1 }).run(10);
    world.command(0, HANG_UP).run(1_000);
    world.command(1, Command::Notify { referral: 1, status: 200, phrase: None }).run(1_000);
    assert_eq!(
        world.events(0)[1..],
        [
            "refer 3 accepted 202 true",
            "refer 3 notified Some(100) active",
            "ended Local HungUp",
            "refer 3 notified Some(200) terminated",
            "refer 3 over Terminated { reason: Some(\"noresource\") }"
        ]
    );
    world.run(100_000);
    for side in &world.sides {
        assert!(side.finished && side.layer.is_empty());
    }
    assert_eq!(
        world.events(1)[1..],
        [
            "referral 1 to sip:carol@192.0.2.3",
            "referral 1 notified Some(200)",
            "ended Peer HungUp",
            "referral 1 notified Some(200)",
            "referral 1 over"
        ]
    );
}
