//! Two calls of ours against each other, over a wire without loss.
use super::*;

const RING: Command = Command::Ring { status: 180, media: false };

fn up() -> World {
    let mut world = World::new();
    world.dial().run(10).command(1, RING).run(1_000).command(1, Command::Answer).run(100);
    assert!(world.call(0).is_up() && world.call(1).is_up(), "{:#?}", world.ladder);
    world
}

/// Both are over, nothing is left.
#[track_caller]
fn is_clean(world: &mut World) {
    world.run(200_000);
    for side in &world.sides {
        assert!(side.finished && side.layer.is_empty(), "{:#?}", world.ladder);
        assert_eq!(side.call.as_ref().unwrap().poll_timeout(), None);
    }
}

#[test]
fn a_call_rings_is_answered_and_hung_up_with_a_reason() {
    let mut world = up();
    let (ours, theirs) = (world.call(0).plan().unwrap().clone(), world.call(1).plan().unwrap().clone());
    assert_eq!(ours.mirrored(), theirs);
    world.command(0, Command::HangUp { reason: Some("SIP;cause=200;text=\"done\"".to_owned()) });
    is_clean(&mut world);
    assert_eq!(world.seen(">"), ["INVITE", "ACK", "BYE"]);
    assert_eq!(world.seen("<"), ["180 INVITE", "200 INVITE", "200 BYE"]);
    assert_eq!(world.events(0), ["progress 180", "answered sendrecv", "ended Local HungUp"]);
    let ended = &world.sides[1].events.last().unwrap().1;
    let reasons = vec!["SIP;cause=200;text=\"done\"".to_owned()];
    assert_eq!(*ended, Event::Ended { by: By::Peer, cause: Cause::HungUp, reasons });
}

#[test]
fn the_called_side_can_hang_up_too() {
    let mut world = up();
    world.command(1, HANG_UP);
    is_clean(&mut world);
    assert_eq!(world.events(0).last().unwrap(), "ended Peer HungUp");
    assert_eq!(world.events(1), ["answered sendrecv", "ended Local HungUp"]);
}

#[test]
fn a_refusal_carries_its_status_and_reason() {
    let mut world = World::new();
    world.dial().run(10).command(1, RING).run(500);
    world.command(1, Command::Refuse { status: 486, reason: Some("Q.850;cause=17".to_owned()) });
    is_clean(&mut world);
    let (_, Event::Rejected(rejection)) = &world.sides[0].events[1] else { panic!("{:?}", world.events(0)) };
    assert_eq!((rejection.status, &*rejection.phrase, rejection.requests), (Some(486), "Busy Here", 1));
    assert_eq!(rejection.reasons, ["Q.850;cause=17"]);
    assert_eq!(world.events(1), ["ended Local Refused(486)"]);
}

#[test]
fn a_call_that_is_cancelled_ends_on_both_sides() {
    let mut world = World::new();
    world.dial().run(10).command(1, RING).run(3_000).command(0, HANG_UP);
    is_clean(&mut world);
    assert_eq!(world.events(0), ["progress 180", "ended Local Cancelled"]);
    assert_eq!(world.events(1), ["ended Peer Cancelled"]);
    assert_eq!(world.seen(">"), ["INVITE", "CANCEL", "ACK"]);
}

#[test]
fn a_reason_that_is_none_is_left_out_and_the_call_ends_all_the_same() {
    let none = || Some("SIP;cause=200\r\nVia: x".to_owned());
    let mut cancelled = World::new();
    cancelled.dial().run(10).command(1, RING).run(3_000).command(0, Command::HangUp { reason: none() });
    let mut refused = World::new();
    refused.dial().run(10).command(1, RING).run(500);
    refused.command(1, Command::Refuse { status: 486, reason: none() });
    let mut hung_up = up();
    hung_up.command(0, Command::HangUp { reason: none() });
    for (mut world, sent) in [
        (cancelled, vec!["INVITE", "CANCEL", "ACK"]),
        (refused, vec!["INVITE", "ACK"]),
        (hung_up, vec!["INVITE", "ACK", "BYE"]),
    ] {
        is_clean(&mut world);
        assert_eq!(world.seen(">"), sent);
        let reasons = |event: &Event| match event {
            Event::Ended { reasons, .. } => Some(reasons.clone()),
            Event::Rejected(rejection) => Some(rejection.reasons.clone()),
            _ => None,
        };
        let reasons: Vec<String> = world
            .sides
            .iter()
            .flat_map(|side| &side.events)
            .filter_map(|(_, event)| reasons(event))
            .flatten()
            .collect();
        assert_eq!(reasons, [""; 0]);
    }
}

