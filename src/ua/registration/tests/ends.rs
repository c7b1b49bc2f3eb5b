//! Rules about how a command ends when it is not by a challenge or an interval.

use super::*;

#[test]
fn a_refusal_keeps_what_it_said() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond(
        "503 Service Unavailable",
        &["Retry-After: 120 (maintenance)", "Contact: <sip:alice@192.0.2.1>"],
    );
    assert_eq!(play.finished().end, End::Refused);
    assert_eq!(play.answer().retry_after(), Some(Duration::from_secs(120)));
    assert_eq!(play.answer().bindings.len(), 1);
    assert_eq!(play.sent(), 1, "and is not asked again");
}

#[test]
fn an_unsupported_extension_is_told() {
    let mut play = Play::new();
    play.command(Command::Bind).respond("420 Bad Extension", &["Unsupported: path, outbound"]);
    assert_eq!(play.answer().unsupported(), ["path", "outbound"]);
}

#[test]
fn a_redirection_is_not_followed_and_its_contacts_are_listed() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("302 Moved Temporarily", &["Contact: <sip:new.example>, <sip:newer.example>"]);
    assert_eq!(play.finished().end, End::Refused);
    let uris: Vec<&str> = play.answer().bindings.iter().map(|b| b.uri.as_str()).collect();
    assert_eq!(uris, ["sip:new.example", "sip:newer.example"]);
}

#[test]
fn provisional_and_late_responses_change_nothing() {
    let mut play = Play::new();
    play.command(Command::Bind).respond("100 Trying", &[]);
    play.respond("401 Unauthorized", &[&challenge("n1", "")]);
    play.respond_to(1, "500 Server Internal Error", &[]);
    assert!(play.finished.is_empty(), "an answer to the first request, after the second was sent");
    play.respond("200 OK", &[GRANTED]);
    assert_eq!(play.finished().end, End::Accepted);
    play.respond("500 Server Internal Error", &[]);
    assert_eq!(play.finished.len(), 1, "nothing runs any more");
}

#[test]
fn silence_and_lost_connections_are_told_apart() {
    let mut play = Play::new();
    play.command(Command::Bind).input(Input::Timeout);
    assert_eq!(play.finished().end, End::Timeout);
    assert!(play.finished().answer.is_none(), "no response is invented");
    play.command(Command::Bind).input(Input::TransportFailed);
    assert_eq!(play.finished().end, End::TransportFailed);
}

#[test]
fn silence_after_a_challenge_keeps_the_challenge() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&challenge("n1", "")]).input(Input::Timeout);
    assert_eq!(play.finished().end, End::Timeout);
    assert_eq!(play.finished().challenges.len(), 1);
    assert_eq!(play.answer().status(), 401);
}

#[test]
fn a_status_outside_the_protocol_is_a_bad_response() {
    let mut play = Play::new();
    play.command(Command::Bind).respond("777 What", &[]);
    assert!(matches!(play.finished().end, End::BadResponse(_)), "{:?}", play.finished().end);
}

#[test]
fn a_response_with_a_broken_cseq_is_a_bad_response() {
    let mut play = Play::new();
    play.command(Command::Bind);
    let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nCSeq: one REGISTER\r\nContent-Length: 0\r\n\r\n";
    let response = Message::parse(Bytes::from_static(text.as_bytes()), &Limits::default()).unwrap();
    play.input(Input::Response(response));
    assert!(matches!(play.finished().end, End::BadResponse(_)));
}

#[test]
fn a_request_in_the_place_of_a_response_is_a_bad_response() {
    let mut play = Play::new();
    play.command(Command::Bind);
    let request = play.request().clone();
    play.input(Input::Response(request));
    assert!(matches!(play.finished().end, End::BadResponse(_)));
}

#[test]
fn what_cannot_be_written_is_the_configurations_fault() {
    let bad_user = Config { credentials: Credentials::new("a\r\nb", "p"), ..config() };
    let mut play = Play::of(bad_user);
    play.command(Command::Bind).respond("401 Unauthorized", &[&challenge("n1", "")]);
    assert!(matches!(play.finished().end, End::BadConfig(_)));

    let bad_agent = Config { user_agent: "x\r\nEvil: y".to_owned(), ..config() };
    let mut play = Play::of(bad_agent);
    play.command(Command::Bind);
    assert!(matches!(play.finished().end, End::BadConfig(_)));
    assert_eq!(play.sent(), 0);
}

#[test]
fn no_secret_stands_in_what_is_reported() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&challenge("n1", "")]);
    let response = answers(play.request())[0].get("response");
    play.respond("401 Unauthorized", &[&challenge("n2", "")]);
    let printed = format!("{:?} {:?}", play.finished(), play.registration);
    assert!(!printed.contains("secret") && !printed.contains(&response), "{printed}");
}
