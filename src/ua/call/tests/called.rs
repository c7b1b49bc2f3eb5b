//! The side that is called, against a script.
use super::*;

const SDP_BODY: &str = "application/sdp";

fn called(headers: &[&str], sdp: &str) -> World {
    let mut world = World::scripted();
    world.ask("INVITE", 1, headers, (SDP_BODY, sdp));
    world
}

fn ends(world: &mut World) {
    world.ask("BYE", 90, &[], ("", "")).run(100_000);
    assert_eq!((world.times("200 BYE").len(), world.sides[0].finished), (1, true));
    assert!(world.sides[0].layer.is_empty(), "{:#?}", world.ladder);
}

#[test]
fn a_call_without_offer_gets_ours_in_the_200_and_the_answer_comes_with_the_ack() {
    let mut world = called(&[], "");
    world.command(0, Command::Answer).run(5);
    assert!(world.last_response().body().starts_with(b"v=0") && world.events(0).is_empty());
    world.ask("ACK", 1, &[], (SDP_BODY, &sdp_of(7000)));
    assert_eq!(world.events(0), ["answered sendrecv"]);
    assert_eq!(world.call(0).plan().unwrap().remote.port(), 7000);
    ends(&mut world);
}

#[test]
fn the_route_that_the_invite_took_goes_back_in_what_makes_the_dialog_and_in_nothing_else() {
    let routes =
        ["Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr>", "Record-Route: <sip:p0.example;lr>"];
    let mut world = called(&routes, &sdp_of(7000));
    let recorded = |world: &World| {
        let response = world.last_response();
        let values = response.headers().filter(|header| header.name == HeaderName::RecordRoute);
        values.map(|header| String::from_utf8_lossy(header.value).into_owned()).collect::<Vec<_>>()
    };
    let both = ["<sip:p2.example;lr>, <sip:p1.example;lr>", "<sip:p0.example;lr>"];
    world.command(0, Command::Ring { status: 180, media: false }).run(5);
    assert_eq!(recorded(&world), both);
    world.command(0, Command::Answer).run(5);
    assert_eq!((world.status(), recorded(&world)), (200, both.map(str::to_owned).to_vec()));
    world.ask("ACK", 1, &[], ("", ""));
    ends(&mut world);
    let mut refused = called(&routes, &sdp_of(7000));
    refused.command(0, Command::Refuse { status: 486, reason: None }).run(5);
    assert_eq!((refused.status(), recorded(&refused)), (486, Vec::new()));
}

#[test]
fn an_ack_without_the_answer_that_is_due_ends_the_call() {
    let mut world = called(&[], "");
    world.command(0, Command::Answer).run(5).ask("ACK", 1, &[], ("", ""));
    let bye = world.last("BYE");
    world.reply(&bye, 200, "", &[], "").run(100_000);
    assert_eq!(
        world.events(0),
        ["media failed: the ACK has no answer to the offer in our 200", "ended Local Media(NoAnswerInAck)"]
    );
    assert!(world.sides[0].finished);
}

#[test]
fn a_caller_that_wants_reliable_responses_and_offers_nothing_gets_the_offer_in_the_first_of_them() {
    let mut world = called(&["Require: 100rel"], "");
    world.command(0, Command::Ring { status: 180, media: false }).command(0, Command::Answer).run(5);
    let ringing = world.last_response();
    assert_eq!((ringing.status(), ringing.body().is_empty()), (Some(180), false));
    let rseq: u32 = std::str::from_utf8(ringing.header(HeaderName::RSeq).unwrap()).unwrap().parse().unwrap();
    world.ask("PRACK", 2, &[&format!("RAck: {} 1 INVITE", rseq + 1)], ("", ""));
    assert_eq!(world.status(), 481);
    world.ask("PRACK", 3, &[&format!("RAck: {rseq} 1 INVITE")], (SDP_BODY, &sdp_of(7000)));
    assert_eq!(world.seen(">")[..], ["180 INVITE", "481 PRACK", "200 PRACK", "200 INVITE"]);
    assert!(world.last_response().body().is_empty(), "the session is described already");
    world.ask("ACK", 1, &[], ("", ""));
    let refused = "PRACK refused 481: it names no response of ours that waits for it";
    assert_eq!(world.events(0), [refused, "early media 0", "answered sendrecv"]);
    ends(&mut world);
}

