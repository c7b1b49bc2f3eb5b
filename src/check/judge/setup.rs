//! A call that did not come as far as it was wanted: why, by what its ends saw.

use super::media;
use super::own_end;
use super::refusal::{self, Refused};
use super::request::shown;
use crate::check::judged::{self, Silence, StepVerdict};
use crate::check::scene::Seen;
use crate::check::scene::trace::{MessageKind, Trace, header};
use crate::check::{Finding, Severity, Side};
use crate::message::Message;
use crate::syntax::{HeaderName, Method};
use crate::transport::{Direction, TransportError};
use crate::ua::End;
use crate::ua::call::{By, Cause, Rejection, completed_elsewhere};
use crate::ua::expected::Foreign;
use std::time::{Duration, Instant};

/// Stage that the call was to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum Wanted {
    /// A sign of the far side: ringing, early media, an answer.
    Sign,
    /// Ringing, and no answer yet.
    Ringing,
    /// The answer, by the callee.
    Answer,
}

/// Facts about the setting up of a call.
pub(in crate::check) struct Setup<'a> {
    /// The Request-URI.
    pub(in crate::check) target: &'a str,
    pub(in crate::check) wanted: Wanted,
    /// Time that it had.
    pub(in crate::check) wait: Duration,
    /// The user of the caller's credentials.
    pub(in crate::check) user: &'a str,
    pub(in crate::check) caller_registered: bool,
    /// A redirection is followed once, to the hosts of the account.
    pub(in crate::check) follows_redirects: bool,
    /// Events of the caller's leg.
    pub(in crate::check) seen: &'a Seen,
    /// Its messages.
    pub(in crate::check) trace: &'a Trace,
    /// The callee, where it is ours.
    pub(in crate::check) callee: Option<Callee<'a>>,
    /// Last error that kept bytes from being carried.
    pub(in crate::check) failed: Option<&'a TransportError>,
    /// The circumstances, should nothing have come.
    pub(in crate::check) silence: Silence<'a>,
}

/// The callee of a call, one of ours and registered.
pub(in crate::check) struct Callee<'a> {
    pub(in crate::check) name: &'a str,
    pub(in crate::check) aor: &'a str,
    /// The call itself is to reach it: no menu and no group lies between.
    pub(in crate::check) is_direct: bool,
    /// Live bindings of other devices of its account.
    pub(in crate::check) others: usize,
    /// Events of its leg, where the call came.
    pub(in crate::check) seen: Option<&'a Seen>,
    /// Another device's answer came to the caller before its own, in the same call.
    pub(in crate::check) is_second: bool,
    /// The caller was answered while it rang, and its own later answer has no ACK.
    pub(in crate::check) is_unjoined: bool,
    /// An INVITE that came to it and that its phone had to refuse before any call of it had it: with which status, and why.
    pub(in crate::check) unusable: Option<(u16, String)>,
    /// A call that came to it since and was not taken for this one.
    pub(in crate::check) foreign: Option<&'a Foreign>,
    /// INVITEs that came to it since and that it refused with 486, for it rang or spoke already.
    pub(in crate::check) refused_busy: usize,
    /// It has no other call.
    pub(in crate::check) is_idle: bool,
    /// When the call came to it.
    pub(in crate::check) rang: Option<Instant>,
}

impl Callee<'_> {
    /// Time that it rang until the platform ended that, and why.
    fn given_up(&self) -> Option<(Duration, &[String])> {
        let ended = self.seen?.ended.as_ref()?;
        let is_theirs = ended.by == By::Peer && ended.cause == Cause::Cancelled;
        is_theirs.then(|| {
            (ended.at.saturating_duration_since(self.rang.unwrap_or(ended.at)), ended.reasons.as_slice())
        })
    }
}

/// Judges it.
pub(in crate::check) fn judge(setup: &Setup<'_>) -> StepVerdict {
    let seen = setup.seen;
    if let Some((_, rejection)) = &seen.rejected {
        return rejected(setup, rejection);
    }
    if seen.answered.is_some() {
        return answered(setup);
    }
    if let Some(ended) = &seen.ended {
        return not_taken(setup, ended.by, &ended.cause);
    }
    let came = setup.callee.as_ref().is_some_and(|callee| callee.seen.is_some());
    if seen.rang().is_none() && seen.early_media.is_none() && !came {
        return silent(setup);
    }
    not_answered(setup)
}

