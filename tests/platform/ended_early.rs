//! Calls that the platform ends before everything was asked: no question passes by them, and what was not sent is not judged.

use crate::platform::*;
use ringback::check::{
    Call, Check, Dtmf, FeatureCode, Hold, Outcome, Severity, Side, Transfer, TransferKind, TransferTarget,
    Verdict,
};

const REASON: &str = r#"Q.850;cause=38;text="Network out of order""#;
/// What may not be told of a REFER that was never sent.
const OF_A_REFER: &[&str] = &["REFER was not", "the REFER to", "requests in the call get lost", "Replaces"];

fn transfer(kind: TransferKind) -> Transfer {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    Transfer::new(&alice, &bob, &carol, kind)
}

fn blind() -> Transfer {
    transfer(TransferKind::Blind)
}

fn keys() -> FeatureCode {
    FeatureCode::default().number("1003").unwrap()
}

/// The platform ends the call with this number, both legs of it, this long after it came up.
fn ending(number: usize, after: u64, reason: Option<&'static str>) -> Platform {
    let mut calls = 0;
    Platform::new().up(ms(after), move |core, caller, callee| {
        calls += 1;
        if calls == number {
            core.bye(caller, reason);
            core.bye(callee.unwrap(), reason);
        }
    })
}

fn is_dropped(outcome: &Outcome) {
    judged(outcome, Verdict::Fail, Side::Peer);
    assert_eq!(first(outcome).unwrap().code, "dropped", "{outcome}");
    let errors = outcome.findings.iter().filter(|found| found.severity == Severity::Error);
    assert_eq!(errors.count(), 1, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn no_transfer_passes_in_a_call_that_was_over_before_it() {
    let kinds: [fn() -> Transfer; 9] = [
        blind,
        || transfer(TransferKind::Attended),
        || transfer(TransferKind::SemiAttended),
        || blind().by_callee(),
        || blind().target(TransferTarget::Refuses(486)),
        || blind().target(TransferTarget::Rings),
        || blind().park("701").unwrap(),
        || blind().by_keys(keys()).unwrap(),
        || transfer(TransferKind::Attended).by_keys(keys()).unwrap(),
    ];
    for kind in kinds {
        for (after, reason) in [(200, None), (200, Some(REASON)), (1_190, Some(REASON))] {
            let scene = ending(1, after, reason).start().await;
            let outcome = scene.check(kind()).await;
            is_dropped(&outcome);
            says(&outcome, &["the platform ended the call", reason.unwrap_or("without a reason")]);
            says_nothing_of(&outcome, OF_A_REFER);
            assert!(scene.got("REFER").is_empty() && !scene.dialled("carol"), "{outcome}");
        }
    }
}

async fn every_question(platform: impl Fn() -> Platform, look: impl Fn(&Outcome)) {
    let (alice, bob) = (account("alice"), account("bob"));
    async fn ask(platform: Platform, check: impl Check) -> Outcome {
        platform.asked(check).await
    }
    look(&ask(platform(), Call::between(&alice, &bob)).await);
    look(&ask(platform(), Hold::between(&alice, &bob)).await);
    look(&ask(platform(), Dtmf::between(&alice, &bob)).await);
    look(&ask(platform(), blind()).await);
}

#[tokio::test(start_paused = true)]
async fn no_question_passes_in_a_call_that_was_over_before_it() {
    every_question(
        || ending(1, 200, Some(REASON)),
        |outcome| {
            is_dropped(outcome);
            says(outcome, &[REASON]);
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn no_refer_is_judged_in_a_call_that_was_ended_while_the_target_was_asked() {
    // The second call that comes up is the one of alice with carol; the first is ended at once.
    let mut first_call = None;
    let mut calls = 0;
    let platform = Platform::new().up(ms(300), move |core, caller, callee| {
        calls += 1;
        match (calls, first_call) {
            (1, _) => first_call = Some((caller, callee.unwrap())),
            (2, Some((caller, callee))) => {
                core.bye(caller, Some(REASON));
                core.bye(callee, Some(REASON));
            }
            _ => {}
        }
    });
    let scene = platform.start().await;
    let outcome = scene.check(transfer(TransferKind::Attended)).await;
    is_dropped(&outcome);
    says(&outcome, &["the call of alice with bob", REASON]);
    says_nothing_of(&outcome, OF_A_REFER);
    assert!(scene.got("REFER").is_empty(), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn no_refer_names_a_call_with_the_target_that_is_over() {
    let scene = ending(2, 300, Some("Q.850;cause=41")).start().await;
    let outcome = scene.check(transfer(TransferKind::Attended)).await;
    is_dropped(&outcome);
    says(&outcome, &["the call of alice with carol", "Q.850;cause=41"]);
    says_nothing_of(&outcome, OF_A_REFER);
    assert!(scene.got("REFER").is_empty(), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_answered_481_ends_the_call_and_no_refer_is_judged() {
    let platform = || {
        Platform::new().when(|core, m| {
            let is_hold = m.user == "alice" && m.continues("INVITE");
            if is_hold {
                core.respond(m, 481, "Call/Transaction Does Not Exist", "");
            }
            is_hold
        })
    };
    for kind in [TransferKind::Attended, TransferKind::SemiAttended] {
        let scene = platform().start().await;
        let outcome = scene.check(transfer(kind)).await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        says(&outcome, &["hold", "481"]);
        says_nothing_of(&outcome, OF_A_REFER);
        says_nothing_of(&outcome, &["refresh of the session"]);
        assert!(scene.got("REFER").is_empty() && !scene.dialled("carol"), "{outcome}");
    }
    let outcome = platform().asked(Hold::between(&account("alice"), &account("bob"))).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says_nothing_of(&outcome, &["refresh of the session"]);
}

#[tokio::test(start_paused = true)]
async fn a_bye_that_our_end_refuses_ends_nothing() {
    let platform = || {
        let mut calls = 0;
        Platform::new().up(ms(500), move |core, caller, _| {
            calls += 1;
            if calls == 1 {
                let bye = Text::request("BYE", "-").with("From", "<sip:bob@pbx.example.com>;tag=foreign");
                core.request(caller, bye, None);
            }
        })
    };
    every_question(platform, |outcome| {
        says_nothing_of(outcome, &["the platform ended the call", "neither end had hung up"]);
        says(outcome, &["had to refuse a BYE", "481"]);
        assert!(first(outcome).is_none(), "{outcome}");
        passes(outcome);
    })
    .await;
}

/// A proxy that rings bob and another device of his with one INVITE; both answer, the other one first or second.
fn forking(other_first: bool) -> Platform {
    Platform::new().when(move |core, m| {
        let is_call = m.begins("INVITE") && m.user == "alice" && user(m.uri()) == "bob";
        if !is_call {
            return false;
        }
        core.respond(m, 100, "Trying", "");
        let contact = core.bindings["bob"][0].clone();
        let (_, address) = contact.split_once('@').unwrap();
        let address = address.split(';').next().unwrap().parse().unwrap();
        let mut invite = m.text.clone();
        invite.start = format!("INVITE {contact} SIP/2.0");
        invite.remove("Via");
        let asked = m.clone();
        let pass = move |core: &mut Core, answer: &Text| {
            if answer.status().is_none_or(|status| status < 200) {
                return;
            }
            let other = Text::response(&asked.text, 200, "OK", "other-device")
                .with("Contact", format!("<sip:other@{}>", asked.at))
                .with("User-Agent", "Other Phone 1.0")
                .sdp(description(&asked.body, "203.0.113.1:40000".parse().unwrap()));
            let mut own = answer.clone();
            own.remove("Via");
            own.headers.insert(0, ("Via".to_owned(), asked.value("Via").to_owned()));
            let answers = if other_first { [other, own] } else { [own, other] };
            answers.into_iter().for_each(|answer| core.reply(&asked, answer));
        };
        core.send(m.at, address, None, invite, Some(Box::new(pass)));
        true
    })
}

#[tokio::test(start_paused = true)]
async fn another_device_that_answers_first_is_told_and_not_a_platform_that_ends_the_call() {
    every_question(
        || forking(true),
        |outcome| {
            judged(outcome, Verdict::Fail, Side::Peer);
            assert_eq!(first(outcome).unwrap().code, "answered-by-another", "{outcome}");
            says(outcome, &["another device answered before bob", "Other Phone 1.0"]);
            says_nothing_of(outcome, &["the platform ended the call", "neither end had hung up"]);
        },
    )
    .await;
    // One that answers behind bob is given up, and bob's call is as it should be.
    let outcome = forking(false).asked(Call::between(&account("alice"), &account("bob"))).await;
    says_nothing_of(&outcome, &["another device answered before"]);
    passes(&outcome);
    // Whatever is asked, it is told.
    let [alice, bob] = ["alice", "bob"].map(account);
    for outcome in [
        outcome,
        forking(false).asked(Hold::between(&alice, &bob)).await,
        forking(false).asked(Dtmf::between(&alice, &bob).digits("15").unwrap()).await,
    ] {
        let told = outcome.finding("answered-twice").unwrap_or_else(|| panic!("{outcome}"));
        assert!(told.seen.contains("answered the same call; each was sent ACK and BYE"), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_call_that_is_dropped_makes_no_notify_untrue() {
    let mut is_answered = false;
    let platform = Platform::new().carries_refer().when(move |core, m| {
        let is_carols = m.answers(200, "INVITE") && m.user == "carol";
        if is_carols && !std::mem::replace(&mut is_answered, true) {
            core.after(ms(500), |core| {
                for leg in 0..core.legs.len() {
                    if ["bob", "carol"].contains(&core.legs[leg].user.as_str()) {
                        core.bye(leg, Some("Q.850;cause=41"));
                    }
                }
            });
        }
        false
    });
    let outcome = platform.asked(blind()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    assert_eq!(first(&outcome).unwrap().code, "dropped", "{outcome}");
    says(&outcome, &["carol answered, as alice was told", "0.5 s later", "Q.850;cause=41"]);
    says_nothing_of(&outcome, &["NOTIFY 200 only when"]);
}
