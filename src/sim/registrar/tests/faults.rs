//! Each fault gives its symptom, and nothing else goes wrong.
use super::*;
use crate::sim::Device;

const ONE: &str = "<sip:alice@192.0.2.7:5062>";

fn stale(response: &Message) -> bool {
    value(response, HeaderName::WwwAuthenticate).is_some_and(|challenge| challenge.contains("stale=true"))
}

#[test]
fn a01_and_a02_refuse_a_right_answer_with_another_challenge() {
    for (fault, realm) in [("A01", "\"lab.example\""), ("A02", "\"new.lab.example\"")] {
        let mut alice = Caller::faulty(fault);
        let response = alice.bind(ONE);
        assert_eq!(response.status(), Some(401));
        assert!(!stale(&response));
        assert!(value(&response, HeaderName::WwwAuthenticate).unwrap().contains(realm), "{fault}");
    }
}

#[test]
fn a04_refuses_a_reused_nonce_without_stale_and_takes_a_fresh_one() {
    let mut alice = Caller::faulty("A04");
    assert_eq!(alice.bind(ONE).status(), Some(200));
    let response = alice.answer(&[]);
    assert_eq!((response.status(), stale(&response)), (Some(401), false));
    alice.take(&response);
    assert_eq!(alice.answer(&[]).status(), Some(200));
}

#[test]
fn a05_says_stale_for_ever_and_only_to_right_answers() {
    let mut alice = Caller::faulty("A05");
    assert!(!stale(&alice.plain(&[])));
    for _ in 0..5 {
        let response = alice.register(&[]);
        assert_eq!((response.status(), stale(&response)), (Some(401), true));
    }
    alice.password = "wrong";
    let response = alice.plain(&[]);
    alice.take(&response);
    assert!(!stale(&alice.answer(&[])));
}

#[test]
fn a09_and_a10_offer_what_they_say() {
    for (fault, algorithms) in
        [("A09", &["SHA-256", "MD5"][..]), ("A10", &["SHA-256"]), ("A10:sha-512-256", &["SHA-512-256"])]
    {
        let mut alice = Caller::faulty(fault);
        let offered: Vec<_> = alice
            .plain(&[])
            .challenges(HeaderName::WwwAuthenticate)
            .map(|c| {
                String::from_utf8(c.unwrap().params.get(b"algorithm").unwrap().unquoted().to_vec()).unwrap()
            })
            .collect();
        assert_eq!(offered, algorithms);
        assert_eq!(alice.bind(ONE).status(), Some(200), "{fault}");
    }
}

#[test]
fn a11_takes_one_bare_token_only() {
    let mut alice = Caller::faulty("A11");
    let challenge = alice.plain(&[]);
    assert!(value(&challenge, HeaderName::WwwAuthenticate).unwrap().contains("qop=\"auth,auth-int\""));
    assert_eq!(alice.bind(ONE).status(), Some(200));
    let session = alice.session.as_mut().unwrap();
    let right = session.authorize(Method::Register, b"sip:lab.example", b"").unwrap();
    let right = String::from_utf8(right).unwrap();
    for wrong in ["qop=\"auth\"", "qop=\"auth,auth-int\""] {
        let credentials = right.replace("qop=auth", wrong);
        assert_eq!(alice.plain(&[(HeaderName::Authorization, &credentials)]).status(), Some(400), "{wrong}");
    }
    assert_eq!(alice.plain(&[(HeaderName::Authorization, &right)]).status(), Some(200));
}

#[test]
fn faults_that_ask_for_no_credentials_answer_at_once() {
    for (fault, status) in
        [("A12", 403), ("A16", 401), ("A16:407", 407), ("R10", 302), ("R12", 404), ("R14", 503)]
    {
        let mut alice = Caller::faulty(fault);
        let response = alice.plain(&[]);
        assert_eq!(response.status(), Some(status), "{fault}");
        assert!(response.header(HeaderName::WwwAuthenticate).is_none());
        assert!(response.header(HeaderName::ProxyAuthenticate).is_none());
        let retry_after = (fault == "R14").then(|| "120".to_owned());
        assert_eq!(value(&response, HeaderName::RetryAfter), retry_after);
    }
}

