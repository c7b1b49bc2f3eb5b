//! Input is taken as it is written, or refused; and the embedded network is named where it was asked.

use crate::program::{Ran, Sim, at_once, ringback};
use serde_json::Value;
use std::path::PathBuf;

/// A file with these accounts of a running network, in a folder that lives as long as it.
fn accounts(sim: &Sim, names: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts.csv");
    let rows: String =
        names.iter().map(|(name, user)| format!("{name},{},{user}-pw\n", sim.aor(user))).collect();
    std::fs::write(&path, format!("name,aor,password\n{rows}")).unwrap();
    (folder, path)
}

/// A file in which one address stands under two names, written in two ways.
fn folder_of_one_account(sim: &Sim) -> tempfile::TempDir {
    let (folder, path) = accounts(sim, &[("alice", "alice"), ("bob", "bob")]);
    let rows = std::fs::read_to_string(&path).unwrap();
    let again = format!("{rows}alias,{},alice-pw\n", sim.aor("%61lice"));
    std::fs::write(path, again).unwrap();
    folder
}

#[track_caller]
fn refused(ran: &Ran, why: &str) {
    assert_eq!(ran.status, 2, "{ran}");
    assert!(ran.stdout.is_empty() && ran.stderr.contains(why), "{why}: {ran}");
}

#[test]
fn a_transport_that_we_do_not_have_is_refused_wherever_it_stands() {
    for arguments in [
        &["register", "sip:alice@127.0.0.1:9;transport=tls", "--password", "x"][..],
        &["reachable", "sip:127.0.0.1:9;transport=tls"],
        &["call", "sip:alice@127.0.0.1:9;transport=tls", "201", "--password", "x"],
    ] {
        refused(&ringback(arguments), "transport \"tls\" is not supported");
    }
}

#[test]
fn an_address_never_ends_on_the_embedded_network() {
    let address = "sip:bob@pbx.example.com";
    for arguments in [
        &["hold", "alice", address][..],
        &["cancel", address, "bob"],
        &["dtmf", "alice", address],
        &["dtmf", "alice", "bob", "--dial", address],
        &["transfer", "alice", "bob", address],
        &["fork", "alice", "600", "bob", address],
        &["call", "alice", address],
        &["call", "alice", "bob", "--dial", address],
    ] {
        refused(&ringback(arguments), "without --accounts FILE the embedded network is asked");
    }
}

#[test]
fn one_account_is_never_two_parties() {
    let sim = Sim::start(&["alice:alice-pw", "bob:bob-pw", "carol:carol-pw"]);
    let (_folder, path) =
        accounts(&sim, &[("alice", "alice"), ("bob", "bob"), ("bobby", "bob"), ("carol", "carol")]);
    let path = path.to_str().unwrap();
    for arguments in [
        &["hold", "alice", "alice"][..],
        &["hold", "bob", "bobby"],
        &["cancel", "alice", "alice"],
        &["call", "alice", "alice"],
        &["dtmf", "bobby", "bob"],
        &["transfer", "alice", "bob", "alice"],
        &["fork", "alice", "600", "bob", "bobby"],
    ] {
        let with_file: Vec<&str> = arguments.iter().copied().chain(["--accounts", path]).collect();
        refused(&ringback(&with_file), "is given twice");
    }
    // Also where its address is written otherwise, in the file or on the command line.
    let odd = folder_of_one_account(&sim);
    let odd = odd.path().join("accounts.csv").display().to_string();
    let own = sim.aor("%61lice");
    for arguments in [
        &["hold", "alice", "alias"][..],
        &["dtmf", "alias", "alice"],
        &["cancel", "alice", "alias"],
        &["call", "alice", "alias"],
        &["call", "alice", &own],
        &["fork", "alice", "alias"],
        &["transfer", "alice", "bob", "alias"],
    ] {
        let with_file: Vec<&str> = arguments.iter().copied().chain(["--accounts", odd.as_str()]).collect();
        refused(&ringback(&with_file), "is given twice");
    }
    let alone = ["call", &sim.aor("alice"), &own, "--password", "alice-pw"];
    refused(&ringback(&alone), "is given twice");
    refused(&ringback(&["hold", "alice", "alice"]), "is given twice, as A and as B; name different accounts");
    refused(&ringback(&["register", "--accounts", path, "alice", "alice"]), "given twice");
    for (arguments, roles) in [
        (&["transfer", "alice", "bob", "alice"][..], "\"alice\" is given twice, as A and as C"),
        (
            &["fork", "alice", "bob", "--second-caller", "bob"],
            "\"bob\" is given twice, as TARGET and as --second-caller",
        ),
        (&["fork", "alice", "600", "bob", "bob"], "\"bob\" is given twice as one of ENDS"),
        (
            &["dtmf", "bob", "--dial", "700", "--expect-ring", "bob"],
            "\"bob\" is given twice, as A and as --expect-ring",
        ),
        (&["call", "bob", "bob"], "\"bob\" is given twice, as A and as TARGET"),
    ] {
        refused(&ringback(arguments), roles);
        let with_file: Vec<&str> = arguments.iter().copied().chain(["--accounts", path]).collect();
        refused(&ringback(&with_file), roles);
    }
}

