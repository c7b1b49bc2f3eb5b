//! Help, and what is said to wrong usage.

use crate::program::ringback;

#[test]
fn help_teaches_by_examples() {
    for arguments in [&["--help"][..], &["register", "--help"]] {
        let ran = ringback(arguments);
        assert!(
            ran.status == 0 && ran.stdout.contains("Examples:") && ran.stdout.contains("--accounts"),
            "{ran}"
        );
    }
    let ran = ringback(&["--help"]);
    for command in ["register", "reachable", "sim", "demo", "Exit status:"] {
        assert!(ran.stdout.contains(command), "{command}: {ran}");
    }
    for subcommand in ["call", "dtmf", "transfer", "fork", "reachable", "sim", "demo"] {
        assert_eq!(ringback(&[subcommand, "--help"]).status, 0);
    }
}

#[test]
fn wrong_usage_has_status_2_and_says_nothing_on_standard_output() {
    let accounts = ["--accounts", "/nowhere/accounts.toml"];
    for arguments in [
        &[][..],
        &["regster"],
        &["register"],
        &["register", "--expires", "0", "sip:a@127.0.0.1:9"],
        &["register", "sip:a@127.0.0.1:9", "sip:c@127.0.0.1:9", "--password", "x"],
        &["register", "sip:a@127.0.0.1:9", "--password", "x", "--password-env", "PW"],
        &["register", "sip:a@127.0.0.1:9", "--password", "x", "--rate", "5"],
        &["register", "sip:a@127.0.0.1:9", "--password", "x", "--transport", "tls"],
        &["register", "sip:a@127.0.0.1:9", "--password", "x", "--timeout", "0"],
        &["register", "sip:a@127.0.0.1:9", "--password", "x", "--bind", "here"],
        &["register", "sip:a@127.0.0.1:9", "--password", "x", "--pcap", "/nowhere/a.pcap"],
        &["register", "sip:a@127.0.0.1:9", "--password-env", "RINGBACK_TEST_NOT_SET"],
        &["register", "sip:a@127.0.0.1:9", "--password-file", "/nowhere/password"],
        &["register", accounts[0], accounts[1]],
        &["register", accounts[0], accounts[1], "--password", "x"],
        &["reachable"],
        &["reachable", "sip:"],
        &["sim", "--user", "alice"],
        &["sim", "--user", "alice:pw:Z99"],
        &["sim", "--bind", "nowhere"],
        &["sim", "--group", "600"],
        &["sim", "--group", "600=nobody"],
        &["sim", "--ivr", "700"],
        &["sim", "--ivr", "700/x=bob"],
        &["sim", "--ivr", "700/1=bob/Z99"],
    ] {
        let ran = ringback(arguments);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{arguments:?}: {ran}");
        assert!(ran.stderr.contains("error: ") || arguments.is_empty(), "{arguments:?}: {ran}");
        assert!(!ran.stderr.contains("panicked"), "{arguments:?}: {ran}");
    }
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
fn nobody_is_asked_for_a_password_where_there_is_no_terminal() {
    let ran = ringback(&["register", "sip:alice@lab.example"]);
    assert_eq!(ran.status, 2, "{ran}");
    assert!(ran.stderr.contains("--password-env") && ran.stderr.contains("--password-file"), "{ran}");
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
