//! Transfers, and what is told of them: sections 41 to 47 of the list of situations.

use crate::platform::*;
use ringback::check::{Outcome, Severity, Side, Transfer, TransferKind, TransferTarget, Verdict};

fn transfer(kind: TransferKind) -> Transfer {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    Transfer::new(&alice, &bob, &carol, kind)
}

fn blind() -> Transfer {
    transfer(TransferKind::Blind)
}

fn not_by_carol(outcome: &Outcome) {
    does_not_pass(outcome);
    says(outcome, &["not by carol|somebody else|another"]);
    says_nothing_of(outcome, &["NOTIFY 200 only when", "are still up", "is still up", "BYE on one leg"]);
    assert!(first(outcome).is_some_and(|found| found.side != Side::Path), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_answers_for_the_target_is_no_fault_of_the_notify() {
    for mailbox in [|| Source::Tone(440.0), || Source::Silence] {
        let outcome = Platform::new().answering("carol", mailbox).asked(blind()).await;
        not_by_carol(&outcome);
        says(&outcome, &["no INVITE"]);
    }
}

#[tokio::test(start_paused = true)]
async fn another_device_that_answers_for_the_target_is_told() {
    // Carol rings, and her call is taken elsewhere.
    let platform = Platform::new().number("carol", |core, bob| {
        let contact = core.bindings["carol"][0].clone();
        let carol = core.dial(bob, &contact, "");
        core.after(ms(100), move |core| {
            core.cancel(carol, Some(r#"SIP;cause=200;text="Call completed elsewhere""#));
            core.answer(bob, Source::Tone(440.0));
        });
    });
    let outcome = platform.asked(blind()).await;
    not_by_carol(&outcome);
    says(&outcome, &["SIP;cause=200|elsewhere|another device"]);
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_the_platform_puts_in_the_targets_place_is_told_too() {
    // The platform carries the REFER out, and what it joins bob with is no phone of carol.
    let platform = || {
        Platform::new().when(|core, m| {
            let is_refer = m.is("REFER");
            if is_refer {
                let alice = m.leg.unwrap();
                let bob = core.legs[alice].peer.unwrap();
                core.respond(m, 202, "Accepted", "Contact: <sip:pbx@203.0.113.1:5060>");
                core.legs[alice].peer = None;
                core.legs[bob].peer = None;
                core.play(bob, Source::Tone(440.0));
                core.notify(alice, "terminated;reason=noresource", "200 OK");
            }
            is_refer
        })
    };
    for check in [blind(), blind().by_callee()] {
        let outcome = platform().asked(check).await;
        not_by_carol(&outcome);
        says(&outcome, &["no INVITE"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_answers_the_transferors_own_call_is_told() {
    let platform = Platform::new().answering("carol", || Source::Tone(440.0));
    let outcome = platform.asked(transfer(TransferKind::Attended)).await;
    not_by_carol(&outcome);
    assert!(outcome.steps.iter().any(|step| step.name == "refer" && step.verdict == Verdict::NotRun));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_redirected_is_not_unknown() {
    let platform = Platform::new().when(|core, m| {
        let is_call = m.begins("INVITE") && m.user == "bob" && user(m.uri()) == "carol";
        if is_call {
            core.respond(m, 302, "Moved Temporarily", "Contact: <sip:dave@pbx.example.com>");
        }
        is_call
    });
    let outcome = platform.asked(blind()).await;
    does_not_pass(&outcome);
    says(&outcome, &["302|dave"]);
    says_nothing_of(&outcome, &["carol is not known", "carol@pbx.example.com is not known"]);
}

/// The platform joins bob and carol by offers and answers of theirs (RFC 5589 sec. 6.1), and tells alice.
fn third_party() -> Platform {
    Platform::new().direct_media().when(|core, m| {
        let is_refer = m.is("REFER");
        if is_refer {
            let alice = m.leg.unwrap();
            let bob = core.legs[alice].peer.unwrap();
            core.legs[alice].peer = None;
            core.respond(m, 202, "Accepted", "Contact: <sip:pbx@203.0.113.1:5060>");
            core.notify(alice, "active;expires=60", "100 Trying");
            let contact = core.bindings["carol"][0].clone();
            let carol = core.place(bob, &contact);
            let then = move |core: &mut Core, offer: &Text| {
                if !offer.answers(200, "INVITE") {
                    return;
                }
                core.legs[carol].sdp.clone_from(&offer.body);
                core.legs[carol].up = true;
                let to_bob = core.moved(&offer.body, bob);
                let answered = move |core: &mut Core, answer: &Text| {
                    if !answer.answers(200, "INVITE") {
                        return;
                    }
                    core.legs[bob].sdp.clone_from(&answer.body);
                    let number = answer.value("CSeq").split(' ').next().unwrap().parse().unwrap();
                    core.ack(bob, None, number);
                    let to_carol = core.moved(&answer.body, carol);
                    core.ack(carol, Some(to_carol), 1);
                    core.connect(bob, carol);
                    core.notify(alice, "terminated;reason=noresource", "200 OK");
                };
                core.request(bob, Text::request("INVITE", "-").sdp(to_bob), Some(Box::new(answered)));
            };
            core.request(carol, Text::request("INVITE", "-"), Some(Box::new(then)));
        }
        is_refer
    })
}

#[tokio::test(start_paused = true)]
async fn the_transferor_hangs_up_at_the_final_notify_and_then_it_is_judged() {
    let outcome = third_party().asked(blind()).await;
    passes(&outcome);
    says_nothing_of(&outcome, &["still heard", "still up"]);
    passes(&third_party().asked(blind().hang_up_early().unwrap()).await);
}

/// The platform carries the REFER out, and its NOTIFYs are changed.
fn notified(edit: impl Fn(&mut Text) + Send + 'static) -> Platform {
    Platform::new().carries_refer().edits(move |text, _| {
        if text.is("NOTIFY") {
            edit(text);
        }
    })
}

const NEVER: &[&str] = &["no NOTIFY came", "was never told", "told nothing", "no NOTIFY reached"];

#[tokio::test(start_paused = true)]
async fn a_notify_without_subscription_state_came_all_the_same() {
    let outcome = notified(|text| text.remove("Subscription-State")).asked(blind()).await;
    says(&outcome, &["Subscription-State"]);
    says_nothing_of(&outcome, NEVER);
    let outcome = notified(|text| text.remove("Event")).asked(blind()).await;
    says(&outcome, &["NOTIFY", "Event"]);
    says_nothing_of(&outcome, NEVER);
}

#[tokio::test(start_paused = true)]
async fn notifies_without_a_body_came_all_the_same() {
    let outcome = notified(Text::without_body).asked(blind()).await;
    says(&outcome, &["NOTIFY", "no status|without a status|none with a status|no body|without a body"]);
    says_nothing_of(&outcome, NEVER);
    let outcome = notified(|text| text.body = "hello\r\n".to_owned()).asked(blind()).await;
    says_nothing_of(&outcome, NEVER);
}

#[tokio::test(start_paused = true)]
async fn notifies_in_another_dialog_came_all_the_same() {
    for tag_too in [true, false] {
        let platform = notified(move |text| {
            text.set("Call-ID", "elsewhere");
            if tag_too {
                let from = text.value("From").replace(";tag=", ";tag=other");
                text.set("From", from);
            }
        });
        let outcome = platform.asked(blind()).await;
        says(&outcome, &["NOTIFY", "dialog"]);
        says_nothing_of(&outcome, NEVER);
    }
}

#[tokio::test(start_paused = true)]
async fn a_200_that_is_told_before_the_target_answers_is_a_warning() {
    let mut told = false;
    let platform = Platform::new().carries_refer().edits(move |text, _| {
        if text.is("NOTIFY") && !std::mem::replace(&mut told, true) {
            text.body = "SIP/2.0 200 OK\r\n".to_owned();
            text.set("Subscription-State", "terminated;reason=noresource");
        }
    });
    let outcome = platform.asked(blind()).await;
    says(&outcome, &["before"]);
    let early = outcome.findings.iter().find(|found| found.seen.to_lowercase().contains("before"));
    assert!(early.is_some_and(|found| found.severity != Severity::Info), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_transferor_who_is_told_nothing_is_told_as_that() {
    let platform = Platform::new().carries_refer().sends(|text, _| !text.is("NOTIFY"));
    let outcome = platform.asked(blind()).await;
    says(&outcome, &["NOTIFY"]);
    assert_ne!(outcome.findings.len(), 0, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_form_of_refer_to_that_is_refused_is_no_ban_of_transfers() {
    for (status, phrase) in [(603, "Declined (Non sip: uri)"), (400, "Bad Refer-To"), (403, "Only SIP URIs")]
    {
        let platform = Platform::new().when(move |core, m| {
            let is_tel = m.is("REFER") && m.value("Refer-To").contains("tel:");
            if is_tel {
                core.respond(m, status, phrase, "");
            }
            is_tel
        });
        let check = blind().refer_to("tel:1003".parse().unwrap()).unwrap();
        let outcome = platform.asked(check).await;
        does_not_pass(&outcome);
        says(&outcome, &["tel:", &status.to_string()]);
        says_nothing_of(&outcome, &["forbids transfer for this account"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refer_that_is_declined_fails() {
    let platform = Platform::new().when(|core, m| {
        let is_refer = m.is("REFER");
        if is_refer {
            core.respond(m, 603, "Decline", "");
        }
        is_refer
    });
    let outcome = platform.asked(blind()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["603"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_platform_changed_is_not_the_fault_of_who_sent_it() {
    let platform = Platform::new().edits(|text, to| {
        if text.is("REFER") && to.user == "bob" {
            let bare = uri(text.value("Refer-To")).to_owned();
            text.set("Refer-To", bare);
        }
    });
    let outcome = platform.asked(transfer(TransferKind::Attended)).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["platform", "changed|without <>|took"]);
    says_nothing_of(&outcome, &["write it in <>", "Refer-To was not understood"]);
}

#[tokio::test(start_paused = true)]
async fn swapped_tags_in_replaces_are_the_peers() {
    let platform = Platform::new().edits(|text, to| {
        if text.is("REFER") && to.user == "bob" {
            let swapped = text
                .value("Refer-To")
                .replace("to-tag", "X")
                .replace("from-tag", "to-tag")
                .replace('X', "from-tag");
            text.set("Refer-To", swapped);
        }
    });
    let outcome = platform.asked(transfer(TransferKind::Attended)).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["Replaces"]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_refuses_the_media_is_not_unknown_or_busy() {
    let platform = Platform::new().number("carol", |core, bob| core.refuse(bob, 488, "Not Acceptable Here"));
    let outcome = platform.asked(blind()).await;
    does_not_pass(&outcome);
    says(&outcome, &["488", "codec"]);
    says_nothing_of(&outcome, &["403 forbidden", "480 nobody registered", "486 busy"]);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_refused_before_a_transfer_is_told() {
    for kind in [TransferKind::Attended, TransferKind::SemiAttended] {
        let platform = Platform::new().when(|core, m| {
            let is_hold = m.user == "alice" && m.continues("INVITE");
            if is_hold {
                core.respond(m, 488, "Not Acceptable Here", "");
            }
            is_hold
        });
        let outcome = platform.asked(transfer(kind)).await;
        says(&outcome, &["hold", "488"]);
        says_nothing_of(&outcome, &["bob is on hold"]);
    }
    // Hold and REFER in one go.
    let platform = Platform::new().when(|core, m| {
        let is_hold = m.user == "alice" && m.continues("INVITE");
        if is_hold {
            core.respond(m, 488, "Not Acceptable Here", "");
        }
        is_hold
    });
    let outcome = platform.asked(blind().at_once().unwrap()).await;
    says(&outcome, &["hold", "488"]);
    passes(&outcome);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_parks_nobody_joins_nobody() {
    for source in [|| Source::Tone(440.0), || Source::Silence] {
        let platform = Platform::new().number("721", move |core, caller| {
            core.answer(caller, source());
            core.after(ms(4_500), move |core| core.bye(caller, None));
        });
        let outcome = platform.asked(blind().park("721").unwrap()).await;
        does_not_pass(&outcome);
        says(&outcome, &["721"]);
        says_nothing_of(&outcome, &["hears music", "wrong parties joined", "parties joined"]);
    }
}

#[tokio::test(start_paused = true)]
async fn no_transfer_obeys_a_refer_to_somebody_else() {
    let platform = Platform::new().edits(|text, to| {
        if text.is("REFER") && to.user == "bob" {
            text.set("Refer-To", "<sip:+19005550000@pbx.example.com>");
        }
    });
    let scene = platform.start().await;
    let outcome = scene.check(blind()).await;
    assert!(!scene.dialled("+19005550000"), "{outcome}");
    does_not_pass(&outcome);
    says(&outcome, &["+19005550000"]);
}

#[tokio::test(start_paused = true)]
async fn a_refer_to_that_was_changed_and_obeyed_is_told_with_both_values() {
    for to in ["<sip:carol@203.0.113.1:5060?Route=%3Csip:evil%3E>", "<sip:carol@pbx.example.com;x=1>"] {
        let platform = Platform::new().edits(move |text, outgoing| {
            if text.is("REFER") && outgoing.user == "bob" {
                text.set("Refer-To", to);
            }
        });
        let outcome = platform.asked(blind()).await;
        says(&outcome, &["changed the Refer-To", "<sip:carol@pbx.example.com>", to]);
        let found = outcome.finding("refer-to-changed");
        assert!(found.is_some_and(|found| found.severity == Severity::Warning), "{outcome}");
    }
}

/// The platform carries the REFER out, and tells alice this at last, whatever carol does.
fn telling(status: &'static str) -> Platform {
    Platform::new().carries_refer().edits(move |text, _| {
        if text.is("NOTIFY") && !text.body.contains("100") {
            text.body = format!("SIP/2.0 {status}\r\n");
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_to_be_busy_passes_where_the_truth_is_told_and_nobody_is_lost() {
    let busy = || blind().target(TransferTarget::Refuses(486));
    let healthy = Platform::new().carries_refer().asked(busy()).await;
    passes(&healthy);
    says(&healthy, &["carol did not take the call, and alice was told 486; bob is back with alice"]);
    // Another refusal is told: a warning. An answer is told: untrue.
    let other = telling("480 Temporarily Unavailable").asked(busy()).await;
    passes(&other);
    says(&other, &["carol refused with 486, and alice was told 480"]);
    let untrue = telling("200 OK").asked(busy()).await;
    judged(&untrue, Verdict::Fail, Side::Peer);
    says(&untrue, &["told 200", "does not talk to carol"]);
    // Bob is cut off when carol refuses.
    let lost = Platform::new().carries_refer().when(|core, m| {
        if m.answers(486, "INVITE") {
            let bob = core.legs.iter().position(|leg| leg.user == "bob").unwrap();
            core.bye(bob, None);
        }
        false
    });
    let lost = lost.asked(busy()).await;
    judged(&lost, Verdict::Fail, Side::Peer);
    says(&lost, &["bob was cut off"]);
    // Carol is never asked.
    let unasked = Platform::new().number("carol", |core, bob| core.refuse(bob, 486, "Busy Here"));
    let unasked = unasked.asked(busy()).await;
    judged(&unasked, Verdict::Fail, Side::Peer);
    says(&unasked, &["carol was not reached"]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_the_transferor_asks_and_that_is_to_be_busy_passes_where_it_was_asked() {
    let asked = || transfer(TransferKind::Attended).asked(TransferTarget::Refuses(486)).unwrap();
    let healthy = Platform::new().asked(asked()).await;
    passes(&healthy);
    says(&healthy, &["carol did not take alice's call (486); bob is back with alice"]);
    let unasked = Platform::new().number("carol", |core, alice| core.refuse(alice, 404, "Not Found"));
    let unasked = unasked.asked(asked()).await;
    does_not_pass(&unasked);
    says(&unasked, &["404"]);
}
