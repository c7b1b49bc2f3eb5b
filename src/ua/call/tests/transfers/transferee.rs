//! The transferee, against a script.
use super::*;
use crate::ua::transfer::Declined;

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
    world.sides[0].config.refers = Refers::Declined;
    hangs_up_clean(&mut world);
    let mut deaf = World::scripted();
    deaf.ask("INVITE", 1, &[], ("application/sdp", &sdp_of(7000))).command(0, Command::Answer).run(5);
    deaf.ask("ACK", 1, &[], ("", "")).ask("REFER", 2, &["Refer-To: <sip:a@b>"], ("", ""));
    assert_eq!(
        (deaf.status(), text(&deaf.last_response(), HeaderName::Allow).contains("REFER")),
        (603, false)
    );
    assert_eq!(deaf.events(0).last().unwrap(), "referral 0 unexpected: sip:a@b");
}

#[test]
fn only_an_expected_refer_waits_for_a_decision_and_the_others_name_their_number() {
    let mut world = up();
    world.command(0, Command::ExpectRefers(Refers::Expected(vec!["sip:carol@lab.example".to_owned()])));
    let status = referred(&mut world, 1, &["Refer-To: <sip:+19005550000@lab.example>"]);
    assert_eq!((status, world.call(0).has_referrals()), (603, false));
    assert_eq!(world.events(0).last().unwrap(), "referral 0 unexpected: sip:+19005550000@lab.example");
    world.ask("REFER", 2, &["Refer-To: <sip:carol@lab.example>"], ("", ""));
    assert_eq!(world.events(0).last().unwrap(), "referral 1 to sip:carol@lab.example");
    world.command(0, Command::AcceptRefer { referral: 1 }).run(5);
    assert!(world.call(0).has_referrals());
    // A copy makes no second call, whether the first is done or not.
    for cseq in 3..=5 {
        assert_eq!(referred(&mut world, cseq, &["Refer-To: <sip:carol@lab.example>"]), 603);
        let declined = format!("referral 0 declined {:?}", Declined::Repeated);
        assert_eq!(world.events(0).last().unwrap(), &declined);
    }
    hangs_up_clean(&mut world);
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
