//! Menus: given digits, do they ring whom they should?

use super::scene::Scene;
use crate::seen::{errors, step};
use ringback::check::{Dtmf, DtmfMethod, MetricValue, Outcome, Verdict};
use ringback::sim::Ivr;
use std::time::Duration;

fn menu() -> Ivr {
    Ivr::new("700").option("1,2#", "bob").unwrap()
}

async fn ask(ivr: Ivr, digits: &str, method: DtmfMethod) -> Outcome {
    let scene = Scene::with(&[], |lab| lab.ivr(ivr)).await;
    let check =
        Dtmf::routing(&scene.alice, "700", &scene.bob).unwrap().digits(digits).unwrap().method(method);
    scene.check(check.wait(Duration::from_secs(15))).await
}

#[tokio::test(start_paused = true)]
async fn a_menu_rings_the_account_and_both_hear_each_other() {
    for method in [DtmfMethod::Rfc4733, DtmfMethod::Info, DtmfMethod::InBand] {
        let outcome = ask(menu(), "1,2#", method).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{method}\n{outcome}");
        for name in ["call", "digits", "ring", "hears", "hang-up"] {
            assert_eq!(step(&outcome, name).verdict, Verdict::Pass, "{method}\n{outcome}");
        }
        let metric = outcome.metrics.iter().find(|metric| metric.name == "menu").unwrap();
        assert!(
            matches!(metric.value, MetricValue::Duration(time) if time < Duration::from_secs(2)),
            "{outcome}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_digits_ring_nobody() {
    let outcome = ask(menu(), "9", DtmfMethod::Rfc4733).await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
    assert!(outcome.summary.contains("700") || outcome.summary.contains("hung up"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_menu_that_does_not_take_this_method_is_told_from_one_that_does() {
    let deaf = || menu().ways([DtmfMethod::InBand]);
    let outcome = ask(deaf(), "1,2#", DtmfMethod::Rfc4733).await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
    assert_eq!(ask(deaf(), "1,2#", DtmfMethod::InBand).await.verdict, Verdict::Pass);
    let outcome = ask(menu().fault("D18").unwrap(), "1,2#", DtmfMethod::Rfc4733).await;
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
    assert_eq!(ask(menu().fault("D18").unwrap(), "1,2#", DtmfMethod::Info).await.verdict, Verdict::Pass);
}

#[tokio::test(start_paused = true)]
async fn a_menu_that_never_answers_is_named() {
    let outcome = ask(menu().fault("D17:never").unwrap(), "1,2#", DtmfMethod::Rfc4733).await;
    assert_eq!(
        (outcome.verdict, errors(&outcome)),
        (Verdict::Fail, vec!["menu-in-early-media"]),
        "{outcome}"
    );
    let outcome = ask(menu().fault("D17").unwrap(), "1,2#", DtmfMethod::Rfc4733).await;
    assert_eq!(
        (outcome.verdict, errors(&outcome)),
        (Verdict::Fail, vec!["menu-in-early-media"]),
        "{outcome}"
    );
    // Early media alone is no fault where digits are taken in it.
    assert_eq!(ask(menu().early_media(), "1,2#", DtmfMethod::Rfc4733).await.verdict, Verdict::Pass);
}

#[tokio::test(start_paused = true)]
async fn a_menu_that_is_not_there_is_no_menu() {
    let scene = Scene::new(&[]).await;
    let outcome =
        scene.check(Dtmf::routing(&scene.alice, "701", &scene.bob).unwrap().digits("1").unwrap()).await;
    assert_eq!((outcome.verdict, errors(&outcome)), (Verdict::Fail, vec!["number-unknown"]), "{outcome}");
}
