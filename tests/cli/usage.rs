//! Help, and what is said to wrong usage.

use crate::program::{at_once, ringback, words};

/// Lines that are wrong usage, each with what is said of it: status 2, nothing on standard output, and nothing is sent.
#[track_caller]
fn refused(table: &[(&str, &str)]) {
    let runs: Vec<Vec<String>> = table.iter().map(|(line, _)| words(line)).collect();
    for ((line, said), ran) in table.iter().zip(at_once(&runs)) {
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{line}: {ran}");
        assert!(ran.stderr.contains(said) && ran.stderr.contains("error: "), "{line} -> {said}: {ran}");
        // Wrong advice of the parser of command lines, and its defects.
        assert!(!ran.stderr.contains("use '-- ") && !ran.stderr.contains("panicked"), "{line}: {ran}");
    }
}

#[test]
fn wrong_usage_has_status_2_and_says_what_is_wrong() {
    refused(&[
        ("regster", "unrecognized subcommand 'regster'"),
        ("register", "an account is missing"),
        ("register ''", "the address of record is empty"),
        ("register alice", "\"alice\" has no \"@\": write sip:alice@DOMAIN"),
        ("register --expires 0 sip:a@127.0.0.1:9", "write a number of seconds from 1"),
        ("register sip:a@127.0.0.1:9 sip:c@127.0.0.1:9 --password x", "one address of record at a time"),
        ("register sip:a@127.0.0.1:9 --password x --password-env PW", "cannot be used with"),
        (
            "register sip:a@127.0.0.1:9 --password x --rate 5",
            "--rate and --concurrency are for many accounts",
        ),
        ("register sip:a@127.0.0.1:9 --password x --transport tls", "write udp or tcp"),
        ("register sip:a@127.0.0.1:9 --password x --timeout 0", "must be more than 0"),
        ("register sip:a@127.0.0.1:9 --password x --bind here", "--bind \"here\""),
        ("register sip:a@127.0.0.1:9 --password x --pcap /nowhere/a.pcap", "--pcap /nowhere/a.pcap: "),
        (
            "register sip:a@127.0.0.1:9 --password-env RINGBACK_TEST_NOT_SET",
            "environment variable is not set",
        ),
        (
            "register sip:a@127.0.0.1:9 --password-file /nowhere/password",
            "--password-file /nowhere/password: ",
        ),
        // There is no terminal to ask at.
        ("register sip:alice@lab.example", "give --password-env VAR or --password-file FILE"),
        ("register --accounts /nowhere/accounts.toml", "/nowhere/accounts.toml: cannot be read"),
        ("register --accounts /nowhere/accounts.toml --password x", "cannot be used with"),
        ("clean --list --password x", "nothing is asked of an account here"),
        ("reachable", "<URI>"),
        ("reachable sip:", "address \"sip:\""),
        ("reachable --accounts accounts.toml", "reachable asks one URI and needs no account"),
        ("sim --user :pw", "write NAME, NAME:PASSWORD or NAME:PASSWORD:FAULT"),
        ("sim --user alice:pw:Z99", "not known; ringback sim --faults lists all of them"),
        ("sim --user alice --user alice", "alice is given twice"),
        ("sim --bind nowhere", "write an address and a port"),
        ("sim --group 600", "write NUMBER=NAME,NAME"),
        ("sim --group 600=nobody", "nobody"),
        ("sim --ivr 700", "a menu needs an option"),
        ("sim --ivr 700/x=bob", "700/x=bob"),
        ("sim --ivr 700/1=bob/Z99", "not known; ringback sim --faults lists all of them"),
    ]);
    let bare = ringback(&[]);
    assert_eq!((bare.status, bare.stdout.as_str()), (2, ""), "{bare}");
    assert!(bare.stderr.contains("Commands:"), "{bare}");
}

#[test]
fn an_address_that_is_none_gets_one_sentence_with_the_column() {
    for aor in ["sip:@lab.example", "sip:alice@", "sip:al ice@lab.example", "tel:+4930123"] {
        let ran = ringback(&["register", aor, "--password", "x"]);
        assert_eq!(ran.status, 2, "{ran}");
        assert!(
            ran.stderr.lines().count() == 1 && ran.stderr.contains(aor) && ran.stderr.contains("column"),
            "{ran}"
        );
    }
}

