//! What an ended command means: a verdict, one sentence, and what to do.

use super::bindings::foreign;
use super::session::{Ended, Session};
use crate::check::{Destination, Finding, Interrupted, Severity, Side, Unreached, Verdict, Withheld};
use crate::transport::TransportErrorKind;
use crate::ua::registration::{Answer, Command, End, Finished};
use std::time::Duration;

/// A step's verdict with its reason.
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) detail: String,
    pub(super) finding: Option<Finding>,
}

impl Judged {
    fn pass(detail: impl Into<String>) -> Judged {
        Judged { verdict: Verdict::Pass, detail: detail.into(), finding: None }
    }
    pub(super) fn not_run(detail: impl Into<String>) -> Judged {
        Judged { verdict: Verdict::NotRun, detail: detail.into(), finding: None }
    }
    fn of(verdict: Verdict, code: &'static str, side: Side, seen: String, advice: &str) -> Judged {
        let finding = Finding::new(code, Severity::Error, side, seen.clone(), advice);
        Judged { verdict, detail: seen, finding: Some(finding) }
    }
    fn fail(code: &'static str, side: Side, seen: String, advice: &str) -> Judged {
        Judged::of(Verdict::Fail, code, side, seen, advice)
    }
    fn open(code: &'static str, side: Side, seen: String, advice: &str) -> Judged {
        Judged::of(Verdict::Inconclusive, code, side, seen, advice)
    }
    fn shown_by(mut self, ended: &Ended) -> Judged {
        self.finding = self.finding.map(|f| f.shown_by(ended.evidence.clone()));
        self
    }
}

/// The registrar could not be asked at all.
pub(super) fn unreached(next_hop: &Destination, unreached: &Unreached) -> Judged {
    match unreached {
        Unreached::Resolve(problem) => Judged::fail(
            "name-not-found",
            Side::Setup,
            problem.clone(),
            "check the spelling of the server's name and the resolver of this host",
        ),
        Unreached::Transport(error) => transport(&error.kind, &format!("{next_hop}: {error}")),
        Unreached::Withheld(Withheld::RetryAfter { .. }) => Judged::of(
            Verdict::NotRun,
            "withheld-retry-after",
            Side::Peer,
            unreached.to_string(),
            "run it again after that time; a smaller rate keeps the registrar from asking for pauses",
        ),
        Unreached::Withheld(Withheld::NeverAnswered { .. }) => Judged::of(
            Verdict::NotRun,
            "withheld-silent",
            Side::Path,
            unreached.to_string(),
            "check server address, port and transport before the rest is asked",
        ),
        Unreached::Withheld(_) => {
            Judged::of(Verdict::NotRun, "suspected-ban", Side::Probe, unreached.to_string(), BAN)
        }
        Unreached::Interrupted(why) => interrupted(*why),
    }
}

/// A shorter wait than this says nothing about the peer: a request has gone out three times by then.
const PATIENCE: Duration = Duration::from_secs(2);

const BAN: &str = "have this host's address unblocked (fail2ban, pike) and put on the allow list, then run at a smaller rate";

fn interrupted(why: Interrupted) -> Judged {
    match why {
        Interrupted::Stopped => {
            Judged::open("stopped", Side::Probe, "stopped before the answer came".into(), "run it again")
        }
        Interrupted::TimeLimit => Judged::open(
            "time-limit",
            Side::Probe,
            "the time for this check was over before it was whole".into(),
            "allow more time (--timeout) if the far side is slow",
        ),
    }
}

fn transport(kind: &TransportErrorKind, seen: &str) -> Judged {
    let seen = seen.to_owned();
    match kind {
        TransportErrorKind::Refused => Judged::fail(
            "port-closed",
            Side::Path,
            seen,
            "nothing listens there for this transport: check port and transport, and whether the service runs",
        ),
        TransportErrorKind::Unreachable | TransportErrorKind::ConnectTimeout => Judged::fail(
            "unreachable",
            Side::Path,
            seen,
            "check the route and the firewall between this host and the server",
        ),
        TransportErrorKind::Closed => Judged::fail(
            "connection-closed",
            Side::Peer,
            seen,
            "the far side hangs up: check its limits and logs for this address",
        ),
        TransportErrorKind::Limit(_) | TransportErrorKind::TooLarge => Judged::open(
            "probe-limit",
            Side::Probe,
            seen,
            "our own limit: lower rate or concurrency, or raise the limit",
        ),
        TransportErrorKind::Io(_) => {
            Judged::open("transport-error", Side::Probe, seen, "this host could not send: check its network")
        }
    }
}

