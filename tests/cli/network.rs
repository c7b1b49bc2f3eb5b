//! What the embedded network tells who runs it.

use crate::program::{Ran, Sim, at_once, command, ringback};
use std::io::Write;
use std::process::Stdio;

#[test]
fn it_tells_of_each_request_and_enter_shows_who_is_registered() {
    let users = ["--user", "alice:alicepw", "--user", "bob:bobpw"];
    let mut command = command(&[&["sim", "-v", "--bind", "127.0.0.1:0"][..], &users].concat());
    let mut sim = Sim::run(command.stdin(Stdio::piped())).unwrap_or_else(|ran| panic!("{ran}"));
    let aor = sim.aor("alice");
    let right = ringback(&["register", &aor, "--password", "alicepw"]);
    assert_eq!(right.status, 0, "{right}");
    let wrong = ringback(&["register", &aor, "--password", "no"]);
    assert_eq!(wrong.status, 1, "{wrong}");
    sim.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    sim.until_told("no calls");
    let ran = sim.end("INT");
    assert_eq!(ran.status, 0, "{ran}");
    assert!(ran.stdout.lines().next().is_some_and(|first| first.contains("Enter shows")), "{ran}");
    for told in ["REGISTER of alice from 127.0.0.1", "over udp, ringback/", "answered 200", "wrong password"]
    {
        assert!(ran.stderr.contains(told), "{told:?} is not told\n{ran}");
    }
    assert!(ran.stderr.contains("nobody is registered\nno calls"), "{ran}");
    assert!(!ran.stderr.contains("alicepw"), "{ran}");
}

#[test]
fn a_fault_that_keeps_a_phone_busy_is_told_without_being_asked_for() {
    let sim = Sim::start(&["alice:alicepw:R02:second"]);
    // 423 with 7500, which is over the most that it raises to.
    ringback(&["register", &sim.aor("alice"), "--password", "alicepw", "--expires", "6900"]);
    let ran = sim.end("INT");
    assert!(
        ran.stderr.contains("WARN") && ran.stderr.contains("R02:second: Min-Expires was raised once"),
        "{ran}"
    );
    assert!(!ran.stderr.contains("INFO"), "{ran}");
}

/// Wrong usage in one line.
#[track_caller]
fn refused(ran: &Ran, said: &str) {
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{said}: {ran}");
    assert!(ran.stderr.contains(said) && ran.stderr.lines().count() == 1, "{said}: {ran}");
}

#[test]
fn a_name_that_it_does_not_have_is_refused_wherever_an_account_is_named() {
    let unknown = "\"nobody\" is no account of the embedded network (alice, bob, carol, dan, ";
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
    refused(&ringback(&["call", "Alice", "bob"]), "\"Alice\" is no account");
    refused(&ringback(&["hold", "alice", "202"]), "\"202\" is a number; an account is needed here: name bob");
    refused(&ringback(&["cancel", "alice", "*43"]), "\"*43\" is the echo of the embedded network");
    refused(&ringback(&["fork", "alice", "203", "bob", "carol"]), "203 is carol's number");
    refused(&ringback(&["fork", "alice", "dan", "bob", "carol"]), "dan is the name of an account");
    refused(&ringback(&["transfer", "alice", "bob", "carol", "--park", "203"]), "none of an account");
}

#[test]
fn every_name_of_the_help_is_an_account_with_its_number() {
    let help = ringback(&["hold", "--help"]);
    let names = ["alice", "bob", "carol", "dan", "erin", "frank", "grace", "heidi"];
    assert!(names.iter().all(|name| help.stdout.contains(name)), "{help}");
    let ran = at_once([
        &["cancel", "heidi", "erin", "--dial", "205", "--ring-for", "300ms"][..],
        &["call", "alice", "202"],
        // The help's example is one in which something is heard.
        &["call", "alice", "*60", "--listen", "2s"],
    ]);
    let [cancelled, silent, heard] = &ran[..] else { unreachable!() };
    assert_eq!(cancelled.status, 0, "{cancelled}");
    assert!(silent.status == 1 && silent.stderr.contains("note: 202 is bob's number"), "{silent}");
    assert!(heard.status == 0 && !heard.stdout.contains("[silence]"), "{heard}");
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
    let (sim, port) = Sim::start_open(&["--user", "alice:pw", "--park", "70/9"]);
    let ran = sim.end("INT");
    assert_eq!(ran.status, 0, "{ran}");
    let line = format!("--registrar sip:127.0.0.1:{port} ");
    assert!(ran.stdout.contains(&line) && ran.stdout.contains("all addresses of this host"), "{ran}");
    assert!(ran.stdout.contains("701 to 709  parked calls"), "{ran}");
}

/// Starts the network beyond loopback, and ends it: what it said, and what was done meanwhile.
#[cfg(target_os = "linux")]
fn open_to_others<T>(users: &[&str], meanwhile: impl FnOnce(&str) -> T) -> (Ran, T) {
    let (sim, port) = Sim::start_open(users);
    let done = meanwhile(&format!("127.0.0.1:{port}"));
    (sim.end("INT"), done)
}