/// Nothing came, from whom we called or from where we were sent.
fn silent(setup: &Setup<'_>) -> StepVerdict {
    let Some((status, to)) = &setup.seen.redirected else { return judged::silence(&setup.silence) };
    StepVerdict::fail(
        "redirect-target-silent",
        Side::Setup,
        format!(
            "{} is redirected ({status}) to {to}, and nothing came from there in {:.1} s",
            setup.target,
            setup.silence.waited.as_secs_f64()
        ),
        "the forwarding leads to a place that does not answer, or that cannot be reached from here: change it, or let the platform follow it itself",
    )
}

fn rejected(setup: &Setup<'_>, rejection: &Rejection) -> StepVerdict {
    match (&rejection.end, setup.failed) {
        (End::Timeout, _) => return silent(setup),
        (End::TransportFailed, Some(error)) => {
            let said = format!("the INVITE could not be sent: {error}");
            let asked = (setup.silence.step, setup.silence.remote);
            return judged::lost(&error.kind, &said, setup.silence.unused, asked);
        }
        (End::TransportFailed, None) => {
            let why = setup.seen.not_sent.last().map_or("the connection was lost", String::as_str);
            return StepVerdict::fail(
                "not-sent",
                Side::Path,
                format!("the INVITE could not be sent: {why}"),
                "check server address, port and transport; a redirection may name a place that cannot be reached",
            );
        }
        _ => {}
    }
    let callee = setup.callee.as_ref();
    if let Some(callee) = callee.filter(|callee| callee.seen.is_some_and(|seen| seen.answered.is_some())) {
        let status = rejection
            .status
            .map_or_else(|| "no response".to_owned(), |status| format!("{status} {}", rejection.phrase));
        return StepVerdict::fail(
            "answer-lost",
            Side::Peer,
            format!("{} had answered, and the caller was told {}", callee.name, status.trim_end()),
            "second line: the answer of the callee does not reach the caller; the platform's log of both Call-IDs at that moment",
        );
    }
    let told = || {
        let phrase = rejection.status.map(|status| format!("{status} {}", rejection.phrase));
        phrase.map_or_else(|| "nothing".to_owned(), |phrase| phrase.trim_end().to_owned())
    };
    if let Some(callee) = callee {
        // Both ends are ours: what the platform made of our offer is known.
        if let Some(error) = callee.seen.and_then(|seen| seen.media_failed.as_ref()) {
            return media::offer_refused(callee.name, error, &told());
        }
        if let Some((status, why)) = callee.seen.and_then(Seen::refused_invite) {
            return own_end::refused_here(
                callee.name,
                status,
                why,
                &format!("; the caller was told {}", told()),
            );
        }
        let told = format!("; the caller was told {}", told());
        if let Some((status, why)) = callee.unusable.as_ref().filter(|(status, _)| *status != 400) {
            return own_end::refused_here(callee.name, *status, why, &told);
        }
        if callee.refused_busy > 0 && rejection.status == Some(486) {
            return own_end::busy_with_itself(callee.name, callee.refused_busy, &told);
        }
        if let Some(foreign) = callee.foreign.filter(|_| callee.seen.is_none()) {
            return own_end::foreign(callee.name, foreign, &told);
        }
        if let Some((_, unreadable)) = &callee.unusable {
            return StepVerdict::fail(
                "invite-unreadable",
                Side::Peer,
                format!(
                    "{} got an INVITE that cannot be read ({unreadable}): our end refused it{told}",
                    callee.name
                ),
                "platform: write the header as RFC 3261 sec. 25.1 has it: a name with other characters than letters, digits and -.!%*_+`'~ in quotes, a URI with its scheme",
            );
        }
    }
    // A forwarding of who does not answer, or of who is busy, is told as the forwarding.
    let is_forwarded = rejection.status.is_some_and(|status| (300..400).contains(&status));
    let given_up = callee.and_then(Callee::given_up);
    // Whatever status it then gives: nobody refused, nobody answered.
    if let Some((time, reasons)) = given_up.filter(|_| !is_forwarded) {
        let name = callee.map_or("", |callee| callee.name);
        let status = rejection
            .status
            .map_or_else(String::new, |status| format!(" with {status} {}", rejection.phrase));
        let why =
            if reasons.is_empty() { String::new() } else { format!(", Reason: {}", reasons.join(", ")) };
        if completed_elsewhere(reasons) {
            return StepVerdict::fail(
                "answer-lost",
                Side::Peer,
                format!(
                    "the platform told {name} that another device took the call (CANCEL{why}), and refused the caller{}",
                    status.trim_end()
                ),
                "second line: the answer of the other device does not reach the caller; or the CANCEL of a call that nobody took has a wrong Reason",
            );
        }
        if rejection.status.is_some_and(|status| is_refused_elsewhere(time, status)) {
            return StepVerdict::fail(
                "declined-elsewhere",
                Side::Peer,
                format!(
                    "{name} rang for {:.1} s, then the platform cancelled it{why} and refused the caller{}: something else refused the call",
                    time.as_secs_f64(),
                    status.trim_end()
                ),
                REFUSED_ELSEWHERE,
            );
        }
        return StepVerdict::fail(
            "ringing-given-up",
            Side::Peer,
            format!(
                "{name} rang for {:.1} s, then the platform cancelled it{why} and refused the caller{}",
                time.as_secs_f64(),
                status.trim_end()
            ),
            "its no-answer time is over: let the callee answer sooner (--ring-for), or set a longer time for the account",
        );
    }
    // Whoever was asked in its place is none of ours.
    let redirected = setup.seen.redirected.as_ref();
    let target = redirected.map_or(setup.target, |(_, to)| to.as_str());
    let expected = callee.filter(|callee| callee.is_direct && redirected.is_none());
    let judged = refusal::judge(&Refused {
        rejection,
        response: setup.seen.final_response.as_ref(),
        target,
        registered_callee: expected.map(|callee| callee.name),
        not_rung: expected.filter(|callee| callee.seen.is_none()).map(|callee| callee.is_idle),
        caller_registered: setup.caller_registered,
        follows_redirects: setup.follows_redirects,
        user: setup.user,
    });
    let rang = given_up.zip(callee).map(|((time, _), callee)| {
        format!("{} rang for {:.1} s, then the platform cancelled it", callee.name, time.as_secs_f64())
    });
    let judged = match rang {
        Some(rang) => judged.because(&rang),
        None => judged,
    };
    match redirected {
        Some((status, to)) => judged.because(&format!("{} is redirected ({status}) to {to}", setup.target)),
        None => judged,
    }
}

