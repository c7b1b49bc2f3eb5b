//! One bad value does not lose its neighbours; what cannot be read is quoted, never absent.

use super::scene::ALL_PASS;
use crate::scripted::{Registrar, Scripted, blamed, told};
use crate::seen::{finding, step, steps};
use ringback::check::{Outcome, Register, Verdict};
use ringback::message::Message;
use ringback::message::Transport::{Tcp, Udp};
use ringback::syntax::HeaderName;

fn with_contact(request: &Message) -> bool {
    request.header(HeaderName::Contact).is_some()
}

/// Our own binding as the registrar keeps it, with its expiry; `None` while there is none.
fn own(registrar: &Registrar) -> Option<String> {
    let own = registrar.bindings.iter().find(|(uri, _)| uri.contains("rb="));
    own.map(|(uri, expires)| format!("{uri};expires={expires}"))
}

/// A registrar whose 200s have the header lines that `lines` makes of our own binding.
async fn listing(lines: impl Fn(Option<String>) -> Vec<String> + Send + 'static) -> Scripted {
    Scripted::new(Registrar::default(), move |r, q| {
        if r.is_unanswered(q) {
            return r.challenge(q);
        }
        r.store(q);
        let plain = r.answer(q, 200, "OK", &[]);
        let lines = lines(own(r)).iter().map(|line| format!("\r\n{line}")).collect::<String>();
        plain.replacen("\r\n", &format!("{lines}\r\n"), 1)
    })
    .await
}

async fn beside(scene: &Scripted) -> Outcome {
    scene.check(Register::new(&scene.account("alice", Udp)).beside_live_devices(true)).await
}

/// Our own binding with something else in place of `from`.
async fn own_with(from: &'static str, to: &'static str) -> Outcome {
    let scene = listing(move |own| {
        own.map(|own| format!("Contact: {}", own.replacen(from, to, 1))).into_iter().collect()
    })
    .await;
    scene.register(Udp).await
}

const BROKEN: &str = "<sip:alice@192.0.2.10:5060transport=udp>;expires=3600";