#[test]
fn a13_refuses_after_a_right_answer_only() {
    let mut alice = Caller::faulty("A13");
    assert_eq!(alice.plain(&[]).status(), Some(401));
    assert_eq!(alice.bind(ONE).status(), Some(403));
}

#[test]
fn r01_wants_longer_and_takes_it_then() {
    let mut alice = Caller::faulty("R01:900");
    let response = alice.bind(&format!("{ONE};expires=300"));
    assert_eq!(response.status(), Some(423));
    assert_eq!(value(&response, HeaderName::MinExpires).as_deref(), Some("900"));
    assert_eq!(alice.bind(&format!("{ONE};expires=900")).status(), Some(200));
}

#[test]
fn r02_is_never_content() {
    for (fault, minimum) in [("R02", None), ("R02:second", Some("900")), ("R02:useless", Some("1"))] {
        let mut alice = Caller::faulty(fault);
        let response = alice.bind(&format!("{ONE};expires=300"));
        assert_eq!(response.status(), Some(423), "{fault}");
        assert_eq!(value(&response, HeaderName::MinExpires).as_deref(), minimum);
        assert_eq!(alice.bind(&format!("{ONE};expires=900")).status(), Some(423), "{fault}");
        assert_eq!(alice.register(&[]).status(), Some(200), "a query is no matter of time");
    }
    let mut alice = Caller::faulty("R02:second");
    assert_eq!(alice.bind(&format!("{ONE};expires=7199")).status(), Some(423));
    assert_eq!(
        alice.bind(&format!("{ONE};expires=7200")).status(),
        Some(200),
        "it does not raise without end"
    );
}

#[test]
fn r05_zero_tells_a_phone_that_registers_for_ever_to_wait() {
    let mut alice = Caller::faulty("R05:zero");
    for _ in 0..50 {
        assert_eq!(alice.bind(ONE).status(), Some(200));
    }
    let response = alice.bind(ONE);
    assert_eq!(response.status(), Some(503));
    assert_eq!(value(&response, HeaderName::RetryAfter).as_deref(), Some("60"));
}

#[test]
fn faults_of_a_transport_are_met_by_calls_as_well() {
    let admitted = |fault: &str, transport| {
        let mut alice = Caller::faulty(fault);
        let long = vec![(HeaderName::Subject, "x".repeat(600))];
        let invite = alice.build(Method::Invite, "sip:alice@lab.example", &long);
        let (now, flow) = (alice.now, flow(transport, SOURCE));
        match alice.registrar.admit(now, &invite, &flow) {
            Admission::Silence => None,
            Admission::Refused(response) => response.status(),
            Admission::Caller(_) => Some(100),
        }
    };
    assert_eq!(admitted("R15", Transport::Udp), None);
    assert_eq!(admitted("R15", Transport::Tcp), Some(407));
    assert_eq!(admitted("R15:tcp", Transport::Tcp), None);
    assert_eq!(admitted("T02", Transport::Udp), Some(513));
    assert_eq!(admitted("T02:5000", Transport::Udp), Some(407));
}

#[test]
fn subscriptions_and_publications_are_told_that_there_are_no_such_events() {
    let mut alice = Caller::alice();
    for method in [Method::Subscribe, Method::Publish] {
        let request =
            alice.build(method, "sip:alice@lab.example", &[(HeaderName::Event, "message-summary".into())]);
        let response = alice.hand_in(request).unwrap();
        assert_eq!(response.status(), Some(489), "{method}");
        assert_eq!(value(&response, HeaderName::AllowEvents).as_deref(), Some("refer"));
    }
}

