//! Who answers a call, and who refuses it: sections 29, 30, 35, 42 and 49 of the list of situations.

use crate::platform::*;
use ringback::check::{Call, Cancel, Fork, ForkTrial, Hold, Outcome, Side, Verdict};

fn between() -> Call {
    Call::between(&account("alice"), &account("bob"))
}

/// The INVITE to bob is changed.
fn offered(edit: impl Fn(&mut Text) + Send + 'static) -> Platform {
    Platform::new().edits(move |text, to| {
        if to.user == "bob" && text.begins("INVITE") {
            edit(text);
        }
    })
}

#[tokio::test(start_paused = true)]
async fn what_the_platform_offered_to_our_own_end_is_known() {
    for profile in ["UDP/TLS/RTP/SAVPF", "RTP/SAVP"] {
        let outcome = offered(move |text| text.edit("RTP/AVP", profile)).asked(between()).await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        says(&outcome, &[profile, "to bob|offered bob"]);
        says_nothing_of(&outcome, &["offered were PCMA"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_codec_that_only_the_platform_offered_is_named() {
    let only_g729 = |text: &mut Text| {
        let port = text.body.split("m=audio ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        let head = text.body.split("m=audio").next().unwrap().to_owned();
        text.body = format!("{head}m=audio {port} RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n");
    };
    let outcome = offered(only_g729).asked(between()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["G.729|G729", "to bob|offered bob"]);
    says_nothing_of(&outcome, &["offered were PCMA"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_bob_that_the_platform_loses_is_told() {
    for (status, phrase) in [(487, "Request Terminated"), (480, "Temporarily Unavailable")] {
        let platform = Platform::new().when(move |core, m| {
            let is_answer = m.user == "bob" && m.answers(200, "INVITE");
            if is_answer {
                let bob = m.leg.unwrap();
                core.ack(bob, None, 1);
                core.bye(bob, None);
                core.refuse(0, status, phrase);
            }
            is_answer
        });
        let outcome = platform.asked(between()).await;
        judged(&outcome, Verdict::Fail, Side::Peer);
        says(&outcome, &["bob had answered|bob answered", &status.to_string()]);
        says_nothing_of(&outcome, &["no-answer timer", "not register"]);
    }
}

/// Bob's device is called and cancelled with this Reason; alice is connected with somebody else.
fn taken(reason: Option<&'static str>) -> Platform {
    Platform::new().ringing(move |core, alice| {
        core.after(ms(150), move |core| {
            core.cancel(core.legs[alice].called[0], reason);
            core.answer(alice, Source::Tone(440.0));
        });
    })
}

fn somebody_else(outcome: &Outcome) {
    does_not_pass(outcome);
    says(outcome, &["somebody else|another device|other device|elsewhere|not by bob"]);
    says_nothing_of(outcome, &["firewall", "sendonly", "0.0.0.0", "platform ended", "the call ended"]);
}

#[tokio::test(start_paused = true)]
async fn another_device_that_answers_is_told() {
    for reason in [
        Some(r#"SIP;cause=200;text="Call completed elsewhere""#),
        Some("SIP ; cause=200"),
        Some(r#"Q.850;cause=26;text="Non-selected user clearing""#),
        None,
    ] {
        let outcome = taken(reason).asked(between()).await;
        somebody_else(&outcome);
        says(&outcome, &["CANCEL"]);
        if let Some(reason) = reason.filter(|reason| reason.contains("200")) {
            says(&outcome, &[reason.split(";text").next().unwrap(), "another device|other device"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_in_the_place_of_bob_is_told_as_somebody_else() {
    let outcome = Platform::new().answering("bob", || Source::Tone(440.0)).asked(between()).await;
    somebody_else(&outcome);
    says(&outcome, &["no INVITE"]);
    // A mailbox that says nothing at first, and one that names who was called before.
    let outcome = Platform::new().answering("bob", || Source::Nothing).asked(between()).await;
    somebody_else(&outcome);
    let diverted = Platform::new().answering("bob", || Source::Tone(440.0)).edits(|text, _| {
        if text.answers(200, "INVITE") {
            text.set(
                "History-Info",
                "<sip:bob@pbx.example.com>;index=1,<sip:mailbox@pbx.example.com>;index=1.1",
            );
        }
    });
    let outcome = diverted.asked(between()).await;
    somebody_else(&outcome);
    says(&outcome, &["History-Info", "mailbox"]);
}

/// Somebody whose address no one of us knows calls bob's port, a moment before the platform does.
#[tokio::test(start_paused = true)]
async fn the_call_of_a_stranger_takes_no_place_and_is_not_answered() {
    const STRANGER: &str = "198.51.100.9:5060";
    let platform = Platform::new().listening(STRANGER).when(|core, m| {
        let is_call = m.begins("INVITE") && m.user == "alice";
        if is_call {
            core.respond(m, 100, "Trying", "");
            let alice = core.leg(m);
            let bob = core.bindings["bob"][0].clone();
            let to = uri(&bob).split('@').nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
            let sdp = description("", STRANGER.parse().unwrap());
            core.stray(STRANGER, to, "INVITE sip:100@192.0.2.7", "From: <sip:scan@192.0.2.1>;tag=x", &sdp);
            core.after(ms(100), move |core| core.route(alice));
        }
        is_call
    });
    let scene = platform.start().await;
    let outcome = scene.check(between()).await;
    judged_as(&outcome, &[Verdict::Pass, Verdict::Inconclusive], &[Side::Probe, Side::Path]);
    says_nothing_of(&outcome, &["busy"]);
    let answers = scene.received(Some(STRANGER));
    assert!(!answers.is_empty() && answers.iter().all(|text| text.status() != Some(200)), "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_in_earnest_is_never_answered() {
    let platform = Platform::new().number("203", |core, alice| {
        core.ring(alice);
        let bob = core.bindings["bob"][0].clone();
        core.after(ms(300), move |core| {
            let lines = "P-Asserted-Identity: <sip:carol@pbx.example.com>";
            core.originate("<sip:carol@pbx.example.com>", &bob, lines);
        });
        core.after(ms(20_000), move |core| core.refuse(alice, 480, "No Answer"));
    });
    let scene = platform.start().await;
    let outcome = scene.check(between().dial("203").unwrap()).await;
    does_not_pass(&outcome);
    says_nothing_of(&outcome, &["200 of the callee is lost", "is lost on the platform"]);
    let answered = scene.received(None).iter().any(|text| text.answers(200, "INVITE"));
    assert!(!answered, "carol's call was answered\n{outcome}");
}

#[tokio::test(start_paused = true)]
async fn who_was_redirected_to_is_named_and_not_who_was_called() {
    let redirecting = || {
        answered(
            302,
            "Contact: <sip:carol@pbx.example.com>\nDiversion: <sip:bob@pbx.example.com>;reason=unconditional",
        )
    };
    let asked = [between(), between().follow_redirects(true)];
    for (check, what_came) in asked.into_iter().zip(["not called", "does not know sip:carol"]) {
        let outcome = redirecting().asked(check).await;
        does_not_pass(&outcome);
        says(&outcome, &["302", "carol", "bob", "redirect|forward", what_came]);
        says_nothing_of(&outcome, &["404 for bob", "number is not attached"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_odd_from_is_taken_or_quoted_and_not_blamed_on_who_carried_it() {
    for (from, quoted) in [
        ("Doe, John <sip:1001@pbx.example.com>;tag=TAG", "Doe, John"),
        ("Bob (desk) <sip:1001@pbx.example.com>;tag=TAG", "Bob (desk)"),
        ("Sales/Support <sip:1001@pbx.example.com>;tag=TAG", "Sales/Support"),
        ("\"Anonymous\" <anonymous>;tag=TAG", "<anonymous>"),
        ("sip:u@d;;tag=TAG", "sip:u@d;;"),
    ] {
        let odd = move |text: &mut Text| {
            let tag = tag(text.value("From")).unwrap().to_owned();
            text.set("From", from.replace("TAG", &tag));
        };
        let outcome = offered(odd).asked(between()).await;
        says(&outcome, &[quoted]);
        if outcome.verdict != Verdict::Pass {
            judged_as(&outcome, &[Verdict::Fail, Verdict::Inconclusive], &[Side::Peer, Side::Probe]);
            says(&outcome, &["cannot be read|could not be read", "From"]);
        }
        says_nothing_of(&outcome, &["lost on the platform", "was not answered in", "no INVITE"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_invite_without_a_tag_cannot_be_read_and_is_quoted() {
    let odd = |text: &mut Text| text.set("From", "Doe, John <sip:1001@pbx.example.com>");
    let outcome = offered(odd).asked(between()).await;
    does_not_pass(&outcome);
    says(&outcome, &["Doe, John", "bob"]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_binding_is_not_an_account_that_is_not_registered() {
    let platform = Platform::new().number("900", |core, alice| {
        core.after(ms(500), move |core| core.refuse(alice, 408, "Request Timeout"));
    });
    let outcome = platform.asked(Call::to(&account("alice"), "900").unwrap()).await;
    does_not_pass(&outcome);
    says(&outcome, &["408", "unplugged|NAT"]);
    says_nothing_of(&outcome, &["check whether the account is registered"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_description_speaks_of_the_address_family_too() {
    let platform =
        Platform::new().number("900", |core, alice| core.refuse(alice, 488, "Not Acceptable Here"));
    let outcome = platform.asked(Call::to(&account("alice"), "900").unwrap()).await;
    does_not_pass(&outcome);
    says(&outcome, &["488", "IPv4|IPv6|address family"]);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_holds_is_told_as_that() {
    for way in ["a=sendonly", "a=inactive"] {
        let platform =
            Platform::new().answering("900", || Source::Tone(440.0)).up(ms(300), move |core, leg, _| {
                let sdp = description(&core.legs[leg].sdp, core.port_of(leg)).replace("a=sendrecv", way);
                core.reinvite(leg, sdp);
                core.play(leg, Source::Nothing);
            });
        let outcome = platform.asked(Call::to(&account("alice"), "900").unwrap()).await;
        says(&outcome, &["hold|held"]);
    }
}

/// Bob's number is answered so.
fn answered(status: u16, lines: &'static str) -> Platform {
    Platform::new().when(move |core, m| {
        let is_call = m.begins("INVITE") && user(m.uri()) == "bob";
        if is_call {
            core.respond(m, status, "Moved", lines);
        }
        is_call
    })
}

#[tokio::test(start_paused = true)]
async fn a_redirection_that_leads_nowhere_is_told_with_the_place() {
    let outcome = answered(302, "Contact: <sip:nobody@pbx.example.com>")
        .when(|_, m| m.begins("INVITE") && user(m.uri()) == "nobody");
    let outcome = outcome.asked(between().follow_redirects(true)).await;
    does_not_pass(&outcome);
    says(&outcome, &["302", "nobody", "nothing came from there"]);
    says_nothing_of(&outcome, &["provisional", "203.0.113.1:5060 sent"]);
    // Neither a proxy nor another service is another place of bob.
    for status in [305, 380] {
        let scene = answered(status, "Contact: <sip:x@192.0.2.77>").start().await;
        let outcome = scene.check(between()).await;
        does_not_pass(&outcome);
        says(&outcome, &[&status.to_string(), "192.0.2.77"]);
        assert_eq!(scene.got("INVITE").len(), 1, "{outcome}");
    }
    let outcome = answered(302, "").asked(between()).await;
    says(&outcome, &["302", "no Contact"]);
}

#[tokio::test(start_paused = true)]
async fn who_was_redirected_to_and_answers_is_named() {
    let platform =
        answered(302, "Contact: <sip:carol@pbx.example.com>").answering("carol", || Source::Tone(440.0));
    let outcome = platform.asked(between().follow_redirects(true)).await;
    does_not_pass(&outcome);
    says(&outcome, &["302", "not by bob", "carol"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_taken_elsewhere_and_refused_has_no_no_answer_time() {
    let platform = Platform::new().ringing(|core, alice| {
        core.after(ms(200), move |core| {
            core.cancel(core.legs[alice].called[0], Some("SIP;cause=200;text=\"Call completed elsewhere\""));
            core.refuse(alice, 480, "Temporarily Unavailable");
        });
    });
    let outcome = platform.asked(between()).await;
    judged(&outcome, Verdict::Fail, Side::Peer);
    says(&outcome, &["another device", "480", "cause=200"]);
    says_nothing_of(&outcome, &["no-answer time"]);
}

/// Large requests of a stranger come to both ends before and while the call is set up: the record of the call has room of its own.
#[tokio::test(start_paused = true)]
async fn the_noise_of_a_stranger_changes_no_verdict() {
    const STRANGER: &str = "198.51.100.9:5060";
    let platform = Platform::new().listening(STRANGER).when(|core, m| {
        let is_call = m.begins("INVITE") && m.user == "alice";
        if is_call {
            core.respond(m, 100, "Trying", "");
            let alice = core.leg(m);
            let bob = core.bindings["bob"][0].clone();
            let port =
                |uri: &str| uri.split('@').nth(1).unwrap().split([';', '>']).next().unwrap().parse().unwrap();
            let ends = [port(uri(&bob)), port(uri(m.value("Contact")))];
            for number in 0..180 {
                let noise = "x".repeat(50_000);
                core.after(ms(number), move |core| {
                    core.stray(STRANGER, ends[number as usize % 2], "OPTIONS sip:100@192.0.2.7", "", &noise);
                });
            }
            core.after(ms(300), move |core| core.route(alice));
        }
        is_call
    });
    let scene = platform.start().await;
    let outcome = scene.check(between()).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    assert_eq!(outcome.transcript.dropped, 0, "{outcome}");
}

/// Somebody who hides calls bob just before the call that is expected, without the token that the platform keeps: his call is not answered in its
/// place. Where nothing better comes, a call that shows as little is taken: such platforms are.
#[tokio::test(start_paused = true)]
async fn who_hides_takes_no_place_of_the_call_that_says_whose_it_is() {
    const HIDDEN: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    let bare = |contact: &str| contact.split(';').next().unwrap().to_owned();
    let platform = |ours: bool| {
        let hides = Platform::new().edits(move |text, outgoing| {
            if !ours && outgoing.user == "bob" && text.is(text.method()) {
                let from = text.value("From").replace("<sip:alice@pbx.example.com>", HIDDEN);
                text.set("From", from);
            }
        });
        hides.when(move |core, m| {
            let is_call = m.begins("INVITE") && m.user == "alice";
            if is_call {
                core.respond(m, 100, "Trying", "");
                let alice = core.leg(m);
                let bob = core.bindings["bob"][0].clone();
                if ours {
                    core.originate(HIDDEN, &bare(&bob), "");
                    core.after(ms(200), move |core| core.route(alice));
                } else {
                    core.dial(alice, &bare(&bob), "");
                }
            }
            is_call
        })
    };
    let outcome = platform(true).asked(between()).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    says(&outcome, &["neither who calls nor our token", "480"]);
    let outcome = platform(false).asked(between()).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    says_nothing_of(&outcome, &["neither who calls"]);
}

#[tokio::test(start_paused = true)]
async fn media_of_another_host_is_a_fact_and_media_that_moves_in_mid_call_is_told() {
    const ELSEWHERE: &str = "198.51.100.7";
    let moved = |after: u64| {
        Platform::new().answering("900", || Source::Tone(440.0)).up(ms(after), |core, leg, _| {
            let sdp = description(&core.legs[leg].sdp, core.port_of(leg));
            core.reinvite(leg, sdp.replace("203.0.113.1", ELSEWHERE));
        })
    };
    let call = || Call::to(&account("alice"), "900").unwrap();
    let outcome = moved(500).asked(call()).await;
    assert!(outcome.findings.iter().any(|found| found.code == "media-moved"), "{outcome}");
    says(&outcome, &["198.51.100.7", "203.0.113.1", "into the call"]);
    says_nothing_of(&outcome, &["but the SDP says"]);
    let fact = outcome.facts.iter().find(|fact| fact.name == "media-host");
    assert!(fact.is_some_and(|fact| fact.value.starts_with(ELSEWHERE)), "{outcome}");
    let outcome = Platform::new().answering("900", || Source::Tone(440.0)).asked(call()).await;
    assert!(!outcome.facts.iter().any(|fact| fact.name == "media-host"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_our_own_end_refuses_is_told_by_every_question() {
    let [alice, bob] = ["alice", "bob"].map(account);
    let savp = || {
        Platform::new().edits(|text, to| {
            if to.user == "bob" && text.begins("INVITE") {
                text.edit("RTP/AVP", "RTP/SAVP");
            }
        })
    };
    let outcomes = [
        ("call", savp().asked(Call::between(&alice, &bob)).await),
        ("hold", savp().asked(Hold::between(&alice, &bob)).await),
        ("cancel", savp().asked(Cancel::between(&alice, &bob)).await),
        ("fork", savp().asked(Fork::bindings(&alice, &bob, 2).unwrap()).await),
        // Nothing of the refusal comes to the caller.
        ("unheard", savp().when(|_, m| m.answers(488, "INVITE")).asked(Cancel::between(&alice, &bob)).await),
    ];
    for (name, outcome) in &outcomes {
        judged(outcome, Verdict::Fail, Side::Peer);
        assert_eq!(first(outcome).unwrap().code, "offer-refused", "{name}\n{outcome}");
        says(outcome, &["RTP/SAVP", "our end refused with 488"]);
        says_nothing_of(outcome, &["no-answer time", "mailbox", "stopped ringing", "rings bob"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_whose_media_cannot_be_used_was_passed_on() {
    let [alice, bob] = ["alice", "bob"].map(account);
    for has_sdp in [true, false] {
        let platform = || {
            Platform::new().edits(move |text, to| {
                if to.user == "alice" && text.answers(200, "INVITE") {
                    if has_sdp {
                        let head = text.body.split("m=audio").next().unwrap_or_default().to_owned();
                        text.body = format!("{head}m=audio 4000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n");
                    } else {
                        text.without_body();
                    }
                }
            })
        };
        let trials = [ForkTrial::Answer, ForkTrial::Race];
        let fork = Fork::bindings(&alice, &bob, 2).unwrap().trials(trials);
        for outcome in [platform().asked(Call::between(&alice, &bob)).await, platform().asked(fork).await] {
            judged(&outcome, Verdict::Fail, Side::Peer);
            assert_eq!(first(&outcome).unwrap().code, "media-unusable", "{outcome}");
            says(&outcome, &[if has_sdp { "G729" } else { "no SDP" }, "hung up by"]);
            says_nothing_of(&outcome, &["NoCommonCodec", "Media(", "first 200 OK of a branch"]);
        }
    }
}
