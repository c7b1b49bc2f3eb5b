//! What the embedded network tells who runs it.

use crate::program::{Ran, command, finish, ringback, signal};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

#[test]
fn it_tells_of_each_request_and_enter_shows_who_is_registered() {
    let users = ["--user", "alice:alicepw", "--user", "bob:bobpw"];
    let arguments = [&["sim", "-v", "--bind", "127.0.0.1:0"][..], &users].concat();
    let mut sim = command(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(sim.stdout.take().unwrap());
    let mut first = String::new();
    output.read_line(&mut first).unwrap();
    assert!(first.contains("Enter shows"), "{first}");
    let address = first.split("sip:").nth(1).unwrap().split(' ').next().unwrap();
    let aor = format!("sip:alice@{address}");
    let right = ringback(&["register", &aor, "--password", "alicepw"]);
    assert_eq!(right.status, 0, "{right}");
    let wrong = ringback(&["register", &aor, "--password", "no"]);
    assert_eq!(wrong.status, 1, "{wrong}");
    sim.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    // The answer is on its way before the end is.
    std::thread::sleep(std::time::Duration::from_millis(300));
    signal(&sim, "INT");
    let ran = finish(sim);
    assert_eq!(ran.status, 0, "{ran}");
    for told in ["REGISTER of alice from 127.0.0.1", "over udp, ringback/", "answered 200", "wrong password"]
    {
        assert!(ran.stderr.contains(told), "{told:?} is not told\n{ran}");
    }
    assert!(ran.stderr.contains("nobody is registered\nno calls"), "{ran}");
    assert!(!ran.stderr.contains("alicepw"), "{ran}");
}

/// Wrong usage in one line.
#[track_caller]
fn refused(ran: &Ran, said: &str) {
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{said}: {ran}");
    assert!(ran.stderr.contains(said) && ran.stderr.lines().count() == 1, "{said}: {ran}");
}

#[test]
fn a_name_that_it_does_not_have_is_refused_wherever_an_account_is_named() {
    let unknown = "nobody is no account of the embedded network (alice, bob, carol, dan, ";
    for arguments in [
        &["call", "nobody", "bob"][..],
        &["call", "alice", "nobody"],
        &["call", "nobody", "202"],
        &["hold", "alice", "nobody"],
        &["cancel", "nobody", "bob"],
        &["dtmf", "alice", "nobody"],
        &["dtmf", "alice", "--dial", "700", "--expect-ring", "nobody"],
        &["transfer", "alice", "bob", "nobody"],
        &["fork", "alice", "nobody"],
        &["fork", "alice", "600", "bob", "nobody"],
        &["fork", "alice", "600", "bob", "carol", "--second-caller", "nobody"],
    ] {
        refused(&ringback(arguments), unknown);
    }
    refused(&ringback(&["call", "Alice", "bob"]), "Alice is no account");
    refused(&ringback(&["hold", "alice", "202"]), "202 is a number; an account is needed here: name bob");
    refused(&ringback(&["cancel", "alice", "*43"]), "*43 is the echo of the embedded network");
    refused(&ringback(&["fork", "alice", "203", "bob", "carol"]), "203 is carol's number");
    refused(&ringback(&["fork", "alice", "dan", "bob", "carol"]), "dan is the name of an account");
    refused(&ringback(&["transfer", "alice", "bob", "carol", "--park", "203"]), "none of an account");
}

#[test]
fn every_name_of_the_help_is_an_account_with_its_number() {
    let help = ringback(&["hold", "--help"]);
    let names = ["alice", "bob", "carol", "dan", "erin", "frank", "grace", "heidi"];
    assert!(names.iter().all(|name| help.stdout.contains(name)), "{help}");
    let ran = ringback(&["cancel", "heidi", "erin", "--dial", "205", "--ring-for", "300ms"]);
    assert_eq!(ran.status, 0, "{ran}");
    let ran = ringback(&["call", "alice", "202"]);
    assert!(ran.status == 1 && ran.stderr.contains("note: 202 is bob's number"), "{ran}");
    // The help's example is one in which something is heard.
    let ran = ringback(&["call", "alice", "*60", "--listen", "2s"]);
    assert!(ran.status == 0 && !ran.stdout.contains("[silence]"), "{ran}");
    assert!(ringback(&["call", "--help"]).stdout.contains("ringback call alice '*60'"));
}

#[test]
fn a_fault_that_the_check_cannot_show_is_told() {
    let note = "note: fault D04 cannot be seen in \"cancel\"";
    let ran =
        ringback(&["cancel", "alice", "bob", "--fault", "d04", "--fault", "F03", "--ring-for", "300ms"]);
    assert_eq!(ran.status, 0, "{ran}");
    assert!(ran.stderr.contains(note) && ran.stderr.contains("it is for dtmf"), "{ran}");
    assert!(!ran.stderr.contains("fault F03"), "{ran}");
}

#[test]
fn an_unknown_fault_is_a_short_error_and_all_of_them_are_listed_by_check() {
    let ran = ringback(&["hold", "alice", "bob", "--fault", "Z9"]);
    assert_eq!(ran.status, 2, "{ran}");
    assert!(ran.stderr.contains("ringback sim --faults") && ran.stderr.len() < 300, "{ran}");
    let ran = ringback(&["sim", "--faults"]);
    let headings: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("Seen in ")).collect();
    for heading in
        ["Seen in register:", "Seen in dtmf:", "Seen in hold:", "Seen in fork:", "Seen in transfer:"]
    {
        assert!(headings.contains(&heading), "{heading}: {ran}");
    }
    let of_digits = ran.stdout.split("Seen in dtmf:").nth(1).unwrap().split("Seen in").next().unwrap();
    assert!(of_digits.contains("D04:info") && !of_digits.contains("X01"), "{ran}");
}

#[test]
fn a_taken_port_is_wrong_usage_with_a_way_out() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    refused(
        &ringback(&["sim", "--bind", &address]),
        &format!("--bind {address}: another program has this port"),
    );
    let ran = ringback(&["sim", "--bind", &address]);
    assert!(ran.stderr.contains("--bind 127.0.0.1:0"), "{ran}");
    let ran = ringback(&["sim", "--bind", "192.0.2.1:5060"]);
    assert!(
        ran.status == 2 && ran.stderr.contains("--bind 192.0.2.1:5060: this host has no such address"),
        "{ran}"
    );
}

#[test]
fn what_is_to_be_tried_can_be_reached_and_parked_calls_have_their_numbers() {
    // A port that was free a moment ago.
    let port = std::net::UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    let bind = format!("0.0.0.0:{port}");
    let sim = command(&["sim", "--bind", &bind, "--user", "alice:pw", "--park", "70/9"]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    signal(&sim, "INT");
    let ran = finish(sim);
    assert_eq!(ran.status, 0, "{ran}");
    let line = format!("--registrar sip:127.0.0.1:{port} ");
    assert!(ran.stdout.contains(&line) && ran.stdout.contains("all addresses of this host"), "{ran}");
    assert!(ran.stdout.contains("701 to 709  parked calls"), "{ran}");
}
