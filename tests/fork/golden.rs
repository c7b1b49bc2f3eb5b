//! What a person reads of several that are called as one.

use crate::report::assert_report;
use crate::scene::Scene;
use ringback::check::ForkTrial;

#[tokio::test(start_paused = true)]
async fn groups_look_like_this() {
    for (name, faults) in [
        ("group", &[][..]),
        ("ended-by-refusal", &["F01"]),
        ("not-cancelled", &["F02"]),
        ("reason-lost", &["F03"]),
        ("no-call-waiting", &["F05"]),
        ("branch-not-rung", &["F06"]),
    ] {
        let scene = Scene::new(faults).await;
        assert_report("fork", name, &scene.check(scene.group()).await);
    }
}

#[tokio::test(start_paused = true)]
async fn two_answers_of_which_the_second_is_left_open_look_like_this() {
    let scene = Scene::new(&["F04"]).await;
    let outcome = scene.check(scene.group().trials([ForkTrial::Race])).await;
    assert_report("fork", "second-answer-left-open", &outcome);
}

#[tokio::test(start_paused = true)]
async fn devices_of_one_account_look_like_this() {
    let scene = Scene::new(&[]).await;
    assert_report("fork", "devices", &scene.check(scene.devices(2)).await);
}
