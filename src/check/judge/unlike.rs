//! Headers that an answer does not give back as they were asked: Call-ID, From and To are copied from the request (RFC 3261 sec. 8.2.6.2).

use super::quote::quoted;
use crate::check::{Finding, Severity, Side};
use crate::message::Message;
use crate::syntax::{HeaderName, NameAddr, Uri};

/// A part of the request that came back changed, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) struct Unlike {
    /// `Call-ID`, `From`, `From tag`, `To` or `To tag`.
    pub(in crate::check) what: &'static str,
    pub(in crate::check) asked: String,
    /// `None` where it is missing.
    pub(in crate::check) came: Option<String>,
}

/// Everything in which an answer differs from its request, although it has to be copied. A To tag is the answerer's to give, unless the
/// request has one; display names carry nothing.
pub(in crate::check) fn unlike(request: &Message, answer: &Message) -> Vec<Unlike> {
    let mut found = Vec::new();
    let raw = |message: &Message, name| message.header(name).map(quoted).filter(|value| !value.is_empty());
    if request.header(HeaderName::CallId) != answer.header(HeaderName::CallId) {
        found.push(Unlike {
            what: "Call-ID",
            asked: raw(request, HeaderName::CallId).unwrap_or_default(),
            came: raw(answer, HeaderName::CallId),
        });
    }
    let addresses = [
        (HeaderName::From, ["From", "From tag"], request.from(), answer.from()),
        (HeaderName::To, ["To", "To tag"], request.to(), answer.to()),
    ];
    for (name, [whole, tag], asked, came) in addresses {
        let Ok(asked) = asked else { continue };
        let Ok(came) = came else {
            let asked = uri(&asked);
            found.push(Unlike { what: whole, asked, came: raw(answer, name) });
            continue;
        };
        if !is_same(&asked, &came) {
            found.push(Unlike { what: whole, asked: uri(&asked), came: Some(uri(&came)) });
        }
        if let Some(ours) = asked.tag().filter(|ours| came.tag() != Some(ours)) {
            found.push(Unlike { what: tag, asked: quoted(ours), came: came.tag().map(quoted) });
        }
    }
    found
}

fn uri(addr: &NameAddr<'_>) -> String {
    quoted(addr.uri().as_bytes())
}

fn is_same(asked: &NameAddr<'_>, came: &NameAddr<'_>) -> bool {
    let (asked, came) = (asked.uri().as_bytes(), came.uri().as_bytes());
    let parsed = || Some((Uri::parse(asked).ok()?, Uri::parse(came).ok()?));
    asked == came || parsed().is_some_and(|(asked, came)| asked.is_equivalent(&came))
}

/// Headers that came back changed, in one sentence.
pub(in crate::check) fn told(found: &[Unlike]) -> String {
    let one = |unlike: &Unlike| match &unlike.came {
        Some(came) => format!("{} {came}, the request had {}", unlike.what, unlike.asked),
        None => format!("no {}, the request had {}", unlike.what, unlike.asked),
    };
    let parts: Vec<String> = found.iter().map(one).collect();
    format!("the answer has {}", parts.join("; "))
}

/// The warning for those who took the answer all the same, by its branch; `None` where nothing was changed.
pub(in crate::check) fn finding(found: &[Unlike]) -> Option<Finding> {
    let seen = told(found);
    (!found.is_empty()).then(|| {
        Finding::new(
            "answer-rewritten",
            Severity::Warning,
            Side::Path,
            seen,
            "a SIP ALG, or a B2BUA that writes back what is of its other side: many phones drop such an answer (RFC 3261 sec. 8.2.6.2); compare both in the ladder, switch the ALG off, or use TLS",
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::Limits;

    fn message(text: &str) -> Message {
        Message::parse(text.to_owned().into(), &Limits::default()).unwrap()
    }

    #[test]
    fn what_is_copied_is_compared_and_what_is_not_is_left_alone() {
        let head = "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\nCSeq: 1 REGISTER\r\n";
        let request = |to: &str| {
            message(&format!(
                "REGISTER sip:h SIP/2.0\r\n{head}From: <sip:alice@h>;tag=f\r\nTo: <sip:alice@h>{to}\r\nCall-ID: ours@x\r\n\r\n"
            ))
        };
        let answer = |rest: &str| message(&format!("SIP/2.0 200 OK\r\n{head}{rest}\r\n\r\n"));
        for (to, rest, expected) in [
            ("", "From: <sip:alice@h>;tag=f\r\nTo: <sip:alice@h>;tag=t\r\nCall-ID: ours@x", ""),
            ("", "f: \"A\" <sip:alice@H>;tag=f\r\nt: sip:alice@h;tag=t\r\ni: ours@x", ""),
            (";tag=t", "From: <sip:alice@h>;tag=f\r\nTo: <sip:alice@h>;tag=t\r\nCall-ID: ours@x", ""),
            ("", "From: <sip:alice@h>;tag=f\r\nTo: <sip:alice@h>\r\nCall-ID: zzz", "Call-ID zzz"),
            ("", "From: <sip:alice@h>;tag=f\r\nTo: <sip:alice@h>\r\nCall-ID: OURS@x", "Call-ID OURS@x"),
            ("", "From: <sip:alice@h>;tag=f\r\nTo: <sip:alice@h>", "Call-ID -"),
            ("", "From: <sip:alice@h>;tag=g\r\nTo: <sip:alice@h>\r\nCall-ID: ours@x", "From tag g"),
            ("", "From: <sip:alice@h>\r\nTo: <sip:alice@h>\r\nCall-ID: ours@x", "From tag -"),
            ("", "From: <sip:4711@h>;tag=f\r\nTo: <sip:alice@h>\r\nCall-ID: ours@x", "From sip:4711@h"),
            ("", "To: <sip:alice@h>\r\nCall-ID: ours@x", "From -"),
            ("", "From: <sip:alice@h>;tag=f\r\nTo: <sip:bob@h>;tag=t\r\nCall-ID: ours@x", "To sip:bob@h"),
            (";tag=t", "From: <sip:alice@h>;tag=f\r\nTo: <sip:alice@h>;tag=u\r\nCall-ID: ours@x", "To tag u"),
            (
                "",
                "From: <sip:4711@h>;tag=g\r\nTo: <sip:alice@h>\r\nCall-ID: z",
                "Call-ID z, From sip:4711@h, From tag g",
            ),
        ] {
            let found = unlike(&request(to), &answer(rest));
            let shown: Vec<String> = found
                .iter()
                .map(|unlike| format!("{} {}", unlike.what, unlike.came.as_deref().unwrap_or("-")))
                .collect();
            assert_eq!(shown.join(", "), expected, "{rest}");
            assert_eq!(finding(&found).is_some(), !found.is_empty());
        }
        let found = unlike(&request(""), &answer("From: <sip:alice@h>;tag=f\r\nTo: <sip:alice@h>"));
        assert_eq!(told(&found), "the answer has no Call-ID, the request had ours@x");
    }
}
