//! A platform without faults.

use super::scene::{Scene, received, result};
use crate::seen::{errors, step};
use ringback::check::{DtmfMethod, Verdict};
use ringback::media::stream::Timing;
use ringback::report::json;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn all_sixteen_digits_arrive_by_every_method_and_again_after_a_hold() {
    let scene = Scene::new(&[]).await;
    let outcome = scene.check(scene.between("0123456789*#ABCD", None)).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    for name in ["party-a", "party-b", "call", "rfc4733", "info", "inband", "rfc4733-after-hold", "hang-up"] {
        assert_eq!(step(&outcome, name).verdict, Verdict::Pass, "{name}\n{outcome}");
    }
    for name in ["rfc4733", "info", "inband", "rfc4733-after-hold"] {
        assert_eq!(received(&outcome, name), "0123456789*#ABCD", "{name}\n{outcome}");
    }
    assert!(errors(&outcome).is_empty(), "{outcome}");
    let events = result(&outcome, "rfc4733");
    let rtp: Vec<_> = events.observed.iter().map(|seen| seen.rtp.unwrap()).collect();
    assert!(rtp.iter().all(|rtp| rtp.payload_type == 101 && rtp.end_packets == 3), "{rtp:?}");
}

#[tokio::test(start_paused = true)]
async fn the_json_line_has_what_was_sent_and_received_by_each_method_and_the_length_of_each_digit() {
    let scene = Scene::new(&[]).await;
    let timing = Timing { on: Duration::from_millis(120), ..Timing::default() };
    let outcome = scene.check(scene.between("15#", None).timing(timing)).await;
    let line: serde_json::Value = serde_json::from_str(&json::line(&outcome)).unwrap();
    let rows = line["dtmf"].as_array().unwrap();
    let methods: Vec<&str> = rows.iter().map(|row| row["step"].as_str().unwrap()).collect();
    assert_eq!(methods, ["rfc4733", "info", "inband", "rfc4733-after-hold"]);
    for row in rows {
        assert_eq!((row["sent"].as_str(), row["received"].as_str()), (Some("15#"), Some("15#")), "{row}");
        assert!(row["defects"].as_array().unwrap().is_empty(), "{row}");
        for digit in row["digits"].as_array().unwrap() {
            let millis = digit["duration_ms"].as_f64().unwrap();
            assert!((100.0..=140.0).contains(&millis), "{row}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_and_repeated_digits_keep_their_place() {
    let scene = Scene::new(&[]).await;
    for method in [DtmfMethod::Rfc4733, DtmfMethod::Info, DtmfMethod::InBand] {
        let outcome = scene.check(scene.between("11,2,,33#", method)).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{method}\n{outcome}");
        assert_eq!(received(&outcome, method.as_str()), "1123".to_owned() + "3#", "{method}\n{outcome}");
    }
}
