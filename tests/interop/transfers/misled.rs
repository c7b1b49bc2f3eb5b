//! A Kamailio that does with transfers what platforms do wrong: what the check says of it, with all three parties ours.

use super::ours::{each, through};
use serde_json::json;

/// The definitions, further arguments, the code of the finding, words of it, and what becomes of the transferee.
type Case = (&'static str, &'static [&'static str], &'static str, &'static str, &'static str);

const BACK: &str = "is back with alice";

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("REFER_STATUS=\"405\"", &["--kind", "blind"],                 "refer-refused",    "405 By The Proxy", BACK),
    ("REFER_STATUS=\"420\"", &["--kind", "attended"],              "refer-refused",    "420 By The Proxy", BACK),
    ("REFER_STATUS=\"429\"", &["--kind", "semi-attended"],         "referred-by-required",  "429 By The Proxy", BACK),
    ("REFER_STATUS=\"603\"", &["--kind", "blind"],                 "refer-refused",    "603 By The Proxy", BACK),
    ("REFER_STATUS=\"200\"", &["--kind", "blind"],                 "not-carried-out",  "nothing came of it", BACK),
    ("REFER_STATUS=\"202\"", &["--kind", "attended"],              "not-carried-out",  "nothing came of it", BACK),
    ("NOTIFY_KEPT",          &["--kind", "blind"],                 "no-final-notify",  "alice was never told", "talks to carol"),
    ("NOTIFY_UNTRUE",        &["--kind", "blind", "--target", "busy"], "notify-untrue", "alice was told 200", BACK),
    ("REPLACES_LOST",        &["--kind", "attended"],              "replaces-ignored", "a second time", "talks to carol"),
    ("REPLACES_MANGLED",     &["--kind", "attended"],              "replaces-mangled", "told 481", BACK),
];

#[test]
fn each_wrong_way_of_a_platform_is_named() {
    each(CASES, |(definition, more, code, words, fate)| {
        let args = [*more, &["--wait", "5s"]].concat();
        let ran = through(&[definition], "127.0.0.1", "udp", &args);
        let outcome = ran.outcome();
        assert_eq!((ran.status, outcome.verdict()), (1, "fail"), "{definition}\n{outcome}");
        let finding = outcome.finding(code).unwrap_or_else(|| panic!("{definition}: no {code}\n{outcome}"));
        assert_eq!(finding["severity"], "error", "{definition}\n{outcome}");
        assert_eq!(outcome.findings().first(), Some(code), "{definition}\n{outcome}");
        assert!(finding["seen"].as_str().unwrap().contains(words), "{definition}: {finding:#}");
        let row = outcome.transfer();
        assert_eq!(row["transferee"], *fate, "{definition}\n{row:#}");
        let after = &row["heard"]["after"];
        let heard = if *fate == BACK { "alice" } else { "carol" };
        assert!(after["bob"].as_array().unwrap().contains(&json!(heard)), "{definition}\n{row:#}");
        assert!(ran.took.as_secs() < 40, "{definition}: {:?}", ran.took);
    });
}
