//! RFC 3261 sec. 10.3, and what other RFCs add to it.
use super::*;
use crate::sim::Device;

const ONE: &str = "<sip:alice@192.0.2.7:5062>";

#[test]
fn a_binding_is_listed_with_the_time_that_is_left_and_ends_with_it() {
    let mut alice = Caller::alice();
    let response = alice.register(&[(HeaderName::Contact, ONE), (HeaderName::Expires, "120")]);
    assert_eq!(response.status(), Some(200));
    assert_eq!(contacts(&response), [format!("{ONE};expires=120;user-agent=\"TestPhone/1.0\"")]);
    alice.later(100);
    let response = alice.register(&[]);
    assert_eq!(contacts(&response), [format!("{ONE};expires=20;user-agent=\"TestPhone/1.0\"")]);
    alice.later(20);
    assert!(contacts(&alice.register(&[])).is_empty());
    assert!(alice.held().is_empty());
}

#[test]
fn the_contacts_own_expires_counts_before_the_header_and_both_before_the_default() {
    for (contact, header, granted) in [
        (format!("{ONE};expires=90"), Some("600"), 90),
        (ONE.into(), Some("600"), 600),
        (ONE.into(), None, 3_600),
        (format!("{ONE};expires=999999"), None, 7_200),
        (ONE.into(), Some("not a number"), 3_600),
    ] {
        let mut alice = Caller::alice();
        let mut lines = vec![(HeaderName::Contact, &*contact)];
        lines.extend(header.map(|expires| (HeaderName::Expires, expires)));
        assert_eq!(alice.register(&lines).status(), Some(200));
        let binding = &alice.registrar.bindings(alice.now, "alice")[0];
        assert_eq!(binding.expires_in(alice.now), granted, "{contact} {header:?}");
    }
}

#[test]
fn a_time_that_is_too_short_gets_423_with_the_minimum() {
    let mut alice = Caller::alice();
    let response = alice.register(&[(HeaderName::Contact, ONE), (HeaderName::Expires, "59")]);
    assert_eq!(response.status(), Some(423));
    assert_eq!(value(&response, HeaderName::MinExpires).as_deref(), Some("60"));
    assert!(alice.held().is_empty());
    assert_eq!(
        alice.register(&[(HeaderName::Contact, ONE), (HeaderName::Expires, "60")]).status(),
        Some(200)
    );
}

#[test]
fn a_refresh_moves_the_same_binding_on() {
    let mut alice = Caller::alice();
    alice.bind(&format!("{ONE};expires=100"));
    let first = alice.registrar.bindings(alice.now, "alice").remove(0);
    alice.later(50);
    // Written in another way, but the same URI (RFC 3261 sec. 19.1.4).
    alice.bind("\"Alice\" <SIP:alice@192.0.2.7:5062>;expires=100");
    let held = alice.registrar.bindings(alice.now, "alice");
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].refreshes, held[0].since), (1, first.since));
    assert_eq!(held[0].expires_in(alice.now), 100);
    assert_eq!(held[0].user_agent.as_deref(), Some("TestPhone/1.0"));
    assert_eq!(held[0].source, Some(alice.flow));
}

#[test]
fn an_old_cseq_of_the_same_call_id_changes_nothing() {
    let mut alice = Caller::alice();
    alice.bind(ONE);
    let before = alice.registrar.bindings(alice.now, "alice");
    alice.cseq = 0;
    for contact in
        ["<sip:alice@192.0.2.7:5062>;expires=0", "<sip:alice@192.0.2.9>, <sip:alice@192.0.2.7:5062>"]
    {
        assert_eq!(alice.bind(contact).status(), Some(500));
        assert_eq!(alice.registrar.bindings(alice.now, "alice"), before, "all of a request or nothing");
        alice.cseq = 0;
    }
    alice.call_id = "after-a-reboot@phone".into();
    assert_eq!(alice.bind(&format!("{ONE};expires=0")).status(), Some(200));
    assert!(alice.held().is_empty());
}

#[test]
fn only_the_named_binding_is_removed() {
    let mut alice = Caller::alice();
    alice.bind("<sip:alice@192.0.2.7:5062>, <sip:alice@192.0.2.8>;q=0.5");
    let response = alice.bind("<sip:alice@192.0.2.7:5062>;expires=0");
    assert_eq!(response.status(), Some(200));
    assert_eq!(alice.held(), ["sip:alice@192.0.2.8"]);
    assert!(contacts(&response)[0].starts_with("<sip:alice@192.0.2.8>;q=0.500;expires=3600"));
}

