//! The side that calls, against a script.
use super::*;

/// A call of ours that the script has answered as `b`.
fn up() -> World {
    let mut world = World::scripted();
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 200, "b", &[CONTACT, "Allow: INVITE, ACK, BYE, UPDATE"], &sdp_of(7000));
    assert!(world.call(0).is_up());
    world
}

fn ends_with_bye(world: &mut World) {
    let bye = world.last("BYE");
    world.reply(&bye, 200, "", &[], "").run(100_000);
    assert!(world.sides[0].finished && world.sides[0].layer.is_empty(), "{:#?}", world.ladder);
}

fn text(message: &Message, name: HeaderName) -> String {
    String::from_utf8(message.header(name).unwrap().to_vec()).unwrap()
}

#[test]
fn the_ack_goes_through_the_recorded_route_to_the_contact_of_the_200() {
    let mut world = World::scripted();
    world.sides[0].config.routes = vec!["<sip:out.example;lr>".to_owned()];
    world.dial().run(5);
    let invite = world.last("INVITE");
    assert_eq!(text(&invite, HeaderName::Route), "<sip:out.example;lr>");
    world.reply(&invite, 200, "b", &[CONTACT, "Record-Route: <sip:p.example;lr=on>"], &sdp_of(7000));
    let ack = world.last("ACK");
    assert_eq!(
        (ack.request_uri_bytes().unwrap(), text(&ack, HeaderName::Route)),
        (&b"sip:bob@127.0.0.1:49999"[..], "<sip:p.example;lr=on>".into())
    );
    // The same 200 again, the same ACK again.
    world.reply(&invite, 200, "b", &[CONTACT], &sdp_of(7000)).reply(
        &invite,
        200,
        "b",
        &[CONTACT],
        &sdp_of(7000),
    );
    assert_eq!(world.times("> ACK").len(), 3);
    world.command(0, HANG_UP).run(5);
    ends_with_bye(&mut world);
}

#[test]
fn several_forks_ring_and_the_second_that_answers_is_hung_up() {
    let mut world = World::scripted();
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 180, "b1", &[CONTACT], "").reply(&invite, 183, "b2", &[CONTACT], &sdp_of(7002));
    world.reply(&invite, 183, "b1", &[CONTACT], &sdp_of(7001)).reply(&invite, 181, "", &[], "");
    world.reply(&invite, 200, "b2", &[CONTACT], &sdp_of(7002));
    let plan = world.call(0).plan().unwrap();
    assert_eq!((plan.remote.port(), plan.send_telephone_event.unwrap().payload_type), (7002, 96));
    world.reply(&invite, 200, "b1", &[CONTACT], &sdp_of(7001));
    assert_eq!(
        world.events(0),
        [
            "progress 180",
            "progress 183",
            "early media 1",
            "progress 183",
            "early media 0",
            "progress 181",
            "answered sendrecv",
            "fork 0 hung up"
        ]
    );
    let bye = world.last("BYE");
    assert_eq!(bye.to().unwrap().tag(), Some(&b"b1"[..]));
    assert!(world.call(0).is_up());
    world.reply(&bye, 200, "", &[], "").command(0, HANG_UP).run(5);
    assert_eq!(world.last("BYE").to().unwrap().tag(), Some(&b"b2"[..]));
    ends_with_bye(&mut world);
}

#[test]
fn no_more_forks_are_kept_than_the_limit() {
    let mut world = World::scripted();
    world.dial().run(5);
    let invite = world.last("INVITE");
    for fork in 0..40 {
        world.reply(&invite, 180, &format!("b{fork}"), &[CONTACT], "");
    }
    assert_eq!(world.call(0).legs.len(), MAX_FORKS);
    assert_eq!(world.events(0).len(), 40);
    // One that was not kept answers.
    world.reply(&invite, 200, "b39", &[CONTACT], &sdp_of(7000));
    assert_eq!(
        (world.call(0).legs.len(), world.events(0).last().unwrap().as_str()),
        (MAX_FORKS, "answered sendrecv")
    );
    assert_eq!(world.last("ACK").to().unwrap().tag(), Some(&b"b39"[..]));
}

#[test]
fn a_200_that_makes_no_dialog_is_named_and_ends_the_call() {
    let mut world = World::scripted();
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 200, "b", &[CONTACT, "Record-Route: <sip:p"], &sdp_of(7000));
    assert!(
        world.events(0)[0].starts_with("rejected None BadResponse(\"bad Record-Route"),
        "{:?}",
        world.events(0)
    );
    // A fork that answers later is hung up.
    world.reply(&invite, 200, "c", &[CONTACT], &sdp_of(7000));
    ends_with_bye(&mut world);
}

