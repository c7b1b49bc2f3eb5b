//! What a refusal says is told with it, and judged by what was accepted before.

use crate::scripted::{Registrar, Reply, Scripted, blamed, told};
use crate::seen::{finding, step};
use ringback::check::{Outcome, Register, Side, Verdict};
use ringback::message::Message;
use ringback::message::Transport::{Tcp, Udp};
use ringback::syntax::HeaderName;
use std::time::Duration;

/// Which requests are refused.
#[derive(Clone, Copy, PartialEq)]
enum When {
    /// Every one, also without credentials.
    AtOnce,
    /// Every one with an answered challenge.
    AfterDigest,
    /// The first with a Contact, and what comes after it.
    Bind,
    /// The second with a Contact.
    Refresh,
    /// The one that removes; the binding is gone all the same.
    Removal,
}

fn expires(request: &Message) -> Option<u32> {
    let contact = request.header(HeaderName::Contact)?;
    let text = String::from_utf8_lossy(contact).into_owned();
    text.split(";expires=").nth(1)?.split(';').next()?.parse().ok()
}

/// Refuses with this status and these lines.
async fn refused(
    when: When,
    status: u16,
    phrase: &'static str,
    headers: &'static [(&'static str, &'static str)],
) -> Outcome {
    let scene = Scripted::new(Registrar::default(), move |r, q| {
        let unanswered = r.is_unanswered(q);
        let is_bound = r.bindings.iter().any(|(uri, _)| uri.contains("rb="));
        let is_it = match when {
            When::AtOnce => true,
            When::AfterDigest => !unanswered,
            When::Bind => !unanswered && expires(q).is_some(),
            When::Refresh => !unanswered && is_bound && expires(q).is_some_and(|seconds| seconds > 0),
            When::Removal => !unanswered && expires(q) == Some(0),
        };
        if is_it && when == When::Removal {
            r.store(q);
        }
        if is_it { r.answer(q, status, phrase, headers) } else { r.healthy(q) }
    })
    .await;
    scene.register(Udp).await
}

struct Case {
    when: When,
    status: u16,
    phrase: &'static str,
    headers: &'static [(&'static str, &'static str)],
    side: &'static [&'static str],
    says: &'static [&'static str],
    never: &'static [&'static str],
}

const PASSWORD: &[&str] =
    &["wrong password", "login exactly", "account may not be active", "enter the SIP password"];
