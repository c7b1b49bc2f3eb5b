//! Bytes and messages that came while an answer was waited for, and could not be taken for it: never silence.

mod asked;
mod sizes;

pub(in crate::check) use sizes::{is_dropped_for_its_size, sizes};

use self::asked::Asked;
use super::quote::quoted;
use crate::check::Side;
use crate::check::step_verdict::StepVerdict;
use crate::message::{Flow, Message};
use crate::syntax::{HeaderName, Limit, Limits, SyntaxError, SyntaxErrorKind};
use crate::transport::{Direction, Record, RecordEvent};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// Datagrams beyond this size are cut into fragments on most paths, and dropped on some (RFC 3261 sec. 18.1.1).
pub(in crate::check) const LARGE: usize = 1_300;

/// Size in bytes that no answer's body has: a Content-Length of that much means something else.
const ABSURD: usize = 1 << 20;

/// Something that came and was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) enum Unused {
    /// A response with a branch that we did not send.
    Branch { status: String },
    /// A response with more than one Via (RFC 3261 sec. 8.1.3.3).
    SecondVia { status: String, via: String },
    /// A response with another CSeq.
    Cseq { status: String, came: String, asked: String },
    /// A response whose Via or CSeq cannot be read.
    Header { status: String, problem: String },
    /// A response with a status that there is not.
    Status { status: String },
    /// Our own request.
    Reflected,
    /// Bytes that are not SIP.
    NotSip { what: Alien, length: usize, start: String },
    /// The beginning of a message, and nothing behind it.
    Partial { length: usize, body: Option<(usize, u32)> },
    /// A message that comes in pieces, and whose end had not come by then: the bytes of it, and the time between its first piece and the last.
    Slow { length: usize, took: Duration },
    /// Line ends or empty datagrams (keep-alives), this number of times.
    KeepAlives { times: usize },
    /// A message on a stream that does not say where it ends (RFC 3261 sec. 18.3).
    NoContentLength,
    /// A message that says so twice, and differently.
    ContentLengths { values: Vec<String> },
    /// A message that announces a body beyond all limits, of which nothing came.
    Announced { bytes: u32 },
    /// Bytes on a connection, right behind a message that ended where its Content-Length says.
    Behind { message: String, declared: Option<u32>, length: usize, start: String },
    /// A message that cannot be read; the line that is wrong.
    Unreadable { line: String, length: usize, error: SyntaxError },
    /// A message beyond a limit of ours.
    OverLimit { limit: Limit, length: usize },
    /// The connection was closed without a byte, this number of times; SIP had been spoken with the same peer this long before.
    Closed { times: usize, spoke: Option<Duration> },
}

/// The program that speaks something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum Alien {
    Tls,
    Ssh,
    Http,
    Other,
}

/// The last thing that came in `range` of these records and is no answer to a request in them.
pub(in crate::check) fn unused(records: &[Record], range: Range<usize>) -> Option<Unused> {
    let until = records.get(..range.end).unwrap_or(records);
    let sent = Asked::of(until);
    let came = (range.start..until.len()).filter_map(|index| match &until[index].event {
        RecordEvent::Malformed { .. } => unread(until, index),
        _ => unmatched(&message(&until[index], Direction::Received)?, &sent),
    });
    // A message that was nearly an answer says more than bytes that are none, and those more than line ends.
    let telling = |unused: &Unused| match unused {
        Unused::KeepAlives { .. } => 0,
        Unused::NotSip { .. } | Unused::Partial { .. } | Unused::Unreadable { .. } => 1,
        _ => 2,
    };
    match came.max_by_key(telling).or_else(|| closed(until, range.start)) {
        Some(Unused::Partial { length, body }) => {
            Some(slow(&until[range.start.min(until.len())..]).unwrap_or(Unused::Partial { length, body }))
        }
        Some(Unused::KeepAlives { .. }) => {
            let within = &until[range.start.min(until.len())..];
            let times = within.iter().filter(|record| matches!(&record.event, RecordEvent::Malformed { bytes, .. } if is_keep_alive(bytes)));
            Some(Unused::KeepAlives { times: times.count() })
        }
        other => other,
    }
}