#[test]
fn a_reliable_response_is_acknowledged_once_and_in_order() {
    let mut world = World::scripted();
    world.dial().run(5);
    let invite = world.last("INVITE");
    let reliable = |rseq: &'static str| [CONTACT, "Require: 100rel", rseq];
    world.reply(&invite, 183, "b", &reliable("RSeq: 71"), &sdp_of(7000));
    let prack = world.last("PRACK");
    assert_eq!(text(&prack, HeaderName::RAck), format!("71 {} INVITE", invite.cseq().unwrap().number));
    world.reply(&prack, 200, "", &[], "");
    // Repeated; then one too far.
    world.reply(&invite, 183, "b", &reliable("RSeq: 71"), &sdp_of(7000)).reply(
        &invite,
        180,
        "b",
        &reliable("RSeq: 73"),
        "",
    );
    assert_eq!((world.times("> PRACK").len(), world.events(0).len()), (1, 2));
    world.reply(&invite, 180, "b", &reliable("RSeq: 72"), "");
    assert_eq!(text(&world.last("PRACK"), HeaderName::RAck), "72 1 INVITE");
    let prack = world.last("PRACK");
    // Without a description in the 200: the one of the 183 counts.
    world.reply(&prack, 200, "", &[], "").reply(&invite, 200, "b", &[CONTACT], "");
    assert_eq!(world.events(0), ["progress 183", "early media 0", "progress 180", "answered sendrecv"]);
    world.command(0, HANG_UP).run(5);
    ends_with_bye(&mut world);
}

#[test]
fn a_prack_that_is_refused_or_lost_does_not_end_the_call() {
    let reliable = [CONTACT, "Require: 100rel", "RSeq: 71"];
    for refused in [true, false] {
        let mut world = World::scripted();
        world.dial().run(5);
        let invite = world.last("INVITE");
        world.reply(&invite, 183, "b", &reliable, &sdp_of(7000));
        let prack = world.last("PRACK");
        // The answer overtakes the PRACK, which then matches nothing any more.
        world.reply(&invite, 200, "b", &[CONTACT], "");
        if refused {
            world.reply(&prack, 481, "", &[], "");
        }
        world.run(40_000);
        assert_eq!(world.events(0), ["progress 183", "early media 0", "answered sendrecv"]);
        assert_eq!(world.times("> BYE").len(), 0);
        world.command(0, HANG_UP).run(5);
        ends_with_bye(&mut world);
    }
}

#[test]
fn challenges_are_answered_on_invite_and_in_the_dialog_and_the_ack_repeats_the_credentials() {
    let mut world = World::scripted();
    world.sides[0].config.credentials = Some(Credentials::new("alice", "secret"));
    world.dial().run(5);
    let challenge = "Proxy-Authenticate: Digest realm=\"lab\", nonce=\"n\", qop=\"auth\"";
    let first = world.last("INVITE");
    world.reply(&first, 407, "p", &[challenge], "");
    let second = world.last("INVITE");
    let answer = text(&second, HeaderName::ProxyAuthorization);
    assert!(answer.contains("uri=\"sip:bob@lab.example\"") && second.cseq().unwrap().number == 2);
    world.reply(&second, 200, "b", &[CONTACT], &sdp_of(7000));
    assert_eq!(text(&world.last("ACK"), HeaderName::ProxyAuthorization), answer);
    world
        .command(0, Command::Info { token: 9, content_type: "application/dtmf".into(), body: b"5".to_vec() })
        .run(5);
    let info = world.last("INFO");
    world.reply(&info, 401, "", &["WWW-Authenticate: Digest realm=\"lab\", nonce=\"m\", qop=\"auth\""], "");
    let again = world.last("INFO");
    assert!(text(&again, HeaderName::Authorization).contains("uri=\"sip:bob@127.0.0.1:49999\""));
    assert_eq!(again.cseq().unwrap().number, info.cseq().unwrap().number + 1);
    world.reply(&again, 200, "", &[], "").command(0, HANG_UP).run(5);
    let bye = world.last("BYE");
    world.reply(&bye, 407, "", &[challenge], "");
    assert_eq!(world.events(0), ["answered sendrecv", "info 9 answered Some(200)"]);
    ends_with_bye(&mut world);
    assert_eq!(world.events(0).last().unwrap(), "ended Local HungUp");
}