#[test]
fn r05_grants_nothing_that_can_be_read() {
    let mut alice = Caller::faulty("R05");
    let response = alice.bind(ONE);
    assert_eq!(response.status(), Some(200));
    assert!(response.header(HeaderName::Expires).is_none());
    assert!(!contacts(&response)[0].contains("expires"));

    let mut alice = Caller::faulty("R05:zero");
    let response = alice.bind(ONE);
    assert_eq!((response.status(), contacts(&response)), (Some(200), vec![format!("{ONE};expires=0")]));
    assert!(alice.held().is_empty());
}

#[test]
fn r06_is_full_of_old_bindings() {
    for (fault, status) in [("R06", 403), ("R06:503", 503), ("R06:603", 603)] {
        let mut alice = Caller::faulty(fault);
        assert_eq!(contacts(&alice.register(&[])).len(), 2);
        let response = alice.bind(ONE);
        assert_eq!(response.status(), Some(status));
        assert_eq!(response.reason(), Some(&b"Too many contacts"[..]));
        assert_eq!(alice.held().len(), 2);
    }
}

#[test]
fn r15_is_silent_over_one_transport() {
    for (fault, silent, other) in
        [("R15", Transport::Udp, Transport::Tcp), ("R15:tcp", Transport::Tcp, Transport::Udp)]
    {
        let mut alice = Caller::faulty(fault);
        alice.flow = flow(silent, SOURCE);
        let request = alice.build(Method::Register, "sip:alice@lab.example", &[]);
        assert!(alice.hand_in(request).is_none());
        assert!(matches!(alice.others[..], [Output::Ignore { token: 7 }]));
        assert_eq!(alice.registrar.seen().last().unwrap().status, None);
        alice.flow = flow(other, SOURCE);
        assert_eq!(alice.bind(ONE).status(), Some(200));
    }
}

#[test]
fn r18_keeps_what_it_said_it_removed() {
    for (fault, shown) in [("R18", 1), ("R18:hidden", 0)] {
        let mut alice = Caller::faulty(fault);
        alice.bind(ONE);
        let response = alice.bind(&format!("{ONE};expires=0"));
        assert_eq!((response.status(), contacts(&response).len()), (Some(200), shown), "{fault}");
        assert_eq!(alice.held(), ["sip:alice@192.0.2.7:5062"]);
        assert_eq!(contacts(&alice.register(&[])).len(), 1, "a later query shows it");
    }
}

#[test]
fn t02_refuses_large_requests_or_cuts_its_answers() {
    let mut alice = Caller::faulty("T02");
    assert_eq!(alice.plain(&[]).status(), Some(401));
    alice.header(HeaderName::Subject, &"x".repeat(600));
    assert_eq!(alice.plain(&[]).status(), Some(513));

    let mut alice = Caller::faulty("T02:truncated");
    alice.bind(ONE);
    let challenged = alice.plain(&[]);
    assert_eq!((challenged.status(), alice.delivery), (Some(401), Some(Delivery::Proper)));
    assert_eq!((alice.answer(&[]).status(), alice.delivery), (Some(200), Some(Delivery::Truncated)));
}

#[test]
fn t12_closes_the_connection() {
    let over_tcp = |fault| {
        let mut alice = Caller::faulty(fault);
        alice.flow = flow(Transport::Tcp, SOURCE);
        assert_eq!(alice.bind(ONE).status(), Some(200));
        alice
    };
    let is_close =
        |outputs: &[Output]| matches!(outputs, [Output::Close(at)] if at.remote == SOURCE.parse().unwrap());

    let alice = over_tcp("T12");
    assert!(is_close(&alice.others));

    // The wire knows what else comes and goes on the connection.
    let alice = over_tcp("T12:30");
    let time = Duration::from_secs(30);
    assert!(matches!(alice.others[..], [Output::CloseWhenIdle { time: told, .. }] if told == time));

    let mut alice = over_tcp("T12:lost");
    let request = alice.build(Method::Register, "sip:alice@lab.example", &[]);
    assert!(alice.hand_in(request).is_none());
    assert!(matches!(alice.others[..], [Output::Ignore { .. }, Output::Close(_)]));
    alice.flow = flow(Transport::Tcp, "192.0.2.7:40000");
    assert_eq!(alice.register(&[]).status(), Some(200), "a new connection is answered");

    for fault in ["T12", "T12:30", "T12:lost"] {
        let mut alice = Caller::faulty(fault);
        alice.bind(ONE);
        assert_eq!(alice.register(&[]).status(), Some(200), "UDP has no connection");
        assert!(alice.others.is_empty());
    }
}

