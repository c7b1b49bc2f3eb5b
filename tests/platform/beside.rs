//! The account's real phone: nothing is bound beside it unasked. Section 51 of the list of situations.

use crate::platform::*;
use ringback::check::{Call, Cancel, Check, Dtmf, Hold, Transfer, Verdict};

const PHONE: &str = "sip:bob@198.51.100.20:5060";

async fn leaves_it_alone<C: Check>(check: impl Fn() -> C) {
    for replaces in [true, false] {
        let platform = Platform::new().bound("bob", PHONE);
        let scene = if replaces { platform.one_binding() } else { platform }.start().await;
        let outcome = scene.check(check()).await;
        let name = &outcome.check;
        assert_eq!(outcome.verdict, Verdict::NotRun, "{name}\n{outcome}");
        says(
            &outcome,
            &["registered", "bob", "198.51.100.20", "test account|quiet hour|--beside-live-devices"],
        );
        let bound = |text: &Text| user(uri(text.value("To"))) == "bob" && text.get("Contact").is_some();
        assert!(!scene.got("REGISTER").iter().any(bound), "{name} bound beside it\n{outcome}");
        assert!(scene.got("INVITE").is_empty(), "{name} called all the same\n{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_bound_beside_a_live_device_unasked() {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    leaves_it_alone(|| Call::between(&alice, &bob)).await;
    leaves_it_alone(|| Hold::between(&alice, &bob)).await;
    leaves_it_alone(|| Cancel::between(&alice, &bob)).await;
    leaves_it_alone(|| Dtmf::between(&alice, &bob)).await;
    leaves_it_alone(|| Transfer::blind(&alice, &bob, &carol)).await;
    leaves_it_alone(|| Transfer::blind(&alice, &carol, &bob)).await;
}

#[tokio::test(start_paused = true)]
async fn an_account_without_devices_is_queried_first_and_then_bound() {
    let scene = Platform::new().start().await;
    let outcome = scene.check(Call::between(&account("alice"), &account("bob"))).await;
    spotless(&outcome);
    let first = scene.got("REGISTER").into_iter().find(|text| text.get("Authorization").is_some()).unwrap();
    assert!(first.get("Contact").is_none(), "the first one asks: {first:?}");
}