#[test]
fn a_star_removes_everything_and_only_with_expires_zero_and_alone() {
    let mut alice = Caller::alice();
    alice.bind("<sip:alice@192.0.2.7:5062>, <sip:alice@192.0.2.8>");
    for lines in [
        &[(HeaderName::Contact, "*")][..],
        &[(HeaderName::Contact, "*"), (HeaderName::Expires, "60")],
        &[(HeaderName::Contact, "*"), (HeaderName::Contact, ONE), (HeaderName::Expires, "0")],
    ] {
        assert_eq!(alice.register(lines).status(), Some(400));
        assert_eq!(alice.held().len(), 2);
    }
    let response = alice.register(&[(HeaderName::Contact, "*"), (HeaderName::Expires, "0")]);
    assert_eq!(response.status(), Some(200));
    assert!(alice.held().is_empty() && contacts(&response).is_empty());
}

#[test]
fn a_query_changes_nothing() {
    let mut alice = Caller::new(
        User::new("alice", "alicepw").device(Device::new("sip:alice@192.0.2.50").user_agent("DeskPhone/3.1")),
    );
    let response = alice.register(&[(HeaderName::Expires, "0")]);
    assert_eq!(
        contacts(&response),
        ["<sip:alice@192.0.2.50>;expires=3600;user-agent=\"DeskPhone/3.1\""],
        "Expires without Contact removes nothing"
    );
}

#[test]
fn one_contact_too_many_is_refused_with_the_list_of_those_that_are_there() {
    let mut alice = Caller::new(User::new("alice", "alicepw").max_contacts(2));
    alice.bind("<sip:alice@192.0.2.7:5062>, <sip:alice@192.0.2.8>");
    let response = alice.bind("<sip:alice@192.0.2.9>");
    assert_eq!(response.status(), Some(503));
    assert_eq!(contacts(&response).len(), 2);
    assert_eq!(alice.bind(ONE).status(), Some(200), "a refresh is no new contact");
    assert_eq!(alice.bind("<sip:alice@192.0.2.9>, <sip:alice@192.0.2.8>;expires=0").status(), Some(200));
}

#[test]
fn the_oldest_binding_goes_where_the_new_one_replaces_it() {
    let mut alice = Caller::new(User::new("alice", "alicepw").max_contacts(2).remove_existing());
    for host in 7..10 {
        assert_eq!(alice.bind(&format!("<sip:alice@192.0.2.{host}>")).status(), Some(200));
    }
    assert_eq!(alice.held(), ["sip:alice@192.0.2.8", "sip:alice@192.0.2.9"]);
}

#[test]
fn a_device_that_comes_back_from_another_port_replaces_its_own_instance() {
    let instance = ";+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"";
    let mut alice = Caller::alice();
    alice.bind(&format!("<sip:alice@192.0.2.7:5062>{instance}"));
    alice.bind(&format!("<sip:alice@192.0.2.7:40001>{instance}"));
    assert_eq!(alice.held(), ["sip:alice@192.0.2.7:40001"]);
    alice.bind(&format!("<sip:alice@192.0.2.7:40002>{instance};reg-id=2"));
    assert_eq!(alice.held().len(), 2, "another flow of the same instance (RFC 5626)");
}

#[test]
fn gruus_are_given_to_an_instance_that_asks() {
    let instance = "<sip:alice@192.0.2.7>;+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"";
    let mut alice = Caller::alice();
    assert!(!contacts(&alice.bind(instance))[0].contains("gruu"));
    alice.header(HeaderName::Supported, "path, gruu");
    let contact = contacts(&alice.bind(instance)).remove(0);
    let public = ";pub-gruu=\"sip:alice@lab.example;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"";
    assert!(contact.contains(public), "{contact}");
    let temporary = |contact: &str| contact.split(";temp-gruu=\"").nth(1).unwrap().to_owned();
    assert!(temporary(&contact).starts_with("sip:tgruu."));
    let next = contacts(&alice.bind(instance)).remove(0);
    assert_ne!(temporary(&next), temporary(&contact), "a new one for each REGISTER");
}

#[test]
fn path_is_stored_and_given_back_and_service_route_is_added() {
    let config = Config { service_route: vec!["<sip:out.lab.example;lr>".into()], ..Config::default() };
    let mut alice = Caller::with(config, User::new("alice", "alicepw"));
    alice.header(HeaderName::Path, "<sip:edge.lab.example;lr>");
    let response = alice.bind(ONE);
    assert_eq!(value(&response, HeaderName::Path).as_deref(), Some("<sip:edge.lab.example;lr>"));
    assert_eq!(value(&response, HeaderName::ServiceRoute).as_deref(), Some("<sip:out.lab.example;lr>"));
    assert_eq!(alice.registrar.bindings(alice.now, "alice")[0].path, ["<sip:edge.lab.example;lr>"]);
}

