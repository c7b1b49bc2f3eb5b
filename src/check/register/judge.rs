//! The meaning of an ended command: a verdict, one sentence, and what to do.

use super::bindings::{Foreign, advice_on_left, counted, foreign, unseen};
use super::ended::{Bound, Ended};
use super::refusal;
use super::session::{Session, lists_own};
use crate::check::challenged::{self, Asked};
use crate::check::judge::quote::quoted;
use crate::check::judge::status::Said;
use crate::check::judged::{self, PATIENCE, Silence, StepVerdict, interrupted};
use crate::check::{Finding, Interrupted, Severity, Side, Verdict};
use crate::ua::registration::{Binding, End, Finished};

/// Was a command accepted; if not, why?
pub(in crate::check) fn accepted(session: &Session, ended: &Ended, step: &str) -> StepVerdict {
    let judged = match &ended.finished {
        _ if ended.interrupted == Some(Interrupted::Stopped) => interrupted(Interrupted::Stopped),
        _ if ended.interrupted.is_some() && ended.waited() < PATIENCE && ended.answers.number == 0 => {
            interrupted(Interrupted::TimeLimit)
        }
        _ if ended.failure.is_some() => {
            let text = ended.failure.as_ref().map(ToString::to_string).unwrap_or_default();
            let asked = (step, ended.flow.remote);
            ended.failure.as_ref().map_or_else(
                || interrupted(Interrupted::Stopped),
                |f| judged::lost(&f.kind, &text, ended.unused.as_ref(), asked),
            )
        }
        Some(finished) => end(session, ended, finished, step),
        None => match ended.interrupted {
            Some(Interrupted::TimeLimit) => no_answer(ended, step),
            other => interrupted(other.unwrap_or(Interrupted::Stopped)),
        },
    };
    judged.shown_by(&ended.evidence)
}

fn end(session: &Session, ended: &Ended, finished: &Finished, step: &str) -> StepVerdict {
    let tries = finished.requests;
    let status = status_of(finished);
    let challenges = &finished.challenges;
    if let Some(judged) = reused_nonce(ended, finished) {
        return judged;
    }
    let before = ended.history.last(ended.ended_at()).filter(|_| ended.history.knows_credentials());
    let asked = Asked {
        status: &status,
        requests: tries,
        challenges,
        user: session.user(),
        accepted_before: before.as_deref(),
    };
    if let Some(judged) = challenged::judge(&finished.end, &asked) {
        return judged;
    }
    match &finished.end {
        End::Accepted => StepVerdict::pass(match &finished.answer {
            Some(answer) => {
                format!("{} {} after {tries} request{}", answer.status(), answer.reason(), plural(tries))
            }
            None => "accepted".to_owned(),
        }),
        End::Timeout | End::TransportFailed => no_answer(ended, step),
        End::IntervalTooBrief { .. } => refusal::too_brief(ended, finished, session.granted()),
        End::Busy => StepVerdict::open(
            "probe-limit",
            Side::Probe,
            "the registration was busy with other commands".to_owned(),
            "give one command at a time",
        ),
        // What is left is a refusal: the rest was judged above.
        _ => match &finished.answer {
            Some(answer) => refusal::judge(ended, finished, answer, step),
            None => StepVerdict::open("refused", Side::Peer, "refused".into(), "see the ladder"),
        },
    }
}

/// A nonce that was good before met a refusal that is no challenge, and a fresh answer was accepted.
fn reused_nonce(ended: &Ended, finished: &Finished) -> Option<StepVerdict> {
    let refusal = ended.retried_after.as_ref().filter(|_| finished.end == End::Accepted)?;
    Some(StepVerdict::fail(
        "nonce-refused-without-stale",
        Side::Peer,
        format!(
            "{refusal} to a nonce that was good before: to refuse its reuse, 401 with stale=true would be due (RFC 7616 sec. 3.3); a fresh answer was accepted, but a phone may stop here"
        ),
        "platform: answer a nonce that is used up or unknown with 401, stale=true and a new nonce; phone: newer firmware",
    ))
}

fn plural(n: u32) -> &'static str {
    if n == 1 { "" } else { "s" }
}

fn status_of(finished: &Finished) -> String {
    finished
        .answer
        .as_ref()
        .map_or_else(|| "no response".to_owned(), |a| format!("{} {}", a.status(), a.reason()))
}