/// Was a command accepted; if not, why?
pub(super) fn accepted(session: &Session, ended: &Ended, step: &str) -> Judged {
    let judged = match &ended.finished {
        _ if ended.interrupted == Some(Interrupted::Stopped) => interrupted(Interrupted::Stopped),
        _ if ended.interrupted.is_some() && ended.took() < PATIENCE => interrupted(Interrupted::TimeLimit),
        _ if ended.failure.is_some() => {
            let text = ended.failure.as_ref().map(ToString::to_string).unwrap_or_default();
            ended
                .failure
                .as_ref()
                .map_or_else(|| interrupted(Interrupted::Stopped), |f| transport(&f.kind, &text))
        }
        Some(finished) => end(session, ended, finished, step),
        None => match ended.interrupted {
            Some(Interrupted::TimeLimit) => no_answer(ended, step),
            other => interrupted(other.unwrap_or(Interrupted::Stopped)),
        },
    };
    judged.shown_by(ended)
}

fn end(session: &Session, ended: &Ended, finished: &Finished, step: &str) -> Judged {
    let tries = finished.requests;
    match &finished.end {
        End::Accepted => Judged::pass(match &finished.answer {
            Some(answer) => {
                format!("{} {} after {tries} request{}", answer.status, answer.reason, plural(tries))
            }
            None => "accepted".to_owned(),
        }),
        End::Timeout | End::TransportFailed => no_answer(ended, step),
        End::CredentialsRefused { stale: false } => credentials_refused(session, finished),
        End::CredentialsRefused { stale: true } => Judged::fail(
            "stale-loop",
            Side::Peer,
            format!("each of {tries} correct digest answers was refused with stale=true and a new nonce"),
            "platform: nodes behind the balancer have to share nonces, or their lifetime is too short",
        ),
        End::NonceRefusedWithoutStale { recovered } => Judged::fail(
            "nonce-refused-without-stale",
            Side::Peer,
            format!(
                "a nonce that was good before was refused without stale=true; {}",
                if *recovered {
                    "a fresh answer was accepted, but a phone may stop here"
                } else {
                    "a fresh answer was refused too"
                }
            ),
            "platform: send stale=true with the new nonce; phone: newer firmware or 'retry on 401'",
        ),
        End::NoChallenge => Judged::fail(
            "no-challenge",
            Side::Peer,
            format!("{} without any challenge", status_of(finished)),
            "platform: an edge or filter answers by itself; a 401 or 407 has to carry a challenge",
        ),
        End::NoSupportedChallenge => Judged::fail(
            "unsupported-challenge",
            Side::Peer,
            format!("only challenges that nobody here can answer: {}", offered(finished)),
            "platform: offer Digest with MD5 or SHA-256 and qop=\"auth\"",
        ),
        End::IntervalTooBrief { without_min_expires: true } => Judged::fail(
            "interval-without-minimum",
            Side::Peer,
            "423 Interval Too Brief without a usable Min-Expires".to_owned(),
            "platform fault: a 423 has to name the minimum (RFC 3261 sec. 10.3)",
        ),
        End::IntervalTooBrief { without_min_expires: false } => Judged::fail(
            "interval-refused-again",
            Side::Peer,
            format!(
                "423 again although Min-Expires ({} s) was obeyed",
                finished.min_expires.unwrap_or_default()
            ),
            "platform fault: it refuses the minimum that it named",
        ),
        End::TooManyRequests => Judged::fail(
            "no-end",
            Side::Peer,
            format!("no end after {tries} requests: {}", status_of(finished)),
            "platform: it goes on challenging or redirecting; see the ladder",
        ),
        End::BadResponse(what) => Judged::fail(
            "answer-unreadable",
            Side::Peer,
            format!("the answer cannot be used: {what}"),
            "platform fault, or a device on the path rewrites messages (SIP ALG): try TCP",
        ),
        End::Refused => match &finished.answer {
            Some(answer) => refused(ended, finished, answer),
            None => Judged::open("refused", Side::Peer, "refused".into(), "see the ladder"),
        },
    }
}

fn plural(n: u32) -> &'static str {
    if n == 1 { "" } else { "s" }
}

fn status_of(finished: &Finished) -> String {
    finished
        .answer
        .as_ref()
        .map_or_else(|| "no response".to_owned(), |a| format!("{} {}", a.status, a.reason))
}

