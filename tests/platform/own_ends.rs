//! What our own ends did or sent in a call that goes wrong: told as theirs, and a CANCEL of theirs with what became of it.

use crate::platform::*;
use ringback::check::{Call, Cancel, Dtmf, DtmfMethod, Fork, ForkTrial, Hold, Outcome, Side, Verdict};

fn call() -> Call {
    Call::between(&account("alice"), &account("bob")).listen(ms(3_000))
}

fn cancel() -> Cancel {
    Cancel::between(&account("alice"), &account("bob"))
}

fn hold() -> Hold {
    Hold::between(&account("alice"), &account("bob"))
}

fn fork() -> Fork {
    Fork::bindings(&account("alice"), &account("bob"), 2).unwrap().trials([ForkTrial::Answer])
}

#[track_caller]
fn begins_with(outcome: &Outcome, code: &str) {
    assert_eq!(first(outcome).unwrap().code, code, "{outcome}");
}

/// The INVITE to bob carries this header.
fn calling_with(name: &'static str, value: &'static str) -> Platform {
    Platform::new().edits(move |text, to| {
        if to.user == "bob" && text.begins("INVITE") {
            text.set("Supported", "timer");
            text.set(name, value);
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_challenge_and_then_silence_is_silence() {
    // From the INVITE with credentials on nothing is answered any more: as by a ban.
    let silent = || {
        let mut is_banned = false;
        Platform::new().challenges().when(move |_, m| {
            is_banned |= m.is("INVITE") && m.get("Proxy-Authorization").is_some();
            is_banned
        })
    };
    let outcomes = [
        ("call", silent().asked(call()).await),
        ("hold", silent().asked(hold()).await),
        ("cancel", silent().asked(cancel()).await),
        ("fork", silent().asked(fork()).await),
    ];
    for (name, outcome) in &outcomes {
        judged(outcome, Verdict::Inconclusive, Side::Probe);
        assert_eq!(first(outcome).unwrap().code, "answers-stopped", "{name}\n{outcome}");
        says(outcome, &["the INVITE with credentials"]);
        says_nothing_of(outcome, &["provisional"]);
    }
    // Whoever answers REGISTERs before and after has not banned this host: the INVITE is lost, and one without any answer has no CANCEL.
    for with_challenge in [true, false] {
        let dropped = || {
            let platform = Platform::new();
            let platform = if with_challenge { platform.challenges() } else { platform };
            platform.when(move |_, m| {
                m.is("INVITE") && (!with_challenge || m.get("Proxy-Authorization").is_some())
            })
        };
        let outcomes = [
            ("call", dropped().asked(call()).await),
            ("hold", dropped().asked(hold()).await),
            ("cancel", dropped().asked(cancel()).await),
            ("fork", dropped().asked(fork()).await),
        ];
        for (name, outcome) in &outcomes {
            judged(outcome, Verdict::Fail, Side::Peer);
            assert_eq!(first(outcome).unwrap().code, "request-dropped", "{name}\n{outcome}");
            says(outcome, &["no answer to the INVITE", "before and after it were answered"]);
            says_nothing_of(outcome, &["unblocked", "fail2ban", "the CANCEL of alice", "did not end"]);
        }
    }
    // A 100 to the INVITE with credentials is one.
    let tried = Platform::new().challenges().when(|core, m| {
        let is_call = m.is("INVITE") && m.get("Proxy-Authorization").is_some();
        if is_call {
            core.respond(m, 100, "Trying", "");
        }
        is_call
    });
    let outcome = tried.asked(call()).await;
    begins_with(&outcome, "no-final-answer");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_too_short_is_refused_by_our_own_end() {
    for outcome in [
        calling_with("Session-Expires", "60").asked(call()).await,
        calling_with("Session-Expires", "60").asked(hold()).await,
        calling_with("Session-Expires", "60").asked(cancel()).await,
        calling_with("Session-Expires", "60").asked(fork()).await,
    ] {
        judged(&outcome, Verdict::Fail, Side::Peer);
        begins_with(&outcome, "refused-here");
        says(&outcome, &["our end bob", "422", "60, is less than 90 s"]);
        says_nothing_of(&outcome, &["422 again", "refuses the interval", "stopped ringing"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_our_own_end_lacks_is_no_fault_of_the_platform() {
    for outcome in [
        calling_with("Require", "precondition").asked(call()).await,
        calling_with("Require", "precondition").asked(cancel()).await,
        calling_with("Require", "precondition").asked(fork()).await,
    ] {
        judged(&outcome, Verdict::Inconclusive, Side::Probe);
        begins_with(&outcome, "refused-here");
        says(&outcome, &["our end bob", "420", "precondition"]);
        says_nothing_of(&outcome, &["no-answer time", "mailbox", "'supported', not 'required'"]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_rung_again_rings_again() {
    let platform = Platform::new()
        .number("bob", |core, alice| {
            let contact = core.bindings["bob"][0].clone();
            let first = core.dial(alice, &contact, "");
            core.after(ms(100), move |core| core.cancel(first, None));
        })
        .when(|core, m| {
            let is_over = m.user == "bob" && m.answers(487, "INVITE");
            if let Some(caller) = m.leg.filter(|_| is_over).and_then(|leg| core.caller_of(leg)) {
                let contact = core.bindings["bob"][0].clone();
                core.after(ms(200), move |core| {
                    core.dial(caller, &contact, "");
                });
            }
            is_over
        });
    let outcome = platform.asked(call()).await;
    passes(&outcome);
    says_nothing_of(&outcome, &["486", "busy"]);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_matches_no_invite_came() {
    let other = || {
        Platform::new().edits(|text, to| {
            if to.user == "bob" && text.is("CANCEL") {
                let via = text.value("Via").replace("branch=z9hG4bK", "branch=z9hG4bKother");
                text.set("Via", via);
            }
        })
    };
    for outcome in [other().asked(cancel()).await, other().asked(fork()).await] {
        judged(&outcome, Verdict::Fail, Side::Peer);
        begins_with(&outcome, "cancel-unmatched");
        says(&outcome, &["481", "z9hG4bKother", "branch"]);
        says_nothing_of(&outcome, &["no CANCEL came", "passed on to every phone"]);
    }
    // One that does not come is missed as before.
    let outcome = Platform::new().sends(|text, to| !(to.user == "bob" && text.is("CANCEL")));
    let outcome = outcome.asked(cancel()).await;
    begins_with(&outcome, "rings-on");
}

#[tokio::test(start_paused = true)]
async fn what_became_of_our_own_cancel_is_told() {
    for (status, phrase, advice) in [
        (481, "Call/Transaction Does Not Exist", "branch"),
        (500, "Server Internal Error", "broke at this"),
        (407, "Proxy Authentication Required", "22.1"),
    ] {
        let refusing = Platform::new().when(move |core, m| {
            let gives_up = m.is("CANCEL");
            if gives_up {
                core.respond(m, status, phrase, "");
            }
            gives_up
        });
        let outcome = refusing.asked(cancel()).await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        begins_with(&outcome, "cancel-refused");
        says(&outcome, &["bob rings on", &status.to_string(), advice]);
        says_nothing_of(&outcome, &["passed on to every phone"]);
    }
    let outcome = Platform::new().when(|_, m| m.is("CANCEL")).asked(cancel()).await;
    judged(&outcome, Verdict::Fail, Side::Path);
    begins_with(&outcome, "cancel-not-answered");
    says(&outcome, &["bob rings on", "was not answered"]);
}

#[tokio::test(start_paused = true)]
async fn a_bye_to_a_phone_that_rings_is_told_in_words() {
    let platform = Platform::new().when(|core, m| {
        let gives_up = m.is("CANCEL");
        if let Some(leg) = m.leg.filter(|_| gives_up) {
            core.respond(m, 200, "OK", "");
            core.bye(core.legs[leg].called[0], None);
            core.refuse(leg, 487, "Request Terminated");
        }
        gives_up
    });
    let outcome = platform.asked(cancel()).await;
    begins_with(&outcome, "ended-otherwise");
    says(&outcome, &["a BYE came"]);
    says_nothing_of(&outcome, &["HungUp"]);
}

/// The platform puts alice on hold when she has talked for this time.
fn holding(after: u64) -> Platform {
    Platform::new().up(ms(after), |core, caller, _| {
        let sdp = core.legs[caller].sdp.clone();
        let sdp = description(&sdp, core.port_of(caller)).replace("a=sendrecv\r\n", "") + "a=inactive\r\n";
        let ack = move |core: &mut Core, answer: &Text| {
            if answer.status().is_some_and(|status| status >= 200) {
                let number = answer.value("CSeq").split(' ').next().unwrap().parse().unwrap();
                core.ack(caller, None, number);
            }
        };
        core.request(caller, Text::request("INVITE", "-").sdp(sdp), Some(Box::new(ack)));
    })
}

#[tokio::test(start_paused = true)]
async fn a_caller_whom_the_platform_holds_is_no_path_that_closes() {
    let outcome = holding(800).asked(call()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    begins_with(&outcome, "held-by-far-side");
    says(&outcome, &["put alice on hold"]);
    says_nothing_of(&outcome, &["firewall"]);
    let dtmf = || Dtmf::between(&account("alice"), &account("bob")).method(DtmfMethod::Rfc4733);
    let outcome = holding(1_200).asked(dtmf()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    begins_with(&outcome, "held-by-far-side");
    says_nothing_of(&outcome, &["drops single digits", "firewall"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_behind_the_end_of_the_call_is_missed_by_nobody() {
    let ended = |time: u64, both: bool| {
        Platform::new().up(ms(time), move |core, caller, callee| {
            core.bye(caller, None);
            if let Some(callee) = callee.filter(|_| both) {
                core.bye(callee, None);
            }
        })
    };
    let dtmf = Dtmf::between(&account("alice"), &account("bob")).method(DtmfMethod::Rfc4733);
    let outcome = ended(1_200, true).asked(dtmf).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says_nothing_of(&outcome, &["drops single digits", "did not arrive"]);
    says(&outcome, &["ended"]);
    for time in [1_000, 1_500] {
        let outcome = ended(time, false).asked(call()).await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        begins_with(&outcome, "dropped");
        says_nothing_of(&outcome, &["silence suppression", "jitter buffer"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_info_that_has_lost_its_digit_came() {
    for body in ["", "Duration=100\r\n", "\r\n"] {
        let platform = Platform::new().edits(move |text, to| {
            if to.user == "bob" && text.is("INFO") {
                text.body = body.to_owned();
            }
        });
        let dtmf = Dtmf::between(&account("alice"), &account("bob")).method(DtmfMethod::Info);
        let outcome = platform.asked(dtmf).await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        begins_with(&outcome, "info-without-digit");
        says_nothing_of(&outcome, &["passes nothing on"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_ends_the_dialog_is_no_refresh() {
    for (status, phrase) in [(481, "Call/Transaction Does Not Exist"), (408, "Request Timeout")] {
        let platform = Platform::new().when(move |core, m| {
            let is_hold = m.user == "alice" && m.continues("INVITE");
            if is_hold {
                core.respond(m, status, phrase, "");
            }
            is_hold
        });
        let outcome = platform.asked(hold()).await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        begins_with(&outcome, "reinvite-refused");
        says_nothing_of(&outcome, &["refresh", "session timer"]);
    }
}