#[test]
fn an_unknown_user_gets_404_and_a_foreign_domain_403() {
    let mut alice = Caller::alice();
    for (to, status) in [
        ("sip:mallory@lab.example", 404),
        ("sip:alice@elsewhere.example", 403),
        ("sip:alice@LAB.example", 401),
        ("sip:%61lice@192.0.2.1:5060", 401),
    ] {
        let request = alice.build(Method::Register, to, &[]);
        assert_eq!(alice.hand_in(request).unwrap().status(), Some(status), "{to}");
    }
}

#[test]
fn options_are_answered_with_what_is_allowed_and_other_methods_refused() {
    let mut alice = Caller::alice();
    for (method, to, status) in [
        (Method::Options, "sip:lab.example", 200),
        (Method::Options, "sip:alice@lab.example", 200),
        (Method::Options, "sip:mallory@lab.example", 404),
        (Method::Invite, "sip:alice@lab.example", 405),
        (Method::Other(b"PONDER"), "sip:alice@lab.example", 405),
        (Method::Cancel, "sip:alice@lab.example", 481),
    ] {
        let request = alice.build(method, to, &[]);
        let response = alice.hand_in(request).unwrap();
        assert_eq!(response.status(), Some(status), "{method} {to}");
        if matches!(status, 200 | 405) {
            assert_eq!(value(&response, HeaderName::Allow).as_deref(), Some("REGISTER, OPTIONS"));
        }
    }
    let ack = alice.build(Method::Ack, "sip:alice@lab.example", &[]);
    assert!(alice.hand_in(ack).is_none());
}

#[test]
fn a_required_extension_that_is_unknown_gets_420() {
    let mut alice = Caller::alice();
    let response = alice.plain(&[(HeaderName::Require, "path, outbound"), (HeaderName::Require, "x-new")]);
    assert_eq!(response.status(), Some(420));
    assert_eq!(value(&response, HeaderName::Unsupported).as_deref(), Some("outbound, x-new"));
}

#[test]
fn contacts_that_cannot_be_read_get_400_and_a_flood_of_them_403() {
    let mut alice = Caller::alice();
    assert_eq!(alice.bind("<sip:alice@192.0.2.7").status(), Some(400));
    let many: Vec<_> = (0..65).map(|n| format!("<sip:alice@192.0.2.7:{}>", 1_024 + n)).collect();
    assert_eq!(alice.bind(&many.join(", ")).status(), Some(403));
    assert!(alice.held().is_empty());
}

#[test]
fn what_was_seen_is_kept_up_to_the_limit_and_without_secrets() {
    let config = Config { max_seen: 2, ..Config::default() };
    let mut alice = Caller::with(config, User::new("alice", "alicepw"));
    alice.bind(ONE);
    alice.plain(&[]);
    let seen: Vec<_> = alice.registrar.seen().collect();
    let of = |n: usize| (seen[n].cseq, seen[n].with_credentials, seen[n].status);
    assert_eq!((seen.len(), of(0), of(1)), (2, (2, true, Some(200)), (3, false, Some(401))));
    assert_eq!((&*seen[0].user, seen[0].user_agent.as_deref()), ("alice", Some("TestPhone/1.0")));
    assert!(!format!("{:?}", alice.registrar).contains("alicepw"));
}

#[test]
fn a_changed_user_keeps_what_its_devices_bound() {
    let mut alice = Caller::alice();
    alice.bind(ONE);
    let changed = User::new("alice", "newpw").device(Device::new("sip:alice@192.0.2.50"));
    alice.registrar.set_user(alice.now, changed);
    assert_eq!(alice.held(), ["sip:alice@192.0.2.50", "sip:alice@192.0.2.7:5062"]);
    assert_eq!(alice.bind(ONE).status(), Some(401));
    assert!(alice.registrar.remove_user("alice") && !alice.registrar.remove_user("alice"));
    assert_eq!(alice.bind(ONE).status(), Some(404));
}

#[test]
fn the_same_seed_and_inputs_give_the_same_answers() {
    let run = || {
        let mut alice = Caller::alice();
        alice.header(HeaderName::Supported, "gruu");
        alice.bind("<sip:alice@192.0.2.7>;+sip.instance=\"<urn:uuid:1>\"").as_bytes().to_vec()
    };
    assert_eq!(run(), run());
}
