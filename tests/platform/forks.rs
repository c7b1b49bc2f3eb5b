//! Several that are called as one: who takes or ends the call in their place, and how long a call may take to end. Sections 32, 40 and 51
//! of the list of situations, and who answers a group.

use crate::platform::*;
use ringback::check::{Call, Cancel, Fork, ForkTrial, Outcome, Severity, Side, Verdict};

const DEAD: &str = "sip:bob@198.51.100.20:5060";

/// Bob and carol are called for a leg.
fn ring_members(core: &mut Core, leg: usize) {
    for name in ["bob", "carol"] {
        let contact = core.bindings[name][0].clone();
        core.dial(leg, &contact, "");
    }
}

fn stop_members(core: &mut Core, leg: usize, reason: Option<&str>) {
    for called in core.legs[leg].called.clone() {
        core.cancel(called, reason);
    }
}

/// 600 rings bob and carol.
fn group() -> Platform {
    Platform::new().number("600", ring_members)
}

fn fork(trial: ForkTrial) -> Fork {
    let members = ["bob", "carol"].map(account);
    Fork::group(&account("alice"), "600", &members).unwrap().trials([trial])
}

fn answer() -> Fork {
    fork(ForkTrial::Answer)
}

fn codes(outcome: &Outcome, severity: Severity) -> Vec<&str> {
    outcome.findings.iter().filter(|f| f.severity == severity).map(|f| &*f.code).collect()
}

/// A device that is unplugged is called beside bob and carol. When bob declines, carol is cancelled; alice gets it `late` or never.
fn declined(late: Option<u64>) -> Platform {
    Platform::new()
        .number("600", |core, alice| {
            ring_members(core, alice);
            core.dial(alice, DEAD, "");
        })
        .when(move |core, m| {
            if m.answers(603, "INVITE") {
                // Alice's is the first leg of the call.
                stop_members(core, 0, None);
                if let Some(late) = late {
                    core.after(ms(late), |core| core.refuse(0, 603, "Decline"));
                }
            }
            let gives_up = m.is("CANCEL");
            if gives_up {
                core.respond(m, 200, "OK", "");
            }
            gives_up
        })
}