/// The challenges of a command, each once.
pub(in crate::check) fn offered(finished: &Finished) -> String {
    challenged::offered(&finished.challenges)
}

fn no_answer(ended: &Ended, step: &str) -> StepVerdict {
    judged::silence(&Silence {
        step,
        remote: ended.flow.remote,
        transport: ended.flow.transport,
        waited: ended.waited(),
        provisional: ended.provisional,
        answered_before: ended.answered_before,
        answers: ended.answers,
        others_go_on: ended.others_go_on,
        is_login: ended.credentials_sent && !ended.history.knows_credentials(),
        is_cut: ended.interrupted == Some(Interrupted::TimeLimit),
        unused: ended.unused.as_ref(),
        sizes: ended.sizes,
        requests: ended.requests.as_deref(),
        probe_limit: ended.probe_limit.as_deref(),
    })
}

/// The query alone was refused, a binding was not.
pub(in crate::check) fn query_refused(query: &Ended) -> Finding {
    Finding::new(
        "query-refused",
        Severity::Warning,
        Side::Peer,
        format!(
            "{} to a REGISTER without Contact, and a binding is accepted: other bindings cannot be seen",
            refusal_of(query)
        ),
        "platform: a query of the bindings is part of RFC 3261 sec. 10.2.3",
    )
    .shown_by(query.evidence.clone())
}

/// A query was refused, and nothing but the query was to be asked; `code` is of who asked.
pub(in crate::check) fn cannot_tell(query: &Ended, code: &'static str) -> StepVerdict {
    StepVerdict::open(
        code,
        Side::Peer,
        format!("the registrar does not say who is bound: it refuses the query with {}; a binding may be accepted all the same", refusal_of(query)),
        "look it up in the platform's own list; `ringback register` shows whether the account registers; platform: a query of the bindings is part of RFC 3261 sec. 10.2.3",
    )
    .shown_by(&query.evidence)
}

/// Status, phrase and what explains them.
fn refusal_of(ended: &Ended) -> String {
    ended.answer().map_or_else(String::new, |answer| Said::read(answer.message()).sentence(""))
}

/// Is our Contact in the 200, with an expiry that can be used?
pub(in crate::check) fn granted(ended: &Ended, asked: u32) -> StepVerdict {
    let Some(answer) = ended.answer() else { return StepVerdict::not_run("no answer") };
    let listed = answer.bindings.iter().find(|b| b.own);
    let judged = match (listed, answer.granted) {
        (None, _) if answer.unreadable_own.is_some() => StepVerdict::fail(
            "contact-unreadable",
            Side::Peer,
            format!(
                "{} lists our Contact in a form that cannot be read: {}",
                answer.status(),
                quoted(answer.unreadable_own.as_deref().unwrap_or_default().as_bytes())
            ),
            "platform fault, or a device on the path rewrites Contacts (SIP ALG): phones do not find their own binding",
        ),
        (_, Some((0, _))) => StepVerdict::fail(
            "zero-expiry",
            Side::Peer,
            format!("{} with an expiry of 0 s: the binding is gone at once", answer.status()),
            "platform fault: it takes the registration for a removal",
        ),
        (None, _) if answer.bindings.is_empty() && answer.unreadable.is_empty() => {
            let expiry = match answer.granted {
                Some((seconds, _)) => format!(", only an expiry of {seconds} s"),
                None => String::new(),
            };
            StepVerdict::fail(
                "contact-not-listed",
                Side::Peer,
                format!(
                    "{} {} lists no binding at all{expiry}: ours was not kept, or is not told",
                    answer.status(),
                    answer.reason()
                ),
                "platform fault: a 200 lists all bindings, the new one among them (RFC 3261 sec. 10.3 step 8); a phone takes itself for not registered",
            )
        }
        (None, _) if !answer.bindings.is_empty() => StepVerdict::fail(
            "contact-not-listed",
            Side::Peer,
            format!(
                "{} lists {} binding(s), ours is not among them: {}",
                answer.status(),
                answer.bindings.len(),
                shown(&answer.bindings)
            ),
            "platform fault: it accepted the registration and lists something else",
        ),
        (_, None) => StepVerdict::fail(
            "no-expiry",
            Side::Peer,
            format!("{} without an expiry, neither at our Contact nor in an Expires header", answer.status()),
            "platform fault: a phone cannot know when to refresh (RFC 3261 sec. 10.3)",
        ),
        (None, Some(_)) => StepVerdict::fail(
            "contact-not-listed",
            Side::Peer,
            format!("{} lists no binding at all", answer.status()),
            "platform fault: a 200 has to list the bindings (RFC 3261 sec. 10.3)",
        ),
        (Some(_), Some((seconds, by))) if answer.granted_text.is_some() => {
            let text = quoted(answer.granted_text.as_deref().unwrap_or_default().as_bytes());
            StepVerdict::pass(match seconds {
                u32::MAX => format!("an expiry of {text} s came {by}, over 2^32-1"),
                _ => format!(
                    "an expiry of \"{text}\" came {by}, which is no number of seconds and counts as {seconds} s"
                ),
            })
        }
        (Some(_), Some((seconds, by))) => {
            let asked = if asked == seconds { String::new() } else { format!(", asked were {asked} s") };
            StepVerdict::pass(format!("{seconds} s granted {by}{asked}"))
        }
    };
    judged.shown_by(&ended.evidence)
}