/// No platform gives up ringing before.
const SHORTEST_RINGING: Duration = Duration::from_millis(1_500);

/// Advice where something else than the callee refused a call.
pub(in crate::check) const REFUSED_ELSEWHERE: &str = "look for another device of the account that is busy or rejects calls, and for a rule that answers for it (do-not-disturb, a limit of calls): a 6xx of one ends the ringing of all (RFC 3261 sec. 16.7); a platform whose no-answer time is over says 408 or 480, and not so soon";

/// Does the end of a ringing after this time, with this status, come from somebody who is busy or refuses, and not from a no-answer time?
pub(in crate::check) fn is_refused_elsewhere(rang_for: Duration, status: u16) -> bool {
    rang_for < SHORTEST_RINGING && matches!(status, 486 | 600 | 603 | 607 | 608)
}

/// Over before anybody answered, and not by a refusal.
fn not_taken(setup: &Setup<'_>, by: By, cause: &Cause) -> StepVerdict {
    match cause {
        Cause::Media(error) => media::unusable("answered, and hung up by us", error),
        Cause::BadConfig(what) => StepVerdict::open(
            "bad-account",
            Side::Setup,
            format!("no request could be written: {what}"),
            "look for quotes and control characters in the account and in the target",
        ),
        _ => StepVerdict::fail(
            "terminated",
            Side::Peer,
            format!(
                "the {} ended the call to {} before it was answered",
                if by == By::Peer { "far side" } else { "probe" },
                setup.target
            ),
            "look at the platform's log for this Call-ID",
        ),
    }
}

