//! Observations of an answer beside its verdict: facts, and findings that do not fail the check.

use super::bindings::{Foreign, advice_on_left, devices, missing, twice};
use super::contact;
use super::ended::Ended;
use super::judge::offered;
use super::session::Session;
use crate::auth::Charset;
use crate::check::challenged::is_digest;
use crate::check::judge::form::odd_form;
use crate::check::judge::quote::quoted;
use crate::check::judge::unlike;
use crate::check::judged::StepVerdict;
use crate::check::{Finding, MetricValue, Run, Severity, Side};
use crate::message::{Flow, Message};
use crate::ua::registration::{Answer, Command, End, Finished, Offered, SUPPORTED};
use std::ops::Range;

/// Bindings that are shown one by one; the rest is counted.
const SHOWN: usize = 10;

/// Everything worth saying about one ended command.
pub(in crate::check) fn answer(run: &mut Run, session: &Session, ended: &Ended) {
    run.fact("transport", ended.flow.transport.to_string());
    if ended.flow.transport != session.flow().transport {
        run.find(switched(session, ended));
    }
    if let Some(from) = ended.answered_from
        && let Some(finding) = from_elsewhere(from, ended.flow)
        && !run.findings().iter().any(|known| known.code == finding.code)
    {
        run.find(finding.shown_by(ended.evidence.clone()));
    }
    rewritten(run, ended);
    let Some(finished) = &ended.finished else { return };
    if finished.charset == Charset::Latin1 && ended.accepted() {
        run.find(
            Finding::new(
                "password-in-latin-1",
                Severity::Warning,
                Side::Peer,
                "user name and password are accepted in ISO-8859-1 and were refused in UTF-8",
                "use a password of ASCII characters: what a phone sends for others is left to chance",
            )
            .shown_by(ended.evidence.clone()),
        );
    }
    challenges(run, session, ended, finished);
    if let Some(minimum) = finished.min_expires
        && finished.end == End::Accepted
    {
        run.find(
            Finding::new(
                "min-expires",
                Severity::Warning,
                Side::Setup,
                format!("423 Interval Too Brief: the registrar wants at least {minimum} s; obeyed"),
                "phones with a shorter registration time have to be set to this one; some do not obey by themselves",
            )
            .shown_by(ended.evidence.clone()),
        );
    }
    if let Some(answer) = &finished.answer {
        answer_facts(run, ended, answer);
        odd_lines(run, answer.message(), &ended.evidence);
        if ended.accepted() {
            oddities(run, session, ended, (finished, answer));
        }
        if ended.accepted() && finished.command == Command::Bind {
            binding_facts(run, ended, (finished, answer));
        }
    }
}

/// An answer that did not come from where the request went; `None` where it did.
pub(in crate::check) fn from_elsewhere(from: Flow, asked: Flow) -> Option<Finding> {
    (from.remote != asked.remote).then(|| {
        Finding::new(
            "answer-from-elsewhere",
            Severity::Warning,
            Side::Peer,
            format!("the answer came from {}, the request went to {}", from.remote, asked.remote),
            "firewalls, NATs and phones drop such answers: the platform has to answer from the address and port that were asked (RFC 3581 sec. 4)",
        )
    })
}

/// Headers that an answer gave back changed; told once: one that is changed in one answer is changed in all.
pub(in crate::check) fn rewritten(run: &mut Run, ended: &Ended) {
    if let Some(finding) = unlike::finding(&ended.unlike)
        && !run.findings().iter().any(|known| known.code == finding.code)
    {
        run.find(finding.shown_by(ended.evidence.clone()));
    }
}

fn switched(session: &Session, ended: &Ended) -> Finding {
    Finding::new(
        "transport-switched",
        Severity::Info,
        Side::Probe,
        format!("a request too large for {} went by {}", session.flow().transport, ended.flow.transport),
        "phones do the same (RFC 3261 sec. 18.1.1): both transports have to be open",
    )
    .shown_by(ended.evidence.clone())
}