#[test]
fn a_challenge_without_credentials_or_with_wrong_ones_is_the_end() {
    let mut world = World::scripted();
    world.dial().run(5);
    let challenge = ["WWW-Authenticate: Digest realm=\"lab\", nonce=\"n\""];
    let first = world.last("INVITE");
    world.reply(&first, 401, "p", &challenge, "");
    assert_eq!(world.events(0), ["rejected Some(401) Refused"]);
    let mut world = World::scripted();
    world.sides[0].config.credentials = Some(Credentials::new("alice", "wrong"));
    world.dial().run(5);
    for _ in 0..2 {
        let invite = world.last("INVITE");
        world.reply(&invite, 401, "p", &challenge, "");
    }
    assert_eq!(world.events(0), ["rejected Some(401) CredentialsRefused { stale: false }"]);
}

#[test]
fn an_answer_that_cannot_be_used_is_acknowledged_and_hung_up() {
    for (sdp, wrong) in [
        (String::new(), "there is no description"),
        (sdp_of(7000).replace("RTP/AVP 8 96", "RTP/AVP 18"), "no codec in common: only G729/8000"),
        (sdp_of(0), "the audio stream is refused (port 0)"),
    ] {
        let mut world = World::scripted();
        world.dial().run(5);
        let invite = world.last("INVITE");
        world.reply(&invite, 200, "b", &[CONTACT], &sdp);
        assert_eq!(world.seen(">"), ["INVITE", "ACK", "BYE"]);
        ends_with_bye(&mut world);
        assert_eq!(world.events(0)[0], format!("media failed: {wrong}"));
        assert!(world.events(0)[1].starts_with("ended Local Media("));
    }
}

#[test]
fn a_peer_of_rfc_2543_without_a_tag_can_be_called() {
    let mut world = World::scripted();
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 180, "", &[], "").reply(&invite, 200, "", &[], &sdp_of(7000));
    assert_eq!(world.events(0), ["progress 180", "answered sendrecv"]);
    assert_eq!(world.last("ACK").request_uri_bytes().unwrap(), b"sip:bob@lab.example");
    world.command(0, HANG_UP).run(5);
    ends_with_bye(&mut world);
}

#[test]
fn a_cancel_waits_for_the_first_provisional_response() {
    let mut world = World::scripted();
    world.dial().command(0, HANG_UP).run(200);
    assert_eq!(world.seen(">"), ["INVITE"]);
    let invite = world.last("INVITE");
    world.reply(&invite, 100, "", &[], "");
    let cancel = world.last("CANCEL");
    world.reply(&cancel, 200, "b", &[], "").reply(&invite, 487, "b", &[], "").run(100_000);
    assert_eq!(
        (world.events(0), world.seen(">")),
        (vec!["ended Local Cancelled".to_owned()], vec!["INVITE", "CANCEL", "ACK"])
    );
    assert!(world.sides[0].finished && world.sides[0].layer.is_empty());
}

#[test]
fn requests_of_no_dialog_and_out_of_order_are_refused() {
    let mut world = up();
    world.ask("INFO", 20, &[], ("application/dtmf", "1"));
    assert_eq!(world.status(), 200);
    world.ask("INFO", 19, &[], ("application/dtmf", "2"));
    assert_eq!(world.status(), 500);
    world.ask("OPTIONS", 21, &[], ("", "")).ask("SUBSCRIBE", 22, &[], ("", ""));
    assert_eq!((world.status(), world.last_response().header(HeaderName::Allow).is_some()), (405, true));
    world.ask("BYE", 23, &["Reason: Q.850;cause=16", "Reason: SIP;cause=200"], ("", ""));
    let reasons = vec!["Q.850;cause=16".to_owned(), "SIP;cause=200".to_owned()];
    let ended = Event::Ended { by: By::Peer, cause: Cause::HungUp, reasons };
    assert_eq!(world.sides[0].events.last().unwrap().1, ended);
    world.ask("INFO", 24, &[], ("application/dtmf", "3"));
    assert_eq!(world.status(), 481);
    world.run(100_000);
    assert!(world.sides[0].finished);
}

#[test]
fn a_peer_that_does_not_know_the_dialog_any_more_ends_the_call() {
    let mut world = up();
    world
        .command(0, Command::Info { token: 1, content_type: "application/dtmf".into(), body: b"5".to_vec() })
        .run(5);
    let info = world.last("INFO");
    world.reply(&info, 481, "", &[], "");
    ends_with_bye(&mut world);
    assert_eq!(world.events(0)[1..], ["info 1 answered Some(481)", "ended Peer DialogGone(481)"]);
}
