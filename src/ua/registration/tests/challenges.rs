//! Rules about challenges: what is answered, how often, and when it ends.

use super::*;
use crate::auth::{Charset, Expected, Ha1, Hash, NonceState, Presented, Qop};
use crate::syntax::Method;

fn stale(nonce: &str) -> String {
    challenge(nonce, ", stale=true")
}

#[test]
fn a_correct_answer_that_is_refused_again_is_not_repeated() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&challenge("n1", "")]);
    play.respond("401 Unauthorized", &[&challenge("n2", "")]);
    assert_eq!(play.finished().end, End::CredentialsRefused { stale: false });
    assert_eq!(play.sent(), 2);
    assert_eq!(play.finished().challenges.iter().map(|c| c.answered).collect::<Vec<_>>(), [true, false]);
    assert_eq!(play.answer().status(), 401);
    assert_eq!(play.registration.poll_timeout(), None);
}

#[test]
fn after_refused_credentials_the_next_command_begins_without_any() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&challenge("n1", "")]);
    play.respond("401 Unauthorized", &[&challenge("n2", "")]);
    play.command(Command::Query);
    assert!(answers(play.request()).is_empty());
}

#[test]
fn a_stale_nonce_is_answered_with_the_new_one() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&challenge("n1", "")]);
    play.respond("401 Unauthorized", &[&stale("n2")]);
    play.respond("200 OK", &[GRANTED]);
    play.ladder_is(
        "> 1 Contact: <OWN>;expires=300 Expires: 300
         < 401 Unauthorized
         > 2 Contact: <OWN>;expires=300 Expires: 300 [server n1 00000001]
         < 401 Unauthorized
         > 3 Contact: <OWN>;expires=300 Expires: 300 [server n2 00000001]
         < 200 OK
         = Bind: Accepted, 3 sent",
    );
}

#[test]
fn endless_stale_ends_at_the_third_refusal() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&challenge("n0", "")]);
    for nonce in ["n1", "n2", "n3"] {
        assert!(play.finished.is_empty());
        play.respond("401 Unauthorized", &[&stale(nonce)]);
    }
    assert_eq!(play.finished().end, End::CredentialsRefused { stale: true });
    assert_eq!(play.sent(), 4);
}

#[test]
fn a_server_that_says_stale_from_the_first_challenge_on_is_bounded_too() {
    let mut play = Play::new();
    play.command(Command::Bind);
    while play.finished.is_empty() {
        play.respond("401 Unauthorized", &[&stale("same")]);
        assert!(play.sent() < 10);
    }
    assert_eq!(play.finished().end, End::CredentialsRefused { stale: true });
    let nc: Vec<&str> = play.ladder.lines().filter_map(|l| l.split("[server same ").nth(1)).collect();
    assert_eq!(nc, ["00000001]", "00000002]", "00000003]"], "nc never repeats with one nonce");
}

#[test]
fn a_reused_nonce_that_went_stale_costs_one_more_request_and_nothing_else() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&challenge("n1", "")]).respond("200 OK", &[GRANTED]);
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&stale("n2")]).respond("200 OK", &[GRANTED]);
    assert_eq!(play.finished().end, End::Accepted);
    assert_eq!(play.finished().requests, 2);
    assert!(!play.finished().reused_nonce);
}

#[test]
fn the_stale_end_of_a_reused_nonce_does_not_count_against_the_bound() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&challenge("n1", "")]).respond("200 OK", &[GRANTED]);
    play.command(Command::Bind);
    for nonce in ["n2", "n3", "n4"] {
        play.respond("401 Unauthorized", &[&stale(nonce)]);
    }
    play.respond("200 OK", &[GRANTED]);
    assert_eq!(play.finished().end, End::Accepted);
}

#[test]
fn a_reused_nonce_refused_without_stale_is_answered_afresh_once_and_reported() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&challenge("n1", "")]).respond("200 OK", &[GRANTED]);
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&challenge("n2", "")]).respond("200 OK", &[GRANTED]);
    assert_eq!(play.finished().end, End::NonceRefusedWithoutStale { recovered: true });
    assert!(play.registration.poll_timeout().is_some(), "the binding is there and wants its refresh");

    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&challenge("n3", "")]);
    play.respond("401 Unauthorized", &[&challenge("n4", "")]);
    assert_eq!(play.finished().end, End::NonceRefusedWithoutStale { recovered: false });
    assert_eq!(play.finished().requests, 2);
}

#[test]
fn a_403_to_a_reused_nonce_is_marked_and_the_nonce_forgotten() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&challenge("n1", "")]).respond("200 OK", &[GRANTED]);
    play.command(Command::Bind).respond("403 Forbidden", &[]);
    assert_eq!(play.finished().end, End::Refused);
    assert!(play.finished().reused_nonce);
    play.command(Command::Bind);
    assert!(answers(play.request()).is_empty());
}