#[test]
fn n04_answers_to_the_via_over_udp() {
    for (fault, port) in [("N04", None), ("N04:5099", Some(5_099))] {
        let mut alice = Caller::faulty(fault);
        assert_eq!(alice.bind(ONE).status(), Some(200));
        assert_eq!(alice.delivery, Some(Delivery::ToVia { port }));
        alice.flow = flow(Transport::Tcp, SOURCE);
        assert_eq!((alice.bind(ONE).status(), alice.delivery), (Some(200), Some(Delivery::Proper)));
    }
}

#[test]
fn b01_falls_silent_for_this_address() {
    let ask = |alice: &mut Caller| {
        let request = alice.build(Method::Options, "sip:lab.example", &[]);
        alice.hand_in(request).is_some()
    };
    for (fault, accepted, options) in [("B01", 2, true), ("B01:3", 3, true), ("B01:ip", 2, false)] {
        let mut alice = Caller::faulty(fault);
        for _ in 0..accepted {
            assert_eq!(alice.register(&[]).status(), Some(200));
        }
        let request = alice.build(Method::Register, "sip:alice@lab.example", &[]);
        assert!(alice.hand_in(request).is_none());
        assert_eq!(ask(&mut alice), options, "{fault}");
        alice.flow = flow(Transport::Udp, "192.0.2.8:5062");
        assert_eq!(alice.plain(&[]).status(), Some(401), "another address is answered");
        alice.flow = flow(Transport::Udp, SOURCE);
        alice.registrar.unban();
        assert_eq!(alice.register(&[]).status(), Some(200));
    }
}

#[test]
fn b06_replaces_the_live_binding_of_another_device() {
    let user =
        User::new("alice", "alicepw").device(Device::new("sip:alice@192.0.2.50").user_agent("DeskPhone/3.1"));
    let mut alice = Caller::new(user.fault("B06").unwrap());
    assert_eq!(contacts(&alice.register(&[])).len(), 1);
    assert_eq!(alice.bind(ONE).status(), Some(200));
    assert_eq!(alice.held(), ["sip:alice@192.0.2.7:5062"]);
}

#[test]
fn quirks_are_legal_and_unusual() {
    let mut alice = Caller::faulty("raise-expires");
    let response = alice.bind(&format!("{ONE};expires=30"));
    assert_eq!(response.status(), Some(200));
    assert!(contacts(&response)[0].contains(";expires=600"));

    let mut alice = Caller::faulty("expires-header");
    let response = alice.bind(&format!("{ONE};expires=300"));
    assert_eq!(value(&response, HeaderName::Expires).as_deref(), Some("300"));
    assert!(!contacts(&response)[0].contains("expires"));

    let mut alice = Caller::faulty("rewrite-contact");
    let response = alice.bind("<sip:alice@10.0.0.1;line=3>;expires=300");
    assert!(contacts(&response)[0].starts_with("<sip:alice@192.0.2.7:5062;transport=UDP>;expires=299"));
    assert_eq!(alice.bind("<sip:alice@10.0.0.1;line=3>;expires=0").status(), Some(200));
    assert!(alice.held().is_empty(), "it is still removed as it was bound");

    let mut alice = Caller::faulty("one-line");
    let response = alice.bind("<sip:alice@192.0.2.7>, <sip:alice@192.0.2.8>");
    assert_eq!((contacts(&response).len(), response.contacts().count()), (1, 2));
}