/// The first few URIs of bindings.
fn shown(bindings: &[Binding]) -> String {
    let uris: Vec<String> = bindings.iter().take(3).map(|b| quoted(b.uri.as_bytes())).collect();
    uris.join(", ")
}

/// Is our binding still there? `others`: devices that were there with it, as answers to binds showed.
pub(in crate::check) fn listed(session: &Session, ended: &Ended, others: &[Foreign]) -> StepVerdict {
    let judged = accepted(session, ended, "second query");
    if judged.verdict != Verdict::Pass {
        return judged;
    }
    let Some(answer) = ended.answer() else { return judged };
    let now = foreign(&answer.bindings);
    let judged = if lists_own(answer) {
        StepVerdict::pass("our binding is there")
    } else if now.is_empty() && !others.is_empty() {
        // Nobody's binding is listed, and those of others were there a moment before.
        StepVerdict::not_run("the registrar lists no bindings in its answers to queries")
    } else if now.is_empty() {
        StepVerdict::fail(
            "binding-lost",
            Side::Peer,
            "our binding was accepted, and the query behind it lists none at all".to_owned(),
            "platform: either its nodes do not share bindings, or it answers queries without the list (RFC 3261 sec. 10.3 step 8); a call to the account shows which",
        )
    } else {
        let which: Vec<String> = now.iter().take(3).map(Foreign::describe).collect();
        StepVerdict::fail(
            "binding-lost",
            Side::Peer,
            format!("our binding was accepted and is not there any more; listed are: {}", which.join("; ")),
            match unseen(now.clone(), others).is_empty() {
                true => "platform: nodes do not share bindings, or it keeps fewer bindings than it says",
                false => {
                    "another device registered meanwhile and pushes this one out: the account allows fewer devices than there are; platform: nodes that do not share bindings look the same"
                }
            },
        )
    };
    judged.shown_by(&ended.evidence)
}

/// The removal, by its answer and by what the query behind it showed: a refusal of what is gone already does no harm but to who reads it.
pub(in crate::check) fn removed(judged: StepVerdict, removed: &Ended, gone: &StepVerdict) -> StepVerdict {
    match (&judged.finding, removed.accepted(), gone.verdict) {
        (_, true, Verdict::Pass) if judged.verdict == Verdict::Pass => {
            StepVerdict::pass("our own binding removed")
        }
        (_, true, _) if judged.verdict == Verdict::Pass => {
            StepVerdict::pass(format!("{} to our own removal", status_of_ended(removed)))
        }
        (Some(finding), false, Verdict::Pass) if removed.refusal().is_some() => {
            let seen = format!("{}; the binding is gone all the same", finding.seen);
            let finding = Finding { severity: Severity::Warning, seen: seen.clone(), ..finding.clone() };
            StepVerdict { verdict: Verdict::Pass, detail: seen, finding: Some(finding) }
        }
        _ => judged,
    }
}

/// A removal where the registrar knows nobody of this address and had accepted no binding.
pub(in crate::check) fn nothing_bound(removal: &Ended) -> StepVerdict {
    StepVerdict::pass(format!("{} to the removal: nothing was bound", status_of_ended(removal)))
}

