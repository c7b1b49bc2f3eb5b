//! Digits between users of different ways, and a menu.

use super::{ask, ask_beside, did, says};
use crate::peer::asterisk::Asterisk;
use crate::ringback::Outcome;
use std::thread;

const ALL: &str = "0123456789*#ABCD";

/// Method, and the way by which all sixteen digits came.
fn carried(outcome: &Outcome) -> Vec<(&str, &str)> {
    let rows = outcome.dtmf().iter();
    rows.filter(|row| row["received"] == ALL)
        .map(|row| (row["step"].as_str().unwrap(), row["arrived_by"].as_str().unwrap_or("?")))
        .collect()
}

/// From users of this mode to users of these, all at once.
fn from(mode: &str, to: &[&str], judge: impl Fn(&str, &Outcome) + Sync) {
    let pairs: Vec<_> =
        to.iter().map(|to| (format!("{mode}_to_{to}"), format!("{to}_of_{mode}"), *to)).collect();
    let users: Vec<_> = pairs.iter().flat_map(|(a, b, to)| [(a.as_str(), mode), (b.as_str(), *to)]).collect();
    let asterisk = Asterisk::with_users(&users);
    thread::scope(|scope| {
        for (a, b, to) in &pairs {
            let (asterisk, judge) = (&asterisk, &judge);
            // Asterisk makes tones of events as they come: shorter ones on a busy machine.
            let long = ["--on", "160ms"];
            let args = [&["dtmf", a, b][..], if *to == "inband" { &long } else { &[] }].concat();
            scope.spawn(move || judge(to, &ask_beside(asterisk, &args)));
        }
    });
    assert!(asterisk.idle());
}

/// These steps carried all sixteen digits, each by the way that is named.
#[track_caller]
fn carries(outcome: &Outcome, expected: &[(&str, &str)]) {
    assert_eq!(carried(outcome), expected, "{outcome}");
}

#[test]
fn all_digits_of_a_user_of_rfc4733_arrive_by_all_methods() {
    from("rfc4733", &["rfc4733", "inband", "auto", "auto_info"], by_events);
}

#[test]
fn all_digits_of_a_user_of_auto_arrive_by_all_methods() {
    from("auto", &["rfc4733", "inband", "auto", "auto_info"], by_events);
}

#[test]
fn all_digits_of_a_user_of_auto_info_arrive_by_all_methods() {
    from("auto_info", &["rfc4733", "inband", "auto", "auto_info"], by_events);
}

#[test]
fn all_digits_to_a_user_of_info_arrive_by_all_methods() {
    // Asterisk leaves out the numbers of the events that it makes INFO of, which is no loss.
    for mode in ["rfc4733", "auto", "auto_info"] {
        from(mode, &["info"], by_events);
    }
}

/// The caller's side has agreed on telephone-event; what Asterisk makes of the digits depends on the callee.
fn by_events(to: &str, outcome: &Outcome) {
    let (event, info, found) = match to {
        "info" => ("info", "info", &["info peer converted"][..]),
        "inband" => ("inband", "inband", &["info peer converted", "info peer converted"][..]),
        _ => ("rfc4733", "rfc4733", &["info peer converted"][..]),
    };
    says(outcome, "pass", found);
    carries(
        outcome,
        &[("rfc4733", event), ("info", info), ("inband", "inband"), ("rfc4733-after-hold", event)],
    );
}

#[test]
fn all_digits_of_a_user_of_info_arrive_but_by_events_that_are_not_agreed_on() {
    from("info", &["rfc4733", "info", "auto", "auto_info"], |to, outcome| {
        // dtmf_mode=info: Asterisk's answer to the caller has no telephone-event.
        let (info, more) = match to {
            "info" => ("info", &[][..]),
            _ => ("rfc4733", &["info peer converted"][..]),
        };
        says(outcome, "fail", &[&["error peer telephone-event-missing"], more].concat());
        carries(outcome, &[("info", info), ("inband", "inband")]);
    });
}