fn is_keep_alive(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// The last message of which these records hold the beginning more than once, each time longer: it comes slowly.
fn slow(records: &[Record]) -> Option<Unused> {
    let parts = || {
        records.iter().filter_map(|record| match &record.event {
            RecordEvent::Malformed { bytes, length, error }
                if error.kind == SyntaxErrorKind::Truncated && !is_keep_alive(bytes) =>
            {
                Some((record, bytes, *length))
            }
            _ => None,
        })
    };
    let (last, whole, length) = parts().last()?;
    let mut same = parts().filter(|(record, part, shorter)| {
        record.flow == last.flow && *shorter < length && whole.starts_with(part)
    });
    let (first, ..) = same.next()?;
    Some(Unused::Slow { length, took: last.at.saturating_duration_since(first.at) })
}

/// Kind of bytes that could not be read: the record of this number.
pub(in crate::check) fn unread(records: &[Record], index: usize) -> Option<Unused> {
    let record = records.get(index)?;
    let RecordEvent::Malformed { bytes, length, error } = &record.event else { return None };
    let unread = malformed(bytes, *length, *error);
    // What is left of a body stands in front of the next answer, or alone.
    let next = memchr::memmem::find(bytes, b"SIP/2.0 ").filter(|at| !bytes[..*at].contains(&b'\n'));
    let rest = match &unread {
        Unused::NotSip { what: Alien::Other, .. } => {
            Some((next.unwrap_or(bytes.len()), next.unwrap_or(*length)))
        }
        Unused::Unreadable { .. } => next.filter(|at| *at > 0).map(|at| (at, at)),
        _ => None,
    };
    let Some((end, length)) = rest.filter(|_| record.flow.transport.is_reliable()) else {
        return Some(unread);
    };
    let before = records[..index].iter().rev().filter(|before| before.flow == record.flow);
    let Some(message) = before.filter_map(|before| message(before, Direction::Received)).next() else {
        return Some(unread);
    };
    let start = start_of(&bytes[..end]);
    let declared = content_length(message.as_bytes()).and_then(Result::ok);
    Some(Unused::Behind { message: line_of(&message), declared, length, start })
}

/// The start line of a message, as it is told: a status with its phrase, or a method.
pub(in crate::check) fn line_of(message: &Message) -> String {
    match message.status() {
        Some(status) => {
            format!("{status} {}", quoted(message.reason().unwrap_or_default())).trim_end().to_owned()
        }
        None => message.method().map_or_else(String::new, |method| quoted(method.as_bytes())),
    }
}

/// The requests that came in `range` from who was asked and to where the question was sent from, in words: the way between both is open.
pub(in crate::check) fn requests(records: &[Record], range: Range<usize>) -> Option<String> {
    let within = records.get(range)?;
    let flow = within.iter().find_map(|record| match &record.event {
        RecordEvent::Message { direction: Direction::Sent, bytes, .. } if !bytes.starts_with(b"SIP/") => {
            Some(record.flow)
        }
        _ => None,
    })?;
    let came =
        within.iter().filter(|record| record.flow.remote == flow.remote && record.flow.local == flow.local);
    let came: Vec<Message> =
        came.filter_map(|record| message(record, Direction::Received)).filter(Message::is_request).collect();
    let mut methods: Vec<String> = came.iter().map(line_of).collect();
    let number = methods.len();
    methods.sort_unstable();
    methods.dedup();
    match number {
        0 => None,
        1 => Some(format!("a request of its own came from there ({})", methods.join(", "))),
        _ => Some(format!("{number} requests of its own came from there ({})", methods.join(", "))),
    }
}

/// Kind of bytes that could not be read; `length` is theirs before they were cut for the record.
fn malformed(bytes: &[u8], length: usize, error: SyntaxError) -> Unused {
    if is_keep_alive(bytes) {
        return Unused::KeepAlives { times: 1 };
    }
    if let SyntaxErrorKind::Limit(limit) = error.kind {
        // The head of a message that is really as long has a part of its body with it.
        let body = head_length(bytes).map(|head| length.saturating_sub(head));
        return match (content_length(bytes), body) {
            (Some(Ok(bytes)), Some(0)) if limit == Limit::MessageSize => Unused::Announced { bytes },
            (Some(Ok(bytes)), Some(_)) if limit == Limit::MessageSize && bytes as usize > ABSURD => {
                Unused::Announced { bytes }
            }
            _ => Unused::OverLimit { limit, length },
        };
    }
    if error.kind == SyntaxErrorKind::ContentLength {
        let values = content_lengths(bytes);
        if values.len() > 1 {
            return Unused::ContentLengths { values };
        }
    }
    if let Some(what) = alien(bytes) {
        return Unused::NotSip { what, length, start: start_of(bytes) };
    }
    let head = head_length(bytes);
    let declared = content_length(bytes);
    match (error.kind, head, &declared) {
        (SyntaxErrorKind::ContentLength, Some(_), None) => Unused::NoContentLength,
        (SyntaxErrorKind::ContentLength | SyntaxErrorKind::Truncated, Some(head), Some(Ok(wanted)))
            if length.saturating_sub(head) < *wanted as usize =>
        {
            Unused::Partial { length, body: Some((length.saturating_sub(head), *wanted)) }
        }
        (SyntaxErrorKind::Truncated, ..) => Unused::Partial { length, body: None },
        _ => Unused::Unreadable { line: line_at(bytes, error), length, error },
    }
}

fn message(record: &Record, wanted: Direction) -> Option<Message> {
    match &record.event {
        RecordEvent::Message { direction, bytes, .. } if *direction == wanted => {
            Message::parse(bytes.clone(), &Limits::default()).ok()
        }
        _ => None,
    }
}

/// Why this message is no answer to any of these; `None` where it is one, or has nothing to do with them.
fn unmatched(came: &Message, sent: &Asked) -> Option<Unused> {
    let by_branch = sent.by_branch(came);
    let Some(status) = came.status() else {
        let same = by_branch.filter(|request| request.method() == came.method())?;
        return (same.call_id().ok() == came.call_id().ok()).then_some(Unused::Reflected);
    };
    let line = format!("{status} {}", quoted(came.reason().unwrap_or_default())).trim_end().to_owned();
    let vias: Vec<String> = came.values(HeaderName::Via).map(quoted).collect();
    if let [first, second, ..] = &vias[..] {
        let ours = sent.branches().any(|ours| memchr::memmem::find(second.as_bytes(), ours).is_some());
        return Some(Unused::SecondVia { status: line, via: if ours { first } else { second }.clone() });
    }
    let request = match by_branch {
        Some(request) => request,
        // Others of this probe ask the same peer: of another branch, it is ours by its Call-ID or by who asks.
        None if !sent.is_alike(came) => return None,
        None => match came.top_via() {
            Ok(via) if via.branch().is_some() => return Some(Unused::Branch { status: line }),
            Ok(_) => return Some(Unused::Header { status: line, problem: "Via has no branch".to_owned() }),
            Err(error) => return Some(Unused::Header { status: line, problem: error.to_string() }),
        },
    };
    let asked = request.header(HeaderName::CSeq).map(quoted).unwrap_or_default();
    let cseq = match came.cseq() {
        Ok(cseq) => cseq,
        Err(error) => return Some(Unused::Header { status: line, problem: error.to_string() }),
    };
    let is_same = request.cseq().is_ok_and(|ours| ours.number == cseq.number && ours.method == cseq.method);
    if !is_same {
        let came = came.header(HeaderName::CSeq).map(quoted).unwrap_or_default();
        return Some(Unused::Cseq { status: line, came, asked });
    }
    (!(100..700).contains(&status)).then_some(Unused::Status { status: line })
}

/// Connections that ended and had carried nothing to us, from this record on.
fn closed(records: &[Record], from: usize) -> Option<Unused> {
    let is_closed = |record: &&Record| matches!(record.event, RecordEvent::Closed(_));
    let within = records.get(from..).unwrap_or_default();
    let first = within.iter().find(is_closed)?;
    Some(Unused::Closed {
        times: within.iter().filter(is_closed).count(),
        spoke: since_spoken(records, first),
    })
}

/// The time between a record and the last message that came from the same peer by the same transport before.
fn since_spoken(records: &[Record], end: &Record) -> Option<Duration> {
    let is_same = |flow: Flow| flow.remote == end.flow.remote && flow.transport == end.flow.transport;
    let spoke = records.iter().rev().find(|record| {
        let came = matches!(record.event, RecordEvent::Message { direction: Direction::Received, .. });
        came && is_same(record.flow) && record.at <= end.at
    });
    spoke.map(|record| end.at.saturating_duration_since(record.at))
}

/// Time for which nothing had come on a connection when it was closed: the last one that was. `None` where nothing had come before.
pub(in crate::check) fn idle(records: &[Record]) -> Option<Duration> {
    let end = records.iter().rfind(|record| matches!(record.event, RecordEvent::Closed(_)))?;
    since_spoken(records, end)
}

/// Shorter than any time after which a server closes an idle connection.
pub(in crate::check) const NOT_IDLE: Duration = Duration::from_secs(5);

fn alien(bytes: &[u8]) -> Option<Alien> {
    let starts = |text: &[u8]| bytes.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
    match bytes {
        [20..=23, 3, 0..=4, ..] => Some(Alien::Tls),
        _ if starts(b"SSH-") => Some(Alien::Ssh),
        _ if starts(b"HTTP/") => Some(Alien::Http),
        _ => {
            let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
            let upper = line.to_ascii_uppercase();
            match memchr::memmem::find(&upper, b"SIP/") {
                Some(_) => None,
                None if memchr::memmem::find(&upper, b" HTTP/").is_some() => Some(Alien::Http),
                // The beginning of a start line may be cut in front of its version.
                None if b"SIP/2.0".starts_with(&upper) && !upper.is_empty() => None,
                None => Some(Alien::Other),
            }
        }
    }
}

/// The first bytes: as text where they are text, else in hex.
fn start_of(bytes: &[u8]) -> String {
    let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default().trim_ascii();
    if line.is_empty() || line.iter().any(|b| b.is_ascii_control()) {
        let hex: Vec<String> = bytes.iter().take(16).map(|b| format!("{b:02x}")).collect();
        return hex.join(" ");
    }
    quoted(&line[..line.len().min(60)])
}

fn head_length(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n\r\n")
        .map(|at| at + 4)
        .or_else(|| memchr::memmem::find(bytes, b"\n\n").map(|at| at + 2))
}

/// Value of Content-Length; `None` where there is none.
fn content_length(bytes: &[u8]) -> Option<Result<u32, ()>> {
    content_lengths(bytes).first().map(|value| value.parse().map_err(|_| ()))
}

/// The values of all Content-Length lines, as they came.
fn content_lengths(bytes: &[u8]) -> Vec<String> {
    let head = bytes.get(..head_length(bytes).unwrap_or(bytes.len())).unwrap_or_default();
    let lines = head.split(|&b| b == b'\n').skip(1).filter_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let is_it = HeaderName::from_bytes(line[..colon].trim_ascii()) == HeaderName::ContentLength;
        is_it.then(|| quoted(&line[colon + 1..]))
    });
    lines.collect()
}