/// Verdict on our removal after the check was stopped, or its time was over: it was no part of the question, and says nothing about the platform.
pub(in crate::check) fn of_own_end(judged: StepVerdict) -> StepVerdict {
    let StepVerdict { verdict: Verdict::Fail, detail, finding } = judged else { return judged };
    let finding = finding.map(|finding| Finding {
        severity: Severity::Warning,
        side: Side::Probe,
        advice:
            "the check had ended before its question was answered: run it again, with more time (--timeout)"
                .into(),
        ..finding
    });
    StepVerdict { verdict: Verdict::Inconclusive, detail, finding }
}

/// Verdict on the removal of a binding whose bind was refused, or on the query behind it: that the registrar refuses this as well is no finding of
/// its own.
pub(in crate::check) fn of_a_refused_bind(judged: StepVerdict) -> StepVerdict {
    match judged.verdict {
        Verdict::Pass => StepVerdict::pass(judged.detail),
        _ => StepVerdict::not_run(judged.detail),
    }
}

/// Is our binding gone after its removal?
pub(in crate::check) fn gone(session: &Session, removed: &Ended, last: &Ended) -> StepVerdict {
    let still = |ended: &Ended| {
        ended.answer().is_some_and(|a| a.bindings.iter().any(|b| b.own && b.expires != Some(0)))
    };
    if last.refuses_the_query() && !last.history.has_queried() {
        return StepVerdict::not_run("the registrar answers no queries");
    }
    let judged = accepted(session, last, "last query");
    if judged.verdict != Verdict::Pass {
        return judged;
    }
    // A list that never held our binding shows nothing by its absence; the answer to the removal does.
    if session.is_listed_to_binds_only() && !still(last) && !still(removed) {
        return match removed.accepted() {
            true => StepVerdict::pass("the answer to the removal lists our binding no more"),
            false => StepVerdict::not_run("the registrar lists no bindings in its answers to queries"),
        };
    }
    // Of how it finds a binding to be removed, a registrar shows something only where it accepted the removal.
    if still(last) && !removed.accepted() {
        let how = match removed.answer() {
            Some(_) => format!("its removal was answered {}", status_of_ended(removed)),
            None => "its removal was not answered".to_owned(),
        };
        return StepVerdict::not_run(format!("our binding is still there: {how}"));
    }
    let judged = if still(last) {
        let said = if still(removed) { " (the answer to the removal listed it as well)" } else { "" };
        StepVerdict::fail(
            "binding-kept",
            Side::Peer,
            format!(
                "the removal was answered {} and our binding is still there{said}",
                status_of_ended(removed)
            ),
            "platform: match the binding by instance or URI, not by Call-ID; it runs out by itself",
        )
    } else {
        StepVerdict::pass("our binding is gone")
    };
    judged.shown_by(&last.evidence)
}

fn status_of_ended(ended: &Ended) -> String {
    ended.finished.as_ref().map(status_of).unwrap_or_default()
}

/// Verdict on binding where nobody else is live: for the ends of a call, whose step this is. `name` is the account's.
pub(in crate::check) fn bound(session: &Session, bound: &Bound, name: &str, asked: u32) -> StepVerdict {
    match bound {
        Bound::NotQueried { query } => accepted(session, query, "query"),
        Bound::NotBeside { query: ended, devices } | Bound::Withdrawn { bind: ended, devices } => {
            let which: Vec<String> = devices.iter().take(3).map(Foreign::describe).collect();
            let what = match bound {
                Bound::Withdrawn { .. } => {
                    "the query did not list it, the answer to our binding does, which is removed again"
                }
                _ => "nothing was bound beside it",
            };
            StepVerdict::of(
                Verdict::NotRun,
                "not-beside-live-devices",
                Side::Setup,
                format!("{} for {name} ({}): {what}", counted(devices), which.join("; ")),
                advice_on_left(devices).unwrap_or("use a test account, or a quiet hour with --beside-live-devices: a registrar that keeps one binding drops that of the device"),
            )
            .shown_by(&ended.evidence)
        }
        Bound::Asked { bind, .. } => {
            let judged = accepted(session, bind, "bind");
            if judged.verdict == Verdict::Pass { granted(bind, asked) } else { judged }
        }
    }
}