#[test]
fn all_digits_of_a_user_of_inband_arrive_but_by_events_that_are_not_agreed_on() {
    from("inband", &["rfc4733", "info", "auto", "auto_info"], |to, outcome| {
        // dtmf_mode=inband: no telephone-event here either; Asterisk listens for tones where the callee wants events.
        let (info, inband, more) = match to {
            "info" => ("info", "inband", &[][..]),
            _ => ("rfc4733", "rfc4733", &["info peer converted", "info peer converted"][..]),
        };
        says(outcome, "fail", &[&["error peer telephone-event-missing"], more].concat());
        carries(outcome, &[("info", info), ("inband", inband)]);
    });
}

#[test]
fn tones_among_relayed_voice_are_heard() {
    // Asterisk relays the voice with its numbers, and numbers the tones that it makes itself, under one SSRC.
    for mode in ["info", "inband"] {
        from(mode, &["inband"], |_, outcome| {
            assert_eq!(outcome.verdict(), "fail", "{outcome}");
            assert!(outcome.finding("telephone-event-missing").is_some(), "{outcome}");
            for code in ["path-lossy", "digits-lost", "digits-repeated", "info-not-delivered"] {
                assert!(outcome.finding(code).is_none(), "{outcome}");
            }
            carries(outcome, &[("info", "inband"), ("inband", "inband")]);
        });
    }
}

#[test]
fn all_digits_between_users_of_feature_codes_arrive() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["dtmf", "kate", "kim"]);
    // Asterisk holds `*` and `#` back until it knows that no code follows, and then sends what came meanwhile in one go.
    did(&asterisk, &["DTMF end 'A' received on PJSIP/kate", "DTMF end 'B' received on PJSIP/kate"]);
    let shared = "warning peer events-share-timestamp";
    let (told, rest): (Vec<_>, Vec<_>) = outcome.blamed().into_iter().partition(|found| found == shared);
    assert_eq!((outcome.verdict(), rest), ("pass", vec!["info peer converted".to_owned()]), "{outcome}");
    assert!(!told.is_empty(), "{outcome}");
    for row in outcome.dtmf() {
        assert_eq!(row["received"], ALL, "{outcome}");
    }
}

#[test]
fn digits_that_asterisk_swallows_as_it_waits_for_a_code_are_lost() {
    let asterisk = Asterisk::start();
    let outcome = ask(&asterisk, &["dtmf", "kate", "kurt", "--method", "rfc4733"]);
    // It took A and B, and made no tones of them: those of `*` and `#`, which it had held back, were in their place.
    did(&asterisk, &["DTMF end 'A' received on PJSIP/kate", "DTMF end 'B' received on PJSIP/kate"]);
    says(&outcome, "fail", &["error peer digits-lost", "info peer converted"]);
    assert_eq!(outcome.dtmf()[0]["received"], "0123456789*#CD", "{outcome}");
}

#[test]
fn a_menu_is_given_its_digits_by_the_way_that_it_listens_to() {
    let users = [("events", "rfc4733"), ("info", "info"), ("tones", "inband"), ("auto", "auto")];
    for ((name, template), method) in users.into_iter().zip(["rfc4733", "info", "inband", "rfc4733"]) {
        let asterisk = Asterisk::with_users(&[(name, template)]);
        let outcome = ask(
            &asterisk,
            &["dtmf", name, "--dial", "620", "--expect-ring", "bob", "--digits", "12#", "--method", method],
        );
        // Whether the clock of Asterisk jumps from the prompt to the callee is chance.
        let blamed = outcome.blamed().into_iter().filter(|blamed| blamed != "warning peer stream-changed");
        assert_eq!((outcome.verdict(), blamed.collect::<Vec<_>>()), ("pass", vec![]), "{outcome}");
        did(&asterisk, &["the menu was given 12", "Goto (lab,bob,1)", "PJSIP/bob-00000001 answered"]);
    }
}

#[test]
fn a_menu_that_is_given_something_else_rings_nobody() {
    let asterisk = Asterisk::start();
    let outcome =
        ask(&asterisk, &["dtmf", "alice", "--dial", "620", "--expect-ring", "bob", "--digits", "13#"]);
    did(&asterisk, &["the menu was given 13", "Playing 'pbx-invalid"]);
    // The menu says that the choice is wrong, and hangs up.
    says(&outcome, "fail", &["error peer menu-hung-up"]);
}
