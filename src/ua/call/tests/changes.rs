//! Changes that the peer wants, against a script.
use super::*;

const SDP_BODY: &str = "application/sdp";

/// A call to us, answered and acknowledged.
fn up() -> World {
    let mut world = World::scripted();
    world
        .ask("INVITE", 1, &["Allow: INVITE, UPDATE"], (SDP_BODY, &sdp_of(7000)))
        .command(0, Command::Answer)
        .run(5);
    world.ask("ACK", 1, &[], ("", ""));
    world
}

/// INVITEs of ours, repetitions not counted.
fn invites(world: &World) -> usize {
    let invites = world.inbox.iter().filter(|m| m.method() == Some(Method::Invite));
    invites.map(|m| m.cseq().unwrap().number).collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
fn a_re_invite_right_behind_the_ack_moves_the_media() {
    let mut world = up();
    world.ask("INVITE", 2, &[], (SDP_BODY, &sdp_of(7010))).ask("ACK", 2, &[], ("", ""));
    assert_eq!(
        (world.status(), world.events(0)),
        (200, vec!["answered sendrecv".to_owned(), "changed Peer".to_owned()])
    );
    assert_eq!(world.call(0).plan().unwrap().remote.port(), 7010);
    world.ask("UPDATE", 3, &[], (SDP_BODY, &sdp_of(7020)));
    assert_eq!((world.status(), world.call(0).plan().unwrap().remote.port()), (200, 7020));
}

#[test]
fn a_re_invite_that_overtakes_the_ack_is_taken_as_that() {
    let mut world = World::scripted();
    world.ask("INVITE", 1, &[], (SDP_BODY, &sdp_of(7000))).command(0, Command::Answer).run(5);
    world.ask("INVITE", 2, &[], (SDP_BODY, &sdp_of(7010))).ask("ACK", 1, &[], ("", "")).ask(
        "ACK",
        2,
        &[],
        ("", ""),
    );
    world.run(60_000);
    assert_eq!(world.seen(">"), ["200 INVITE", "200 INVITE"]);
    assert!(world.call(0).is_up());
}

#[test]
fn a_re_invite_without_description_gets_an_offer_and_the_ack_its_answer() {
    let mut world = up();
    world.ask("INVITE", 2, &[], ("", ""));
    assert!(world.last_response().body().starts_with(b"v=0"));
    // While our offer is open, no other one.
    world.ask("UPDATE", 3, &[], (SDP_BODY, &sdp_of(7020)));
    assert_eq!(world.status(), 491);
    world.ask("ACK", 2, &[], (SDP_BODY, &sdp_of(7010)));
    let refused =
        "UPDATE refused 491: a change of ours, or the answer to the call itself, is still on its way";
    assert_eq!(world.events(0), ["answered sendrecv", refused, "changed Peer"]);
    // And an ACK that answers nothing leaves all as it was.
    world.ask("INVITE", 4, &[], ("", "")).ask("ACK", 4, &[], ("", ""));
    assert_eq!(world.events(0)[3..], ["media failed: the ACK has no answer to the offer in our 200"]);
    assert!(world.call(0).is_up() && world.call(0).plan().unwrap().remote.port() == 7010);
}

#[test]
fn an_offer_that_cannot_be_used_is_refused_and_the_call_goes_on() {
    let mut world = up();
    world.ask("INVITE", 2, &[], (SDP_BODY, &sdp_of(7010).replace("RTP/AVP 8", "RTP/AVP 18")));
    assert_eq!((world.status(), world.call(0).plan().unwrap().remote.port()), (488, 7000));
    world.ask("UPDATE", 3, &[], ("", ""));
    assert_eq!((world.status(), world.last_response().body().is_empty()), (200, true));
}

#[test]
fn the_peer_holds_in_the_old_way_and_resumes() {
    let mut world = up();
    let held = sdp_of(7000).replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0");
    world.ask("INVITE", 2, &[], (SDP_BODY, &held)).ask("ACK", 2, &[], ("", ""));
    world.ask("INVITE", 3, &[], (SDP_BODY, &sdp_of(7000))).ask("ACK", 3, &[], ("", ""));
    assert_eq!(world.events(0)[1..], ["held Peer recvonly", "resumed Peer sendrecv"]);
}

#[test]
fn our_change_that_meets_one_of_the_peer_waits_and_is_sent_again() {
    let mut world = up();
    world.command(0, Command::Hold(Hold::SendOnly)).run(5);
    let ours = world.last("INVITE");
    world.ask("INVITE", 2, &[], (SDP_BODY, &sdp_of(7010)));
    assert_eq!(world.status(), 491);
    world.reply(&ours, 491, "", &[], "");
    let (at, Event::Glare { again_in }) = world.sides[0].events[2] else { panic!("{:?}", world.events(0)) };
    // We do not own the Call-ID: up to two seconds, in steps of ten milliseconds.
    assert!(again_in.as_millis() <= 2_000 && again_in.as_millis() % 10 == 0);
    world.run(2_100);
    let again = world.last("INVITE");
    assert_eq!(invites(&world), 2);
    assert!(world.times("> INVITE")[1] >= at + again_in.as_millis() as u64);
    world.reply(&again, 200, "", &[CONTACT], &sdp_of(7000));
    assert_eq!(world.events(0).last().unwrap(), "held Local sendonly");
}

#[test]
fn glares_without_end_are_given_up() {
    let mut world = up();
    world.command(0, Command::Hold(Hold::Inactive)).run(5);
    for _ in 0..20 {
        let ours = world.last("INVITE");
        world.reply(&ours, 491, "", &[], "").run(2_100);
    }
    assert_eq!(invites(&world), 1 + MAX_GLARES as usize);
    assert_eq!(world.events(0).last().unwrap(), "change failed Some(491)");
    // What we wanted is forgotten: the next answer to the peer is not held.
    world.ask("UPDATE", 2, &[], (SDP_BODY, &sdp_of(7000)));
    assert_eq!(world.call(0).plan().unwrap().direction, crate::sdp::Direction::SendRecv);
}

#[test]
fn a_refused_hold_leaves_the_call_as_it_was() {
    let mut world = up();
    world.command(0, Command::Hold(Hold::SendOnly)).run(5);
    let ours = world.last("INVITE");
    world.reply(&ours, 488, "", &[], "");
    assert_eq!(world.events(0)[1..], ["change failed Some(488)"]);
    assert!(world.call(0).is_up());
    assert_eq!(world.call(0).plan().unwrap().direction, crate::sdp::Direction::SendRecv);
}

#[test]
fn an_update_that_is_not_understood_becomes_a_re_invite() {
    let mut world = World::scripted();
    world.sides[0].config.prefer_update = true;
    world
        .ask("INVITE", 1, &["Allow: INVITE, UPDATE"], (SDP_BODY, &sdp_of(7000)))
        .command(0, Command::Answer)
        .run(5);
    world.ask("ACK", 1, &[], ("", "")).command(0, Command::Hold(Hold::SendOnly)).run(5);
    let update = world.last("UPDATE");
    world.reply(&update, 501, "", &[], "");
    let invite = world.last("INVITE");
    world.reply(&invite, 200, "", &[CONTACT], &sdp_of(7000));
    assert_eq!(world.events(0).last().unwrap(), "held Local sendonly");
}

#[test]
fn an_update_in_an_early_dialog_is_refused_until_the_first_answer_has_surely_arrived() {
    let mut world = World::scripted();
    world.ask("INVITE", 1, &["Require: 100rel"], (SDP_BODY, &sdp_of(7000)));
    world.command(0, Command::Ring { status: 183, media: true }).run(5);
    let rseq = String::from_utf8(world.last_response().header(HeaderName::RSeq).unwrap().to_vec()).unwrap();
    world.ask("UPDATE", 2, &[], (SDP_BODY, &sdp_of(7010)));
    assert_eq!(
        (world.status(), world.last_response().header(HeaderName::RetryAfter)),
        (500, Some(&b"1"[..]))
    );
    world.ask("PRACK", 3, &[&format!("RAck: {rseq} 1 INVITE")], ("", "")).ask(
        "UPDATE",
        4,
        &[],
        (SDP_BODY, &sdp_of(7010)),
    );
    let refused = "UPDATE refused 500: an offer before ours was surely answered";
    assert_eq!(world.status(), 200);
    assert_eq!(world.events(0), ["early media 0", refused, "changed Peer"]);
}

#[test]
fn a_refresh_that_asks_for_too_little_is_refused_with_422() {
    let mut world = up();
    world.ask("UPDATE", 2, &["Session-Expires: 20", "Supported: timer"], ("", ""));
    assert_eq!((world.status(), world.last_response().header(HeaderName::MinSe)), (422, Some(&b"90"[..])));
    world.ask("UPDATE", 3, &["Session-Expires: 90;refresher=uac", "Supported: timer"], ("", ""));
    assert_eq!(world.last_response().header(HeaderName::SessionExpires), Some(&b"90;refresher=uac"[..]));
    assert_eq!(world.events(0).last().unwrap(), "refreshed Peer");
}

#[test]
fn our_refresh_that_asks_for_too_little_is_sent_again_with_more() {
    let mut world = World::scripted();
    world.sides[0].config.session_expires = Some(100);
    world.ask(
        "INVITE",
        1,
        &["Session-Expires: 100;refresher=uas", "Supported: timer"],
        (SDP_BODY, &sdp_of(7000)),
    );
    world.command(0, Command::Answer).run(5).ask("ACK", 1, &[], ("", "")).run(50_000);
    let refresh = world.last("INVITE");
    world.reply(&refresh, 422, "", &["Min-SE: 400"], "");
    let again = world.last("INVITE");
    assert_eq!(again.header(HeaderName::SessionExpires), Some(&b"400;refresher=uac"[..]));
    assert_eq!(again.header(HeaderName::MinSe), Some(&b"400"[..]));
    world.reply(&again, 200, "", &[CONTACT, "Session-Expires: 400;refresher=uac"], &sdp_of(7000));
    assert_eq!(world.events(0)[1..], ["refreshed Local"]);
}

#[test]
fn nothing_but_a_bye_is_taken_while_we_hang_up() {
    let mut world = up();
    world.command(0, HANG_UP).run(5).ask("INVITE", 2, &[], (SDP_BODY, &sdp_of(7010)));
    assert_eq!(world.status(), 481);
    // Both hang up at once.
    world.ask("BYE", 3, &[], ("", ""));
    assert_eq!(world.status(), 200);
    let bye = world.last("BYE");
    world.reply(&bye, 481, "", &[], "").run(100_000);
    assert_eq!(
        (world.events(0).last().unwrap().as_str(), world.sides[0].finished),
        ("ended Local HungUp", true)
    );
}