/// It rang, and nobody answered in time.
fn not_answered(setup: &Setup<'_>) -> StepVerdict {
    let waited = shown(setup.wait);
    let target = setup.target;
    if let Some((status, to)) = &setup.seen.redirected {
        return StepVerdict::fail(
            "redirect-target-not-answered",
            Side::Setup,
            format!(
                "{} is redirected ({status}) to {to}, which rang and was not answered in {waited}: cancelled",
                setup.callee.as_ref().map_or(target, |callee| callee.name)
            ),
            "look at the forwarding of the callee; this check may have rung whoever answers there",
        );
    }
    let Some(callee) = &setup.callee else {
        return StepVerdict::fail(
            "not-answered",
            Side::Peer,
            format!("{target} rang, and nobody answered in {waited}: cancelled"),
            "try again, or allow more time (--wait)",
        );
    };
    let name = callee.name;
    match callee.seen {
        None => {
            not_delivered(callee, format!("{target} rings, but no INVITE came to {name}, who is registered"))
        }
        Some(Seen { media_failed: Some(error), .. }) => {
            media::offer_refused(name, error, &format!("nothing of it in {waited}"))
        }
        Some(seen) if seen.answered.is_some() => StepVerdict::fail(
            "answer-lost",
            Side::Peer,
            format!("{name} answered, and the caller heard nothing of it in {waited}"),
            "second line: the 200 of the callee is lost on the platform; see the ladder",
        ),
        Some(_) if setup.wanted == Wanted::Ringing => StepVerdict::fail(
            "no-ringing-passed-on",
            Side::Peer,
            format!("{name} rings, and the caller was not told in {waited}"),
            "platform: pass the 180 of the callee on; callers hear silence until somebody answers",
        ),
        Some(_) => StepVerdict::fail(
            "not-answered",
            Side::Peer,
            format!("{name} rang, and was not answered in {waited}"),
            "the callee rings longer than the caller waits, or the platform ended its ringing",
        ),
    }
}

/// Answered, but not as it was wanted: by whom?
fn answered(setup: &Setup<'_>) -> StepVerdict {
    let Some(callee) = &setup.callee else { return StepVerdict::pass("answered") };
    let who = who_answered(setup.seen, setup.trace, setup.target);
    let by_another = |proof: String| {
        StepVerdict::fail(
            "answered-by-another",
            Side::Peer,
            format!("answered, but not by {}: {proof}; the answer is of {who}", callee.name),
            elsewhere(callee),
        )
    };
    match callee.seen {
        None => not_delivered(
            callee,
            format!(
                "answered, but not by {}: no INVITE came to {}; the answer is of {who}",
                callee.name, callee.aor
            ),
        ),
        Some(_) if callee.is_second => StepVerdict::fail(
            "answered-by-another",
            Side::Peer,
            format!(
                "another device answered before {}: its answer came to the caller first, and the later one of {} was hung up by the caller (RFC 3261 sec. 13.2.2.4); the first answer is of {who}",
                callee.name, callee.name
            ),
            "another device of the account takes the calls: call an account without other devices",
        ),
        Some(Seen { answered: Some(own), .. }) if callee.is_unjoined => {
            let before = setup.seen.answered.map_or(Duration::ZERO, |at| own.saturating_duration_since(at));
            StepVerdict::fail(
                "answered-by-another",
                Side::Peer,
                format!(
                    "answered, but not by {0}: somebody else took the call {1:.1} s before {0} answered; {0} was not cancelled then, and its own answer got no ACK; the answer is of {who}",
                    callee.name,
                    before.as_secs_f64()
                ),
                "platform: when one branch has answered, every other one gets a CANCEL (RFC 3261 sec. 16.7 step 10); then look at what takes the call: voice mail, forwarding or another device, and its time",
            )
        }
        Some(seen) => match &seen.ended {
            Some(ended) if completed_elsewhere(&ended.reasons) => StepVerdict::fail(
                "answered-by-another",
                Side::Peer,
                format!(
                    "answered, but not by {}: another device took the call (its CANCEL says Reason: {}); the answer is of {who}",
                    callee.name,
                    ended.reasons.join(", ")
                ),
                "another device of the account answered first, or a pickup of the call: test an account without other devices",
            ),
            Some(ended) if ended.cause == Cause::Cancelled => {
                let rang = callee.given_up().map_or(Duration::ZERO, |(time, _)| time).as_secs_f64();
                by_another(match ended.reasons.as_slice() {
                    [] => format!("it rang for {rang:.1} s and was then cancelled (CANCEL without a Reason)"),
                    reasons => format!(
                        "it rang for {rang:.1} s and was then cancelled (CANCEL, Reason: {})",
                        reasons.join(", ")
                    ),
                })
            }
            Some(_) => by_another("its call was ended by the platform".to_owned()),
            None if seen.answered.is_some() => StepVerdict::pass("answered"),
            None => by_another("it still rings".to_owned()),
        },
    }
}

fn not_delivered(callee: &Callee<'_>, seen: String) -> StepVerdict {
    StepVerdict::fail("not-delivered", Side::Peer, seen, elsewhere(callee))
}