/// The challenges of a command, each once.
pub(super) fn offered(finished: &Finished) -> String {
    let mut texts: Vec<String> = Vec::new();
    for c in &finished.challenges {
        let algorithm = c.algorithm.as_deref().unwrap_or("MD5 by default");
        let qop = c.qop.as_ref().map_or_else(|| "no qop".to_owned(), |qop| format!("qop=\"{qop}\""));
        let text = format!("{} realm=\"{}\" {algorithm} {qop}", c.scheme, c.realm);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join("; ")
}

fn credentials_refused(session: &Session, finished: &Finished) -> Judged {
    let last = finished.challenges.iter().rev().find(|c| c.answered).or(finished.challenges.last());
    let realm = last.map(|c| c.realm.as_str()).unwrap_or_default();
    let algorithm = last.and_then(|c| c.algorithm.as_deref()).unwrap_or("MD5");
    let user = session.user();
    Judged::fail(
        "credentials-refused",
        Side::Setup,
        format!(
            "{} again to a digest answer for user \"{user}\" in realm \"{realm}\" ({algorithm})",
            status_of(finished)
        ),
        "enter the SIP password and auth user of the new platform again; if it stays so, reset the password, or have it hashed anew for this realm",
    )
}

fn no_answer(ended: &Ended, step: &str) -> Judged {
    if let Some(what) = &ended.unreadable {
        return Judged::fail(
            "answer-unreadable",
            Side::Peer,
            format!("an answer came that cannot be read: {what}"),
            "platform: its answer is cut or malformed (a fixed buffer?); try TCP, fewer bindings",
        );
    }
    let remote = ended.flow.remote;
    let waited = ended.took().as_secs_f32();
    if ended.provisional {
        return Judged::fail(
            "no-final-answer",
            Side::Peer,
            format!("{remote} sent a provisional answer to the {step} and no final one in {waited:.1} s"),
            "platform: the registrar behind the proxy does not answer",
        );
    }
    if ended.answered_before > 0 {
        return Judged::open(
            "answers-stopped",
            Side::Probe,
            format!(
                "{remote} answered {} times and then not at all: no answer to the {step} in {waited:.1} s",
                ended.answered_before
            ),
            BAN,
        );
    }
    Judged::fail(
        "no-answer",
        Side::Path,
        format!("no answer from {remote} over {} in {waited:.1} s", ended.flow.transport),
        "try another transport (TCP); check server address, firewall and SIP ALG; the port may be blocked",
    )
}

fn refused(ended: &Ended, finished: &Finished, answer: &Answer) -> Judged {
    let seen = format!("{} {}", answer.status, answer.reason);
    let reason = answer.reason.to_ascii_lowercase();
    let too_many = reason.contains("too many") || reason.contains("max") || reason.contains("contacts");
    let lists_others = !foreign(&answer.bindings).is_empty() && finished.command == Command::Bind;
    match answer.status {
        403 | 503 | 603 if too_many || (lists_others && answer.retry_after.is_none()) => Judged::fail(
            "too-many-bindings",
            Side::Setup,
            format!("{seen}: the account has as many bindings as it may ({} listed)", answer.bindings.len()),
            "remove old devices in the cabinet ('log out everywhere'), then reboot the phone",
        ),
        503 if answer.retry_after.is_some() => Judged::open(
            "overloaded",
            Side::Peer,
            format!(
                "{seen}, Retry-After {} s: obeyed, not asked again",
                answer.retry_after.unwrap_or_default().as_secs()
            ),
            "wait; platform: smaller waves with a longer random back-off",
        ),
        403 if !ended.credentials_sent => Judged::fail(
            "forbidden-before-challenge",
            Side::Setup,
            format!("{seen} at once, without a challenge"),
            "check the account's status, its allowed networks and the domain in the address",
        ),
        403 => Judged::fail(
            "forbidden-after-digest",
            Side::Setup,
            format!("{seen} to an answered challenge"),
            "second line: the account may not be active on the new platform, or not for this transport; a wrong password looks like this on some",
        ),
        404 => Judged::fail(
            "unknown-user",
            Side::Setup,
            format!("{seen}: the registrar does not know this address"),
            "copy the new login exactly: prefix, domain and sub-account may have changed",
        ),
        513 => Judged::fail(
            "message-too-large",
            Side::Peer,
            format!("{seen}: the registrar does not take messages of this size"),
            "platform: a larger buffer; else fewer headers, or TCP",
        ),
        301 | 302 | 305 => Judged::fail(
            "redirected",
            Side::Setup,
            format!("{seen} to {}", contacts(answer)),
            "put the new server into the phone; few phones follow a redirected REGISTER",
        ),
        420 => Judged::fail(
            "extension-refused",
            Side::Peer,
            format!("{seen}: {}", answer.unsupported.join(", ")),
            "switch the extension off on the phone, or on at the edge",
        ),
        408 | 480 | 500..=599 => Judged::fail(
            "registrar-failed",
            Side::Peer,
            seen,
            "the platform answers and cannot register anybody now: look at its logs",
        ),
        _ => Judged::fail(
            "refused",
            Side::Peer,
            seen,
            "the registrar refuses; its reason phrase and log say why",
        ),
    }
}

fn contacts(answer: &Answer) -> String {
    let uris: Vec<&str> = answer.bindings.iter().map(|b| b.uri.as_str()).collect();
    if uris.is_empty() { "nowhere (no Contact)".to_owned() } else { uris.join(", ") }
}

/// Is this registrar one that binds, but answers no queries?
pub(super) fn refuses_only_queries(ended: &Ended) -> bool {
    let refused = ended.finished.as_ref().is_some_and(|f| f.end == End::Refused);
    refused && ended.answer().is_some_and(|a| matches!(a.status, 400 | 405 | 406 | 488 | 501))
}

pub(super) fn query_refused(ended: &Ended) -> Finding {
    let status = ended.finished.as_ref().map(status_of).unwrap_or_default();
    Finding::new(
        "query-refused",
        Severity::Warning,
        Side::Peer,
        format!("{status} to a REGISTER without Contact: other bindings cannot be seen"),
        "platform: a query of the bindings is part of RFC 3261 sec. 10.2.3",
    )
    .shown_by(ended.evidence.clone())
}

/// Is our Contact in the 200, with an expiry that can be used?
pub(super) fn granted(ended: &Ended, asked: u32) -> Judged {
    let Some(answer) = ended.answer() else { return Judged::not_run("no answer") };
    let listed = answer.bindings.iter().find(|b| b.own);
    let judged = match (listed, answer.granted) {
        (_, Some((0, _))) => Judged::fail(
            "zero-expiry",
            Side::Peer,
            format!("{} with an expiry of 0 s: the binding is gone at once", answer.status),
            "platform fault: it takes the registration for a removal",
        ),
        (None, _) if !answer.bindings.is_empty() => Judged::fail(
            "contact-not-listed",
            Side::Peer,
            format!("{} lists {} binding(s), ours is not among them", answer.status, answer.bindings.len()),
            "platform fault: it accepted the registration and did not keep it",
        ),
        (_, None) => Judged::fail(
            "no-expiry",
            Side::Peer,
            format!("{} without an expiry, neither at our Contact nor in an Expires header", answer.status),
            "platform fault: a phone cannot know when to refresh (RFC 3261 sec. 10.3)",
        ),
        (None, Some(_)) => Judged::fail(
            "contact-not-listed",
            Side::Peer,
            format!("{} lists no binding at all", answer.status),
            "platform fault: a 200 has to list the bindings (RFC 3261 sec. 10.3)",
        ),
        (Some(_), Some((seconds, by))) => {
            let place = match by {
                crate::ua::registration::GrantedBy::ContactParam => "at our Contact",
                crate::ua::registration::GrantedBy::ExpiresHeader => "in the Expires header",
            };
            let asked = if asked == seconds { String::new() } else { format!(", asked were {asked} s") };
            Judged::pass(format!("{seconds} s granted {place}{asked}"))
        }
    };
    judged.shown_by(ended)
}

/// Is our binding still there?
pub(super) fn listed(session: &Session, ended: &Ended) -> Judged {
    let judged = accepted(session, ended, "second query");
    if judged.verdict != Verdict::Pass {
        return judged;
    }
    let own = ended.answer().is_some_and(|a| a.bindings.iter().any(|b| b.own && b.expires != Some(0)));
    let judged = if own {
        Judged::pass("our binding is there")
    } else {
        Judged::fail(
            "binding-lost",
            Side::Peer,
            "our binding was accepted and is not there any more".to_owned(),
            "platform: nodes do not share bindings, or another device pushes this one out",
        )
    };
    judged.shown_by(ended)
}

/// Is our binding gone after its removal?
pub(super) fn gone(session: &Session, removed: &Ended, last: &Ended) -> Judged {
    let still = |ended: &Ended| {
        ended.answer().is_some_and(|a| a.bindings.iter().any(|b| b.own && b.expires != Some(0)))
    };
    if refuses_only_queries(last) {
        return Judged::not_run("the registrar answers no queries");
    }
    let judged = accepted(session, last, "last query");
    if judged.verdict != Verdict::Pass {
        return judged;
    }
    let judged = if still(last) {
        let said = if still(removed) { " (the answer to the removal listed it as well)" } else { "" };
        Judged::fail(
            "binding-kept",
            Side::Peer,
            format!(
                "the removal was answered {} and our binding is still there{said}",
                status_of_ended(removed)
            ),
            "platform: match the binding by instance or URI, not by Call-ID; it runs out by itself",
        )
    } else {
        Judged::pass("our binding is gone")
    };
    judged.shown_by(last)
}

fn status_of_ended(ended: &Ended) -> String {
    ended.finished.as_ref().map(status_of).unwrap_or_default()
}