/// The password in the line of an account.
#[cfg(target_os = "linux")]
fn password_of<'a>(ran: &'a Ran, name: &str) -> &'a str {
    let line = ran.stdout.lines().find(|line| line.split_whitespace().next() == Some(name));
    line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or_else(|| panic!("no {name}: {ran}"))
}

#[cfg(target_os = "linux")]
#[test]
fn beyond_loopback_no_password_is_known_and_the_warning_says_what_others_can_do() {
    let attack = |at: &str| ringback(&["register", &format!("alice@{at}"), "--password", "alicepw"]);
    let (first, attacked) = open_to_others(&[], attack);
    assert_eq!(attacked.status, 1, "{attacked}");
    assert!(attacked.stdout.contains("password"), "{attacked}");
    let (second, ()) = open_to_others(&[], |_| ());
    let passwords = [&first, &second].map(|ran| [password_of(ran, "alice"), password_of(ran, "bob")]);
    let all: std::collections::HashSet<&str> = passwords.concat().into_iter().collect();
    assert_eq!(all.len(), 4, "{first}{second}");
    assert!(all.iter().all(|password| password.len() == 20), "{first}");
    assert!(first.stdout.contains("bob") && first.stdout.contains("A01: "), "{first}");
    for said in ["can be reached by others", "have requests and sound", "nothing is encrypted", "firewall"] {
        assert!(first.stderr.contains(said), "{said:?} is not told: {first}");
    }
    assert!(
        !first.stderr.contains("guessed") && !first.stderr.contains(password_of(&first, "alice")),
        "{first}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_password_that_is_given_is_kept_and_a_weak_one_is_warned_of_by_name() {
    let users =
        ["--user", "alice:alicepw", "--user", "bob::A01", "--user", "carol:xkcd-936-horse", "--user", "dave"];
    let right = |at: &str| ringback(&["register", &format!("carol@{at}"), "--password", "xkcd-936-horse"]);
    let (ran, registered) = open_to_others(&users, right);
    assert_eq!(registered.status, 0, "{registered}");
    assert_eq!((password_of(&ran, "alice"), password_of(&ran, "carol")), ("alicepw", "xkcd-936-horse"));
    assert_eq!((password_of(&ran, "bob").len(), password_of(&ran, "dave").len()), (20, 20));
    assert!(ran.stderr.contains("the password of alice; leave it out"), "{ran}");
    // On loopback it is nobody else's business, and the known ones are known.
    let ran = Sim::start(&[]).end("INT");
    assert_eq!((password_of(&ran, "alice"), ran.stderr.as_str()), ("alicepw", ""), "{ran}");
}

/// The soft limit of open files of a process.
#[cfg(target_os = "linux")]
fn open_files(id: u32) -> (String, String) {
    let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn the_limit_of_open_files_is_raised_and_what_remains_is_shared_with_calls() {
    use std::io::Read;
    use std::net::TcpStream;
    use std::time::Duration;
    let start = |limit: &str| {
        let program = env!("CARGO_BIN_EXE_ringback");
        let line =
            format!("{limit}; exec {program} sim --bind 127.0.0.1:0 --user alice:alicepw --user bob:bobpw");
        let mut shell = std::process::Command::new("sh");
        let shell = shell.args(["-c", &line]).stdout(Stdio::piped()).stderr(Stdio::piped());
        Sim::run(shell).unwrap_or_else(|ran| panic!("{ran}"))
    };
    let sim = start("ulimit -S -n 64");
    let (soft, hard) = open_files(sim.child.id());
    assert!(soft == hard && soft != "64", "{soft} of {hard}");
    sim.end("INT");

    let sim = start("ulimit -n 80");
    let address = &sim.address;
    assert_eq!(open_files(sim.child.id()).0, "80");
    let half = |_| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"REGISTER sip:lab.example SIP/2.0\r\n").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    };
    let mut streams: Vec<TcpStream> = (0..80).map(half).collect();
    // Beyond half of the files they are closed at once, and not left waiting.
    let is_closed = |stream: &mut TcpStream| match stream.read(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    let (open, beyond) = streams.split_at_mut(40);
    assert!(beyond.iter_mut().all(is_closed));
    for stream in open {
        stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        assert!(!is_closed(stream));
    }
    // Phones that speak UDP are let in, with ports for their call.
    let accounts = tempfile::tempdir().unwrap();
    let file = accounts.path().join("accounts.csv");
    let rows = format!("name,aor,password\nalice,sip:alice@{address},alicepw\nbob,sip:bob@{address},bobpw\n");
    std::fs::write(&file, rows).unwrap();
    let ran = ringback(&["call", "--accounts", file.to_str().unwrap(), "alice", "bob", "--listen", "1"]);
    let sim = sim.end("INT");
    assert_eq!(ran.status, 0, "{ran}{sim}");
}
