//! A healthy platform: every question about calls passes, and says nothing that is not so.

use crate::platform::*;
use ringback::check::{Call, Cancel, Dtmf, Hold, Transfer, TransferKind, Verdict};

#[tokio::test(start_paused = true)]
async fn each_question_passes() {
    let (alice, bob) = (account("alice"), account("bob"));
    spotless(&Platform::new().asked(Call::between(&alice, &bob)).await);
    spotless(&Platform::new().asked(Hold::between(&alice, &bob)).await);
    spotless(&Platform::new().asked(Cancel::between(&alice, &bob)).await);
    spotless(&Platform::new().asked(Dtmf::between(&alice, &bob)).await);
    let answering = Platform::new().answering("900", || Source::Tone(440.0));
    spotless(&answering.asked(Call::to(&alice, "900").unwrap()).await);
}

#[tokio::test(start_paused = true)]
async fn transfers_pass_whether_refer_is_passed_on_or_carried_out() {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    for kind in [TransferKind::Blind, TransferKind::Attended] {
        let check = || Transfer::new(&alice, &bob, &carol, kind);
        let outcome = Platform::new().asked(check()).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{kind:?}\n{outcome}");
        let outcome = Platform::new().carries_refer().asked(check()).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{kind:?}\n{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn challenged_calls_pass() {
    let outcome = Platform::new().challenges().asked(Call::between(&account("alice"), &account("bob"))).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
}