#[test]
fn options_that_cannot_have_an_effect_are_refused_before_anything_is_sent() {
    refused(&[
        ("register a@127.0.0.1:9 --query-only --expires 60", "cannot be used with"),
        ("register a@127.0.0.1:9 --password ''", "--password: it is empty"),
        (
            "register a@127.0.0.1:9;transport=tcp --password x --transport udp",
            "--transport udp contradicts the URI",
        ),
        ("reachable sip:127.0.0.1:9;transport=tcp --transport udp", "says ;transport=tcp"),
        ("call alice *60 --beside-live-devices", "add --register-caller"),
        ("call alice *60 --ring-for 3", "--ring-for is for calls between two accounts"),
        ("dtmf alice bob --prompt 5s", "--expect-ring"),
        ("dtmf alice bob --dial 700 --expect-ring bob", "name one of them"),
        ("dtmf alice bob --method info --volume 20", "--volume is the level of digits by RFC 4733"),
        ("dtmf alice bob --method inband --volume 20", "--method inband sends none"),
        ("transfer alice bob carol --by-keys=## --method all", "rfc4733, info or inband"),
        ("fork alice 600 bob carol --trials answer --second-call busy", "--second-call is for"),
        ("fork alice 600 bob carol --trials answer --refuses-with 603", "--refuses-with is for"),
    ]);
}

#[test]
fn ports_and_addresses_that_cannot_do_are_refused_before_anything_is_sent() {
    refused(&[
        ("call alice bob --rtp-ports 20000-20001", "at least 4 ports, e.g. 20000-20003"),
        ("hold alice bob --rtp-ports 20001-20004", "room for 1 of the 2 legs"),
        ("fork alice 600 bob carol --rtp-ports 20000-20003", "at least 10 ports"),
        ("transfer alice bob carol --rtp-ports 20000-20003", "at least 8 ports"),
        ("transfer alice bob carol --kind attended --rtp-ports 20000-20009", "12 ports"),
        ("call alice bob --bind tcp:127.0.0.1:0", "add --transport tcp, or --bind udp:"),
        (
            "register a@127.0.0.1:9 --password x --bind [::1]:0",
            "--bind [::1]:0 is IPv6 only, and 127.0.0.1:9 is IPv4: add --bind udp:0.0.0.0:0",
        ),
        ("reachable 127.0.0.1:9 --bind udp:::1", "is IPv6 only, and 127.0.0.1:9 is IPv4"),
        ("reachable [::1]:9 --bind 127.0.0.1", "is IPv4 only, and [::1]:9 is IPv6"),
        ("reachable 127.0.0.1:9 --bind tcp:127.0.0.1:0", "opens no UDP socket"),
        (
            "register a@127.0.0.1:9 --password x --bind tcp:127.0.0.1:0",
            "opens no UDP socket, and 127.0.0.1:9 is asked by UDP",
        ),
        ("register a@127.0.0.1:9 --password x --bind udp:192.0.2.1:0", "no such address"),
    ]);
}

#[test]
fn what_would_blame_the_platform_for_what_we_send_is_refused() {
    refused(&[
        ("dtmf alice bob --volume 37", "write a number from 0 to 36"),
        ("dtmf alice bob --on 39ms", "write 40ms to 60s"),
        ("dtmf alice bob --gap 61", "write 40ms to 60s"),
        ("call alice bob --wait 100ms", "--wait 100ms is over before the callee answers, after 500ms"),
    ]);
}