#[test]
fn a_200_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let mut world = World::new();
    world.dial().run(10).command(1, RING).run(3_000).command(1, Command::Answer).command(0, HANG_UP);
    is_clean(&mut world);
    assert_eq!(world.seen(">"), ["INVITE", "CANCEL", "ACK", "BYE"]);
    assert_eq!(world.events(0), ["progress 180", "ended Local Cancelled"]);
    assert_eq!(world.events(1), ["answered sendrecv", "ended Peer HungUp"]);
}

#[test]
fn a_lost_ack_is_sent_again_for_each_200() {
    let mut world = World::new();
    world.black_hole = Some((1, "ACK"));
    world.dial().run(10).command(1, Command::Answer).run(4_000);
    assert_eq!(world.times("200 INVITE"), [11, 511, 1511, 3511]);
    world.black_hole = None;
    world.run(20_000);
    assert_eq!((world.times("200 INVITE").len(), world.times("> ACK")), (5, vec![7512]));
    world.command(1, HANG_UP);
    is_clean(&mut world);
}

#[test]
fn a_200_without_any_ack_is_given_up_after_32_seconds_with_a_bye() {
    let mut world = World::new();
    world.black_hole = Some((1, "ACK"));
    world.dial().run(10).command(1, Command::Answer);
    is_clean(&mut world);
    assert_eq!(
        world.times("200 INVITE"),
        [11, 511, 1511, 3511, 7511, 11511, 15511, 19511, 23511, 27511, 31511]
    );
    assert_eq!(world.times("< BYE"), [32_011]);
    assert_eq!(world.events(1), ["answered sendrecv", "ended Local NoAck"]);
    assert_eq!(world.events(0), ["answered sendrecv", "ended Peer HungUp"]);
}

#[test]
fn the_called_side_hangs_up_only_when_the_ack_is_there() {
    let mut world = World::new();
    world.black_hole = Some((1, "ACK"));
    world.dial().run(10).command(1, Command::Answer).command(1, HANG_UP).run(1_000);
    assert!(world.times("< BYE").is_empty());
    world.black_hole = None;
    is_clean(&mut world);
    assert_eq!((world.times("> ACK"), world.times("< BYE")), (vec![1512], vec![1513]));
}

#[test]
fn a_call_that_nobody_answers_times_out_as_a_timeout() {
    let mut world = World::new();
    world.black_hole = Some((1, "INVITE"));
    world.dial().run(100_000);
    assert_eq!(world.events(0), ["rejected None Timeout"]);
    assert!(world.sides[0].finished && world.sides[0].layer.is_empty());
}

#[test]
fn hold_and_resume_go_by_re_invite_or_update_in_all_three_ways() {
    for update in [false, true] {
        let mut world = World::new();
        world.sides[0].config.prefer_update = update;
        world.dial().run(10).command(1, Command::Answer).run(100);
        for (hold, ours, theirs) in [
            (Hold::SendOnly, "sendonly", "recvonly"),
            (Hold::Inactive, "inactive", "inactive"),
            (Hold::ZeroAddress, "sendonly", "recvonly"),
        ] {
            world.command(0, Command::Hold(hold)).run(100);
            assert_eq!(world.events(0).pop().unwrap(), format!("held Local {ours}"));
            assert_eq!(world.events(1).pop().unwrap(), format!("held Peer {theirs}"));
            world.command(0, Command::Resume).run(100);
            assert_eq!(world.events(0).pop().unwrap(), "resumed Local sendrecv");
            assert_eq!(world.events(1).pop().unwrap(), "resumed Peer sendrecv");
        }
        assert_eq!(world.times("UPDATE").len(), if update { 12 } else { 0 });
        assert_eq!(world.times("> INVITE").len(), if update { 1 } else { 7 });
        world.command(1, HANG_UP);
        is_clean(&mut world);
    }
}

#[test]
fn both_sides_hold_at_once_and_both_get_their_way_after_the_back_off() {
    for update in [false, true] {
        let mut world = World::new();
        world.sides.iter_mut().for_each(|side| side.config.prefer_update = update);
        world.dial().run(10).command(1, Command::Answer).run(100);
        world.command(0, Command::Hold(Hold::SendOnly)).command(1, Command::Hold(Hold::SendOnly)).run(30_000);
        let glares: Vec<&Event> = world
            .sides
            .iter()
            .flat_map(|s| &s.events)
            .map(|(_, e)| e)
            .filter(|e| matches!(e, Event::Glare { .. }))
            .collect();
        assert!(glares.len() >= 2, "{:#?}", world.ladder);
        for side in 0..2 {
            assert_eq!(world.call(side).plan().unwrap().direction, crate::sdp::Direction::Inactive);
        }
        world.command(0, HANG_UP);
        is_clean(&mut world);
    }
}

