//! Verdicts that the steps of every check share: the transport's failures, silence, and our own interruptions.

use super::judge::unused::{self, Unused};
use super::restraint::Answers;
pub(super) use super::step_verdict::StepVerdict;
use super::{Destination, Finding, Interrupted, Severity, Side, Unreached, Verdict, Withheld};
use crate::message::Flow;
use crate::message::Transport;
use crate::transport::{TransportError, TransportErrorKind};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// The registrar could not be asked at all.
pub(super) fn unreached(next_hop: &Destination, unreached: &Unreached) -> StepVerdict {
    match unreached {
        Unreached::Resolve(problem) => StepVerdict::fail(
            "name-not-found",
            Side::Setup,
            problem.clone(),
            "check the spelling of the server's name and the resolver of this host",
        ),
        Unreached::Transport(error) => transport(&error.kind, &of_hop(next_hop, error)),
        Unreached::Withheld(Withheld::RetryAfter { .. } | Withheld::AccountRetryAfter { .. }) => {
            StepVerdict::of(
                Verdict::NotRun,
                "withheld-retry-after",
                Side::Peer,
                unreached.to_string(),
                "run it again after that time; a smaller rate keeps the registrar from asking for pauses",
            )
        }
        Unreached::Withheld(Withheld::NeverAnswered { .. }) => StepVerdict::of(
            Verdict::NotRun,
            "withheld-silent",
            Side::Path,
            unreached.to_string(),
            "check server address, port and transport before the rest is asked",
        ),
        Unreached::Withheld(_) => {
            StepVerdict::of(Verdict::NotRun, "suspected-ban", Side::Probe, unreached.to_string(), BAN)
        }
        Unreached::Interrupted(why) => interrupted(*why),
    }
}

/// The error, behind the hop's name where it does not say it.
fn of_hop(hop: &Destination, error: &TransportError) -> String {
    let (hop, error) = (hop.to_string(), error.to_string());
    if error.contains(&hop) { error } else { format!("{hop}: {error}") }
}

/// A shorter wait than this says nothing about the peer: a request has gone out three times by then.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

const BAN: &str = "have this host's address unblocked (fail2ban, pike) and put on the allow list, then run at a smaller rate";

const LOGIN_OR_BAN: &str = "check the password: some platforms answer a wrong one with silence, or ban who sends it; else have this host's address unblocked (fail2ban, pike) and put on the allow list, then run at a smaller rate";

/// The sentences of [`interrupted`]; the notebook adds which step it was.
pub(super) const STOPPED: &str = "stopped from outside";
pub(super) const OUT_OF_TIME: &str = "the time for this check ended";

/// We did not wait to the end.
pub(super) fn interrupted(why: Interrupted) -> StepVerdict {
    match why {
        Interrupted::Stopped => StepVerdict::open("stopped", Side::Probe, STOPPED.into(), "run it again"),
        Interrupted::TimeLimit => {
            StepVerdict::open("time-limit", Side::Probe, OUT_OF_TIME.into(), "allow more time (--timeout)")
        }
    }
}

/// Was its connection lost, by which nothing is said of the request: it may be sent again on another connection?
pub(super) fn is_lost(error: &TransportError) -> bool {
    matches!(error.kind, TransportErrorKind::Closed | TransportErrorKind::Unframed(_))
}

/// A request was sent again on another connection, and answered there. `idle`: how long nothing had come on the first when it was closed.
pub(super) fn lost_connection(
    remote: SocketAddr,
    error: Option<&TransportError>,
    idle: Option<Duration>,
    evidence: &Range<usize>,
) -> Finding {
    let (seen, advice) = match error.map(|error| &error.kind) {
        Some(TransportErrorKind::Unframed(why)) => (
            format!(
                "the connection to {remote} was given up under a request ({why}); it was sent again on one of its own"
            ),
            "what could not be read may have been the answer to another request; platform: over TCP each message needs a right Content-Length",
        ),
        // The request had crossed the end of the connection.
        _ if idle.is_some_and(|idle| idle < unused::NOT_IDLE) => {
            return closed_between(idle).shown_by(evidence.clone());
        }
        _ => (
            format!("{remote} closed the connection under a request; it was sent again on a new one"),
            "keep-alives shorter than the far side's idle time; without them a phone loses the next request",
        ),
    };
    Finding::new("connection-lost", Severity::Warning, Side::Peer, seen, advice).shown_by(evidence.clone())
}

/// The far side closed the connection between two requests. `idle`: how long nothing had come on it by then.
pub(super) fn closed_between(idle: Option<Duration>) -> Finding {
    let (seen, advice) = match idle.filter(|idle| *idle < unused::NOT_IDLE) {
        Some(_) => (
            "the far side closed the connection between two requests, right behind its answer; a new one was opened",
            CLOSES_AT_ONCE,
        ),
        None => (
            "the far side closed the connection between two requests; a new one was opened",
            "calls to a phone come over this connection: the far side should keep it open, or the phone send keep-alives",
        ),
    };
    Finding::new(NOT_KEPT, Severity::Warning, Side::Peer, seen, advice)
}