#[test]
fn what_we_do_not_know_is_refused_at_once() {
    let world = called(&["Require: timer, precondition, 100rel, x"], &sdp_of(7000));
    assert_eq!(
        (world.status(), world.last_response().header(HeaderName::Unsupported)),
        (420, Some(&b"precondition, x"[..]))
    );
    let mut world = called(&["Session-Expires: 30", "Supported: timer"], &sdp_of(7000));
    assert_eq!((world.status(), world.last_response().header(HeaderName::MinSe)), (422, Some(&b"90"[..])));
    let mut bad = called(&[], "v=0\r\nm=audio 7000 RTP/SAVP 8\r\n");
    assert_eq!((bad.status(), bad.last_response().header(HeaderName::Warning).is_some()), (488, true));
    for world in [&mut world, &mut bad] {
        assert!(world.call(0).is_over());
        world.run(100_000);
        assert!(world.sides[0].finished && world.sides[0].layer.is_empty());
    }
}

#[test]
fn a_caller_without_session_timers_is_refreshed_by_us() {
    let mut world = called(&["Session-Expires: 100"], &sdp_of(7000));
    world.command(0, Command::Answer).run(5);
    let ok = world.last_response();
    assert_eq!(
        (ok.header(HeaderName::SessionExpires), ok.header(HeaderName::Require)),
        (Some(&b"100;refresher=uas"[..]), None)
    );
    world.ask("ACK", 1, &[], ("", "")).run(60_000);
    let refresh = world.last("INVITE");
    assert_eq!(refresh.header(HeaderName::SessionExpires), Some(&b"100;refresher=uac"[..]));
    assert!(refresh.body().starts_with(b"v=0"));
    ends(&mut world);
}

#[test]
fn a_bye_before_the_answer_ends_the_invite_with_487() {
    let mut world = called(&[], &sdp_of(7000));
    world.command(0, Command::Ring { status: 180, media: false }).run(5).ask("BYE", 2, &[], ("", ""));
    assert_eq!(world.seen(">"), ["180 INVITE", "200 BYE", "487 INVITE"]);
    assert_eq!(world.events(0), ["ended Peer HungUp"]);
}

#[test]
fn early_media_is_described_in_the_183_and_again_in_the_200() {
    let mut world = called(&[], &sdp_of(7000));
    world.command(0, Command::Ring { status: 183, media: true }).run(5);
    let early = world.last_response();
    world.command(0, Command::Answer).run(5);
    assert_eq!((early.body(), early.body().is_empty()), (world.last_response().body(), false));
    assert_eq!(world.events(0), ["early media 0", "answered sendrecv"]);
    world.ask("ACK", 1, &[], ("", ""));
    ends(&mut world);
}

#[test]
fn commands_that_do_not_fit_change_nothing() {
    let mut world = called(&[], &sdp_of(7000));
    let ring = Command::Ring { status: 99, media: false };
    let refuse = Command::Refuse { status: 200, reason: None };
    world
        .command(0, Command::Dial)
        .command(0, Command::Hold(Hold::SendOnly))
        .command(0, ring)
        .command(0, refuse)
        .run(5);
    assert!(world.seen(">").is_empty() && world.events(0).is_empty());
    world.command(0, Command::Info { token: 4, content_type: "application/dtmf".into(), body: vec![b'1'] });
    assert_eq!(world.events(0), ["info 4 answered None"]);
    world.command(0, HANG_UP).run(5);
    assert_eq!((world.status(), world.call(0).is_over()), (480, true));
}