const BINDINGS: &[&str] = &["bindings as", "old devices", "log out everywhere"];
const LOOK: &[&str] = &["its reason phrase and log say why"];

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    use When::*;
    let case = |when, status, phrase, headers, side, says, never| Case { when, status, phrase, headers, side, says, never };
    vec![
        case(AtOnce, 503, "Maximum Calls In Progress", &[("Retry-After", "300")], &["peer"], &["300 s", "overload"], BINDINGS),
        case(AfterDigest, 503, "Too many contacts", &[("Retry-After", "300")], &["peer"], &["300 s", "overload"], BINDINGS),
        case(Bind, 503, "Maximum Calls In Progress", &[], &["peer"], &["overload"], BINDINGS),
        case(AtOnce, 403, "Maximum failed attempts exceeded", &[], &["setup", "peer"], &["lock", "password"], BINDINGS),
        case(Bind, 403, "Too many contacts", &[], &["setup"], &["as many bindings as it may"], &[]),
        case(AtOnce, 403, "Too many contacts", &[], &["setup"], &["403"], BINDINGS),
        case(AtOnce, 494, "Security Agreement Required", &[("Security-Server", "ipsec-3gpp;q=0.1;prot=esp"), ("Require", "sec-agree")], &["setup", "peer"], &["sec-agree", "IPsec", "ipsec-3gpp"], LOOK),
        case(AtOnce, 300, "Multiple Choices", &[("Contact", "<sip:a.pbx.example.com>;q=0.5, <sip:b.pbx.example.com>;q=0.9")], &["setup"], &["a.pbx.example.com", "b.pbx.example.com"], LOOK),
        case(AtOnce, 302, "Moved", &[("Contact", "sip:reg2.pbx.example.com:port")], &["setup"], &["reg2.pbx.example.com"], &["nowhere"]),
        case(AtOnce, 305, "Use Proxy", &[("Contact", "<sip:edge.pbx.example.com;lr>")], &["setup"], &["proxy", "edge.pbx.example.com"], LOOK),
        case(AfterDigest, 380, "Alternative Service", &[], &["setup"], &["another service"], LOOK),
        case(AfterDigest, 410, "Gone", &[], &["setup", "peer"], &["not any more"], LOOK),
        case(AfterDigest, 604, "Does Not Exist Anywhere", &[], &["setup", "peer"], &["does not know it"], LOOK),
        case(AfterDigest, 404, "Not Found", &[], &["setup"], &["does not know this address"], LOOK),
        case(AfterDigest, 403, "Forbidden", &[("Warning", "399 pbx \"Account suspended: unpaid invoice\"")], &["setup"], &["Account suspended: unpaid invoice"], &[]),
        case(AtOnce, 400, "Bad Request", &[("Warning", "399 pbx \"Contact has an invalid host, line 7\"")], &["peer"], &["Contact has an invalid host, line 7"], LOOK),
        case(AtOnce, 400, "Bad Request", &[("X-Error-Detail", "no such tenant")], &["peer"], &["no such tenant"], LOOK),
        case(AtOnce, 420, "Bad Extension", &[("Unsupported", "gruu, outbound")], &["peer"], &["gruu, outbound"], LOOK),
        case(AtOnce, 421, "Extension Required", &[("Require", "outbound")], &["peer"], &["outbound"], LOOK),
        case(AfterDigest, 439, "First Hop Lacks Outbound Support", &[], &["peer"], &["RFC 5626"], LOOK),
        case(AtOnce, 416, "Unsupported URI Scheme", &[], &["peer"], &["scheme"], LOOK),
        case(AtOnce, 469, "Bad Info Package", &[], &["peer"], &["Info package"], LOOK),
        case(AfterDigest, 480, "Temporarily Unavailable", &[("Reason", "Q.850;cause=41;text=\"Temporary failure\"")], &["peer"], &["Temporary failure"], LOOK),
        case(AfterDigest, 500, "Server Internal Error", &[("Retry-After", "30")], &["peer"], &["Retry-After 30 s"], &[]),
        case(AtOnce, 699, "Odd", &[], &["peer"], &["699 Odd"], LOOK),
        case(AtOnce, 403, "Forbidden", &[("WWW-Authenticate", crate::scripted::CHALLENGE)], &["peer"], &["carries a challenge"], &["without a challenge"]),
        // What had worked before.
        case(Bind, 403, "Forbidden", &[], &["peer"], &["bind", "accepted"], PASSWORD),
        case(Bind, 404, "Not Found", &[], &["peer"], &["bind", "accepted"], PASSWORD),
        case(Refresh, 403, "Forbidden", &[], &["peer"], &["refresh", "registration was accepted"], PASSWORD),
        case(Refresh, 404, "Not Found", &[], &["peer"], &["refresh", "registration was accepted"], PASSWORD),
        case(Refresh, 600, "Busy Everywhere", &[], &["peer"], &["refresh", "registration was accepted"], PASSWORD),
        case(Removal, 404, "Not Found", &[], &["peer"], &["removal", "404 Not Found"], PASSWORD),
        case(Removal, 403, "Forbidden", &[], &["peer"], &["removal"], PASSWORD),
        case(Removal, 480, "Away", &[], &["peer"], &["removal"], PASSWORD),
    ]
}

