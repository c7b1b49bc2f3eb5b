//! Answers that are found by their branch and give back other headers than were sent: taken, shown, and told.

use super::scene::assert_verdict;
use crate::scripted::{Registrar, Scripted, told};
use crate::seen::finding;
use ringback::check::{Lookup, Outcome, Severity, Verdict};
use ringback::message::Message;
use ringback::message::Transport::{Tcp, Udp};
use ringback::transport::{Direction, RecordEvent};

type Change = fn(&str) -> String;

/// What is done to an answer, and what has to be told of it.
const CHANGES: &[(&str, Change, &[&str])] = &[
    ("Call-ID", |a| with(a, "Call-ID: ", "zzz@x"), &["Call-ID zzz@x"]),
    ("no Call-ID", |a| without(a, "Call-ID: "), &["no Call-ID"]),
    ("From tag", |a| a.replacen(";tag=", ";tag=zzz", 1), &["From tag zzz"]),
    ("no From tag", |a| with(a, "From: ", "<sip:alice@pbx.example.com>"), &["no From tag"]),
    ("From", |a| changed_user(a, "From: "), &["From sip:4711@"]),
    ("To", |a| changed_user(a, "To: "), &["To sip:4711@"]),
    (
        "Call-ID and From",
        |a| changed_user(&with(a, "Call-ID: ", "zzz"), "From: "),
        &["Call-ID zzz", "From sip:4711@"],
    ),
];

fn lines(answer: &str, change: impl Fn(&str) -> Option<String>) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let lines: Vec<String> = head.split("\r\n").filter_map(change).collect();
    format!("{}\r\n\r\n{body}", lines.join("\r\n"))
}

fn with(answer: &str, name: &str, value: &str) -> String {
    lines(answer, |line| {
        Some(if line.starts_with(name) { format!("{name}{value}") } else { line.to_owned() })
    })
}

fn without(answer: &str, name: &str) -> String {
    lines(answer, |line| (!line.starts_with(name)).then(|| line.to_owned()))
}

fn changed_user(answer: &str, name: &str) -> String {
    lines(answer, |line| {
        let (is_it, user) = (line.starts_with(name), line.find("sip:").zip(line.find('@')));
        Some(match user.filter(|_| is_it) {
            Some((start, end)) => format!("{}sip:4711{}", &line[..start], &line[end..]),
            None => line.to_owned(),
        })
    })
}

/// Messages in the transcript, by direction.
fn messages(outcome: &Outcome, wanted: Direction) -> usize {
    let records = outcome.transcript.records.iter();
    let is_it =
        |event: &RecordEvent| matches!(event, RecordEvent::Message { direction, .. } if *direction == wanted);
    records.filter(|record| is_it(&record.event)).count()
}

fn assert_told(outcome: &Outcome, name: &str, words: &[&str]) {
    let found = finding(outcome, "answer-rewritten");
    assert_eq!(found.severity, Severity::Warning);
    for word in words {
        assert!(found.seen.contains(word), "{name}: {word:?} is not told:\n{outcome}");
    }
    assert!(!found.evidence.is_empty(), "{outcome}");
    // Each request is shown with its answer: what the verdict rests on.
    assert_eq!(
        messages(outcome, Direction::Sent),
        messages(outcome, Direction::Received),
        "{name}: {outcome}"
    );
    assert!(messages(outcome, Direction::Sent) > 0);
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_changed_is_told_and_shown() {
    for (name, change, words) in CHANGES {
        for transport in [Udp, Tcp] {
            let scene = Scripted::new(Registrar::default(), move |r, q| change(&r.healthy(q))).await;
            let outcome = scene.register(transport).await;
            assert_verdict(&outcome, Verdict::Pass);
            assert_told(&outcome, name, words);
            let told = outcome.findings.iter().filter(|f| f.code == "answer-rewritten");
            assert_eq!(told.count(), 1, "once: {outcome}");
            scene.registrar.lock().unwrap().bindings.push(("<sip:alice@192.0.2.10>".into(), 60));
            let outcome = scene.check(Lookup::new(&scene.account("alice", transport))).await;
            assert_verdict(&outcome, Verdict::Pass);
            assert_told(&outcome, name, words);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_changed_is_told_and_shown_by_reachable() {
    // Nobody is asked for there: From and To are of no account.
    for (name, change, words) in
        CHANGES.iter().filter(|(name, ..)| !name.contains("no From") && *name != "To")
    {
        for transport in [Udp, Tcp] {
            let open = Registrar { open: true, ..Registrar::default() };
            let scene = Scripted::new(open, move |r, q| change(&r.healthy(q))).await;
            let outcome = scene.reachable(transport).await;
            assert_verdict(&outcome, Verdict::Pass);
            assert_told(&outcome, name, words);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_with_another_call_id_says_so_beside_the_refusal() {
    let challenges = |r: &mut Registrar, q: &Message| with(&r.challenge(q), "Call-ID: ", "zzz@x");
    let outcome = Scripted::new(Registrar::default(), challenges).await.register(Udp).await;
    assert_verdict(&outcome, Verdict::Fail);
    assert_told(&outcome, "401", &["Call-ID zzz@x"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_copied_as_it_was_is_no_remark() {
    for change in [
        |a: &str| a.to_owned(),
        |a: &str| a.replacen("Call-ID:", "i :", 1).replacen("From: ", "f: \"Alice\" ", 1),
    ] {
        let scene = Scripted::new(Registrar::default(), move |r, q| change(&r.healthy(q))).await;
        let outcome = scene.register(Udp).await;
        assert_verdict(&outcome, Verdict::Pass);
        assert!(!told(&outcome).contains("answer-rewritten"), "{outcome}");
    }
}
