//! Transfers between three accounts of ours through Kamailio, as the binary checks them.

use crate::peer::kamailio::Kamailio;
use crate::ringback::{Ran, ringback};
use std::path::Path;

fn accounts(kamailio: &Kamailio, dir: &Path, transport: &str) -> String {
    let registrar = format!("sip:127.0.0.1:{};transport={transport}", kamailio.port());
    let account = |name: &str| {
        format!(
            "[[account]]\nname = \"{name}\"\naor = \"sip:{name}@lab.example\"\npassword = \"{name}pw\"\nregistrar = \"{registrar}\"\n"
        )
    };
    let path = dir.join("accounts.toml");
    std::fs::write(&path, ["alice", "bob", "carol"].map(account).concat()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs the check, and sees that Kamailio's bindings are what they were.
fn transfer(transport: &str, more: &[&str]) -> Ran {
    let kamailio = Kamailio::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let file = accounts(&kamailio, dir.path(), transport);
    let mut args =
        vec!["transfer", "--accounts", &file, "--bind", "udp:127.0.0.1:0", "--json", "alice", "bob", "carol"];
    args.extend(more);
    let before = kamailio.bindings();
    let ran = ringback("alicepw", &args);
    assert_eq!(kamailio.bindings(), before, "{}", ran.stdout);
    ran
}

#[test]
fn all_three_kinds_join_the_right_two_over_udp_and_tcp() {
    for transport in ["udp", "tcp"] {
        for kind in ["blind", "attended", "semi-attended"] {
            let ran = transfer(transport, &["--kind", kind]);
            let outcome = ran.outcome();
            assert_eq!((ran.status, outcome.verdict()), (0, "pass"), "{transport} {kind}\n{outcome}");
            let row = outcome.transfer();
            assert_eq!(row["heard"]["before"]["alice"], serde_json::json!(["bob"]), "{row:#}");
            assert_eq!(row["heard"]["after"]["alice"], serde_json::json!([]), "{row:#}");
            assert_eq!(row["heard"]["after"]["bob"], serde_json::json!(["carol"]), "{row:#}");
            assert_eq!(row["heard"]["after"]["carol"], serde_json::json!(["bob"]), "{row:#}");
            assert_eq!((&row["legs_left"], &row["refer"]), (&serde_json::json!(0), &serde_json::json!(202)));
            assert_eq!(
                row["notify"].as_array().and_then(|told| told.last()),
                Some(&serde_json::json!(200)),
                "{row:#}"
            );
        }
    }
}

#[test]
fn the_one_that_was_called_can_transfer_the_caller() {
    for kind in ["blind", "attended"] {
        let outcome = transfer("udp", &["--kind", kind, "--by", "callee"]).outcome();
        assert_eq!(outcome.verdict(), "pass", "{kind}\n{outcome}");
        assert_eq!(outcome.transfer()["heard"]["after"]["alice"], serde_json::json!(["carol"]), "{outcome}");
    }
}

#[test]
fn a_target_that_refuses_fails_with_the_fate_of_the_transferee() {
    for kind in ["blind", "attended"] {
        let ran = transfer("udp", &["--kind", kind, "--target", "busy"]);
        let outcome = ran.outcome();
        assert_eq!((ran.status, outcome.verdict()), (1, "fail"), "{kind}\n{outcome}");
        assert!(outcome.finding("target-refused").is_some(), "{kind}\n{outcome}");
        let row = outcome.transfer();
        assert_eq!(row["transferee"], "is back with alice", "{kind}\n{row:#}");
        assert_eq!(
            row["notify"].as_array().and_then(|told| told.last()),
            Some(&serde_json::json!(486)),
            "{row:#}"
        );
    }
}
