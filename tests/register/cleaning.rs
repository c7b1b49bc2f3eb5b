//! `clean` believes what it sees: it looks before and behind its removal, and takes absence for proof only where it is one.

use crate::scene::assert_verdict;
use crate::scripted::{Registrar, Scripted, told};
use crate::seen::{finding, step};
use ringback::check::{Abandoned, Clean, Outcome, Verdict};
use ringback::message::Message;
use ringback::message::Transport::Udp;
use ringback::syntax::HeaderName;
use std::time::{Duration, SystemTime};

const OURS: &str = "<sip:alice@192.0.2.77:5099;rb=00112233445566778899aabbccddeeff>";
const PHONE: &str = "<sip:alice@192.0.2.44>";

fn is_query(request: &Message) -> bool {
    request.header(HeaderName::Contact).is_none()
}

fn is_removal(r: &Registrar, request: &Message) -> bool {
    !is_query(request) && !r.is_unanswered(request)
}

/// Cleans up after a run that left `OURS` with this many seconds to live, at a registrar that is a script; gives what it still holds as well.
async fn clean(
    bindings: &[(&str, u32)],
    rest: Option<u64>,
    script: impl FnMut(&mut Registrar, &Message) -> String + Send + 'static,
) -> (Outcome, Vec<String>) {
    let bindings = bindings.iter().map(|(uri, expires)| ((*uri).to_owned(), *expires)).collect();
    let scene = Scripted::new(Registrar { bindings, ..Registrar::default() }, script).await;
    let account = scene.account("alice", Udp);
    let folder = tempfile::tempdir().unwrap();
    let server = format!("{}:5060", crate::scene::REGISTRAR);
    let until = rest.map_or_else(String::new, |rest| {
        let until = SystemTime::now() + Duration::from_secs(rest);
        format!(" until={}", until.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
    });
    let contact = OURS.trim_matches(['<', '>']);
    let note = format!(
        "open 1 binding account=alice aor={} server={server} contact={contact}{until}\n",
        account.aor()
    );
    std::fs::write(folder.path().join("1-0.open"), note).unwrap();
    let abandoned = Abandoned::in_folder(folder.path()).unwrap();
    let left = abandoned.files[0].left().next().unwrap().1.clone();
    let outcome = scene.check(Clean::new(&account, &left).unwrap()).await;
    let held = scene.registrar.lock().unwrap().bindings.iter().map(|(uri, _)| uri.clone()).collect();
    (outcome, held)
}

#[tokio::test(start_paused = true)]
async fn what_is_listed_is_removed_and_looked_after() {
    let (outcome, held) = clean(&[(OURS, 250), (PHONE, 900)], Some(250), |r, q| r.healthy(q)).await;
    assert_verdict(&outcome, Verdict::Pass);
    assert_eq!(held, [PHONE], "{outcome}");
    assert_eq!(step(&outcome, "gone").verdict, Verdict::Pass, "{outcome}");
    assert!(outcome.summary.contains("the binding was removed"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_empty_or_refused_proves_nothing_while_the_binding_may_live() {
    for status in [200, 404] {
        let script = move |r: &mut Registrar, q: &Message| match is_query(q) && !r.is_unanswered(q) {
            true => r.answer(q, status, "So", &[]),
            false => r.healthy(q),
        };
        let (outcome, held) = clean(&[(OURS, 250)], Some(250), script).await;
        assert_verdict(&outcome, Verdict::Inconclusive);
        finding(&outcome, "left-binding-unseen");
        assert!(!told(&outcome).contains("gone already"), "{outcome}");
        assert_eq!(held, [OURS], "{outcome}");
        // Never confirmed, and not listed.
        let (outcome, _) = clean(&[], None, script).await;
        assert_verdict(&outcome, Verdict::Pass);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_was_written_anew_on_the_way_is_not_taken_for_gone() {
    let rewritten = "<sip:alice@203.0.113.9:40001>";
    let (outcome, _) = clean(&[(rewritten, 250)], Some(250), |r, q| r.healthy(q)).await;
    assert_verdict(&outcome, Verdict::Inconclusive);
    finding(&outcome, "left-binding-unclear");
    // A phone that registered later is no proof against it.
    let (outcome, held) = clean(&[(rewritten, 3_000)], Some(250), |r, q| r.healthy(q)).await;
    assert_verdict(&outcome, Verdict::Pass);
    assert!(outcome.summary.contains("gone already"), "{outcome}");
    assert_eq!(held, [rewritten]);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_did_not_work_or_took_others_along_is_told() {
    // 200 without a list, and nothing was removed.
    let (outcome, _) = clean(&[(OURS, 250)], Some(250), |r, q| match is_removal(r, q) {
        true => r.answer(q, 200, "OK", &[]),
        false => r.healthy(q),
    })
    .await;
    assert_verdict(&outcome, Verdict::Fail);
    finding(&outcome, "left-binding-stays");
    // All bindings go.
    let (outcome, held) = clean(&[(OURS, 250), (PHONE, 900)], Some(250), |r, q| {
        if is_removal(r, q) {
            r.bindings.clear();
        }
        r.healthy(q)
    })
    .await;
    assert_verdict(&outcome, Verdict::Fail);
    assert!(finding(&outcome, "binding-replaced").seen.contains("192.0.2.44"), "{outcome}");
    assert!(held.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_was_refused_and_carried_out_leaves_nothing() {
    for (status, is_removed) in [(404, true), (481, true), (503, false), (404, false)] {
        let (outcome, _) = clean(&[(OURS, 250)], Some(250), move |r, q| match is_removal(r, q) {
            true => {
                if is_removed {
                    r.store(q);
                }
                r.answer(q, status, "So", &[])
            }
            false => r.healthy(q),
        })
        .await;
        if is_removed {
            assert_verdict(&outcome, Verdict::Pass);
            assert!(outcome.finding("binding-left").is_none(), "{status}: {outcome}");
        } else {
            assert_ne!(outcome.verdict, Verdict::Pass, "{status}: {outcome}");
            // The binding that was left, and not where this run itself sits.
            let left = finding(&outcome, "binding-left");
            assert!(left.seen.contains("192.0.2.77:5099;rb=0011"), "{outcome}");
        }
    }
}