/// The code of connections that are closed behind an answer.
const NOT_KEPT: &str = "connection-not-kept";

/// Was the connection of a binding kept open? `lost`: requests that were lost with a connection that had been open a moment before; one more,
/// the first, may have met the end of it by chance.
pub(super) fn kept(lost: u32) -> Option<StepVerdict> {
    (lost > 0).then(|| {
        StepVerdict::fail(
            NOT_KEPT,
            Side::Peer,
            format!(
                "the far side closes the connection under the next request upon it: {} requests were lost so, and answered on a new one",
                lost + 1
            ),
            CLOSES_AT_ONCE,
        )
    })
}

const CLOSES_AT_ONCE: &str = "platform: keep the connection of a phone open: calls come over it; a server or proxy that closes it behind each answer, a crash or a limit: see its logs";

/// A request whose connection was lost: by what came on it, where something did.
pub(super) fn lost(
    kind: &TransportErrorKind,
    seen: &str,
    unused: Option<&Unused>,
    asked: (&str, SocketAddr),
) -> StepVerdict {
    let by_peer = matches!(
        kind,
        TransportErrorKind::Closed | TransportErrorKind::Unframed(_) | TransportErrorKind::Io(_)
    );
    match unused.filter(|_| by_peer) {
        Some(Unused::Closed { .. }) if *kind != TransportErrorKind::Closed => transport(kind, seen),
        Some(unused) => unused.judge(asked.0, asked.1),
        None => transport(kind, seen),
    }
}

/// Path of requests: where to, and where from.
pub(super) fn way(flow: Flow) -> String {
    format!("{} over {} from {}", flow.remote, flow.transport, flow.local)
}

/// Verdict on an error that kept bytes from being carried.
pub(super) fn transport(kind: &TransportErrorKind, seen: &str) -> StepVerdict {
    let seen = seen.to_owned();
    match kind {
        TransportErrorKind::Refused => StepVerdict::fail(
            "port-closed",
            Side::Path,
            format!("nothing listens there: {seen}"),
            "check port and transport, and whether the service runs",
        ),
        TransportErrorKind::Unreachable | TransportErrorKind::ConnectTimeout => StepVerdict::fail(
            "unreachable",
            Side::Path,
            seen,
            "check the route and the firewall between this host and the server",
        ),
        TransportErrorKind::Unframed(_) => StepVerdict::fail(
            "answer-unreadable",
            Side::Peer,
            seen,
            "platform fault, or a device on the path rewrites messages (SIP ALG): over TCP each message needs a right Content-Length",
        ),
        TransportErrorKind::Closed => StepVerdict::fail(
            "connection-closed",
            Side::Peer,
            seen,
            "the far side hangs up: check its limits and logs for this address",
        ),
        TransportErrorKind::Limit(_) | TransportErrorKind::TooLarge => StepVerdict::open(
            "probe-limit",
            Side::Probe,
            seen,
            "our own limit: lower rate or concurrency, or raise the limit",
        ),
        TransportErrorKind::NotBound(_) => StepVerdict::of(
            Verdict::NotRun,
            "not-bound",
            Side::Setup,
            seen,
            "bind an address of this transport and family (--bind), or ask by another transport (--transport)",
        ),
        TransportErrorKind::Io(_) => StepVerdict::open(
            "transport-error",
            Side::Probe,
            seen,
            "this host could not send: check its network",
        ),
    }
}

/// The circumstances of a request that got no final answer.
pub(super) struct Silence<'a> {
    pub(super) step: &'a str,
    pub(super) remote: SocketAddr,
    pub(super) transport: Transport,
    pub(super) waited: Duration,
    pub(super) provisional: bool,
    /// Answers that the peer gave in this check before.
    pub(super) answered_before: u64,
    /// Answers that it gave to all checks of this probe, where that is known.
    pub(super) answers: Answers,
    /// Another check was answered there meanwhile.
    pub(super) others_go_on: bool,
    /// It is the first with a digest answer, by which nothing was accepted so far.
    pub(super) is_login: bool,
    /// Our own limit of time ended the wait.
    pub(super) is_cut: bool,
    /// Messages that came and were no answer.
    pub(super) unused: Option<&'a Unused>,
    /// Bytes of the request over UDP, and of the largest one that was answered ([`sizes`]).
    pub(super) sizes: (usize, usize),
    /// Requests that the peer sent meanwhile, in words.
    pub(super) requests: Option<&'a str>,
    /// Limit of the probe itself, where it was one.
    pub(super) probe_limit: Option<&'a str>,
}

/// The size of a request that may have been too large for the path.
fn of_size(silence: &Silence<'_>) -> String {
    match silence.sizes {
        (size, _) if silence.transport == Transport::Udp && size > unused::LARGE => {
            format!("; the request has {size} bytes, and some paths drop datagrams over 1,300 bytes")
        }
        _ => String::new(),
    }
}