#[test]
fn a_401_without_a_challenge_ends_it_at_once() {
    for status in ["401 Unauthorized", "407 Proxy Authentication Required"] {
        let mut play = Play::new();
        play.command(Command::Bind).respond(status, &[]);
        assert_eq!(play.finished().end, End::NoChallenge);
        assert_eq!(play.sent(), 1);
    }
}

#[test]
fn challenges_that_nobody_can_answer_end_it_and_are_listed() {
    let mut play = Play::new();
    let aka = challenge("n1", ", algorithm=AKAv1-MD5");
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&aka, "WWW-Authenticate: Basic realm=\"web\""]);
    assert_eq!(play.finished().end, End::NoSupportedChallenge);
    let offered: Vec<_> =
        play.finished().challenges.iter().map(|c| (c.scheme.as_str(), c.algorithm.as_deref())).collect();
    assert_eq!(offered, [("Digest", Some("AKAv1-MD5")), ("Basic", None)]);
}

#[test]
fn of_several_challenges_the_strongest_is_answered_and_all_are_reported() {
    let two_lines = [challenge("m", ", algorithm=MD5"), challenge("s", ", algorithm=SHA-256")];
    let one_line = [format!(
        "{}, Digest realm=\"lab.example\", nonce=\"s\", qop=\"auth\", algorithm=SHA-256",
        two_lines[0]
    )];
    for lines in [&two_lines[..], &one_line[..]] {
        let mut play = Play::new();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        play.command(Command::Bind).respond("401 Unauthorized", &lines).respond("200 OK", &[GRANTED]);
        let answer = &answers(play.request())[..];
        assert_eq!(answer.len(), 1);
        assert_eq!((answer[0].get("nonce"), answer[0].get("algorithm")), ("s".into(), "SHA-256".into()));
        let reported: Vec<_> =
            play.finished().challenges.iter().map(|c| (c.algorithm.as_deref(), c.answered)).collect();
        assert_eq!(reported, [(Some("MD5"), false), (Some("SHA-256"), true)]);
    }
}

#[test]
fn a_407_and_then_a_401_are_both_answered_in_the_same_request() {
    let mut play = Play::new();
    play.command(Command::Bind);
    let proxy = "Proxy-Authenticate: Digest realm=\"proxy\", nonce=\"p1\", qop=\"auth\"";
    play.respond("407 Proxy Authentication Required", &[proxy]);
    play.respond("401 Unauthorized", &[&challenge("n1", "")]);
    play.respond("200 OK", &[GRANTED]);
    play.command(Command::Bind);
    play.ladder_is(
        "> 1 Contact: <OWN>;expires=300 Expires: 300
         < 407 Proxy Authentication Required
         > 2 Contact: <OWN>;expires=300 Expires: 300 [proxy p1 00000001]
         < 401 Unauthorized
         > 3 Contact: <OWN>;expires=300 Expires: 300 [proxy p1 00000002] [server n1 00000001]
         < 200 OK
         = Bind: Accepted, 3 sent
         > 4 Contact: <OWN>;expires=300 Expires: 300 [proxy p1 00000003] [server n1 00000002]",
    );
}

#[test]
fn one_response_may_challenge_for_several_realms() {
    let mut play = Play::new();
    play.command(Command::Bind);
    let other = "WWW-Authenticate: Digest realm=\"other\", nonce=\"o1\", qop=\"auth\"";
    let proxy = "Proxy-Authenticate: Digest realm=\"proxy\", nonce=\"p1\", qop=\"auth\"";
    play.respond("401 Unauthorized", &[&challenge("n1", ""), other, proxy]);
    let realms: Vec<_> = answers(play.request()).iter().map(|a| (a.proxy, a.get("realm"))).collect();
    assert_eq!(realms, [(false, "lab.example".into()), (false, "other".into()), (true, "proxy".into())]);
}

#[test]
fn a_proxy_that_refuses_again_ends_it_although_the_server_was_content() {
    let mut play = Play::new();
    play.command(Command::Bind);
    let proxy =
        |nonce| format!("Proxy-Authenticate: Digest realm=\"proxy\", nonce=\"{nonce}\", qop=\"auth\"");
    play.respond("401 Unauthorized", &[&challenge("n1", "")]);
    play.respond("407 Proxy Authentication Required", &[&proxy("p1")]);
    play.respond("407 Proxy Authentication Required", &[&proxy("p2")]);
    assert_eq!(play.finished().end, End::CredentialsRefused { stale: false });
}

#[test]
fn a_realm_that_changes_with_every_challenge_ends_at_the_limit_of_requests() {
    let mut play = Play::of(Config { max_requests: 4, ..config() });
    play.command(Command::Bind);
    let mut realm = 0;
    while play.finished.is_empty() {
        realm += 1;
        let line = format!("WWW-Authenticate: Digest realm=\"r{realm}\", nonce=\"n\", qop=\"auth\"");
        play.respond("401 Unauthorized", &[&line]);
        assert!(realm < 10);
    }
    assert_eq!(play.finished().end, End::TooManyRequests);
    assert_eq!((play.sent(), play.finished().requests), (4, 4));
}