#[tokio::test(start_paused = true)]
async fn a_broken_contact_of_another_device_loses_nothing_but_itself() {
    // In one line with ours, in front of it and behind it; and in a line of its own.
    let forms: [fn(String) -> Vec<String>; 3] = [
        |own| vec![format!("Contact: {BROKEN}, {own}")],
        |own| vec![format!("Contact: {own}, {BROKEN}")],
        |own| vec![format!("Contact: {BROKEN}"), format!("Contact: {own}")],
    ];
    for form in forms {
        let scene = listing(move |own| own.map_or(vec![format!("Contact: {BROKEN}")], form)).await;
        let outcome = beside(&scene).await;
        assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
        assert!(finding(&outcome, "contact-unreadable").seen.contains("192.0.2.10"), "{outcome}");
        // What cannot be read may be a phone: nothing is bound beside it unasked.
        let scene = listing(move |own| own.map_or(vec![format!("Contact: {BROKEN}")], form)).await;
        let outcome = scene.register(Udp).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
        assert!(told(&outcome).contains("192.0.2.10") && !told(&outcome).contains("no binding"), "{outcome}");
        assert!(!scene.requests().iter().any(with_contact), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_good_bindings_of_others_in_one_line_with_ours_are_counted() {
    let others = "<sip:alice@192.0.2.10:5060>;expires=3600, <sip:alice@192.0.2.11>;expires=60";
    let scene = listing(move |own| {
        vec![format!("Contact: {others}{}", own.map_or(String::new(), |own| format!(", {own}")))]
    })
    .await;
    let outcome = beside(&scene).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
    assert!(step(&outcome, "query").detail.contains("2 live bindings of others"), "{outcome}");
    assert_eq!(outcome.findings, [], "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_loose_end_is_taken_and_told() {
    let forms: [fn(String) -> Vec<String>; 5] = [
        |own| vec![format!("Contact: {own},")],
        |own| vec![format!("Contact: {own};")],
        |own| vec![format!("Contact: ,{own}")],
        |own| vec![format!("Contact: {}", own.replacen(";expires", ";;expires", 1))],
        |own| vec!["Contact:".to_owned(), format!("m: {own}")],
    ];
    for (number, form) in forms.into_iter().enumerate() {
        let scene = listing(move |own| own.map_or(Vec::new(), form)).await;
        let outcome = scene.register(Udp).await;
        assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
        if number < 4 {
            assert!(finding(&outcome, "list-loose-end").seen.contains("rb="), "{outcome}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn our_contact_that_cannot_be_read_is_quoted() {
    let outcome = own_with(">", "").await;
    assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Fail, Some("peer")), "{outcome}");
    assert!(finding(&outcome, "contact-unreadable").seen.contains("rb="), "{outcome}");
    assert!(!told(&outcome).contains("without an expiry"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn an_expiry_that_is_no_number_is_shown() {
    for (to, shown) in [
        (";expires=300.000", "300.000"),
        (";expires=99999999999", "99999999999"),
        (";expires=\"Fri, 31 Dec 2027 23:59:59 GMT\"", "Fri, 31 Dec 2027 23:59:59 GMT"),
        (";expires=-1", "-1"),
    ] {
        let outcome = own_with(";expires=300", to).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
        assert!(told(&outcome).contains(shown), "{shown}:\n{outcome}");
        assert!(!told(&outcome).contains("4294967295 s granted"), "{outcome}");
    }
    let header = "Expires: Fri, 31 Dec 2027 23:59:59 GMT";
    let scene = listing(move |own| match own {
        Some(own) => vec![format!("Contact: {}", own.replace(";expires=300", "")), header.to_owned()],
        None => Vec::new(),
    })
    .await;
    let outcome = scene.register(Udp).await;
    assert!(told(&outcome).contains("31 Dec 2027"), "{outcome}");
    assert!(!told(&outcome).contains("without an expiry"), "{outcome}");
}

/// A registrar that lists our binding as something else, and drops it or not at the removal.
async fn rewriting(to: &'static str, keeps: bool) -> Outcome {
    let scene = Scripted::new(Registrar::default(), move |r, q| {
        if r.is_unanswered(q) {
            return r.challenge(q);
        }
        r.store(q);
        let was_bound = r.requests.iter().any(with_contact);
        match own(r).is_some() || keeps && was_bound {
            true => r.answer(q, 200, "OK", &[("Contact", to)]),
            false => r.answer(q, 200, "OK", &[]),
        }
    })
    .await;
    scene.register(Udp).await
}

#[tokio::test(start_paused = true)]
async fn a_rewritten_contact_is_known_by_being_new() {
    const REWRITTEN: &str = "<sip:alice@198.51.100.7:53951>;expires=300";
    let outcome = rewriting(REWRITTEN, false).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
    let told_of = finding(&outcome, "contact-rewritten");
    assert!(told_of.seen.contains("198.51.100.7") && told_of.seen.contains("rewritten"), "{outcome}");
    let kept = rewriting(REWRITTEN, true).await;
    assert_eq!(kept.verdict, Verdict::Fail, "{kept}");
    assert!(step(&kept, "gone").detail.contains("still there"), "{kept}");
    assert!(
        !told(&kept).contains("our own binding removed") && !told(&kept).contains("binding is gone"),
        "{kept}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_address_of_record_in_place_of_our_contact_is_no_rewriting() {
    let outcome = rewriting("<sip:alice@pbx.example.com>;expires=300", false).await;
    assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Fail, Some("peer")), "{outcome}");
    finding(&outcome, "contact-not-listed");
}

#[tokio::test(start_paused = true)]
async fn a_via_that_was_changed_on_the_way_is_told() {
    let scene = Scripted::new(Registrar::default(), |r, q| {
        r.healthy(q).replacen("192.0.2.7:5070", "198.51.100.7:5070", 1)
    })
    .await;
    let outcome = scene.register(Udp).await;
    assert!(finding(&outcome, "via-rewritten").seen.contains("198.51.100.7:5070"), "{outcome}");
    assert!(told(&outcome).contains("Via"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn header_names_in_small_and_short_form_are_plain() {
    let scene = Scripted::new(Registrar::default(), |r, q| {
        let answer = r.healthy(q);
        answer
            .replace("Contact: ", "m : ")
            .replace("Call-ID: ", "i  : ")
            .replace("From: ", "from : ")
            .replace("Via: ", "v: ")
    })
    .await;
    let outcome = scene.register(Udp).await;
    assert_eq!((steps(&outcome).as_str(), outcome.findings.len()), (ALL_PASS, 0), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn one_odd_line_does_not_lose_the_message() {
    for line in ["a line without colon", "X-Odd Name: x", "X/Odd: y"] {
        for transport in [Udp, Tcp] {
            let scene = Scripted::new(Registrar::default(), move |r, q| {
                r.healthy(q).replacen("\r\n", &format!("\r\n{line}\r\n"), 1)
            })
            .await;
            let outcome = scene.register(transport).await;
            assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
            assert!(finding(&outcome, "odd-header-line").seen.contains(line), "{outcome}");
        }
    }
    let scene = Scripted::new(Registrar::default(), |r, q| {
        r.healthy(q).replacen("Content-Length: 0", "Content-Length:", 1)
    })
    .await;
    let outcome = scene.register(Udp).await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
    assert!(finding(&outcome, "odd-header-line").seen.contains("Content-Length"), "{outcome}");
    // On a stream the framing depends on it.
    let scene = Scripted::new(Registrar::default(), |r, q| {
        r.healthy(q).replacen("Content-Length: 0", "Content-Length:", 1)
    })
    .await;
    let outcome = scene.register(Tcp).await;
    assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Fail, Some("peer")), "{outcome}");
    assert!(told(&outcome).contains("Content-Length"), "{outcome}");
}
