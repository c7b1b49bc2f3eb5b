//! `ringback dtmf`, `hold`, `cancel` and `transfer` on the embedded network.

use crate::program::{at_once, ringback};

#[test]
fn healthy_digits_are_one_json_line_and_status_0() {
    let ran = ringback(&["dtmf", "alice", "bob", "--digits", "15#", "--method", "rfc4733", "--json"]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (0, 1), "{ran}");
    let line: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let row = &line["dtmf"][0];
    assert_eq!((row["sent"].as_str(), row["received"].as_str()), (Some("15#"), Some("15#")), "{line}");
    assert_eq!(row["digits"].as_array().map(Vec::len), Some(3), "{line}");
    assert!(row["digits"][0]["duration_ms"].as_f64().is_some_and(|millis| millis >= 80.0), "{line}");
}

#[test]
fn a_doubled_digit_is_named_and_status_1() {
    let ran = ringback(&["dtmf", "alice", "bob", "--digits", "15", "--method", "rfc4733", "--fault", "D04"]);
    assert_eq!(ran.status, 1, "{ran}");
    assert!(
        ran.stdout.contains("both digits arrived twice") && ran.stdout.contains("doubled-in-band"),
        "{ran}"
    );
}

#[test]
fn a_menu_that_rings_whom_it_should_is_status_0() {
    let menu = ["dtmf", "alice", "--dial", "700", "--expect-ring", "bob", "--digits"];
    // The digits are the menu's own, not those that were asked for: 3 is carol, and 9 nobody.
    let digits = [&["2"][..], &["3", "--wait", "3s"], &["9", "--wait", "3s"]];
    let ran = at_once(digits.map(|digits| [&menu[..], digits].concat()));
    assert_eq!(
        ran.iter().map(|ran| ran.status).collect::<Vec<_>>(),
        [0, 1, 1],
        "{}{}{}",
        ran[0],
        ran[1],
        ran[2]
    );
    assert!(ran[0].stdout.contains("rings sip:bob@lab.example, and both hear each other"), "{}", ran[0]);
}

#[test]
fn the_time_limit_is_kept_by_every_question_about_calls() {
    let limit = ["--timeout", "300ms"];
    let questions = [
        &["call", "alice", "bob"][..],
        &["dtmf", "alice", "bob"],
        &["hold", "alice", "bob"],
        &["cancel", "alice", "bob", "--ring-for", "20s"],
        &["transfer", "alice", "bob", "carol"],
        &["fork", "alice", "bob"],
    ];
    for (question, ran) in
        questions.iter().zip(at_once(questions.map(|question| [question, &limit].concat())))
    {
        assert!(ran.status == 3 && ran.stdout.contains("[time-limit]"), "{question:?}: {ran}");
        let (when, step) = ("the time for this check ended (0.3 s", ") during the step \"");
        assert!(ran.stdout.contains(when) && ran.stdout.contains(step), "{question:?}: {ran}");
        // Where the options say how long it takes, so does the verdict.
        let least = match question[0] {
            "hold" => "; it takes 3.0 s at least)",
            "cancel" => "; it takes 20.0 s at least)",
            "call" => "; it takes 3.5 s at least)",
            _ => continue,
        };
        assert!(ran.stdout.contains(least), "{question:?}: {ran}");
    }
}

#[test]
fn hold_cancel_and_transfer_are_checked_on_the_embedded_network() {
    let cases = [
        (&["hold", "alice", "bob", "--by", "callee", "--for", "1s"][..], 0, "each end heard what it should"),
        (&["hold", "alice", "bob", "--fault", "H02", "--for", "1s"], 1, "hold-answer-wrong"),
        (&["cancel", "alice", "bob", "--ring-for", "300ms"], 0, "taken elsewhere"),
        (&["cancel", "alice", "bob", "--fault", "F03"], 0, "cancel-reason-lost"),
        (&["transfer", "alice", "bob", "carol", "--kind", "attended"], 0, "bob hears carol; carol hears bob"),
        (&["transfer", "alice", "bob", "carol", "--fault", "X19"], 1, "wrong-parties-joined"),
        (&["transfer", "alice", "bob", "bob"], 2, "twice"),
        (&["hold", "alice", "bob", "--how", "music"], 2, "sendonly, inactive or zero"),
    ];
    let runs = at_once(cases.map(|(arguments, ..)| arguments));
    for ((arguments, status, said), ran) in cases.into_iter().zip(runs) {
        assert_eq!(ran.status, status, "{arguments:?}: {ran}");
        assert!(ran.stdout.contains(said) || ran.stderr.contains(said), "{arguments:?}: {ran}");
    }
}

#[test]
fn what_cannot_be_sent_is_refused_before_a_call() {
    for (arguments, said) in [
        (&["dtmf", "alice", "bob", "--digits", "12x"][..], "'x'"),
        (&["dtmf", "alice", "bob", "--method", "rfc2833"], "rfc4733, info, inband or all"),
        (&["dtmf", "alice", "alice"], "twice"),
        (&["dtmf", "alice", "bob", "--rtp-ports", "5-3"], "10000-10100"),
        (&["dtmf", "alice", "bob", "--fault", "Z9"], "Z9"),
        (&["dtmf", "alice", "--expect-ring", "bob"], "--dial"),
        (&["dtmf", "--accounts", "/nowhere/accounts.toml", "alice", "bob"], "/nowhere/accounts.toml"),
    ] {
        let ran = ringback(arguments);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{arguments:?}: {ran}");
        assert!(ran.stderr.contains(said), "{arguments:?}: {ran}");
    }
}