#[test]
fn info_goes_both_ways_and_unknown_bodies_are_refused() {
    let mut world = up();
    let info = |token, kind: &str, body: &str| Command::Info {
        token,
        content_type: kind.to_owned(),
        body: body.as_bytes().to_vec(),
    };
    world.command(0, info(1, "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n")).run(10);
    world.command(1, info(2, "application/dtmf", "#")).run(10).command(1, info(3, "text/plain", "x")).run(10);
    let (ours, theirs) = (world.events(0), world.events(1));
    assert_eq!(
        ours[2..],
        ["info 1 answered Some(200)", "info application/dtmf # 200", "info text/plain x 415"]
    );
    assert_eq!(
        theirs[1..],
        [
            "info application/dtmf-relay Signal=5\r\nDuration=160 200",
            "info 2 answered Some(200)",
            "info 3 answered Some(415)"
        ]
    );
    world.command(0, HANG_UP);
    is_clean(&mut world);
}

#[test]
fn reliable_ringing_is_acknowledged_with_prack_and_carries_early_media() {
    let mut world = World::new();
    world.sides[0].config.require_reliable = true;
    world.dial().run(10);
    world
        .command(1, RING)
        .command(1, Command::Ring { status: 183, media: true })
        .run(50)
        .command(1, Command::Answer)
        .run(50);
    assert_eq!(world.seen(">"), ["INVITE", "PRACK", "PRACK", "ACK"]);
    assert_eq!(world.seen("<"), ["180 INVITE", "200 PRACK", "183 INVITE", "200 PRACK", "200 INVITE"]);
    assert_eq!(world.events(0), ["progress 180", "progress 183", "early media 0", "answered sendrecv"]);
    world.command(1, HANG_UP);
    is_clean(&mut world);
}

#[test]
fn a_reliable_response_without_prack_ends_the_call_after_32_seconds() {
    let mut world = World::new();
    world.sides[0].config.require_reliable = true;
    world.black_hole = Some((1, "PRACK"));
    world.dial().run(10).command(1, RING).command(1, Command::Answer);
    is_clean(&mut world);
    assert_eq!(world.times("180 INVITE"), [11, 511, 1511, 3511, 7511, 15511, 31511]);
    assert_eq!(
        (world.events(1), world.times("504 INVITE")),
        (vec!["ended Local NoPrack".to_owned()], vec![32011])
    );
    assert_eq!(world.events(0)[1..], ["rejected Some(504) Refused"]);
}

#[test]
fn the_session_is_refreshed_by_the_caller_at_half_of_its_interval() {
    for update in [false, true] {
        let mut world = World::new();
        world.sides[0].config.session_expires = Some(100);
        world.sides[0].config.prefer_update = update;
        world.dial().run(10).command(1, Command::Answer).run(120_000);
        let method = if update { "> UPDATE" } else { "> INVITE" };
        let times = world.times(method);
        assert_eq!(times[times.len() - 2..], [50_012, 100_014], "{:#?}", world.ladder);
        assert_eq!(world.events(0)[1..], ["refreshed Local", "refreshed Local"]);
        assert_eq!(world.events(1)[1..], ["refreshed Peer", "refreshed Peer"]);
        world.command(0, HANG_UP);
        is_clean(&mut world);
    }
}

#[test]
fn a_session_that_nobody_refreshes_is_hung_up() {
    let mut world = World::new();
    world.sides[0].config.session_expires = Some(90);
    world.dial().run(10).command(1, Command::Answer).run(1_000);
    world.sides[0].call = None;
    world.run(100_000);
    // 90 s less a third.
    assert_eq!(world.times("< BYE"), [60_011]);
    assert_eq!(world.events(1)[1..], ["ended Local SessionExpired"]);
}

#[test]
fn an_interval_that_is_too_small_is_raised_after_422() {
    let mut world = World::new();
    world.sides[0].config.session_expires = Some(120);
    world.sides[1].config.min_se = 300;
    world.dial().run(10).command(1, Command::Answer).run(160_000);
    assert_eq!(world.times("422 INVITE").len(), 1);
    assert_eq!(world.times("> INVITE").len(), 3);
    assert_eq!(world.events(0), ["answered sendrecv", "refreshed Local"]);
    assert_eq!(
        world.events(1),
        [
            "INVITE refused 422: its Session-Expires, 120, is less than 300 s",
            "ended Local Refused(422)",
            "answered sendrecv",
            "refreshed Peer"
        ]
    );
    world.command(0, HANG_UP);
    is_clean(&mut world);
}

#[test]
fn a_call_without_a_codec_in_common_is_refused_with_488() {
    let mut world = World::new();
    world.sides[0].config.local.codecs = vec![crate::sdp::Codec::Pcmu];
    world.sides[1].config.local.codecs = vec![crate::sdp::Codec::Pcma];
    world.dial();
    is_clean(&mut world);
    assert_eq!(world.events(0), ["rejected Some(488) Refused"]);
    assert_eq!(
        world.events(1),
        [
            "media failed: no codec in common: only PCMU",
            "offer refused 488: audio over RTP/AVP: PCMU/8000, TELEPHONE-EVENT/8000",
            "ended Local Refused(488)"
        ]
    );
}