/// Our own limit of time ended the wait before it said anything of the peer.
fn out_of_time(silence: &Silence<'_>) -> StepVerdict {
    let Silence { step, remote, answers, .. } = silence;
    if answers.number == 0 {
        return interrupted(Interrupted::TimeLimit);
    }
    StepVerdict::open(
        "time-limit",
        Side::Probe,
        format!(
            "{OUT_OF_TIME} {:.1} s after the {step} was sent; an answer of {remote} took up to {:.1} s so far",
            silence.waited.as_secs_f32(),
            answers.slowest.as_secs_f32()
        ),
        match answers.slowest >= SLOW {
            true => {
                "allow more time (--timeout); platform: look why its answers are so slow (load, database, name server): phones send each request again meanwhile, and may give up"
            }
            false => "allow more time (--timeout)",
        },
    )
}

/// A registrar that takes longer for an answer is slow: phones have sent their request twice by then.
const SLOW: Duration = Duration::from_secs(1);

/// No final answer: what that says.
pub(super) fn silence(silence: &Silence<'_>) -> StepVerdict {
    let Silence { step, remote, transport, answered_before, .. } = silence;
    let waited = silence.waited.as_secs_f32();
    if let Some(unused) = silence.unused.filter(|unused| !matches!(unused, Unused::Closed { .. })) {
        unused.judge(step, *remote)
    } else if let Some(how) = silence.probe_limit {
        StepVerdict::open(
            "probe-limit",
            Side::Probe,
            format!(
                "no answer to the {step} from {remote} in {waited:.1} s, but the probe was the limit: {how}"
            ),
            "this host did not keep up: lower rate or concurrency, give it a processor, and run it again",
        )
    } else if silence.provisional {
        StepVerdict::fail(
            "no-final-answer",
            Side::Peer,
            format!("{remote} sent a provisional answer to the {step} and no final one in {waited:.1} s"),
            "platform: the server behind the proxy does not answer",
        )
    } else if *transport == Transport::Udp && unused::is_dropped_for_its_size(silence.sizes) {
        let (size, answered) = silence.sizes;
        StepVerdict::fail(
            "large-request-dropped",
            Side::Path,
            format!(
                "no answer from {remote} to the {step} of {size} bytes over UDP in {waited:.1} s; requests up to {answered} bytes were answered: the path drops what is over 1,300 bytes or so"
            ),
            "use TCP for this account: a datagram of this size is cut into fragments, which firewalls and NATs drop (RFC 3261 sec. 18.1.1); platform: open TCP, shorter nonces and headers",
        )
    } else if let Some(requests) = silence.requests {
        StepVerdict::fail(
            "asks-and-does-not-answer",
            Side::Peer,
            format!(
                "no answer to the {step} from {remote} over {transport} in {waited:.1} s, although {requests}: the way from there to here is open"
            ),
            "platform: does the request arrive (its trace), and what drops it there? A firewall that lets one direction through is the other cause",
        )
    } else if silence.is_cut && (silence.waited < PATIENCE || !silence.answers.are_overdue(silence.waited)) {
        out_of_time(silence)
    } else if silence.others_go_on {
        StepVerdict::fail(
            "request-dropped",
            Side::Peer,
            format!(
                "no answer to the {step} from {remote} over {transport} in {waited:.1} s, and requests of other accounts were answered there meanwhile: this host is not blocked"
            ),
            "check the password first: some platforms answer a wrong one with silence, or lock the account; platform: look for this Call-ID in its log: what drops the requests of this account, and not those of others?",
        )
    } else if *answered_before == 0 && silence.answers.number > 0 {
        StepVerdict::open(
            "answers-stopped",
            Side::Probe,
            format!(
                "{remote} answered other checks of this run ({} answers) and then not at all: no answer to the {step} in {waited:.1} s",
                silence.answers.number
            ),
            BAN,
        )
    } else if *answered_before > 0 {
        let times =
            if *answered_before == 1 { "once".to_owned() } else { format!("{answered_before} times") };
        StepVerdict::open(
            "answers-stopped",
            Side::Probe,
            format!(
                "{remote} answered {times} and then not at all: no answer to the {step}{} in {waited:.1} s",
                if silence.is_login { " with our digest answer" } else { "" }
            ),
            if silence.is_login { LOGIN_OR_BAN } else { BAN },
        )
    } else {
        StepVerdict::fail(
            "no-answer",
            Side::Path,
            format!("no answer from {remote} over {transport} in {waited:.1} s{}", of_size(silence)),
            match transport {
                Transport::Udp => {
                    "try another transport (TCP); check server address, firewall and SIP ALG; the port may be blocked"
                }
                _ => {
                    "it takes the connection and does not answer: check server address and port, and which program listens there; try another transport"
                }
            },
        )
    }
}
