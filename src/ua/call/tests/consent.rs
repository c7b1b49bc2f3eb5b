//! What a peer cannot make us do: dial what nobody asked for, and answer challenges of strangers.
use super::*;
use crate::auth::Credentials;
use crate::ua::End;
use crate::ua::trust::{Distrust, Trust};

fn with_password() -> World {
    let mut world = World::scripted();
    world.sides[0].config.credentials = Some(Credentials::new("alice", "secret"));
    world
}

fn challenge(realm: &str, rest: &str) -> String {
    format!("Proxy-Authenticate: Digest realm=\"{realm}\", nonce=\"n\"{rest}")
}

/// Credentials in the last request of this method.
fn shown(world: &World, method: &str) -> bool {
    let request = world.last(method);
    let names = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
    names.into_iter().any(|name| request.header(name).is_some())
}

/// Number of times that a request of this method came.
fn count(world: &World, method: &str) -> usize {
    world.inbox.iter().filter(|m| m.method().is_some_and(|x| x.as_bytes() == method.as_bytes())).count()
}

fn rejection(world: &World) -> Rejection {
    let last = world.sides[0].events.iter().rev().find_map(|(_, event)| match event {
        Event::Rejected(rejection) => Some((**rejection).clone()),
        _ => None,
    });
    last.unwrap()
}

fn answered(world: &mut World) {
    let invite = world.last("INVITE");
    world.reply(&invite, 200, "b", &[CONTACT], &sdp_of(7000));
}

#[test]
fn a_redirection_is_followed_once_and_reported() {
    let mut world = World::scripted();
    world.sides[0].config.redirects = Redirects::Hosts(vec!["lab.example".to_owned()]);
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 302, "b", &["Contact: <sip:carol@lab.example?Subject=x>;q=0.5"], "");
    let again = world.last("INVITE");
    assert_eq!(again.request_uri_bytes().unwrap(), b"sip:carol@lab.example");
    assert_eq!(
        (again.to().unwrap().uri().as_bytes(), again.cseq().unwrap().number),
        (&b"sip:bob@lab.example"[..], 2)
    );
    assert_eq!(again.call_id().unwrap(), invite.call_id().unwrap());
    world.reply(&again, 301, "c", &["Contact: <sip:dave@lab.example>"], "").run(100_000);
    assert_eq!(world.events(0), ["redirected sip:carol@lab.example", "rejected Some(301) Refused"]);
    assert!(world.sides[0].finished && world.sides[0].layer.is_empty());
}

#[test]
fn a_redirection_that_nobody_allowed_is_the_final_answer_with_its_targets() {
    for redirects in [Redirects::Refused, Redirects::Hosts(vec!["lab.example".to_owned()])] {
        let mut world = World::scripted();
        world.sides[0].config.redirects = redirects;
        world.dial().run(5);
        let invite = world.last("INVITE");
        let contacts = "Contact: <sip:x@192.0.2.9:5070>, <sip:+19005550000@evil.example?a=b>;q=0.1";
        world.reply(&invite, 302, "b", &[contacts], "").run(100_000);
        assert_eq!((count(&world, "INVITE"), world.sides[0].finished), (1, true));
        let rejection = rejection(&world);
        assert_eq!((rejection.status, rejection.end), (Some(302), End::Refused));
        assert_eq!(rejection.targets, ["sip:x@192.0.2.9:5070", "sip:+19005550000@evil.example"]);
    }
}

#[test]
fn no_credentials_go_to_the_host_behind_a_redirect_asked_or_unasked() {
    let mut world = with_password();
    world.sides[0].config.redirects = Redirects::Any;
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 407, "p", &[&challenge("lab", "")], "");
    assert!(shown(&world, "INVITE"));
    let invite = world.last("INVITE");
    world.reply(&invite, 302, "b", &["Contact: <sip:x@192.0.2.9:5070>"], "");
    assert!(!shown(&world, "INVITE"));
    // Not even for the realm of the account: the host is another.
    let invite = world.last("INVITE");
    world.reply(&invite, 407, "p", &[&challenge("lab", "")], "").run(100_000);
    assert_eq!(
        world.events(0),
        [
            "redirected sip:x@192.0.2.9:5070",
            "INVITE: lab not answered, Host",
            "rejected Some(407) NotTrusted(Host)"
        ]
    );
    assert_eq!(count(&world, "INVITE"), 3);
}

#[test]
fn a_realm_first_seen_behind_a_redirect_is_a_strangers_also_at_the_own_host() {
    let mut world = with_password();
    world.sides[0].config.redirects = Redirects::Any;
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 302, "b", &["Contact: <sip:carol@lab.example>"], "");
    let invite = world.last("INVITE");
    world.reply(&invite, 407, "p", &[&challenge("evil.example", "")], "").run(100_000);
    assert_eq!(world.events(0).last().unwrap(), "rejected Some(407) NotTrusted(Realm)");
    let challenges = rejection(&world).challenges;
    assert_eq!((challenges.len(), challenges[0].answered), (1, false));
    assert_eq!(challenges[0].refused, Some(Distrust::Realm));
}

