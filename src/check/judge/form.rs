//! The form of an answer that was taken all the same: what an ALG changes in it, and what strict devices drop.

use super::quote::quoted;
use crate::check::{Finding, Severity, Side};
use crate::message::{Flow, Message, Transport};
use crate::syntax::{HeaderName, Host};

/// The warnings on one final response to a request that went by `flow` and said in Supported that we know these extensions.
pub(in crate::check) fn odd_form(answer: &Message, flow: Flow, supported: &[&str]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut warn = |code, side, seen: String, advice: &str| {
        found.push(Finding::new(code, Severity::Warning, side, seen, advice));
    };
    if let Some(seen) = via(answer, flow) {
        warn(
            "via-rewritten",
            Side::Path,
            seen,
            "a SIP ALG or the platform changes Via: many phones drop such an answer (RFC 3261 sec. 18.1.2); switch the ALG off, or use TCP or TLS",
        );
    }
    if answer.to().is_ok_and(|to| to.tag().is_none()) {
        warn(
            "answer-without-tag",
            Side::Peer,
            format!("the {} has no tag in To", status(answer)),
            "platform fault: every answer but 100 has one (RFC 3261 sec. 8.2.6.2); strict phones and proxies drop it",
        );
    }
    let is_unknown = |tag: &&[u8]| !supported.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(tag));
    let demanded: Vec<String> =
        answer.tokens(HeaderName::Require).filter(is_unknown).take(SHOWN).map(quoted).collect();
    if !demanded.is_empty() {
        warn(
            "extension-demanded",
            Side::Peer,
            format!(
                "the {} has Require: {}, which the request did not offer in Supported",
                status(answer),
                demanded.join(", ")
            ),
            "platform: an answer demands no extension that was not offered (RFC 3261 sec. 20.32); phones that do not know it take the request for failed",
        );
    }
    if let Some(line) = line_without_return(answer) {
        warn(
            "line-feeds-alone",
            Side::Peer,
            format!(
                "lines of the {} end with a line feed alone, without a carriage return: {line}",
                status(answer)
            ),
            "platform, or a script or relay on the path, writes wrong line ends: strict phones cannot read such a message (RFC 3261 sec. 7)",
        );
    }
    found
}

/// Values of one header that are shown.
const SHOWN: usize = 8;

fn status(answer: &Message) -> String {
    super::unused::line_of(answer)
}

/// Our Via as it came back, where it names another address or transport than the request had.
fn via(answer: &Message, flow: Flow) -> Option<String> {
    let via = answer.top_via().ok()?;
    let ours = flow.local;
    if via.host().ip() != Some(ours.ip()) || via.port().unwrap_or(5060) != ours.port() {
        let host = match via.host() {
            Host::Name(name) => quoted(name),
            Host::V4(ip) => ip.to_string(),
            Host::V6(ip) => format!("[{ip}]"),
        };
        let port = via.port().map_or(String::new(), |port| format!(":{port}"));
        return Some(format!("the answer has {host}{port} as sent-by in our Via, the request had {ours}"));
    }
    let sent = match flow.transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    };
    let came = via.transport();
    (!came.eq_ignore_ascii_case(sent.as_bytes())).then(|| {
        format!("the answer has {} as the transport in our Via, the request had {sent}", quoted(came))
    })
}

/// The first line of the head that ends with a line feed alone.
fn line_without_return(answer: &Message) -> Option<String> {
    let bytes = answer.as_bytes();
    let head = &bytes[..bytes.len() - answer.body().len()];
    let end = memchr::memchr_iter(b'\n', head)
        .find(|end| end.checked_sub(1).and_then(|before| head.get(before)) != Some(&b'\r'))?;
    let start = memchr::memrchr(b'\n', &head[..end]).map_or(0, |before| before + 1);
    Some(quoted(&head[start..end]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::Limits;

    fn found(answer: &str) -> Vec<(String, String)> {
        let message = Message::parse(answer.to_owned().into(), &Limits::default()).unwrap();
        let flow = Flow {
            transport: Transport::Udp,
            local: "192.0.2.7:5070".parse().unwrap(),
            remote: "203.0.113.1:5060".parse().unwrap(),
        };
        let found = odd_form(&message, flow, &["path", "gruu"]);
        found.into_iter().map(|finding| (finding.code.to_string(), finding.seen)).collect()
    }

    fn answer(via: &str, to: &str, rest: &str) -> String {
        format!(
            "SIP/2.0 200 OK\r\nVia: {via};branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=f\r\nTo: {to}\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n{rest}\r\n"
        )
    }

    const VIA: &str = "SIP/2.0/UDP 192.0.2.7:5070;rport=5070";
    const TO: &str = "<sip:a@h>;tag=t";

    #[test]
    fn what_strict_devices_drop_is_told_with_its_value() {
        for (text, code, seen) in [
            (answer("SIP/2.0/TCP 192.0.2.7:5070", TO, ""), "via-rewritten", "has TCP as the transport"),
            (answer("SIP/2.0/UDP 198.51.100.7:5070", TO, ""), "via-rewritten", "198.51.100.7:5070"),
            (answer("SIP/2.0/UDP 192.0.2.7", TO, ""), "via-rewritten", "192.0.2.7 as sent-by"),
            (answer(VIA, "<sip:a@h>", ""), "answer-without-tag", "200 OK has no tag"),
            (answer(VIA, TO, "Require: outbound, path\r\n"), "extension-demanded", "Require: outbound,"),
            (answer(VIA, TO, "").replace("\r\n", "\n"), "line-feeds-alone", "SIP/2.0 200 OK"),
            (answer(VIA, TO, "Server: x\n"), "line-feeds-alone", "Server: x"),
        ] {
            let found = found(&text);
            let [(found, told)] = &found[..] else { panic!("{text}: {found:?}") };
            assert!(found == code && told.contains(seen), "{text}: {found} {told}");
        }
    }

    #[test]
    fn an_answer_as_it_should_be_and_a_body_with_line_feeds_are_left_alone() {
        for text in [
            answer(VIA, TO, ""),
            answer("SIP/2.0/udp 192.0.2.7:5070", "sip:a@h;tag=t", "Require: PATH, gruu\r\n"),
            answer(VIA, TO, "Content-Length: 4\r\n") + "a\nb\n",
            // Folded, with right line ends.
            answer(VIA, TO, "Server: x\r\n y\r\n"),
        ] {
            assert_eq!(found(&text), [], "{text}");
        }
    }
}