fn elsewhere(callee: &Callee<'_>) -> &'static str {
    if callee.others > 0 {
        "another device of the account, voice mail or forwarding takes the calls: call an account without other devices"
    } else {
        "second line: where does the platform send calls to this account? voice mail, forwarding, a menu, or a binding that calls do not look at"
    }
}

/// Fate of a call in one to three words: the fact `result`. `is_answered_at_all`: a response to the last INVITE came,
/// and be it 100.
pub(in crate::check) fn result(seen: &Seen, callee: Option<&Seen>, is_answered_at_all: bool) -> &'static str {
    let refused = seen.rejected.as_ref().and_then(|(_, rejection)| Some((rejection.status?, rejection)));
    let is_unusable = seen.ended.as_ref().is_some_and(|ended| matches!(ended.cause, Cause::Media(_)));
    match (seen.answered.is_some(), refused) {
        (true, _) => "answered",
        // It was answered, acknowledged and hung up by us: who pays by the call pays for it.
        (false, None) if is_unusable => "answered, unusable",
        (false, Some((status, rejection))) => refusal::result(status, rejection),
        (false, None) if callee.is_some_and(|callee| callee.answered.is_some()) => "answer lost",
        (false, None) if seen.rang().is_some() || callee.is_some() => "not answered",
        (false, None) if is_answered_at_all => "no ringing",
        (false, None) => "unreachable",
    }
}

/// The sender of an answer: its program, and its Contact.
pub(in crate::check) fn answerer(response: &Message) -> String {
    let server = header(response, HeaderName::Server);
    let program = if server.is_empty() { header(response, HeaderName::UserAgent) } else { server };
    let contact = header(response, HeaderName::Contact);
    [program, contact].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" at ")
}

/// The party that answered the caller of `target`, in words: by whom it was redirected to, or by the answer itself.
pub(in crate::check) fn who_answered(caller: &Seen, trace: &Trace, target: &str) -> String {
    match &caller.redirected {
        Some((status, to)) => format!("{to}, to which {target} was redirected ({status})"),
        None => answers(trace).unwrap_or_else(|| "somebody without a name".to_owned()),
    }
}

fn answers(trace: &Trace) -> Option<String> {
    let answer = trace.all(Direction::Received, MessageKind::Response(Method::Invite, 200, 299)).next()?;
    let mut who = answerer(&answer.message);
    // The party that the platform asked in the callee's place.
    for name in [HeaderName::HistoryInfo, HeaderName::Diversion] {
        let shown = header(&answer.message, name);
        if !shown.is_empty() {
            who += &format!(", {}: {shown}", name.as_str());
        }
    }
    Some(who).filter(|who| !who.is_empty())
}

/// Oddities of a call that was answered.
pub(in crate::check) fn odd(seen: &Seen, trace: &Trace, called: Option<Instant>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_ours = called.is_some();
    let early =
        seen.answered.zip(called).map(|(answered, called)| called.saturating_duration_since(answered));
    if let Some(early) = early.filter(|early| !early.is_zero()) {
        findings.push(Finding::new(
            "answered-before-ringing",
            Severity::Info,
            Side::Peer,
            format!("the call was answered {:.1} s before the callee was called", early.as_secs_f64()),
            "usual for queues and menus; callers pay from then on, and hear music or prompts until somebody answers",
        ));
    } else if seen.rang().is_none() {
        findings.push(Finding::new(
            "no-ringing",
            if is_ours { Severity::Warning } else { Severity::Info },
            Side::Peer,
            "answered without ringing: no 180 or 183 came before the 200",
            if is_ours {
                "platform: pass the 180 of the callee on; callers hear silence until somebody answers"
            } else {
                "usual for menus and conferences; a person cannot answer that fast"
            },
        ));
    }
    if let Some((status, target)) = &seen.redirected {
        findings.push(Finding::new(
            "redirect-followed",
            Severity::Info,
            Side::Peer,
            format!("{status} to {target}: followed once"),
            "not every phone follows; platform: follow it itself",
        ));
    }
    if trace.received(MessageKind::Response(Method::Invite, 422, 422)).is_some() {
        findings.push(Finding::new(
            "session-interval",
            Severity::Warning,
            Side::Peer,
            "422 Session Interval Too Small: a second INVITE obeyed it",
            "phones that do not try again cannot call: session timer 1800 or off on them, a smaller Min-SE on the platform",
        ));
    }
    findings
}