/// The line in which an error is.
fn line_at(bytes: &[u8], error: SyntaxError) -> String {
    let at = error.offset.min(bytes.len());
    let start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |lf| lf + 1);
    let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |lf| at + lf);
    quoted(bytes[start..end].trim_ascii())
}

impl Unused {
    /// In one sentence, where it is told beside answers that were good; `None` for what cannot be beside them.
    pub(in crate::check) fn beside_answers(&self) -> Option<(String, &'static str)> {
        match self {
            Unused::Behind { message, declared, length, start } => {
                Some((behind(message, *declared, *length, start), BEHIND))
            }
            _ => None,
        }
    }

    /// Meaning for the request that it was no answer to.
    pub(in crate::check) fn judge(&self, step: &str, remote: SocketAddr) -> StepVerdict {
        const REWRITTEN: &str = "platform fault, or a device on the path rewrites messages (SIP ALG): compare request and answer in the ladder";
        let open =
            |says: String| format!("an answer to the {step} came from {remote} and cannot be used: {says}");
        let (side, code, seen, advice) = match self {
            Unused::Branch { status } => (
                Side::Peer,
                "answer-unmatched",
                open(format!("{status} with another Via branch than the request's (RFC 3261 sec. 8.2.6.2)")),
                REWRITTEN,
            ),
            Unused::SecondVia { status, via } => (
                Side::Peer,
                "answer-unmatched",
                open(format!(
                    "{status} has a second Via ({via}), so it was not meant for us (RFC 3261 sec. 8.1.3.3)"
                )),
                "platform: the proxy that adds a Via has to take it off again from the answer",
            ),
            Unused::Cseq { status, came, asked } => (
                Side::Peer,
                "answer-unmatched",
                open(format!(
                    "{status} with CSeq \"{came}\" where \"{asked}\" was asked (RFC 3261 sec. 8.2.6.2)"
                )),
                "platform fault: an answer repeats the CSeq of its request, letter by letter",
            ),
            Unused::Header { status, problem } => {
                (Side::Peer, "answer-unmatched", open(format!("{status}: {problem}")), REWRITTEN)
            }
            Unused::Status { status } => (
                Side::Peer,
                "answer-unmatched",
                open(format!("{status}: there is no such status (100 to 699)")),
                "platform fault: find out which program answers with it; no phone takes it",
            ),
            Unused::Reflected => (
                Side::Path,
                "request-came-back",
                format!("our own {step} came back from {remote} unchanged: an echo or a loop, and no answer"),
                "check server address and port: an echo service, a loop of routes or a port forwarding back to us is there",
            ),
            Unused::NotSip { what, length, start } => {
                let (who, advice) = match what {
                    Alien::Tls => (
                        "TLS",
                        "the port speaks TLS: take the port for plain SIP (5060), or a client with TLS (5061)",
                    ),
                    Alien::Ssh => ("SSH", "that is an SSH server: check the port"),
                    Alien::Http => {
                        ("HTTP", "that is a web server, or a gateway for HTTP: check address and port")
                    }
                    Alien::Other => ("no SIP", "another service has this port: check address and port"),
                };
                (
                    Side::Peer,
                    "not-sip",
                    format!(
                        "{length} bytes came from {remote} upon the {step} and are no SIP message but {who}: {start}"
                    )
                    .replace("no SIP message but no SIP", "no SIP message"),
                    advice,
                )
            }
            Unused::Partial { length, body: Some((came, wanted)) } => (
                Side::Peer,
                "answer-unreadable",
                format!(
                    "an answer came that cannot be read: a part of a message, {length} bytes: Content-Length is {wanted}, and {came} bytes of the body came"
                ),
                "platform: its answer is cut, or its Content-Length is wrong",
            ),
            Unused::Partial { length, body: None } => (
                Side::Peer,
                "answer-unreadable",
                format!(
                    "an answer came that cannot be read: a part of a message, {length} bytes without the end of the head"
                ),
                "platform: its answer is cut: a fixed buffer, or a relay that ends too early",
            ),
            Unused::Slow { length, took } => (
                Side::Peer,
                "answer-in-pieces",
                format!(
                    "the answer to the {step} comes from {remote} in small pieces: {length} bytes of it in {} and more, and its end had not come",
                    in_words(*took)
                ),
                "platform, or a relay before it, is overloaded or stalls, or slows this address down on purpose (a tarpit against scanners): phones give up as well",
            ),
            Unused::KeepAlives { times } => (
                Side::Peer,
                "only-keep-alives",
                format!(
                    "no answer to the {step} came from {remote}; what came from there {} nothing but line ends (a keep-alive): the way from there to here is open",
                    if *times == 1 { "is".to_owned() } else { format!("{times} times is") }
                ),
                "platform: does the request arrive (its trace), and what drops it there? A ban of this address or a firewall that lets one direction through are the other causes",
            ),
            Unused::NoContentLength => (
                Side::Peer,
                "no-content-length",
                format!(
                    "an answer came from {remote} over a connection without Content-Length: nobody can tell where it ends (RFC 3261 sec. 20.14)"
                ),
                "platform fault: Content-Length is a must on TCP and TLS (RFC 3261 sec. 18.3)",
            ),
            Unused::ContentLengths { values } => (
                Side::Peer,
                "content-length-wrong",
                format!(
                    "an answer came from {remote} with {} Content-Length headers that differ ({}): nobody can tell where it ends",
                    values.len(),
                    values.join(", ")
                ),
                "platform fault, or a relay adds one of its own: a message has one Content-Length (RFC 3261 sec. 20.14)",
            ),
            Unused::Announced { bytes } => (
                Side::Peer,
                "content-length-wrong",
                format!(
                    "an answer came from {remote} whose Content-Length announces {bytes} bytes of body, and no such body came"
                ),
                "platform fault: Content-Length is the number of bytes behind the head (RFC 3261 sec. 20.14); phones wait for the rest, or close the connection",
            ),
            Unused::Behind { message, declared, length, start } => {
                (Side::Peer, "content-length-wrong", behind(message, *declared, *length, start), BEHIND)
            }
            Unused::Unreadable { line, error, .. } => (
                Side::Peer,
                "answer-unreadable",
                format!("an answer came that cannot be read: {}: {line}", error.kind),
                "platform fault: look at the line that is quoted; a device on the path may write it (SIP ALG)",
            ),
            Unused::OverLimit { limit, length } => {
                return StepVerdict::open(
                    "probe-limit",
                    Side::Probe,
                    format!("an answer of {length} bytes came and is over our own limit for {limit}"),
                    "our own limit, not the platform's; phones have limits as well: fewer or shorter bindings and headers",
                );
            }
            Unused::Closed { times, spoke } => (
                Side::Peer,
                "connection-closed",
                format!(
                    "{remote} closed the connection upon the {step} without a byte{}{}",
                    match times {
                        1 => String::new(),
                        2 => ", twice".to_owned(),
                        times => format!(", {times} times"),
                    },
                    spoke.map_or(String::new(), |ago| format!(
                        "; it had answered in SIP {} before",
                        in_words(ago)
                    ))
                ),
                match spoke {
                    Some(_) => {
                        "platform, or a firewall in front of it: it breaks off at this request (a crash, a rule, a limit of size or rate): compare it with those that were answered, and see its logs"
                    }
                    None => {
                        "the far side hangs up at the request: another protocol on this port (TLS?), or a limit or list that has this address: see its logs"
                    }
                },
            ),
        };
        StepVerdict::fail(code, side, seen, advice)
    }
}

const BEHIND: &str = "platform fault: Content-Length is the number of bytes behind the head (RFC 3261 sec. 20.14); phones take what is left for the next message, and close the connection";

/// Bytes behind a message that ended where its Content-Length says, in words.
fn behind(message: &str, declared: Option<u32>, length: usize, start: &str) -> String {
    let declared = declared
        .map_or_else(|| "which has no Content-Length".to_owned(), |n| format!("whose Content-Length is {n}"));
    format!(
        "{length} bytes came behind the {message}, {declared}, and are no SIP message: {start}: its body is longer than it says"
    )
}

/// A short time, in words.
pub(in crate::check) fn in_words(time: Duration) -> String {
    match time.as_millis() {
        ms @ 0..1_000 => format!("{ms} ms"),
        _ => format!("{:.1} s", time.as_secs_f32()),
    }
}
