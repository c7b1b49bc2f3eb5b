//! Rules about bindings: which is ours, and what is told of the others.

use super::*;

/// Binds with `config` and gives the bindings of a 200 with these Contacts.
fn bindings(config: Config, contacts: &[&str]) -> Vec<Binding> {
    let mut play = Play::of(config);
    play.command(Command::Bind).respond("200 OK", contacts);
    play.answer().bindings.clone()
}

fn own(contacts: &[&str]) -> Vec<bool> {
    bindings(config(), contacts).iter().map(|b| b.own).collect()
}

/// The token of [`config`]'s registration.
fn token() -> String {
    Play::new().registration.contact().split("rb=").nth(1).unwrap().to_owned()
}

#[test]
fn our_own_contact_is_found_in_one_line_with_others() {
    let line = "Contact: <sip:alice@192.0.2.5:5060>;expires=1200, <OWN>;expires=300;q=0.5, \"A, B\" <sip:alice@192.0.2.6>;expires=7";
    let found = bindings(config(), &[line]);
    assert_eq!(found.iter().map(|b| b.own).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(found.iter().map(|b| b.expires).collect::<Vec<_>>(), [Some(1200), Some(300), Some(7)]);
    assert_eq!(found[1].q_thousandths, Some(500));
}

#[test]
fn the_token_finds_it_behind_nat_with_everything_else_rewritten() {
    let rewritten =
        format!("Contact: <sip:alice@203.0.113.9:61000;transport=UDP;RB={};x=y>;expires=59", token());
    assert_eq!(own(&["Contact: <sip:alice@192.0.2.5>;expires=60", &rewritten]), [false, true]);
}

#[test]
fn the_case_of_a_parameter_does_not_hide_it() {
    let tcp = Config { contact: "sip:alice@127.0.0.1:5070;transport=tls".to_owned(), ..config() };
    let found = bindings(tcp, &["Contact: <sip:alice@127.0.0.1:5070;transport=TLS>;expires=60"]);
    assert!(found[0].own);
}

#[test]
fn user_host_and_port_are_enough_when_parameters_were_dropped() {
    let tcp = Config { contact: "sip:alice@127.0.0.1:5070;transport=tcp".to_owned(), ..config() };
    let lines =
        ["Contact: <sip:alice@127.0.0.1:5071>;expires=60", "Contact: <sip:alice@127.0.0.1:5070>;expires=60"];
    let found = bindings(tcp, &lines);
    assert_eq!(found.iter().map(|b| b.own).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn the_address_that_the_far_side_saw_us_at_is_the_last_resort() {
    // The Via of the answers says received=192.0.2.9 and rport=40404.
    assert_eq!(own(&["Contact: <sip:alice@192.0.2.9:40404>;expires=60"]), [true]);
    assert_eq!(own(&["Contact: <sip:bob@192.0.2.9:40404>;expires=60"]), [false], "another user");
}

#[test]
fn the_instance_finds_it_when_nothing_else_is_left() {
    let urn = "urn:uuid:00000000-0000-4000-8000-00000000000A";
    let config = Config { instance: Some(urn.to_owned()), ..config() };
    let line = "Contact: <sip:gw@203.0.113.1>;expires=60;+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-00000000000a>\"";
    let found = bindings(config, &[line]);
    assert!(found[0].own);
    assert_eq!(found[0].instance.as_deref(), Some("urn:uuid:00000000-0000-4000-8000-00000000000a"));
}

#[test]
fn a_binding_of_an_earlier_run_on_the_same_port_is_not_ours() {
    let left = "Contact: <sip:alice@127.0.0.1:5070;rb=0000000000>;expires=900";
    assert_eq!(own(&[left]), [false]);
    let mut play = Play::new();
    play.command(Command::Bind).respond("200 OK", &[left, "Contact: <OWN>;expires=60"]);
    assert_eq!(play.answer().granted, Some((60, GrantedBy::ContactParam)));
}

#[test]
fn the_surest_likeness_wins_over_weaker_ones() {
    let weaker = "Contact: <sip:alice@127.0.0.1:5070>;expires=900";
    assert_eq!(own(&[weaker, "Contact: <OWN>;expires=60"]), [false, true]);
}

#[test]
fn escapes_in_the_user_part_do_not_hide_it() {
    let config = Config { contact: "sip:a%6Cice@127.0.0.1:5070;transport=udp".to_owned(), ..config() };
    assert!(bindings(config, &["Contact: <sip:alice@127.0.0.1:5070>;expires=60"])[0].own);
}

#[test]
fn gruus_user_agent_and_other_parameters_are_told() {
    let line = "Contact: <OWN>;expires=60;pub-gruu=\"sip:alice@lab.example;gr=urn:x\";temp-gruu=\"sip:t@lab.example;gr\"\
                ;user-agent=\"Phone 1.0\";received=\"sip:192.0.2.1:5\";reg-id=1;flag";
    let binding = bindings(config(), &[line]).remove(0);
    assert_eq!(binding.pub_gruu.as_deref(), Some("sip:alice@lab.example;gr=urn:x"));
    assert_eq!(binding.temp_gruu.as_deref(), Some("sip:t@lab.example;gr"));
    assert_eq!(binding.user_agent.as_deref(), Some("Phone 1.0"));
    assert_eq!(binding.params, ";received=\"sip:192.0.2.1:5\";reg-id=1;flag");
}

#[test]
fn path_service_route_server_and_where_we_were_seen_are_told() {
    let mut play = Play::new();
    let headers = [
        GRANTED,
        "Path: <sip:edge.example;lr;ob>, <sip:edge2.example;lr>",
        "Service-Route: <sip:orig@scscf.example;lr>",
        "Server: Example PBX 20.5.0",
        "Supported: path, gruu",
        "Warning: 399 host \"nearly full\"",
    ];
    play.command(Command::Bind).respond("200 Welcome", &headers);
    let answer = play.answer();
    assert_eq!((answer.status(), answer.reason().as_str()), (200, "Welcome"));
    assert_eq!(answer.path(), ["<sip:edge.example;lr;ob>", "<sip:edge2.example;lr>"]);
    assert_eq!(answer.service_route(), ["<sip:orig@scscf.example;lr>"]);
    assert_eq!(answer.server().as_deref(), Some("Example PBX 20.5.0"));
    assert_eq!(answer.supported(), ["path", "gruu"]);
    assert_eq!(answer.warnings(), ["399 host \"nearly full\""]);
    assert_eq!(answer.seen_at(), ("192.0.2.9".parse().ok(), Some(40404)));
}

#[test]
fn an_unreadable_contact_is_reported_and_hides_no_other() {
    let mut play = Play::new();
    play.command(Command::Query).respond("200 OK", &["Contact: <<<", GRANTED, "Contact: *"]);
    assert_eq!(play.answer().bindings.len(), 1);
    assert_eq!(play.answer().unreadable.len(), 2, "{:?}", play.answer().unreadable);
}