#[test]
fn an_account_that_cannot_be_used_is_one_outcome_with_one_status_for_every_question() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts.csv");
    let rows = "alice,sip:alice@127.0.0.1:9,,RINGBACK_TEST_NOT_SET\nbob,sip:bob@127.0.0.1:9,bob-pw,\ncarol,sip:carol@127.0.0.1:9,carol-pw,\n";
    std::fs::write(&path, format!("name,aor,password,password_env\n{rows}")).unwrap();
    for arguments in [
        &["register", "alice"][..],
        &["call", "alice", "bob"],
        &["call", "alice", "*43"],
        &["dtmf", "bob", "alice"],
        &["hold", "alice", "bob"],
        &["cancel", "bob", "alice"],
        &["transfer", "bob", "carol", "alice"],
        &["fork", "bob", "alice"],
    ] {
        let more = ["--accounts", path.to_str().unwrap(), "--json"];
        let ran = ringback(&[arguments, &more].concat());
        assert_eq!(ran.status, 3, "{arguments:?}: {ran}");
        let line: Value = serde_json::from_str(ran.stdout.trim()).unwrap();
        assert_eq!(
            (&line["check"], &line["verdict"], &line["name"]),
            (&arguments[0].into(), &"not-run".into(), &"alice".into()),
            "{ran}"
        );
        assert!(line["summary"].as_str().unwrap().contains("is not set"), "{ran}");
        assert!(ran.stderr.contains("-> set it and check again"), "{ran}");
    }
}

#[test]
fn an_address_is_the_account_that_has_it() {
    let sim = Sim::start(&["alice:alice-pw", "bob:bob-pw"]);
    let (_folder, path) = accounts(&sim, &[("a", "alice"), ("b", "bob")]);
    let (alice, bob) = (sim.aor("alice"), sim.aor("bob"));
    let path = path.to_str().unwrap();
    let questions = [["hold", "--for", "1"], ["cancel", "--ring-for", "1"], ["call", "--listen", "1"]];
    for question in questions {
        let ran = ringback(&[&question[..], &[&alice, &bob, "--accounts", path, "--json"]].concat());
        assert_eq!(ran.status, 0, "{ran}");
        let line: Value = serde_json::from_str(ran.stdout.trim()).unwrap();
        assert_eq!(line["accounts"], serde_json::json!(["a", "b"]), "{ran}");
        assert!(!ran.stderr.contains("embedded network"), "{ran}");
        assert!(!line["facts"].to_string().contains("embedded"), "{ran}");
    }
}

#[test]
fn the_embedded_network_is_named_in_the_first_and_the_last_line_and_for_programs() {
    let questions = [["hold", "--for", "1"], ["cancel", "--ring-for", "1"], ["call", "--listen", "1"]];
    let people = questions.map(|question| [&question[..], &["alice", "bob"]].concat());
    let programs = questions.map(|question| [&question[..], &["alice", "bob", "--json"]].concat());
    let mut runs = at_once(people.into_iter().chain(programs));
    for ran in runs.drain(..questions.len()) {
        assert_eq!(ran.status, 0, "{ran}");
        let lines: Vec<&str> = ran.stdout.lines().collect();
        for line in [lines.first(), lines.last()] {
            assert!(line.is_some_and(|line| line.contains("embedded network")), "{ran}");
        }
    }
    for ran in runs {
        let line: Value = serde_json::from_str(ran.stdout.trim()).unwrap();
        let network = line["facts"].as_array().unwrap().iter().find(|fact| fact["name"] == "network");
        assert_eq!(network.unwrap()["value"], "embedded", "{ran}");
        assert!(ran.stderr.contains("embedded network"), "{ran}");
    }
}

#[test]
fn whether_somebody_is_registered_is_a_question_of_its_own() {
    let sim = Sim::start(&["alice:alice-pw"]);
    let aor = sim.aor("alice");
    let ran = ringback(&["register", &aor, "--password", "alice-pw", "--lookup", "--json"]);
    assert_eq!(ran.status, 1, "{ran}");
    let line: Value = serde_json::from_str(ran.stdout.trim()).unwrap();
    assert_eq!(
        (&line["check"], &line["register"]["bindings"]),
        (&"lookup".into(), &serde_json::json!([])),
        "{ran}"
    );
    let ran = ringback(&["register", &aor, "--password", "alice-pw", "--query-only"]);
    assert_eq!(ran.status, 0, "{ran}");
}
