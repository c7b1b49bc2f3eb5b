//! What the machine tells of what it cannot use: descriptions, requests that it refuses, headers that break the grammar; and forks without end.
use super::*;
use crate::ua::call::completed_elsewhere;

#[test]
fn a_description_that_repeats_the_answer_after_an_update_is_left_alone() {
    let mut world = World::scripted();
    world.dial().run(5);
    let invite = world.last("INVITE");
    let reliable = ["Require: 100rel", "RSeq: 1", "Allow: INVITE, ACK, BYE, UPDATE, PRACK", CONTACT];
    world.reply(&invite, 183, "b", &reliable, &sdp_of(7000));
    let prack = world.last("PRACK");
    world.reply(&prack, 200, "", &[], "");
    world.ask("UPDATE", 2, &[], ("application/sdp", &sdp_of(7010)));
    assert_eq!(world.status(), 200);
    // A further provisional response repeats it too.
    world.reply(&invite, 180, "b", &[CONTACT], &sdp_of(7000));
    world.reply(&invite, 200, "b", &[CONTACT], &sdp_of(7000));
    assert_eq!(world.call(0).plan().unwrap().remote.port(), 7010);
    assert!(!world.ladder.iter().any(|line| line.ends_with("BYE")), "{:#?}", world.ladder);
    assert_eq!(
        world.events(0),
        ["progress 183", "early media 0", "changed Peer", "progress 180", "answered sendrecv"]
    );
}

#[test]
fn a_reliable_183_with_the_answer_and_a_200_that_repeats_it_is_a_call() {
    let mut world = World::scripted();
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 183, "b", &["Require: 100rel", "RSeq: 1", CONTACT], &sdp_of(7000));
    world.reply(&invite, 200, "b", &[CONTACT], &sdp_of(7000));
    assert_eq!(world.events(0), ["progress 183", "early media 0", "answered sendrecv"]);
}

#[test]
fn a_200_without_a_description_and_none_before_is_told_as_that() {
    let mut world = World::scripted();
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 200, "b", &[CONTACT], "");
    assert_eq!(world.events(0)[0], "media failed: there is no description");
}

#[test]
fn each_of_many_forks_that_answer_gets_an_ack_and_a_bye() {
    const FORKS: usize = 100;
    let mut world = World::scripted();
    world.dial().run(5);
    let invite = world.last("INVITE");
    for fork in 0..FORKS {
        world.reply(&invite, 180, &format!("f{fork}"), &[CONTACT], "");
    }
    for fork in 0..FORKS {
        world.reply(&invite, 200, &format!("f{fork}"), &[CONTACT], &sdp_of(7000));
    }
    world.command(0, HANG_UP).run(5);
    let tags = |world: &World, wanted: &str| {
        let of = world.inbox.iter().filter(|m| m.method().is_some_and(|x| x.as_bytes() == wanted.as_bytes()));
        let tags = of.map(|m| String::from_utf8_lossy(m.to().unwrap().tag().unwrap()).into_owned());
        tags.collect::<std::collections::BTreeSet<_>>()
    };
    let all = (0..FORKS).map(|fork| format!("f{fork}")).collect();
    assert_eq!((&tags(&world, "ACK"), &tags(&world, "BYE")), (&all, &all));
    let hung_up = world.events(0).iter().filter(|event| event.ends_with("hung up")).count();
    assert_eq!(hung_up, FORKS - 1);
    // Nothing that a peer can do makes us keep more than the limit.
    for fork in 0..2 * MAX_ANSWERS {
        world.reply(&invite, 200, &format!("g{fork}"), &[CONTACT], &sdp_of(7000));
    }
    assert_eq!(world.call(0).legs.len(), MAX_ANSWERS);
}

#[test]
fn an_offer_that_we_refuse_is_told_with_what_it_offered() {
    let mut world = World::scripted();
    let offer = sdp_of(7000)
        .replace("RTP/AVP 8 96", "UDP/TLS/RTP/SAVPF 111 8")
        .replace("rtpmap:96 telephone-event/8000", "rtpmap:111 opus/48000/2");
    world.ask("INVITE", 1, &[], ("application/sdp", &offer));
    assert_eq!(world.status(), 488);
    assert_eq!(
        world.events(0),
        [
            "media failed: the audio stream wants the transport UDP/TLS/RTP/SAVPF, not RTP/AVP",
            "offer refused 488: audio over UDP/TLS/RTP/SAVPF: OPUS/48000/2, PCMA/8000",
            "ended Local Refused(488)"
        ]
    );
    let mut world = World::scripted();
    let offer = sdp_of(7000).replace("AVP 8 96", "AVP 18");
    world.ask("INVITE", 1, &[], ("application/sdp", &offer));
    assert_eq!(world.events(0)[1], "offer refused 488: audio over RTP/AVP: G729/8000");
}