#[test]
fn redirected_to_the_own_host_the_own_realm_is_answered_when_it_asks() {
    let mut world = with_password();
    world.sides[0].config.redirects = Redirects::Hosts(vec!["lab.example".to_owned()]);
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 407, "p", &[&challenge("lab", "")], "");
    let invite = world.last("INVITE");
    world.reply(&invite, 302, "b", &["Contact: <sip:carol@lab.example>"], "");
    assert!(!shown(&world, "INVITE"));
    let invite = world.last("INVITE");
    world.reply(&invite, 407, "p", &[&challenge("lab", "")], "");
    assert!(shown(&world, "INVITE"));
}

#[test]
fn the_called_party_gets_no_answer_to_its_own_challenge() {
    // To the INVITE, after it rang.
    let mut world = with_password();
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 180, "b", &[CONTACT], "");
    world.reply(&invite, 401, "b", &["WWW-Authenticate: Digest realm=\"evil\", nonce=\"n\""], "");
    assert_eq!((count(&world, "INVITE"), rejection(&world).end), (1, End::NotTrusted(Distrust::Realm)));
    // To the BYE (the known leak), whether or not the INVITE was challenged.
    for own in [true, false] {
        let mut world = with_password();
        world.dial().run(5);
        if own {
            let invite = world.last("INVITE");
            world.reply(&invite, 407, "p", &[&challenge("lab", "")], "");
        }
        answered(&mut world);
        world.command(0, HANG_UP).run(5);
        let bye = world.last("BYE");
        world.reply(&bye, 407, "", &[&challenge("evil", "")], "").run(100_000);
        assert_eq!((count(&world, "BYE"), shown(&world, "BYE")), (1, false), "{own}");
        let events = world.events(0);
        assert!(events.contains(&"BYE: evil not answered, Realm".to_owned()), "{events:?}");
        assert_eq!(events.last().unwrap(), "ended Local HungUp");
    }
}

#[test]
fn a_bye_that_the_own_realm_challenges_is_sent_again_with_credentials() {
    // The realm is known from the INVITE, or from the registration.
    for named in [false, true] {
        let mut world = with_password();
        if named {
            let mut trust = Trust::default();
            (trust.realms, trust.first_use) = (vec!["lab".to_owned()], false);
            world.sides[0].config.trust = trust;
        }
        world.dial().run(5);
        if !named {
            let invite = world.last("INVITE");
            world.reply(&invite, 407, "p", &[&challenge("lab", "")], "");
        }
        answered(&mut world);
        world.command(0, HANG_UP).run(5);
        let bye = world.last("BYE");
        world.reply(&bye, 407, "", &[&challenge("lab", "")], "");
        assert_eq!((count(&world, "BYE"), shown(&world, "BYE")), (2, true));
        let bye = world.last("BYE");
        world.reply(&bye, 200, "", &[], "").run(100_000);
        assert_eq!(world.events(0).last().unwrap(), "ended Local HungUp");
    }
}

#[test]
fn of_two_realms_at_once_only_the_own_is_answered() {
    let mut world = with_password();
    let mut trust = Trust::default();
    (trust.realms, trust.first_use) = (vec!["lab".to_owned()], false);
    world.sides[0].config.trust = trust;
    world.dial().run(5);
    let invite = world.last("INVITE");
    let both = [challenge("evil", ""), challenge("lab", "")];
    world.reply(&invite, 407, "p", &[&both[0], &both[1]], "");
    let again = world.last("INVITE");
    let answers: Vec<_> = again.headers().filter(|h| h.name == HeaderName::ProxyAuthorization).collect();
    assert_eq!(answers.len(), 1);
    assert!(String::from_utf8_lossy(answers[0].value).contains("realm=\"lab\""));
    assert_eq!(world.events(0), ["INVITE: evil not answered, Realm"]);
}

#[test]
fn a_downgrade_within_a_call_is_not_followed() {
    let mut world = with_password();
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 407, "p", &[&challenge("lab", ", algorithm=SHA-256, qop=\"auth\"")], "");
    assert!(shown(&world, "INVITE"));
    answered(&mut world);
    world.command(0, HANG_UP).run(5);
    let bye = world.last("BYE");
    world.reply(&bye, 407, "", &[&challenge("lab", "")], "").run(100_000);
    assert_eq!(count(&world, "BYE"), 1);
    assert!(world.events(0).contains(&"BYE: lab not answered, Weaker".to_owned()));
}

#[test]
fn what_is_said_to_go_elsewhere_is_not_answered() {
    let mut world = with_password();
    world.dial().run(5);
    answered(&mut world);
    world.command(0, Command::Info { token: 1, content_type: "a/b".to_owned(), body: b"x".to_vec() }).run(5);
    let id = *world.sides[0].requests.values().max().unwrap();
    let now = world.instant();
    world.sides[0].call.as_mut().unwrap().handle_input(now, Input::SentTo { id, home: false });
    let info = world.last("INFO");
    world.reply(&info, 407, "", &[&challenge("lab", "")], "");
    assert_eq!((count(&world, "INFO"), shown(&world, "INFO")), (1, false));
    assert!(world.events(0).contains(&"INFO: lab not answered, Host".to_owned()));
}