fn challenges(run: &mut Run, session: &Session, ended: &Ended, finished: &Finished) {
    if finished.challenges.is_empty() {
        return;
    }
    run.fact("challenges", offered(finished));
    for answered in finished.challenges.iter().filter(|c| c.answered) {
        let algorithm = answered.algorithm.as_deref().unwrap_or("MD5");
        run.fact("answered", format!("{} realm=\"{}\" {algorithm}", answered.scheme, answered.realm));
    }
    // What nobody can answer is judged where none was.
    let digests = || finished.challenges.iter().filter(|c| is_digest(c) && c.problem.is_none() && !c.stale);
    let is_md5 = |algorithm: &Option<String>| {
        algorithm.as_deref().is_none_or(|a| a.to_ascii_uppercase().starts_with("MD5"))
    };
    let mut warn = |code, severity, seen: String, advice: &str| {
        run.find(Finding::new(code, severity, Side::Peer, seen, advice).shown_by(ended.evidence.clone()));
    };
    if let Some(first) = digests().next()
        && !is_md5(&first.algorithm)
    {
        let algorithm = first.algorithm.clone().unwrap_or_default();
        if digests().any(|c| is_md5(&c.algorithm)) {
            warn(
                "strong-challenge-first",
                Severity::Warning,
                format!(
                    "{algorithm} is offered before MD5: phones that look at the first challenge only do not answer"
                ),
                "platform: put the MD5 challenge where old phones see it; list the models that fail",
            );
        } else {
            warn(
                "no-md5-challenge",
                Severity::Warning,
                format!("only {algorithm} is offered: phones without RFC 8760 cannot register"),
                "enable MD5 for segments with old phones, and plan their replacement",
            );
        }
    }
    if let Some(qop) = digests().filter_map(|c| c.qop.as_deref()).find(|qop| qop.contains(',')) {
        warn(
            "qop-list",
            Severity::Info,
            format!("the challenge offers a list, qop=\"{qop}\": clients that copy it whole are refused"),
            "platform: offer qop=\"auth\" only, where such clients are in use",
        );
    }
    let host = session.domain().rsplit_once(':').map_or(session.domain(), |(host, _)| host);
    // The realm of what was answered counts; where nothing was, that of what could have been.
    let has_answer = finished.challenges.iter().any(|c| c.answered);
    let counts = |c: &&Offered| if has_answer { c.answered } else { is_digest(c) && c.problem.is_none() };
    if let Some(other) =
        finished.challenges.iter().filter(counts).find(|c| !c.realm.eq_ignore_ascii_case(host))
    {
        warn(
            "realm-differs",
            Severity::Info,
            format!("the realm \"{}\" is not the account's domain \"{}\"", other.realm, session.domain()),
            "phones with an 'auth realm' field: leave it empty; platform: hashes made for another realm are of no use",
        );
    }
}

fn answer_facts(run: &mut Run, ended: &Ended, answer: &Answer) {
    run.fact("server", answer.server().unwrap_or_default());
    run.fact("path", answer.path().join(", "));
    run.fact("service_route", answer.service_route().join(", "));
    run.fact("warnings", answer.warnings().join("; "));
    let local = ended.flow.local;
    match answer.seen_at() {
        (received, Some(port)) => {
            let seen = received.unwrap_or(local.ip());
            run.fact("seen_as", std::net::SocketAddr::new(seen, port).to_string());
            if seen != local.ip() || port != local.port() {
                run.find(Finding::new(
                    "behind-nat",
                    Severity::Info,
                    Side::Path,
                    format!(
                        "the far side sees us as {}, we are {local}",
                        std::net::SocketAddr::new(seen, port)
                    ),
                    "expected behind NAT; calls to the phone need keep-alives there",
                ));
            }
        }
        (received, None) => {
            run.fact("seen_as", received.map(|ip| ip.to_string()).unwrap_or_default());
            // Over a connection the answer comes back on it, whatever rport says.
            if !ended.flow.transport.is_reliable() {
                run.find(
                    Finding::new(
                        "rport-ignored",
                        Severity::Warning,
                        Side::Peer,
                        "rport was asked for and not filled in: answers go to the port in Via, which NAT does not let through",
                        "platform: force rport (RFC 3581) for phones behind NAT; phone: symmetric signalling",
                    )
                    .shown_by(ended.evidence.clone()),
                );
            }
        }
    }
}