#[test]
fn an_error_says_what_was_typed_and_what_to_type_instead() {
    refused(&[
        ("reachable ::1", "an IPv6 address needs brackets; write [::1]"),
        ("reachable 127.0.0.1:99999", "port 99999 does not exist; ports are 1 to 65535"),
        ("reachable 'sip:pbx .example'", "write it as sip:host:port"),
        ("fork alice 600 bob", "a group needs 2 to 6 members, and 1 is named behind 600"),
        ("fork alice 600", "ringback fork alice 600 bob carol"),
        ("fork alice bob --answers 5", "--answers 5: there are 2 ends; write 1 to 2"),
        (
            "fork alice bob --trials rase",
            "for '--trials <TRIALS>': not known; write answer, race, refuse or second-call",
        ),
        (
            "transfer alice bob carol --kind semi",
            "for '--kind <KIND>': not known; write blind, attended or semi-attended",
        ),
        ("hold alice bob --how still", "for '--how <WAY>': not known; write sendonly, inactive or zero"),
        (
            "dtmf alice bob --method voice",
            "for '--method <METHOD>': not known; write rfc4733, info, inband or all",
        ),
        ("call alic bob", "\"alic\" is no account of the embedded network"),
        ("call alic bob", "did you mean \"alice\"?"),
        ("call alice müller", "\"müller\" is no account of the embedded network"),
        ("call alice bob --wait -3", "must be more than 0"),
        ("dtmf alice", "--dial NUMBER --expect-ring B"),
        ("dtmf alice --dial 700", "for a menu, add --expect-ring B"),
        ("transfer --by-keys alice bob carol", "not keys (0-9, *, #, A-D)"),
        (
            "transfer alice bob carol --asked busy",
            "only an attended transfer by REFER calls the target first",
        ),
        ("sim --bind 127.0.0.1:0 --ivr 700/1=zed", "zed is no account and no number"),
        (
            "sim --bind 127.0.0.1:0 --user alice --park 20/9",
            "--park 20/9: 201 is alice's; take another number",
        ),
        (
            "sim --bind 127.0.0.1:0 --user alice:x --user bob:x --group 201=alice,bob",
            "201 is alice's; take another number",
        ),
        ("sim --bind 127.0.0.1:0 --user alice:x --user bob:x --group *43=alice,bob", "*43 is the echo"),
    ]);
}

#[test]
fn the_help_of_a_question_without_accounts_names_none() {
    assert!(!ringback(&["reachable", "--help"]).stdout.contains("--accounts"));
}