#[test]
fn names_without_quotes_are_taken_and_told() {
    for from in [
        "Doe, John <sip:1001@pbx.example.com>;tag=b",
        "Bob (desk) <sip:1001@pbx.example.com>;tag=b",
        "Sales/Support <sip:1001@pbx.example.com>;tag=b",
        "sip:1001@pbx.example.com;;tag=b",
    ] {
        let mut world = World::scripted();
        let text = format!(
            "INVITE sip:alice@127.0.0.1:39999 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:49999;branch=z9hG4bKs0\r\nFrom: {from}\r\n\
             To: <sip:alice@lab.example>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n{CONTACT}\r\nContent-Length: 0\r\n\r\n"
        );
        world.deliver(0, text.into());
        world.command(0, Command::Answer).run(5);
        assert_eq!((world.status(), world.events(0)), (200, vec![format!("loosely read From: {from}")]));
        world.ask("ACK", 1, &[], ("application/sdp", &sdp_of(7000)));
        world.ask("BYE", 2, &[], ("", ""));
        assert_eq!(world.events(0).last().unwrap(), "ended Peer HungUp");
    }
}

#[test]
fn what_we_refuse_of_the_peer_is_told_with_the_reason() {
    let mut world = World::scripted();
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 200, "b", &[CONTACT], &sdp_of(7000));
    world.command(
        0,
        Command::Refer(Box::new(crate::ua::transfer::Refer::new(
            1,
            crate::ua::transfer::Target::new("sip:carol@lab.example"),
        ))),
    );
    world.run(5);
    let refer = world.last("REFER");
    world.reply(&refer, 202, "", &[], "");
    let body = ("message/sipfrag", "SIP/2.0 200 OK");
    world.ask("NOTIFY", 1, &["Event: refer"], body);
    assert_eq!(world.status(), 400);
    world.ask("NOTIFY", 2, &["Subscription-State: active"], body);
    assert_eq!(world.status(), 489);
    world.ask("NOTIFY", 3, &["Event: presence", "Subscription-State: active"], body);
    world.ask("NOTIFY", 2, &["Event: refer", "Subscription-State: active"], body);
    assert_eq!(world.status(), 500);
    world.ask("NOTIFY", 4, &["Event: refer", "Subscription-State: active"], ("", ""));
    assert_eq!(world.status(), 200);
    world.ask("NOTIFY", 5, &["Event: refer", "Subscription-State: terminated"], body);
    world.ask("NOTIFY", 6, &["Event: refer;id=99", "Subscription-State: active"], body);
    assert_eq!(world.status(), 481);
    let events = world.events(0);
    assert_eq!(
        events[2..],
        [
            "NOTIFY refused 400: it has no Subscription-State (RFC 6665 sec. 4.1.3)",
            "NOTIFY refused 489: it has no Event (RFC 6665 sec. 8.2.1)",
            "NOTIFY refused 489: its Event is presence, not refer",
            "NOTIFY refused 500: out of order: CSeq 2 after 3",
            "refer 1 notified None active",
            "refer 1 notified Some(200) terminated",
            "refer 1 over Terminated { reason: None }",
            "NOTIFY refused 481: no REFER of ours with Event id \"99\" waits for it",
        ]
    );
}

#[test]
fn a_notify_with_another_from_tag_is_told() {
    let mut world = World::scripted();
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 200, "other", &[CONTACT], &sdp_of(7000));
    world.ask("NOTIFY", 1, &["Event: refer", "Subscription-State: active"], ("", ""));
    assert_eq!(world.status(), 481);
    assert_eq!(world.events(0).last().unwrap(), "NOTIFY refused 481: its tags name no dialog of this call");
}

#[test]
fn another_device_took_the_call() {
    for (reason, elsewhere) in [
        ("SIP;cause=200;text=\"Call completed elsewhere\"", true),
        ("sip ;cause=200", true),
        ("Q.850;cause=26;text=\"Non-selected user clearing\"", true),
        ("Call completed elsewhere", true),
        ("SIP;cause=487", false),
        ("Q.850;cause=16;text=\"Normal\"", false),
    ] {
        assert_eq!(completed_elsewhere(&[reason.to_owned()]), elsewhere, "{reason}");
    }
    assert!(!completed_elsewhere(&[]));
}