/// Lines of a response that are no header, and were passed over.
pub(in crate::check) fn odd_lines(run: &mut Run, response: &Message, evidence: &Range<usize>) {
    for line in response.odd_lines().take(SHOWN) {
        run.find(
            Finding::new(
                "odd-header-line",
                Severity::Warning,
                Side::Peer,
                format!("a line of the answer is no header and was passed over: {}", quoted(line)),
                "platform, or a device on the path, writes a broken line: strict phones drop the whole message",
            )
            .shown_by(evidence.clone()),
        );
    }
}

/// What was accepted although it is not as it should be: others may not accept it.
fn oddities(run: &mut Run, session: &Session, ended: &Ended, (finished, answer): (&Finished, &Answer)) {
    let mut warn = |code, side, seen: String, advice: &str| {
        run.find(Finding::new(code, Severity::Warning, side, seen, advice).shown_by(ended.evidence.clone()));
    };
    for value in &answer.unreadable {
        warn(
            "contact-unreadable",
            Side::Peer,
            format!(
                "a Contact of the answer cannot be read and was passed over: {}",
                quoted(value.as_bytes())
            ),
            "platform: a device registered a broken Contact, or the list is written wrongly; calls may not reach that device",
        );
    }
    for value in &answer.loose {
        warn(
            "list-loose-end",
            Side::Peer,
            format!("a loose comma or semicolon is in Contact: {}", quoted(value.as_bytes())),
            "platform: strict phones refuse the whole line",
        );
    }
    for uri in twice(&answer.bindings) {
        warn(
            "contact-listed-twice",
            Side::Peer,
            format!("one Contact is listed twice: {}", quoted(uri.as_bytes())),
            "platform: a second REGISTER with the same Contact refreshes its binding (RFC 3261 sec. 10.3 step 7); a phone that is bound twice rings twice, or its second call is busy",
        );
    }
    if let Some(text) = &answer.granted_text {
        warn(
            "expiry-malformed",
            Side::Peer,
            format!("the expiry of our binding is \"{}\"", quoted(text.as_bytes())),
            "platform: write it as a number of seconds up to 4294967295; phones take what they cannot read for an hour, or for nothing (RFC 3261 sec. 10.2.1.1)",
        );
    }
    if let Some(uri) = session.rewritten().filter(|uri| answer.bindings.iter().any(|b| b.uri == *uri)) {
        warn(
            "contact-rewritten",
            Side::Path,
            format!(
                "our Contact {} is listed as {}: rewritten to an address that is neither ours nor the one that Via names",
                session.contact(),
                quoted(uri.as_bytes())
            ),
            "check whether calls reach the phone at that address; a SIP ALG or session border controller writes it",
        );
    }
    let changed = answer.bindings.iter().filter(|b| b.own && session.rewritten() != Some(&b.uri));
    let changed = changed.filter_map(|b| {
        contact::change(session.sent_contact(), &b.uri, answer.seen_at()).map(|what| (&b.uri, what))
    });
    for (uri, what) in changed.take(1) {
        warn(
            "contact-rewritten",
            Side::Path,
            format!(
                "our Contact {} is listed as {}, with {what}: calls go there",
                session.sent_contact(),
                quoted(uri.as_bytes())
            ),
            "check whether calls reach the phone there; a SIP ALG, a session border controller or the registrar rewrites it",
        );
    }
    for finding in odd_form(answer.message(), ended.flow, &SUPPORTED) {
        run.find(finding.shown_by(ended.evidence.clone()));
    }
    if finished.server_proved == Some(false) {
        run.find(
            Finding::new(
                "server-not-proved",
                Severity::Warning,
                Side::Peer,
                "rspauth in Authentication-Info is not what this password gives",
                "platform: compute it as RFC 7616 sec. 3.5 says, or leave it out: devices that check it take the server for a false one and do not register; a server that does not know the password writes it so, too",
            )
            .shown_by(ended.evidence.clone()),
        );
    }
}

