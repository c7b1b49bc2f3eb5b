//! Transfers between three accounts of ours through Kamailio, as the binary checks them.

use super::accounts;
use crate::peer::kamailio::Kamailio;
use crate::ringback::{Ran, ringback};
use serde_json::{Value, json};
use std::thread;

const KINDS: [&str; 3] = ["blind", "attended", "semi-attended"];

/// Runs the check, and sees that Kamailio's bindings are what they were.
fn transfer(transport: &str, more: &[&str]) -> Ran {
    through(&[], "127.0.0.1", transport, more)
}

/// The same through a Kamailio with these definitions, at this address.
pub(super) fn through(definitions: &[&str], host: &str, transport: &str, more: &[&str]) -> Ran {
    let kamailio = Kamailio::start(definitions);
    let dir = tempfile::tempdir().unwrap();
    let file = accounts(&kamailio, dir.path(), host, transport);
    let bind = format!("udp:{host}:0");
    let mut args = vec!["transfer", "--accounts", &file, "--bind", &bind, "--json", "alice", "bob", "carol"];
    args.extend(more);
    let before = kamailio.bindings();
    let ran = ringback("alicepw", &args);
    assert_eq!(kamailio.bindings(), before, "{}", ran.stdout);
    ran
}

/// They mostly wait: all at once.
pub(super) fn each<T: Sync>(cases: &[T], test: impl Fn(&T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| test(case));
        }
    });
}

fn statuses(row: &Value) -> Vec<u64> {
    row["notify"].as_array().unwrap().iter().map(|status| status.as_u64().unwrap()).collect()
}

#[test]
fn all_three_kinds_join_the_right_two_over_udp_and_tcp() {
    let cases: Vec<_> = KINDS.iter().flat_map(|kind| [("udp", *kind), ("tcp", *kind)]).collect();
    each(&cases, |(transport, kind)| {
        let ran = transfer(transport, &["--kind", kind]);
        let outcome = ran.outcome();
        assert_eq!((ran.status, outcome.verdict()), (0, "pass"), "{transport} {kind}\n{outcome}");
        let mut wanted = vec!["party-a", "party-b", "party-c", "call", "before"];
        wanted.extend((*kind != "blind").then_some("consult"));
        wanted.extend(["refer", "notify", "after", "release", "hang-up"]);
        let wanted: Vec<_> = wanted.into_iter().map(|step| (step, "pass")).collect();
        assert_eq!(outcome.steps(), wanted, "{transport} {kind}\n{outcome}");

        let row = outcome.transfer();
        let mut heard = json!({
            "before": {"alice": ["bob"], "bob": ["alice"], "carol": []},
            "after": {"alice": [], "bob": ["carol"], "carol": ["bob"]},
        });
        if *kind == "attended" {
            // Bob is on hold, and hears what alice sends instead of music.
            heard["during"] = json!({"alice": ["carol"], "bob": ["alice"], "carol": ["alice"]});
            assert_eq!(row["heard_on_hold"], json!({"sound": "tone", "party": "alice"}), "{row:#}");
        }
        assert_eq!(row["heard"], heard, "{transport} {kind}\n{row:#}");
        // Kamailio lets the transferee's own call through as it is, and what it says of who wanted it.
        let shown = &row["identity"]["to_target"];
        assert_eq!(
            (&row["identity"]["target_sees"], &shown["uri"]),
            (&json!("right"), &json!("sip:bob@lab.example")),
            "{row:#}"
        );
        assert_eq!(shown["referred_by"], "<sip:alice@lab.example>", "{row:#}");
        assert_eq!((&row["kind"], &row["transferor"]), (&json!(kind), &json!("alice")));
        assert_eq!((&row["legs_left"], &row["refer"]), (&json!(0), &json!(202)), "{row:#}");
        assert_eq!(row["transferee"], "talks to carol", "{row:#}");
        let told = statuses(row);
        assert_eq!((told.first(), told.last()), (Some(&100), Some(&200)), "{row:#}");
        // The target rings for 300 ms, unless its call is taken over. The machine may be slow.
        let took = row["transfer_ms"].as_f64().unwrap();
        assert_eq!(outcome.metric("transfer_ms"), Some(took));
        assert!((200.0..5_000.0).contains(&took), "{took} ms");
    });
}

#[test]
fn the_one_that_was_called_can_transfer_the_caller() {
    each(&KINDS, |kind| {
        let outcome = transfer("udp", &["--kind", kind, "--by", "callee"]).outcome();
        assert_eq!(outcome.verdict(), "pass", "{kind}\n{outcome}");
        let row = outcome.transfer();
        assert_eq!(row["transferor"], "bob", "{row:#}");
        assert_eq!(
            row["heard"]["after"],
            json!({"alice": ["carol"], "bob": [], "carol": ["alice"]}),
            "{outcome}"
        );
    });
}

#[test]
fn a_target_that_is_to_refuse_passes_with_the_fate_of_the_transferee() {
    let cases: Vec<_> = KINDS.iter().flat_map(|kind| [("udp", *kind), ("tcp", *kind)]).collect();
    each(&cases, |(transport, kind)| {
        let ran = transfer(transport, &["--kind", kind, "--target", "busy"]);
        let outcome = ran.outcome();
        assert_eq!((ran.status, outcome.verdict()), (0, "pass"), "{transport} {kind}\n{outcome}");
        let seen = outcome.text("summary");
        for words in ["carol did not take the call", "alice was told 486", "bob is back with alice"] {
            assert!(seen.contains(words), "{kind}: {seen}");
        }
        let row = outcome.transfer();
        assert_eq!(row["transferee"], "is back with alice", "{kind}\n{row:#}");
        assert_eq!(
            row["heard"]["after"],
            json!({"alice": ["bob"], "bob": ["alice"], "carol": []}),
            "{row:#}"
        );
        assert_eq!(statuses(row).last(), Some(&486), "{row:#}");
        assert_eq!(row["transfer_ms"], Value::Null, "{row:#}");
    });
}

#[test]
fn a_proxy_that_asks_for_the_password_in_every_request_and_ipv6_change_nothing() {
    const ASKS: &[&str] = &["CHALLENGE_DIALOGS", "ALGORITHM=\"SHA-256\""];
    let cases = [
        (ASKS, "127.0.0.1", "udp", "blind"),
        (ASKS, "127.0.0.1", "tcp", "attended"),
        (&["CHALLENGE_DIALOGS", "ONE_TIME_NONCE"], "127.0.0.1", "udp", "semi-attended"),
        (&[], "[::1]", "udp", "attended"),
        (&[], "[::1]", "tcp", "blind"),
    ];
    each(&cases, |(definitions, host, transport, kind)| {
        let outcome = through(definitions, host, transport, &["--kind", kind]).outcome();
        assert_eq!(outcome.verdict(), "pass", "{definitions:?} {host} {transport} {kind}\n{outcome}");
        let row = outcome.transfer();
        assert_eq!(row["legs_left"], 0, "{row:#}");
        assert_eq!(row["heard"]["after"]["bob"], json!(["carol"]), "{row:#}");
        assert_eq!(statuses(row).last(), Some(&200), "{row:#}");
        assert_eq!(outcome.findings(), Vec::<&str>::new(), "{definitions:?} {host}\n{outcome}");
    });
}