#[tokio::test(start_paused = true)]
async fn a_603_that_waits_for_an_unplugged_device_is_no_leg_left_open() {
    for late in [500, 5_000, 31_000] {
        let check = fork(ForkTrial::Refuse).refuses_with(603).unwrap();
        let outcome = declined(Some(late)).asked(check).await;
        passes(&outcome);
        says(&outcome, &["603, which ends the whole call"]);
        let told = codes(&outcome, Severity::Info);
        let is_late = late > 10_000;
        assert_eq!(told.contains(&"cancelled-late"), is_late, "{late}\n{outcome}");
        says_nothing_of(&outcome, &["left-open", "still there", "did not end"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_never_ended_is_told_with_the_time_that_it_had() {
    let check = fork(ForkTrial::Refuse).refuses_with(603).unwrap();
    let outcome = declined(None).asked(check).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    assert_eq!(first(&outcome).unwrap().code, "cancel-not-answered", "{outcome}");
    says(&outcome, &["answered 200", "no final response", "32 s"]);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_has_the_time_of_a_branch_that_answers_nothing_too() {
    // Bob's phone rings, and one more that is unplugged.
    let late = |late: Option<u64>| {
        Platform::new().when(move |core, m| {
            let gives_up = m.is("CANCEL");
            if let Some(leg) = m.leg.filter(|_| gives_up) {
                core.respond(m, 200, "OK", "");
                let reason = m.get("Reason").map(str::to_owned);
                stop_members(core, leg, reason.as_deref());
                core.legs[leg].over = true;
                if let Some(late) = late {
                    core.after(ms(late), move |core| core.refuse(leg, 487, "Request Terminated"));
                }
            }
            gives_up
        })
    };
    let check = || Cancel::between(&account("alice"), &account("bob"));
    let outcome = late(Some(100)).asked(check()).await;
    spotless(&outcome);
    let outcome = late(Some(20_000)).asked(check()).await;
    passes(&outcome);
    assert_eq!(codes(&outcome, Severity::Info), ["cancelled-late"], "{outcome}");
    let outcome = late(None).asked(check()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["answered 200", "no final response"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_given_up_and_is_not_ended_yet_is_not_called_left() {
    let rings = |taken: bool| {
        Platform::new().number("900", |core, alice| core.ring(alice)).when(move |core, m| {
            let gives_up = m.is("CANCEL");
            if gives_up && taken {
                core.respond(m, 200, "OK", "");
            }
            gives_up
        })
    };
    let call = || Call::to(&account("alice"), "900").unwrap().wait(ms(2_000));
    let outcome = rings(true).asked(call()).await;
    assert_eq!(codes(&outcome, Severity::Error), ["not-answered"], "{outcome}");
    says(&outcome, &["answered 200|taken", "not ended yet"]);
    says_nothing_of(&outcome, &["was not answered in 3 s"]);
    let outcome = rings(false).asked(call()).await;
    says(&outcome, &["the CANCEL of alice was not answered"]);
}

#[tokio::test(start_paused = true)]
async fn a_device_of_others_that_declines_is_the_cause() {
    for (late, reason) in [(0, None), (6_000, None), (20_000, Some("SIP;cause=603;text=\"Decline\""))] {
        let platform = Platform::new().number("600", move |core, alice| {
            ring_members(core, alice);
            core.after(ms(200), move |core| {
                stop_members(core, alice, reason);
                core.legs[alice].over = true;
                core.after(ms(late), move |core| core.refuse(alice, 603, "Decline"));
            });
        });
        let outcome = platform.asked(answer()).await;
        judged(&outcome, Verdict::Fail, Side::Setup);
        assert_eq!(codes(&outcome, Severity::Error), ["declined-elsewhere"], "{outcome}");
        says(&outcome, &["declined", "603", "6xx"]);
        says_nothing_of(&outcome, &["mailbox", "time for ringing", "left open"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_a_mailbox_answers_is_answered_by_another() {
    for reason in [None, Some("SIP;cause=200;text=\"Call completed elsewhere\"")] {
        let platform = Platform::new().number("600", move |core, alice| {
            core.ring(alice);
            ring_members(core, alice);
            core.after(ms(300), move |core| {
                stop_members(core, alice, reason);
                core.answer(alice, Source::Tone(440.0));
            });
        });
        let outcome = platform.asked(answer()).await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        assert_eq!(codes(&outcome, Severity::Error), ["answered-by-another"], "{outcome}");
        says(&outcome, &["not by bob or carol", "300.0 ms", "sip:pbx@|sip:600@"]);
        says_nothing_of(&outcome, &["firewall", "still waits"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_menu_in_the_place_of_a_group_or_of_devices_is_told_with_what_proves_it() {
    let outcome = Platform::new().answering("600", || Source::Tone(440.0)).asked(answer()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    assert_eq!(codes(&outcome, Severity::Error), ["not-delivered"], "{outcome}");
    says(&outcome, &["answered, but not by bob or carol", "no INVITE"]);
    let devices = || Fork::bindings(&account("alice"), &account("bob"), 2).unwrap();
    let outcome = Platform::new().answering("bob", || Source::Tone(440.0)).asked(devices()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["not by bob#1 or bob#2", "no INVITE"]);
    // One that rings, and nobody of ours does.
    let outcome = Platform::new().number("600", |core, alice| core.ring(alice)).asked(answer()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["rings, but none of bob and carol", "no INVITE"]);
}

/// A queue: it answers with music, rings its members, and joins the one that answers first.
fn queue() -> Platform {
    Platform::new()
        .number("600", |core, alice| {
            core.answer(alice, Source::Tone(440.0));
            core.after(ms(200), move |core| ring_members(core, alice));
        })
        .when(|core, m| {
            let Some(member) = m.leg.filter(|_| m.answers(200, "INVITE") && m.user != "alice") else {
                return false;
            };
            core.legs[member].sdp.clone_from(&m.body);
            let number = m.value("CSeq").split(' ').next().unwrap().parse().unwrap();
            core.ack(member, None, number);
            core.legs[member].up = true;
            core.play(0, Source::Nothing);
            core.connect(0, member);
            for other in core.legs[0].called.clone().into_iter().filter(|other| *other != member) {
                core.cancel(other, Some("SIP;cause=200;text=\"Call completed elsewhere\""));
            }
            true
        })
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_answers_before_it_rings_is_healthy() {
    let outcome = queue().asked(answer()).await;
    passes(&outcome);
    assert_eq!(codes(&outcome, Severity::Info), ["answered-before-ringing"], "{outcome}");
    assert!(outcome.findings.iter().all(|finding| finding.severity == Severity::Info), "{outcome}");
    says(&outcome, &["queue or a menu"]);
}

#[tokio::test(start_paused = true)]
async fn media_that_reaches_nobody_has_the_code_of_every_call() {
    let outcome = group().hears(|passing, _| passing.to != "bob").asked(answer()).await;
    judged(&outcome, Verdict::Fail, Side::Path);
    assert_eq!(codes(&outcome, Severity::Error), ["one-way-audio"], "{outcome}");
    assert!(!first(&outcome).unwrap().evidence.is_empty(), "{outcome}");
    spotless(&group().asked(answer()).await);
}

#[tokio::test(start_paused = true)]
async fn an_invite_that_is_never_answered_gets_the_verdict_of_call() {
    let silent = || Platform::new().when(|_, m| m.is("INVITE"));
    let call = silent().asked(Call::between(&account("alice"), &account("bob"))).await;
    let devices = Fork::bindings(&account("alice"), &account("bob"), 2).unwrap();
    for outcome in [silent().asked(answer()).await, silent().asked(devices).await] {
        assert_eq!(outcome.verdict, call.verdict, "{outcome}");
        let (one, other) = (first(&outcome).unwrap(), first(&call).unwrap());
        assert_eq!((&one.code, one.side), (&other.code, other.side), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_of_seventeen_answers_gets_its_ack_and_one_bye() {
    let platform = Platform::new().when(|core, m| {
        let is_call = m.begins("INVITE");
        if is_call {
            for (status, phrase) in [(180, "Ringing"), (200, "OK")] {
                for fork in 0..17 {
                    let text = Text::response(&m.text, status, phrase, &format!("f{fork}"))
                        .with("Contact", format!("<sip:f{fork}@{PLATFORM}>"));
                    let sdp = description(&m.body, "203.0.113.1:40000".parse().unwrap());
                    core.reply(m, if status == 200 { text.sdp(sdp) } else { text });
                }
            }
        }
        let is_bye = m.is("BYE");
        if is_bye {
            core.respond(m, 200, "OK", "");
        }
        is_call || is_bye || m.is("ACK")
    });
    let scene = platform.start().await;
    let outcome = scene.check(Call::to(&account("alice"), "900").unwrap()).await;
    for fork in 0..17 {
        let of = |text: &&Text| tag(text.value("To")) == Some(&format!("f{fork}"));
        for method in ["ACK", "BYE"] {
            let got = scene.got(method).iter().filter(of).count();
            assert_eq!(got, 1, "{method} of f{fork}\n{outcome}");
        }
    }
    says(&outcome, &["16 further device(s) answered the same call"]);
}