fn binding_facts(run: &mut Run, ended: &Ended, (finished, answer): (&Finished, &Answer)) {
    if let Some((seconds, by)) = answer.granted.filter(|_| answer.granted_text.is_none()) {
        run.fact("granted", format!("{seconds} s {by}"));
    }
    let Some(own) = answer.bindings.iter().find(|b| b.own) else { return };
    run.fact("contact", own.uri.clone());
    run.fact("pub_gruu", own.pub_gruu.clone().unwrap_or_default());
    run.fact("temp_gruu", own.temp_gruu.clone().unwrap_or_default());
    let plain = answer.granted.filter(|_| answer.granted_text.is_none());
    if let (Some((seconds, by)), Some(asked)) = (plain, finished.asked_expires)
        && seconds > asked
    {
        run.find(
            Finding::new(
                "expiry-raised",
                Severity::Warning,
                Side::Peer,
                format!("{seconds} s granted {by}, more than the {asked} s that were asked"),
                "platform: a registrar may shorten what is asked, and refuses what is too short with 423 (RFC 3261 sec. 10.3 step 7); devices that are gone stay listed, and are called, for that long",
            )
            .shown_by(ended.evidence.clone()),
        );
    }
    if answer.granted.is_some_and(|(seconds, _)| seconds > 0 && seconds < 30) {
        run.find(
            Finding::new(
                "short-expiry",
                Severity::Warning,
                Side::Peer,
                format!("only {} s granted", answer.granted.map_or(0, |(s, _)| s)),
                "phones that refresh a fixed time before the end may not manage; grant at least 60 s",
            )
            .shown_by(ended.evidence.clone()),
        );
    }
}

/// Live bindings of others, at the first query.
pub(in crate::check) fn others(run: &mut Run, bindings: &[Foreign]) {
    run.metric("other_bindings", MetricValue::Count(bindings.len() as u64));
    for binding in bindings.iter().take(SHOWN) {
        run.fact("other_binding", binding.describe());
    }
    if bindings.len() > SHOWN {
        run.fact("other_binding", format!("and {} more", bindings.len() - SHOWN));
    }
}

/// Devices that the answer to our binding lists, and the one to the query before did not, which may have been refused.
pub(in crate::check) fn unseen(devices: &[Foreign], query_was_refused: bool) -> Option<Finding> {
    let which: Vec<String> = devices.iter().take(3).map(Foreign::describe).collect();
    let (before, advice) = match query_was_refused {
        true => (
            "which could not be asked for before",
            "for the whole check use a test account, or --beside-live-devices at a quiet hour",
        ),
        false => (
            "which the query just before did not list",
            "platform: a query of the bindings lists all of them (RFC 3261 sec. 10.3 step 8); or the device registered at this moment; for the whole check use a test account, or --beside-live-devices at a quiet hour",
        ),
    };
    let advice = advice_on_left(devices).unwrap_or(advice);
    (!devices.is_empty()).then(|| {
        Finding::new(
            "query-incomplete",
            Severity::Warning,
            Side::Peer,
            format!(
                "the answer to our binding lists {}, {before}: {}",
                if devices.len() == 1 { "a device".to_owned() } else { format!("{} devices", devices.len()) },
                which.join("; ")
            ),
            advice,
        )
    })
}

/// Command after which a binding of another device had vanished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum Upon {
    Binding,
    Removal,
}

impl Upon {
    fn words(self) -> &'static str {
        match self {
            Upon::Binding => "came",
            Upon::Removal => "was removed",
        }
    }
}

/// Bindings of others that vanished while ours came or went, the first time that they are missed.
pub(in crate::check) fn replaced(
    run: &Run,
    before: &[Foreign],
    answer: Option<&Answer>,
    ended: &Ended,
    upon: Upon,
) -> Option<StepVerdict> {
    let answer = answer?;
    let elapsed_s = u32::try_from(run.elapsed().as_secs()).unwrap_or(u32::MAX);
    let now = devices(answer, &[]);
    let gone: Vec<String> = missing(before, &now, elapsed_s).into_iter().map(Foreign::describe).collect();
    if gone.is_empty() || run.findings().iter().any(|f| f.code == "binding-replaced") {
        return None;
    }
    let judged = StepVerdict::fail(
        "binding-replaced",
        Side::Peer,
        format!(
            "the registrar dropped a live binding of another device when ours {}: {}",
            upon.words(),
            gone.join("; ")
        ),
        match upon {
            Upon::Binding => {
                "that device is unreachable until its next refresh: reboot it now; next time use a test account"
            }
            Upon::Removal => {
                "that device is unreachable until its next refresh: reboot it now; platform: a removal takes away the Contact that it names and no other of the account (RFC 3261 sec. 10.2.2)"
            }
        },
    );
    Some(judged.shown_by(&ended.evidence))
}
