//! How a call is made: the same options for every question about calls.

use crate::program::{at_once, ringback};
use serde_json::{Value, json};

#[test]
fn each_question_about_calls_says_how_a_call_is_made_and_for_how_long_it_is_waited() {
    for (question, wait) in [
        ("call", "30s"),
        ("dtmf", "20s"),
        ("transfer", "20s"),
        ("hold", "20s"),
        ("cancel", "20s"),
        ("fork", "10s"),
    ] {
        let ran = ringback(&[question, "--help"]);
        for said in [
            "--register-caller",
            "--beside-live-devices",
            "--dial <NUMBER>",
            "--wait <TIME>",
            "--max-ring",
            "--timeout <TIME>",
        ] {
            assert!(ran.stdout.contains(said), "{question} {said}: {ran}");
        }
        assert!(ran.stdout.contains(&format!("[default: {wait}]")), "{question}: {ran}");
    }
}

fn step<'a>(line: &'a Value, name: &str) -> &'a Value {
    let steps = line["steps"].as_array().unwrap();
    steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no {name}: {line:#}"))
}

#[test]
fn the_caller_is_registered_and_dials_what_is_said_whatever_is_asked() {
    let cases = [
        (&["cancel", "alice", "bob"][..], "party-a", &["--dial", "202"][..]),
        (&["hold", "alice", "bob", "--for", "1"], "party-a", &["--dial", "202"]),
        (&["fork", "alice", "bob", "--trials", "answer"], "caller", &["--dial", "202"]),
        (&["fork", "alice", "600", "bob", "carol", "--trials", "answer"], "caller", &["--max-ring", "5"]),
    ];
    let runs =
        at_once(cases.map(|(question, _, more)| [question, &["--register-caller", "--json"], more].concat()));
    for ((_, caller, more), ran) in cases.into_iter().zip(runs) {
        assert_eq!(ran.status, 0, "{ran}");
        let line: Value = serde_json::from_str(&ran.stdout).unwrap();
        let detail = step(&line, caller)["detail"].as_str().unwrap();
        assert!(detail.starts_with("registered at"), "{detail}: {ran}");
        if more[0] == "--dial" {
            assert!(line["subject"].as_str().unwrap().contains("sip:202@"), "{ran}");
        }
    }
    // What nobody has is not reached, by the verdict of every question.
    let questions = [&["cancel", "alice", "bob"][..], &["hold", "alice", "bob"], &["fork", "alice", "bob"]];
    for ran in at_once(questions.map(|question| [question, &["--dial", "999", "--json"]].concat())) {
        let line: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((ran.status, &line["findings"][0]["code"]), (1, &json!("number-unknown")), "{ran}");
    }
}

#[test]
fn what_cannot_be_dialled_is_refused_before_a_call() {
    for (arguments, said) in [
        (&["fork", "alice", "600", "bob", "carol", "--dial", "601"][..], "called by TARGET"),
        (&["hold", "alice", "bob", "--dial", ""], "empty"),
        (&["hold", "alice", "bob", "--dial", "sip:202@192.0.2.9"], "embedded network"),
        (&["cancel", "alice", "bob", "--wait", "0"], "more than 0"),
        (&["call", "alice", "5", "--dial", "6"], "--dial is for calls between two accounts"),
    ] {
        let ran = ringback(arguments);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{arguments:?}: {ran}");
        assert!(ran.stderr.contains(said), "{arguments:?}: {ran}");
    }
}

/// Asks once without and once with the leave to ask beside live devices, on a network of its own where bob has a desk phone.
fn beside_a_desk_phone(question: &[&str]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let desk = ringback::sim::Device::new("sip:bob@127.0.0.1:9").user_agent("DeskPhone/3.1");
    let users = [
        ringback::sim::User::new("alice", "alicepw"),
        ringback::sim::User::new("bob", "bobpw").device(desk),
        ringback::sim::User::new("carol", "carolpw"),
    ];
    let lab = runtime.block_on(ringback::sim::Lab::builder().users(users).start()).unwrap();
    let address = lab.addr(ringback::message::Transport::Udp).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("accounts.toml");
    let account = |name: &str| {
        format!("[[account]]\nname = \"{name}\"\naor = \"sip:{name}@{address}\"\npassword = \"{name}pw\"\n")
    };
    std::fs::write(&file, ["alice", "bob", "carol"].map(account).concat()).unwrap();
    let file = file.display().to_string();
    let arguments = [question, &["--accounts", &file, "--json"]].concat();
    let ran = ringback(&arguments);
    let line: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.status, &line["verdict"]), (3, &json!("not-run")), "{ran}");
    assert!(line["summary"].as_str().unwrap().contains("1 device is registered for bob"), "{ran}");
    assert_eq!(lab.bindings("bob").len(), 1, "{ran}");
    let said = ringback(&[&arguments[..], &["--beside-live-devices"]].concat());
    let line: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_ne!(line["verdict"], json!("not-run"), "{said}");
    assert!(said.stdout.contains("rings-other-devices"), "{said}");
    assert_eq!(lab.bindings("bob").len(), 1, "ours is removed, the device's is not: {said}");
    runtime.block_on(lab.shutdown());
}

#[test]
fn beside_a_live_device_nothing_is_asked_unless_it_is_said() {
    std::thread::scope(|scope| {
        for question in [
            &["call", "alice", "bob", "--listen", "1"][..],
            &["hold", "alice", "bob", "--for", "1"],
            &["cancel", "alice", "bob", "--ring-for", "1"],
            &["dtmf", "alice", "bob", "--method", "rfc4733", "--digits", "1"],
            &["transfer", "alice", "carol", "bob"],
        ] {
            scope.spawn(|| beside_a_desk_phone(question));
        }
    });
}