#[test]
fn a_password_is_in_no_error_and_no_log() {
    const PASSWORD: &str = "Hush-pass-1";
    let uri = format!("sip:alice:{PASSWORD}@127.0.0.1:9");
    for arguments in [
        &["reachable", uri.as_str(), "-vv", "--timeout", "1"][..],
        &["register", uri.as_str(), "--password", "x"],
        &["register", &uri["sip:".len()..], "--password", "x"],
    ] {
        let ran = ringback(arguments);
        assert!(ran.status != 0 && !ran.stdout.contains(PASSWORD) && !ran.stderr.contains(PASSWORD), "{ran}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_whose_password_is_no_text_is_named_without_it() {
    use std::os::unix::ffi::OsStrExt;
    let value = std::ffi::OsStr::from_bytes(b"Hush-pass-1\xff");
    let mut command =
        crate::program::command(&["register", "sip:a@127.0.0.1:9", "--password-env", "RINGBACK_TEST_PW"]);
    let ran = crate::program::finish(command.env("RINGBACK_TEST_PW", value).spawn().unwrap());
    assert_eq!(ran.status, 2, "{ran}");
    assert!(ran.stderr.contains("RINGBACK_TEST_PW: its value is not UTF-8"), "{ran}");
    assert!(!ran.stderr.contains("Hush"), "{ran}");
}

#[test]
fn an_empty_password_is_none_and_is_not_sent() {
    let arguments = ["register", "sip:a@127.0.0.1:9", "--password-env", "RINGBACK_EMPTY"];
    let ran = crate::program::ringback_with(&arguments, &[("RINGBACK_EMPTY", "")]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{ran}");
    assert!(
        ran.stderr.contains("--password-env RINGBACK_EMPTY: this environment variable is empty"),
        "{ran}"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pw.txt");
    std::fs::write(&file, "\nsecret\n").unwrap();
    let ran = ringback(&["register", "sip:a@127.0.0.1:9", "--password-file", file.to_str().unwrap()]);
    assert_eq!(ran.status, 2, "{ran}");
    assert!(ran.stderr.contains("pw.txt: its first line is empty"), "{ran}");
}

#[test]
fn options_of_a_command_come_first_and_under_its_name() {
    for (command, heading) in [
        ("hold", "Hold:"),
        ("cancel", "Cancel:"),
        ("dtmf", "Digits:"),
        ("call", "Call:"),
        ("transfer", "Transfer:"),
        ("fork", "Fork:"),
    ] {
        let help = ringback(&[command, "--help"]).stdout;
        let at = |text: &str| help.find(text).unwrap_or_else(|| panic!("{command}: no {text}\n{help}"));
        assert!(at(heading) < at("Output:") && at("--json") > at("Output:"), "{command}\n{help}");
        assert!(at(heading) < at("Call:") || heading == "Call:", "{command}\n{help}");
        assert!(!help.contains("\nOptions:") && at("--verbose") > at("--json"), "{command}\n{help}");
        assert!(help.contains("Exit status: 0"), "{command}\n{help}");
    }
    for command in ["sim", "demo", "register", "reachable", "clean"] {
        let help = ringback(&[command, "--help"]).stdout;
        assert!(help.contains("Exit status"), "{command}\n{help}");
    }
}

#[test]
fn every_default_is_written_in_one_way() {
    for command in [
        "register",
        "reachable",
        "call",
        "dtmf",
        "hold",
        "cancel",
        "transfer",
        "fork",
        "clean",
        "sim",
        "demo",
    ] {
        let (short, long) = (ringback(&[command, "-h"]).stdout, ringback(&[command, "--help"]).stdout);
        let defaults = |help: &str| help.matches("[default").count();
        assert_eq!(defaults(&short), defaults(&long), "{command}");
        assert!(!short.contains(". [default"), "{command}\n{short}");
        // On a line of its own where the help has room.
        let apart = |line: &str| !line.contains("[default") || line.trim_start().starts_with("[default");
        assert!(command == "reachable" || long.lines().all(apart), "{command}\n{long}");
    }
}

#[test]
fn a_file_that_is_no_toml_or_never_ends_is_told_in_words_and_without_its_values() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    std::fs::write(&file, "[[account]]\nname = \"a\"\naor = \"sip:a@x.example\"\npassword = \"Hush-pass-1\n")
        .unwrap();
    let ran = ringback(&["register", "--accounts", &file.display().to_string()]);
    assert_eq!(ran.status, 2, "{ran}");
    assert!(ran.stderr.contains("not valid TOML: the text in quotes is not closed"), "{ran}");
    assert!(!ran.stderr.contains("Hush") && !ran.stderr.contains("redacted"), "{ran}");
}

#[test]
fn the_note_of_a_number_without_a_phone_advises_what_can_be_done() {
    for (target, said) in [
        (
            "201",
            "201 is alice's own number, and alice is who calls: call another account by its name (e.g. bob)",
        ),
        ("tel:201", "tel:201 is alice's own number"),
        ("tel:202", "tel:202 is bob's number, and no phone of bob is registered: name bob as TARGET"),
    ] {
        let ran = ringback(&["call", "alice", target]);
        assert!(ran.stderr.contains(said), "{target}: {ran}");
        assert!(!ran.stdout.contains("(ringback register)"), "{target}: {ran}");
    }
}

#[test]
fn a_password_in_the_place_of_the_name_of_its_variable_is_not_repeated() {
    for password in ["Zq9kVt7pLwXy42mN", "HUNTER2", "tr0ub4dor&3"] {
        let ran = ringback(&["register", "sip:a@127.0.0.1:9", "--password-env", password]);
        assert_eq!(ran.status, 2, "{ran}");
        assert!(!ran.stderr.contains(password) && !ran.stdout.contains(password), "{ran}");
        assert!(ran.stderr.contains("give the name of a variable"), "{ran}");
    }
    let ran = ringback(&["register", "sip:a@127.0.0.1:9", "--password-env", "RINGBACK_TEST_NOT_SET"]);
    assert!(ran.stderr.contains("--password-env RINGBACK_TEST_NOT_SET"), "{ran}");
}
