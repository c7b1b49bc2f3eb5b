//! The transferor, against a script.
use super::*;
use crate::ua::dialog::DialogId;
use crate::ua::transfer::Replaces;

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
    world.sides[0].config.trust.realms = vec!["lab".to_owned(), "b".to_owned()];
    world.sides[0].config.refers = Refers::Asked;
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
