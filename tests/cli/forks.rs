//! `ringback fork` on the embedded network, and through a file of accounts.

use crate::program::{Ran, Sim, command, finish, ringback, signal};
use serde_json::{Value, json};
use std::time::Duration;

#[track_caller]
fn line(ran: &Ran) -> Value {
    assert_eq!(ran.stdout.lines().count(), 1, "{ran}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn a_healthy_group_is_one_json_line_with_who_rang_won_and_was_cancelled() {
    let ran = ringback(&["fork", "alice", "600", "bob", "carol", "dan", "--answers", "2", "--json"]);
    let line = line(&ran);
    assert_eq!((ran.status, &line["check"], &line["verdict"]), (0, &json!("fork"), &json!("pass")), "{ran}");
    let fork = &line["fork"];
    assert_eq!((&fork["caller"], &fork["legs_left"]), (&json!("alice"), &json!(0)), "{fork:#}");
    assert_eq!(fork["ends"], json!(["bob", "carol", "dan"]));
    let trials: Vec<&Value> =
        fork["rounds"].as_array().unwrap().iter().map(|round| &round["trial"]).collect();
    assert_eq!(trials, ["answer", "race", "refuse", "second-call"]);
    let answer = &fork["rounds"][0];
    assert_eq!((&answer["order"], &answer["winner"]), (&json!("parallel"), &json!("carol")), "{fork:#}");
    assert_eq!((&answer["not_rung"], &answer["answered"]), (&json!([]), &json!(["carol"])), "{fork:#}");
    let heard = json!({"alice": ["carol"], "bob": [], "carol": ["alice"], "dan": []});
    assert_eq!(answer["heard"], heard, "{fork:#}");
    let rang = answer["rang"].as_array().unwrap();
    assert!(
        rang.iter().all(|rung| rung["after_ms"].as_f64().is_some_and(|after| after < 5_000.0)),
        "{fork:#}"
    );
    for released in answer["released"].as_array().unwrap() {
        assert_eq!(
            (&released["by"], &released["acknowledged"]),
            (&json!("CANCEL"), &json!(true)),
            "{fork:#}"
        );
        assert!(released["reason"][0].as_str().is_some_and(|why| why.contains("cause=200")), "{fork:#}");
    }
    assert!(
        line["metrics"]["cancel_ms"].is_number() && line["metrics"]["first_ring_ms"].is_number(),
        "{line}"
    );
}

#[test]
fn a_second_answer_that_is_left_open_is_named_with_status_1_and_the_ladder_shows_it() {
    let ran = ringback(&["fork", "alice", "bob", "--fault", "F04", "--trials", "race", "--ladder"]);
    assert_eq!(ran.status, 1, "{ran}");
    assert!(
        ran.stdout.contains("[second-answer-left-open]") && ran.stdout.contains("with nobody in it"),
        "{ran}"
    );
    assert_eq!(
        ran.stdout.matches("|-- INVITE sip:bob@127").count()
            + ran.stdout.matches("<- INVITE sip:bob@127").count(),
        2,
        "{ran}"
    );
}

/// Three accounts of a file, asked over a transport.
fn of_a_file(transport: &str, arguments: &[&str]) {
    let users = ["alice:alicepw", "bob:bobpw", "carol:carolpw"];
    let sim = Sim::start_with(&users, &["--group", "600=bob,carol"]);
    let dir = tempfile::tempdir().unwrap();
    let account = |name: &str| {
        format!(
            "[[account]]\nname = \"{name}\"\naor = \"{}\"\npassword = \"{name}pw\"\nregistrar = \"sip:{};transport={transport}\"\n",
            sim.aor(name),
            sim.address
        )
    };
    let file = dir.path().join("accounts.toml");
    std::fs::write(&file, ["alice", "bob", "carol"].map(account).concat()).unwrap();
    let file = file.display().to_string();
    let ran = ringback(&[&["fork", "--accounts", &file, "--json", "alice"][..], arguments].concat());
    assert_eq!(ran.status, 0, "{transport}: {ran}");
    assert_eq!(line(&ran)["findings"], json!([]), "{transport}: {ran}");
}

#[test]
fn accounts_of_a_file_are_rung_as_a_group_over_udp() {
    of_a_file("udp", &["600", "bob", "carol"]);
}

#[test]
fn devices_of_one_account_of_a_file_are_rung_over_tcp() {
    of_a_file("tcp", &["bob", "--bindings", "3"]);
}

#[test]
fn ctrl_c_hangs_up_every_end_and_removes_every_binding() {
    let child = command(&["fork", "alice", "600", "bob", "carol", "--ladder"]).spawn().unwrap();
    // All ring by then, or the first has answered.
    std::thread::sleep(Duration::from_millis(1_500));
    signal(&child, "INT");
    let ran = finish(child);
    assert_eq!(ran.status, 3, "{ran}");
    assert!(!ran.stdout.contains("[call-left]") && !ran.stdout.contains("[binding-left]"), "{ran}");
    // Of each member: a query with its challenge, the binding, the removal.
    assert_eq!(ran.stdout.matches(" REGISTER sip:").count(), 8, "{ran}");
}

#[test]
fn what_cannot_be_rung_as_one_is_refused_before_a_call() {
    for (arguments, said) in [
        (&["fork", "alice"][..], "<TARGET>"),
        (&["fork", "alice", "600", "bob"], "2 to 6"),
        (&["fork", "alice", "bob", "--bindings", "7"], "\"7\": out of range; write 2 to 6"),
        (&["fork", "alice", "bob", "--bindings", "99"], "\"99\": out of range; write 2 to 6"),
        (&["fork", "alice", "bob", "--bindings", "1"], "2 to 6"),
        (&["fork", "alice", "sip:600@lab.example"], "name the accounts that ring"),
        (&["fork", "alice", "600", "bob", "bob"], "twice"),
        (&["fork", "alice", "600", "bob", "carol", "--bindings", "2"], "cannot be used with"),
        (&["fork", "alice", "600", "bob", "carol", "--answers", "3"], "there are 2 ends; write 1 to 2"),
        (&["fork", "alice", "600", "bob", "carol", "--answers", "0"], "there are 2 ends; write 1 to 2"),
        (
            &["fork", "alice", "600", "bob", "carol", "--trials", "rase"],
            "answer, race, refuse or second-call",
        ),
        (&["fork", "alice", "600", "bob", "carol", "--second-call", "no"], "rings, elsewhere, busy or any"),
        (&["fork", "alice", "600", "bob", "carol", "--refuses-with", "200"], "300 to 699"),
        (&["fork", "alice", "600", "bob", "carol", "--fault", "Z99"], "not known"),
    ] {
        let ran = ringback(arguments);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{arguments:?}: {ran}");
        assert!(ran.stderr.contains(said), "{arguments:?}: {ran}");
    }
}
