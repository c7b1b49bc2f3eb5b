//! `ringback transfer` by keys and to a park orbit, on the embedded network.

use crate::program::{Sim, at_once, ringback};

#[test]
fn a_transfer_by_keys_is_one_json_line_without_refer_and_notify() {
    let ran = ringback(&["transfer", "alice", "bob", "carol", "--by-keys", "##", "--end-key", "#", "--json"]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (0, 1), "{ran}");
    let line: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let transfer = &line["transfer"];
    assert_eq!((&transfer["keys"], &transfer["legs_left"]), (&"##,203#".into(), &0.into()), "{line}");
    assert!(transfer.get("refer").is_none() && transfer["notify"].as_array().unwrap().is_empty(), "{line}");
    assert_eq!(transfer["heard"]["after"]["bob"], serde_json::json!(["carol"]), "{line}");
    assert_eq!(transfer["heard"]["after"]["alice"], serde_json::json!([]), "{line}");
}

#[test]
fn a_code_that_is_ignored_is_named_and_status_1() {
    let ran = ringback(&[
        "transfer",
        "alice",
        "bob",
        "carol",
        "--kind",
        "attended",
        "--by-keys",
        "*2",
        "--wait",
        "4s",
        "--fault",
        "X23:info",
        "--method",
        "info",
    ]);
    assert_eq!(ran.status, 1, "{ran}");
    assert!(ran.stdout.contains("[feature-code-ignored]"), "{ran}");
    assert!(ran.stdout.contains("bob was sent all digits by SIP INFO"), "{ran}");
}

#[test]
fn a_call_is_parked_and_fetched() {
    let ran = ringback(&["transfer", "alice", "bob", "carol", "--park", "701"]);
    assert_eq!(ran.status, 0, "{ran}");
    assert!(ran.stdout.contains("alice parked bob at 701, and carol fetched bob"), "{ran}");
}

#[test]
fn keys_that_cannot_be_pressed_are_wrong_usage() {
    let named = ["transfer", "alice", "bob", "carol"];
    for (more, words) in [
        (&["--by-keys", "hello"][..], "not keys (0-9, *, #, A-D)"),
        (&["--number", "203"], "--by-keys"),
        (&["--by-keys", "##", "--number", "x"], "number"),
        (&["--park", "701", "--kind", "attended"], "--kind"),
        (&["--by-keys", "##", "--complete-by", "*3"], "only a transfer with a consultation"),
        (&["--park", "701", "--by-keys", "##", "--complete-by", "*3"], "'--complete-by <KEYS>'"),
    ] {
        let ran = ringback(&[&named[..], more].concat());
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{ran}");
        assert!(ran.stderr.contains(words), "{words}: {ran}");
    }
}

#[test]
fn what_only_a_refer_has_is_wrong_usage_beside_keys_and_a_park_orbit() {
    for of_refer in [
        &["--refer-to", "203"][..],
        &["--early-replaces"],
        &["--hang-up-early"],
        &["--at-once"],
        &["--asked", "busy"],
    ] {
        for other in [&["--by-keys", "##"][..], &["--park", "701"]] {
            let ran = ringback(&[&["transfer", "alice", "bob", "carol"][..], other, of_refer].concat());
            assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{ran}");
            for option in [other[0], of_refer[0]] {
                assert!(
                    ran.stderr.lines().next().is_some_and(|line| line.contains(option)),
                    "{option}: {ran}"
                );
            }
            assert!(ran.stderr.contains("cannot be used with"), "{ran}");
        }
    }
}

#[test]
fn options_of_another_kind_of_transfer_are_wrong_usage() {
    for (more, words) in [
        (&["--kind", "attended", "--early-replaces"][..], "semi-attended"),
        (&["--kind", "blind", "--early-replaces"], "semi-attended"),
        (&["--asked", "busy"], "only an attended transfer"),
        (&["--asked", "rings", "--kind", "semi-attended"], "only an attended transfer"),
    ] {
        let ran = ringback(&[&["transfer", "alice", "bob", "carol"][..], more].concat());
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{ran}");
        assert!(ran.stderr.contains(words) && ran.stderr.lines().count() == 1, "{words}: {ran}");
    }
}

#[test]
fn a_place_that_the_embedded_network_cannot_have_is_wrong_usage_and_tells_what_a_place_is() {
    for place in ["abc", "700", "7", "70-1", "sip:701@lab.example", ""] {
        let ran = ringback(&["transfer", "alice", "bob", "carol", "--park", place]);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{place}: {ran}");
        assert!(ran.stderr.contains(&format!("--park \"{place}\"")) && ran.stderr.contains("701"), "{ran}");
    }
    let ran = ringback(&["transfer", "alice", "bob", "carol", "--park", "7110"]);
    assert_eq!(ran.status, 0, "{ran}");
}

#[test]
fn the_network_as_a_server_takes_keys_and_parks() {
    let users = ["alice:alicepw", "bob:bobpw", "carol:carolpw", "dan:danpw", "erin:erinpw", "frank:frankpw"];
    let sim = Sim::start_with(&users, &["--transfer-code", "##", "--park", "70/3"]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("accounts.toml");
    let account = |user: &&str| {
        let (name, password) = user.split_once(':').unwrap();
        format!("[[account]]\nname = \"{name}\"\naor = \"{}\"\npassword = \"{password}\"\n", sim.aor(name))
    };
    std::fs::write(&file, users.iter().map(account).collect::<String>()).unwrap();
    let file = file.display().to_string();
    let command = ["transfer", "--accounts", &file];
    let (three, others) = (["alice", "bob", "carol"], ["dan", "erin", "frank"]);
    let runs = at_once([
        [&command[..], &three, &["--park", "703", "--by-keys", "--end-key", "#"]].concat(),
        // A place that cannot be dialled, and one that can and does not exist.
        [&command[..], &three, &["--park", "7 o 1"]].concat(),
        [&command[..], &others, &["--park", "abc"]].concat(),
        [&command[..], &three, &["--by-keys"]].concat(),
    ]);
    let [parked, spaced, missing, unnumbered] = &runs[..] else { unreachable!() };
    assert_eq!(parked.status, 0, "{parked}");
    assert_eq!((spaced.status, spaced.stdout.as_str()), (2, ""), "{spaced}");
    assert!(missing.status == 1 && missing.stdout.contains("404"), "{missing}");
    assert_eq!(unnumbered.status, 2, "{unnumbered}");
    assert!(unnumbered.stderr.contains("carol") && unnumbered.stderr.contains("--number"), "{unnumbered}");
}