#[test]
fn nextnonce_is_used_for_the_next_request() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&challenge("n1", "")]);
    play.respond("200 OK", &[GRANTED, "Authentication-Info: nextnonce=\"n2\""]);
    play.command(Command::Bind);
    let answer = &answers(play.request())[0];
    assert_eq!((answer.get("nonce"), answer.get("nc")), ("n2".into(), "00000001".into()));
}

#[test]
fn the_answer_covers_the_request_uri_and_the_method() {
    let mut play = Play::new();
    play.command(Command::Query).respond("401 Unauthorized", &[&challenge("n1", ", opaque=\"\"")]);
    let answer = &answers(play.request())[0];
    assert_eq!(answer.get("uri"), "sip:lab.example");
    assert!(String::from_utf8_lossy(&answer.value).contains("opaque=\"\""), "an empty opaque is sent back");
    let parsed = Parsed::parse(&answer.value).unwrap();
    let presented = crate::auth::Presented::from_credentials(&parsed).unwrap();
    let expected = crate::auth::Expected {
        method: crate::syntax::Method::Register,
        request_uri: b"sip:lab.example",
        body: b"",
        realm: "lab.example",
        username: "alice",
        algorithm: None,
        qop: &[crate::auth::Qop::Auth],
        opaque: Some(""),
        nonce: crate::auth::NonceState::Live { last_nc: 0 },
    };
    let ha1 = crate::auth::Ha1::new(crate::auth::Hash::Md5, "alice", b"lab.example", "secret");
    assert_eq!(expected.verify(&presented, &ha1), Ok(1));
}

#[test]
fn an_unreadable_challenge_is_reported_and_the_readable_one_beside_it_answered() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &["WWW-Authenticate: \"", &challenge("n1", "")]);
    assert_eq!(answers(play.request()).len(), 1);
    play.respond("200 OK", &[GRANTED]);
    assert_eq!(play.finished().challenges.iter().filter(|c| c.scheme == "unreadable").count(), 1);
}

/// The registration of a password that ISO-8859-1 writes in other octets than UTF-8.
fn of_password(password: &str) -> Play {
    let credentials = Credentials::new("alice", password);
    Play::of(Config::new("sip:alice@lab.example", "sip:lab.example", "sip:alice@127.0.0.1:5070", credentials))
}

/// Is the answer of the last request the right one for a password of these octets?
fn is_answer_of(play: &Play, password: &[u8]) -> bool {
    let header = play.request().header(HeaderName::Authorization).unwrap().to_vec();
    let presented = Parsed::parse(&header).unwrap();
    let presented = Presented::from_credentials(&presented).unwrap();
    let ha1 = Ha1::of_octets(Hash::Md5, b"alice", b"lab.example", password);
    let expected = Expected {
        method: Method::Register,
        request_uri: b"sip:lab.example",
        body: b"",
        realm: "lab.example",
        username: "alice",
        algorithm: None,
        qop: &[Qop::Auth],
        opaque: None,
        nonce: NonceState::Live { last_nc: 0 },
    };
    expected.verify(&presented, &ha1).is_ok()
}

#[test]
fn a_password_outside_of_ascii_is_tried_in_latin_1_once_and_only_after_utf_8() {
    let mut play = of_password("gr\u{fc}n");
    play.command(Command::Bind);
    play.respond("401 Unauthorized", &[&challenge("n1", "")]);
    assert!(is_answer_of(&play, "gr\u{fc}n".as_bytes()));
    play.respond("401 Unauthorized", &[&challenge("n2", "")]);
    assert!(is_answer_of(&play, b"gr\xfcn"));
    play.respond("200 OK", &[GRANTED]);
    assert_eq!((play.sent(), play.finished().charset), (3, Charset::Latin1));
    // What was accepted stays.
    play.command(Command::Bind);
    assert!(is_answer_of(&play, b"gr\xfcn"));

    let mut play = of_password("gr\u{fc}n");
    play.command(Command::Bind);
    for nonce in ["n1", "n2", "n3"] {
        play.respond("401 Unauthorized", &[&challenge(nonce, "")]);
    }
    assert_eq!(play.finished().end, End::CredentialsRefused { stale: false });
    assert_eq!(play.sent(), 3, "one more try, and no more");
}

#[test]
fn no_second_try_is_made_where_latin_1_makes_no_difference_or_is_not_wanted() {
    let utf8 = challenge("n1", ", charset=\"UTF-8\"");
    for (password, first) in [
        ("green", &*challenge("n1", "")),
        ("\u{437}\u{435}\u{43b}", &*challenge("n1", "")),
        ("gr\u{fc}n", &*utf8),
    ] {
        let mut play = of_password(password);
        play.command(Command::Bind);
        play.respond("401 Unauthorized", &[first]);
        play.respond("401 Unauthorized", &[&first.replace("n1", "n2")]);
        assert_eq!(play.finished().end, End::CredentialsRefused { stale: false }, "{password}");
        assert_eq!(play.sent(), 2, "{password}");
    }
}
