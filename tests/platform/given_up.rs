//! Calls that are given up, held, or not answered at all: sections 25, 31 and 32 of the list of situations.

use crate::platform::*;
use ringback::check::{Call, Cancel, Dtmf, Fork, Hold, Outcome, Side, Transfer, Verdict};

fn cancel() -> Cancel {
    Cancel::between(&account("alice"), &account("bob"))
}

fn hold() -> Hold {
    Hold::between(&account("alice"), &account("bob"))
}

/// Bob rings; this long after, the platform gives him up with this Reason and voice mail answers alice.
fn mailbox_after(time: u64, reason: Option<&'static str>) -> Platform {
    Platform::new().ringing(move |core, alice| {
        core.after(ms(time), move |core| {
            core.cancel(core.legs[alice].called[0], reason);
            core.answer(alice, Source::Tone(440.0));
        });
    })
}

#[tokio::test(start_paused = true)]
async fn no_verdict_about_a_cancel_without_a_cancel() {
    for (time, reason) in [(600, None), (100, Some("SIP;cause=480")), (900, Some("SIP;cause=200;text=\"x\""))]
    {
        let scene = mailbox_after(time, reason).start().await;
        let outcome = scene.check(cancel()).await;
        assert!(scene.got("CANCEL").is_empty(), "{outcome}");
        does_not_pass(&outcome);
        says(&outcome, &["answered", "before|no CANCEL"]);
        says_nothing_of(&outcome, &["stopped ringing", "call was taken elsewhere"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_or_ended_before_it_is_given_up_is_no_pass() {
    for (status, phrase) in
        [(480, "Temporarily Unavailable"), (486, "Busy Here"), (487, "Request Terminated")]
    {
        let platform = Platform::new().ringing(move |core, alice| {
            core.after(ms(500), move |core| {
                core.cancel(core.legs[alice].called[0], None);
                core.refuse(alice, status, phrase);
            });
        });
        let outcome = platform.asked(cancel()).await;
        does_not_pass(&outcome);
        says(&outcome, &[&status.to_string()]);
        says_nothing_of(&outcome, &["stopped ringing"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_callee_whom_the_platform_gives_up_declined_nothing_whichever_leg_ends_first() {
    for (callee_after, caller_after) in [(500, 520), (520, 500), (900, 500)] {
        let platform = Platform::new().ringing(move |core, alice| {
            core.after(ms(callee_after), move |core| core.cancel(core.legs[alice].called[0], None));
            core.after(ms(caller_after), move |core| core.refuse(alice, 603, "Decline"));
        });
        let call = Call::between(&account("alice"), &account("bob")).ring(ms(4_000));
        let outcome = platform.asked(call).await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        says(&outcome, &["rang for", "cancelled"]);
        says_nothing_of(&outcome, &["declined", "blacklist"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_crosses_the_cancel_is_told() {
    let platform = Platform::new().when(|core, m| {
        let gives_up = m.is("CANCEL");
        if gives_up {
            let alice = m.leg.unwrap();
            core.respond(m, 200, "OK", "");
            core.cancel(core.legs[alice].called[0], None);
            core.answer(alice, Source::Tone(440.0));
        }
        gives_up
    });
    let scene = platform.start().await;
    let outcome = scene.check(cancel()).await;
    assert_eq!((scene.got("CANCEL").len(), scene.got("BYE").len()), (1, 1), "{outcome}");
    says(&outcome, &["answered", "charged|crossed|at the same time|same moment"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_and_stops_ringing_passes() {
    spotless(&Platform::new().asked(cancel()).await);
}

/// What alice gets to her hold.
fn held(status: u16, phrase: &'static str) -> Platform {
    Platform::new().when(move |core, m| {
        let is_hold = m.user == "alice" && m.continues("INVITE");
        if is_hold {
            core.respond(m, status, phrase, "Contact: <sip:pbx@203.0.113.1:5060>");
        }
        is_hold
    })
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_answered_without_a_description_is_told_as_that() {
    let outcome = held(200, "OK").asked(hold()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["without a description|no description|without SDP"]);
    says_nothing_of(&outcome, &["not answered in", "loses requests"]);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_refused_fails_with_its_status() {
    for (status, phrase) in [(488, "Not Acceptable Here"), (403, "Forbidden"), (501, "Not Implemented")] {
        let outcome = held(status, phrase).asked(hold()).await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        says(&outcome, &[&status.to_string()]);
        says_nothing_of(&outcome, &["not answered in"]);
    }
    spotless(&Platform::new().asked(hold()).await);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_not_answered_is_told_as_that() {
    let platform = Platform::new().when(|_, m| m.user == "alice" && m.continues("INVITE"));
    let outcome = platform.asked(hold()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["not answered"]);
}

/// Every question about calls, against what this makes.
async fn all(platform: impl Fn() -> Platform) -> Vec<(&'static str, Outcome)> {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    vec![
        ("call", platform().asked(Call::between(&alice, &bob)).await),
        ("hold", platform().asked(hold()).await),
        ("cancel", platform().asked(cancel()).await),
        ("dtmf", platform().asked(Dtmf::between(&alice, &bob)).await),
        ("transfer", platform().asked(Transfer::blind(&alice, &bob, &carol)).await),
        ("fork", platform().asked(Fork::bindings(&alice, &bob, 2).unwrap()).await),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_registrar_that_answers_no_invite_gets_one_verdict() {
    let outcomes = all(|| Platform::new().when(|_, m| m.is("INVITE"))).await;
    let verdict = outcomes[0].1.verdict;
    let code = first(&outcomes[0].1).unwrap().code.clone();
    for (name, outcome) in &outcomes {
        assert_eq!(outcome.verdict, verdict, "{name}\n{outcome}");
        // REGISTERs are answered before and after: this host is not banned.
        judged_as(outcome, &[Verdict::Fail], &[Side::Path, Side::Peer]);
        assert_eq!(first(outcome).unwrap().code, code, "{name}\n{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_rings_nobody_gets_one_verdict() {
    // A 100, and nothing more: something came.
    let trying = || {
        Platform::new().when(|core, m| {
            let is_call = m.begins("INVITE");
            if is_call {
                core.respond(m, 100, "Trying", "");
            }
            is_call
        })
    };
    for (name, outcome) in all(trying).await {
        does_not_pass(&outcome);
        assert_eq!(first(&outcome).unwrap().side, Side::Peer, "{name}\n{outcome}");
        says(&outcome, &["100|provisional"]);
    }
}

#[tokio::test(start_paused = true)]
async fn media_that_reaches_nobody_gets_one_code() {
    let [alice, bob] = ["alice", "bob"].map(account);
    let deaf = || Platform::new().hears(|passing, _| passing.to != "bob");
    let outcomes = [
        ("call", deaf().asked(Call::between(&alice, &bob)).await),
        ("hold", deaf().asked(hold()).await),
        ("dtmf", deaf().asked(Dtmf::between(&alice, &bob)).await),
        ("transfer", deaf().asked(Transfer::blind(&alice, &bob, &account("carol"))).await),
    ];
    for (name, outcome) in &outcomes {
        judged(outcome, Verdict::Fail, Side::Path);
        assert_eq!(first(outcome).unwrap().code, "one-way-audio", "{name}\n{outcome}");
        assert!(!first(outcome).unwrap().evidence.is_empty(), "{name}\n{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_in_the_place_of_bob_is_somebody_else_for_every_question() {
    let mailbox = || Platform::new().answering("bob", || Source::Tone(440.0));
    for (name, outcome) in all(mailbox).await {
        if name == "cancel" {
            says(&outcome, &["answered"]);
        }
        does_not_pass(&outcome);
        says(&outcome, &["somebody else|another|not by bob|not bob"]);
        says_nothing_of(&outcome, &["firewall"]);
    }
}

/// A group of bob, carol and two devices of others: one declines for all, and what alice gets comes only when the other, which is unplugged,
/// was given up.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_takes_its_time_is_no_leg_left_open() {
    let platform = Platform::new()
        .number("600", |core, alice| {
            for name in ["bob", "carol"] {
                let contact = core.bindings[name][0].clone();
                core.dial(alice, &contact, "");
            }
            core.after(ms(300), move |core| {
                for called in core.legs[alice].called.clone() {
                    core.cancel(called, None);
                }
            });
            core.after(ms(5_300), move |core| core.refuse(alice, 603, "Decline"));
            core.legs[alice].over = true;
        })
        .when(|core, m| {
            let gives_up = m.is("CANCEL");
            if gives_up {
                core.respond(m, 200, "OK", "");
            }
            gives_up
        });
    let members = ["bob", "carol"].map(account);
    let check = Fork::group(&account("alice"), "600", &members).unwrap();
    let outcome = platform.asked(check.trials([ringback::check::ForkTrial::Answer])).await;
    does_not_pass(&outcome);
    says(&outcome, &["603"]);
    says_nothing_of(&outcome, &["left open", "still up", "did not end", "time for ringing", "mailbox"]);
}

/// The same platform for two questions: bob rings, and alice is not told.
#[tokio::test(start_paused = true)]
async fn ringing_that_is_not_passed_on_is_a_warning_for_each_question() {
    let platform = || Platform::new().when(|_, m| m.answers(180, "INVITE"));
    let scene = platform().start().await;
    let outcome = scene.check(cancel()).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    says(&outcome, &["bob rings, and no 180 or 183 came to the caller"]);
    let scene = platform().start().await;
    let outcome = scene.check(ringback::check::Call::between(&account("alice"), &account("bob"))).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    says(&outcome, &["without ringing"]);
}

#[track_caller]
fn result(outcome: &Outcome) -> &str {
    outcome.fact("result").unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn what_is_answered_and_cannot_be_used_is_a_call_that_was_answered() {
    let between = || Call::between(&account("alice"), &account("bob"));
    for (from, to) in [("RTP/AVP", "RTP/SAVP"), ("c=IN IP4", "c=IN IP6 ::1\r\nb="), ("m=audio", "m=video")] {
        let platform = Platform::new().edits(move |text, outgoing| {
            if text.answers(200, "INVITE") && outgoing.user == "alice" {
                text.edit(from, to);
            }
        });
        let outcome = platform.asked(between()).await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        assert_eq!(result(&outcome), "answered, unusable", "{outcome}");
    }
    // Bob rang and answered, whatever alice was told.
    let silent = Platform::new().sends(|text, outgoing| {
        !(outgoing.user == "alice"
            && text.status().is_some_and(|status| status > 100)
            && text.method() == "INVITE")
    });
    let outcome = silent.asked(between().wait(ms(5_000))).await;
    does_not_pass(&outcome);
    assert_eq!(result(&outcome), "answer lost", "{outcome}");
    let refused = Platform::new().number("bob", |core, alice| core.refuse(alice, 480, "Do Not Disturb"));
    let outcome = refused.asked(between()).await;
    judged(&outcome, Verdict::Fail, Side::Setup);
    says(&outcome, &["do-not-disturb is set", "480 Do Not Disturb"]);
    assert_eq!(result(&outcome), "do not disturb", "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn who_is_left_ringing_while_another_takes_the_call_is_told_by_every_question() {
    // Voice mail takes the call, bob is not cancelled, and what he answers later goes nowhere.
    let ghost = || {
        Platform::new()
            .ringing(|core, alice| {
                core.after(ms(50), move |core| core.answer(alice, Source::Tone(440.0)));
            })
            .when(|_, m| m.user == "bob" && m.answers(200, "INVITE"))
    };
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    for outcome in [
        ghost().asked(Call::between(&alice, &bob).ring(ms(500))).await,
        ghost().asked(hold()).await,
        ghost().asked(Dtmf::between(&alice, &bob)).await,
        ghost().asked(Transfer::blind(&alice, &bob, &carol)).await,
    ] {
        judged(&outcome, Verdict::Fail, Side::Peer);
        assert_eq!(first(&outcome).unwrap().code, "answered-by-another", "{outcome}");
        says(&outcome, &["before bob answered", "bob was not cancelled"]);
        says_nothing_of(&outcome, &["one-way", "firewall", "SIP ALG"]);
    }
    // The same at the CANCEL of the caller: bob rings on until our end ends it.
    let ghost = Platform::new().when(|core, m| {
        let gives_up = m.is("CANCEL");
        if gives_up {
            core.respond(m, 200, "OK", "");
            core.answer(m.leg.unwrap(), Source::Tone(440.0));
        }
        gives_up
    });
    let outcome = ghost.asked(cancel()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    assert_eq!(first(&outcome).unwrap().code, "rings-on", "{outcome}");
    says(&outcome, &["bob rings on", "something else had answered"]);
    says_nothing_of(&outcome, &["was not seen", "unplugged", "after the CANCEL"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_right_after_the_ringing_began_is_no_time_without_answer() {
    let ended = |after: u64, status: u16, phrase: &'static str| {
        Platform::new().ringing(move |core, alice| {
            core.after(ms(after), move |core| {
                core.legs[alice].called.clone().into_iter().for_each(|leg| core.cancel(leg, None));
                core.refuse(alice, status, phrase);
            });
        })
    };
    let call = || Call::between(&account("alice"), &account("bob")).ring(ms(4_000));
    let fork = || Fork::bindings(&account("alice"), &account("bob"), 2).unwrap();
    for (status, phrase) in [(486, "Busy Here"), (603, "Decline")] {
        for outcome in [
            ended(100, status, phrase).asked(call()).await,
            ended(100, status, phrase).asked(cancel()).await,
            ended(100, status, phrase).asked(fork()).await,
        ] {
            judged(&outcome, Verdict::Fail, Side::Peer);
            says(
                &outcome,
                &["something else refused the call", &format!("{status} {phrase}"), "another device"],
            );
            says_nothing_of(&outcome, &["--ring-for", "mailbox", "no-answer time is shorter"]);
        }
    }
    // So a platform gives up, by its status or by its time.
    for (after, status, phrase) in [(100, 480, "Temporarily Unavailable"), (3_000, 603, "Decline")] {
        let outcome = ended(after, status, phrase).asked(call()).await;
        assert_eq!(first(&outcome).unwrap().code, "ringing-given-up", "{outcome}");
    }
}