#[tokio::test(start_paused = true)]
async fn each_refusal_is_told_with_what_it_carried_and_what_was_before() {
    for Case { when, status, phrase, headers, side, says, never } in cases() {
        let outcome = refused(when, status, phrase, headers).await;
        let text = told(&outcome);
        if outcome.verdict == Verdict::Pass {
            assert!(when == When::Removal, "{outcome}");
        } else {
            assert!(side.contains(&blamed(&outcome).unwrap()), "{outcome}");
        }
        for word in says {
            assert!(text.contains(word), "{status} {phrase}: {word:?} is not told:\n{outcome}");
        }
        for word in never {
            assert!(!text.contains(word), "{status} {phrase}: {word:?} is told:\n{outcome}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reused_nonce_that_meets_a_403_is_tried_afresh_and_named() {
    for status in [403, 400] {
        let scene = Scripted::new(Registrar::default(), move |r, q| {
            let authorization =
                q.header(HeaderName::Authorization).map(|a| String::from_utf8_lossy(a).into_owned());
            match authorization {
                Some(text) if !text.contains("nc=00000001") => r.answer(q, status, "Forbidden", &[]),
                Some(_) => {
                    // Each nonce is good once.
                    r.challenge = Some(format!(
                        "Digest realm=\"pbx.example.com\", nonce=\"n{}\", qop=\"auth\"",
                        r.requests.len()
                    ));
                    r.healthy(q)
                }
                None => r.healthy(q),
            }
        })
        .await;
        let outcome = scene.register(Udp).await;
        assert_eq!(blamed(&outcome), Some("peer"), "{outcome}");
        assert!(finding(&outcome, "nonce-refused-without-stale").seen.contains("stale=true"), "{outcome}");
        assert_eq!(step(&outcome, "gone").verdict, Verdict::Pass, "{outcome}");
        for word in PASSWORD {
            assert!(!told(&outcome).contains(word), "{outcome}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_challenged_and_refused_says_that_it_had_worked() {
    // Fresh challenge, then 403; and: 401 for ever.
    for status in [403, 401] {
        let scene = Scripted::new(Registrar::default(), move |r, q| {
            let is_refresh =
                r.bindings.iter().any(|(uri, _)| uri.contains("rb=")) && expires(q).is_some_and(|s| s > 0);
            if !is_refresh {
                return r.healthy(q);
            }
            let nonce =
                format!("Digest realm=\"pbx.example.com\", nonce=\"r{}\", qop=\"auth\"", r.requests.len());
            let is_fresh = q
                .header(HeaderName::Authorization)
                .is_some_and(|a| String::from_utf8_lossy(a).contains("nonce=\"r"));
            match status {
                403 if is_fresh => r.answer(q, 403, "Forbidden", &[]),
                403 => {
                    r.answer(q, 401, "Unauthorized", &[("WWW-Authenticate", &format!("{nonce}, stale=true"))])
                }
                _ => r.answer(q, 401, "Unauthorized", &[("WWW-Authenticate", &nonce)]),
            }
        })
        .await;
        let outcome = scene.register(Udp).await;
        assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Fail, Some("peer")), "{outcome}");
        for word in PASSWORD {
            assert!(!told(&outcome).contains(word), "{outcome}");
        }
        assert_eq!(step(&outcome, "gone").verdict, Verdict::Pass, "nothing is left behind:\n{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_removal_is_told_by_what_is_left() {
    let gone = refused(When::Removal, 404, "Not Found", &[]).await;
    assert!(step(&gone, "gone").detail.contains("gone"), "{gone}");
    assert!(gone.finding("binding-left").is_none(), "{gone}");
    let scene = Scripted::new(Registrar::default(), |r, q| match expires(q) {
        Some(0) if !r.is_unanswered(q) => r.answer(q, 403, "Forbidden", &[]),
        _ => r.healthy(q),
    })
    .await;
    let kept = scene.register(Tcp).await;
    assert_eq!((kept.verdict, blamed(&kept)), (Verdict::Fail, Some("peer")), "{kept}");
    assert!(told(&kept).contains("still there"), "{kept}");
    finding(&kept, "binding-left");
}

#[tokio::test(start_paused = true)]
async fn a_401_to_every_answer_is_a_wrong_password() {
    let scene = Scripted::new(Registrar::default(), |r, q| r.challenge(q)).await;
    let outcome = scene.register(Udp).await;
    assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Fail, Some("setup")), "{outcome}");
    assert!(told(&outcome).contains("password"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn reachable_tells_what_a_refusal_says_and_is_alive() {
    for (status, phrase, headers, says) in [
        (
            494,
            "Security Agreement Required",
            &[("Security-Server", "ipsec-3gpp;q=0.1")][..],
            &["sec-agree", "ipsec-3gpp"][..],
        ),
        (421, "Extension Required", &[("Require", "outbound")], &["outbound"]),
        (403, "Forbidden", &[("Warning", "399 pbx \"not from this network\"")], &["not from this network"]),
        (500, "Oops", &[("Retry-After", "30")], &["Retry-After 30 s"]),
        (604, "Does Not Exist Anywhere", &[], &["not known"]),
    ] {
        let scene =
            Scripted::new(Registrar::default(), move |r, q| r.answer(q, status, phrase, headers)).await;
        let outcome = scene.reachable(Udp).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
        for word in says {
            assert!(told(&outcome).contains(word), "{word:?}:\n{outcome}");
        }
    }
}

/// Cuts the check at the answer to its first binding; the query, and what comes behind the binding, is refused with this status unless it is 200.
async fn cut_at_the_bind(status: u16, is_bound: bool) -> Outcome {
    let mut bound = false;
    let scene = Scripted::raw(Registrar { open: true, ..Registrar::default() }, move |r, q| {
        let binds = expires(q).is_some_and(|seconds| seconds > 0);
        bound |= binds;
        let text = if binds {
            if is_bound {
                r.store(q);
            }
            return Vec::new();
        } else if status == 200 {
            r.healthy(q)
        } else if bound || !is_bound {
            r.answer(q, status, "Refused", &[])
        } else {
            r.healthy(q)
        };
        vec![Reply::Bytes(text.into_bytes())]
    })
    .await;
    let check = Register::new(&scene.account("alice", Udp)).timeout(Duration::from_millis(300));
    scene.check(check).await
}

#[tokio::test(start_paused = true)]
async fn what_our_own_end_meets_after_the_time_is_over_is_no_fault_of_the_platform() {
    // Nobody is known there, before and after: nothing was bound, and nothing is to be removed.
    let unknown = cut_at_the_bind(404, false).await;
    assert_eq!(unknown.verdict, Verdict::Inconclusive, "{unknown}");
    finding(&unknown, "time-limit");
    assert_eq!(step(&unknown, "remove").detail, "404 Refused to the removal: nothing was bound");
    for code in ["removal-refused", "binding-left"] {
        assert!(unknown.finding(code).is_none(), "{unknown}");
    }
    // It may be there, and its removal is refused: said, and blamed on nobody.
    let refused = cut_at_the_bind(403, true).await;
    assert_eq!(refused.verdict, Verdict::Inconclusive, "{refused}");
    assert_eq!(finding(&refused, "removal-refused").side, Side::Probe, "{refused}");
    let left = finding(&refused, "binding-left");
    assert!(left.seen.contains("if the registrar has it, it stays until it expires"), "{refused}");
    assert!(refused.summary.starts_with("the time for this check ended"), "{refused}");
    // With all well the binding is removed.
    let well = cut_at_the_bind(200, true).await;
    assert_eq!(well.verdict, Verdict::Inconclusive, "{well}");
    assert_eq!(step(&well, "remove").verdict, Verdict::Pass, "{well}");
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_was_only_challenged_is_not_claimed_to_stay() {
    // Every answer to a challenge of it is challenged again.
    let scene = Scripted::new(Registrar::default(), |r, q| match expires(q) {
        Some(1..) => r.challenge(q),
        Some(0) => r.answer(q, 403, "Forbidden", &[]),
        None => r.list(q),
    })
    .await;
    let account = scene.account("alice", Udp);
    let outcome = scene.check(Register::new(&account)).await;
    let removals = || {
        let registrar = scene.registrar.lock().unwrap();
        registrar.requests.iter().filter(|request| expires(request) == Some(0)).count()
    };
    assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
    assert_eq!(removals(), 0, "a binding that was refused is not removed: {outcome}");
    assert!(outcome.finding("binding-left").is_none(), "{outcome}");
}

/// The bind is answered so, and stored or not; all that comes after it is as it should be.
async fn bind_refused(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    is_stored: bool,
) -> (Outcome, usize, usize) {
    let scene = Scripted::new(Registrar::default(), move |r, q| {
        match expires(q).is_some_and(|seconds| seconds > 0) && !r.is_unanswered(q) {
            true => {
                if is_stored {
                    r.store(q);
                }
                r.answer(q, status, "Refused", headers)
            }
            false => r.healthy(q),
        }
    })
    .await;
    let outcome = scene.register(Udp).await;
    let removals = scene.requests().iter().filter(|request| expires(request) == Some(0)).count();
    let left = scene.registrar.lock().unwrap().bindings.len();
    (outcome, removals, left)
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_was_stored_behind_a_refusal_is_removed() {
    for status in [302, 408, 480, 500, 502, 503, 504] {
        for is_stored in [true, false] {
            let (outcome, removals, left) = bind_refused(status, &[], is_stored).await;
            assert_eq!((removals, left), (1, 0), "{status}: {outcome}");
            assert_eq!(step(&outcome, "gone").verdict, Verdict::Pass, "{status}: {outcome}");
            assert!(outcome.finding("binding-left").is_none(), "{status}: {outcome}");
            assert!(step(&outcome, "bind").detail.contains(&status.to_string()), "{outcome}");
        }
    }
    // What says that nothing was carried out is believed, and nothing is removed.
    for status in [400, 403, 404, 420, 488, 501, 505, 513, 600, 603] {
        let (outcome, removals, _) = bind_refused(status, &[], false).await;
        assert_eq!(removals, 0, "{status}: {outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn within_a_pause_that_was_asked_for_no_removal_is_sent_and_that_is_told() {
    let (outcome, removals, left) = bind_refused(503, &[("Retry-After", "30")], true).await;
    assert_eq!((removals, left), (0, 1), "{outcome}");
    let found = finding(&outcome, "binding-left");
    assert!(found.seen.contains("Retry-After") && found.seen.contains("if the registrar"), "{outcome}");
    // What refuses for good leaves nothing.
    let (outcome, removals, _) = bind_refused(403, &[("Retry-After", "30")], false).await;
    assert_eq!((removals, outcome.finding("binding-left").is_none()), (0, true), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_is_refused_as_the_bind_was_is_no_second_fault() {
    let (bind, all) = (503, When::Bind);
    let scene = refused(all, bind, "Service Unavailable", &[]).await;
    let errors: Vec<_> =
        scene.findings.iter().filter(|f| f.severity == ringback::check::Severity::Error).collect();
    assert_eq!(errors.len(), 1, "{scene}");
    assert_eq!(step(&scene, "gone").verdict, Verdict::Pass, "{scene}");
}
