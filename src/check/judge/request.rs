//! A request of ours in a call (re-INVITE, UPDATE, INFO, REFER, BYE, CANCEL): how it ended, in the same words and with the same advice whoever sent it.

use super::status::Said;
use super::unused::Unused;
use crate::check::Side;
use crate::check::judged::StepVerdict;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// End of a request that may have been sent more than once: after a challenge, after a 491.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::check) struct RequestEnd {
    /// Refusals of each but the last: time and status.
    pub(in crate::check) earlier: Vec<(Instant, u16)>,
    /// The last one answered a challenge.
    pub(in crate::check) has_credentials: bool,
    /// None was sent.
    pub(in crate::check) is_unsent: bool,
    /// It described media: an INVITE or UPDATE.
    pub(in crate::check) is_offer: bool,
    pub(in crate::check) last: Reply,
}

/// Result of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::check) enum Reply {
    /// A 2xx.
    Accepted(u16),
    /// A final response of another class.
    Refused(Instant, Box<Said>),
    /// A provisional response (the last one: `100 Trying`), and nothing else.
    Provisional(String),
    /// From this address something that is no answer to it.
    Unusable(SocketAddr, Box<Unused>),
    #[default]
    Nothing,
}

/// Names of a kind of request.
pub(in crate::check) struct Kind<'a> {
    /// E.g. `the BYE of alice`.
    pub(in crate::check) what: &'a str,
    /// Code of a refusal.
    pub(in crate::check) refused: &'static str,
    /// Code where nothing came.
    pub(in crate::check) silent: &'static str,
    /// Advice where nothing came.
    pub(in crate::check) lost: &'static str,
}

impl RequestEnd {
    /// The status of the last final response.
    pub(in crate::check) fn status(&self) -> Option<u16> {
        match &self.last {
            Reply::Accepted(status) => Some(*status),
            Reply::Refused(_, said) => Some(said.status),
            _ => None,
        }
    }

    /// Words of the refusal.
    pub(in crate::check) fn said(&self) -> Option<&Said> {
        match &self.last {
            Reply::Refused(_, said) => Some(said),
            _ => None,
        }
    }

    /// Refused by a challenge, though it answered one.
    fn is_challenged_again(&self) -> bool {
        self.has_credentials && matches!(self.status(), Some(401 | 407))
    }

    /// Text of its end, behind its name: `was refused with 491 Request Pending twice, 2.1 s apart`.
    pub(in crate::check) fn words(&self, waited: Duration) -> String {
        let seconds = shown(waited);
        let before = || match self.earlier.iter().rfind(|(_, status)| !matches!(status, 401 | 407)) {
            Some((_, status)) => format!("was refused with {status}, and sent again it "),
            None => String::new(),
        };
        match &self.last {
            Reply::Accepted(status) => format!("was answered {status}"),
            Reply::Refused(at, said) => {
                let line = said.status_line();
                let again = self.repeated(*at, said.status);
                let whole = format!("was refused with {line}{again}");
                let why = said.explained(&whole);
                let places = match said.status {
                    300..=399 | 485 => format!(", which names {}", said.contacts_or_nowhere()),
                    _ => String::new(),
                };
                format!("{whole}{places}{why}")
            }
            Reply::Provisional(status) => {
                format!("{}got a provisional answer ({status}) and no final one in {seconds}", before())
            }
            Reply::Unusable(from, unused) => {
                format!("{}got what cannot be used: {}", before(), unused.judge("request", *from).detail)
            }
            Reply::Nothing if self.is_unsent => {
                "was not sent: nothing that it answers or follows had come (the ACK to a 2xx, a response)"
                    .to_owned()
            }
            Reply::Nothing => format!("{}was not answered in {seconds}", before()),
        }
    }

    /// Number of times that it was refused so, where that was more than once.
    fn repeated(&self, at: Instant, status: u16) -> String {
        if self.is_challenged_again() {
            return " again, to an answered challenge".to_owned();
        }
        let same = self.earlier.iter().rev().take_while(|(_, earlier)| *earlier == status);
        let (times, first) = same.fold((1, at), |(times, _), (at, _)| (times + 1, *at));
        let apart = at.saturating_duration_since(first).as_secs_f64();
        match times {
            1 => match self.earlier.last().filter(|(_, earlier)| !matches!(earlier, 401 | 407)) {
                Some((_, earlier)) => format!(" (after {earlier})"),
                None => String::new(),
            },
            2 => format!(" twice, {apart:.1} s apart"),
            times => format!(" {times} times in {apart:.1} s"),
        }
    }

    /// It did not come about: what that means.
    pub(in crate::check) fn judge(&self, kind: &Kind<'_>, waited: Duration) -> StepVerdict {
        let seen = format!("{} {}", kind.what, self.words(waited));
        match &self.last {
            Reply::Accepted(_) => StepVerdict::pass(seen),
            Reply::Refused(_, said) => StepVerdict::fail(kind.refused, Side::Peer, seen, &self.advice(said)),
            Reply::Provisional(_) => StepVerdict::fail(
                NO_FINAL_ANSWER,
                Side::Peer,
                seen,
                "platform: it took the request, and whoever it asked for the answer is silent: look at the far end of this call and at the devices in between",
            ),
            Reply::Unusable(from, unused) => {
                let mut judged = unused.judge(kind.what.trim_start_matches("the "), *from);
                judged.detail.clone_from(&seen);
                if let Some(finding) = &mut judged.finding {
                    finding.seen = seen;
                }
                judged
            }
            Reply::Nothing => StepVerdict::fail(kind.silent, Side::Peer, seen, kind.lost),
        }
    }

    /// Advice upon this refusal of a request in a call.
    pub(in crate::check) fn advice(&self, said: &Said) -> String {
        let fixed = match said.status {
            401 | 407 if self.is_challenged_again() => {
                "platform: it refuses in the dialog the credentials that it took for the INVITE: look at realm, nonce and digest URI in the ladder"
            }
            401 | 407 => {
                "the challenge was not answered: credentials go to the account's own registrar and proxies only; look at its realm in the ladder"
            }
            403 => {
                "platform: a rule forbids it to this account (rights, tariff, class of service); Warning or phrase may say which"
            }
            300..=399 => {
                "platform: it redirects a request in a call, which phones do not follow: take it, pass it on itself, or move the call before it is answered; look at what answers it so (a redirect server that got the wrong request, a forwarding rule)"
            }
            485 => {
                "platform: an address in this request leads to more than one: let the request name one of those that it lists, in full"
            }
            400 => {
                "platform: look at what it names in Warning or phrase; where nothing is wrong with the request in the ladder, a device on the path rewrites messages (SIP ALG)"
            }
            404 | 410 | 481 => {
                "platform: it does not know this call any more, or requests in it reach another server: look at what changed the dialog before"
            }
            408 | 430 | 480 => {
                "platform: the far end of this call did not answer it: its device is gone, or requests to it go astray (NAT, Contact, Record-Route)"
            }
            405 | 501 => {
                "platform: it takes no requests of this method in a call: switch the feature on, or do without it on the phones"
            }
            415 if said.takes("application/sdp") && self.is_offer => {
                "platform: it refuses the type that its own Accept names (application/sdp): look for what else it cannot read in the body (Content-Encoding, Content-Disposition, parts), and in its log of this Call-ID"
            }
            415 => {
                "phone: a body of a type that the far side takes (its Accept names them); platform: take this one"
            }
            420 => {
                "set the extension that Unsupported names to 'supported', not 'required', on the device, or switch it on at the platform"
            }
            421 => "platform: do not demand an extension that old devices lack",
            422 => {
                "platform: it refuses the interval of the session that it asked for; phone: session timer 1800, or off"
            }
            488 | 606 if !self.is_offer => {
                "platform: it speaks of media, and this request describes none: look for the rule or script that answers it so; Warning, where it has one, may say what is meant"
            }
            488 | 606 => {
                "platform: it takes no such change of the media in a call; hold needs it (RFC 3264 sec. 8.4)"
            }
            491 if !self.is_offer => {
                "platform: 491 is for offers that cross each other (RFC 3261 sec. 14.2), and this request has none: it takes one request at a time and waits for another, or a transaction was not cleared"
            }
            491 if self.earlier.is_empty() => {
                "platform: it believes that a change of its own is under way in this call: that may pass; where no request of it is in the ladder, a transaction was not cleared (H05)"
            }
            491 => {
                "platform: it believes that a change is under way, again and again: 491 that never ends is a transaction that was not cleared (H05)"
            }
            500 | 503 if said.retry_after.is_some() => {
                return format!(
                    "platform: overloaded, or restarting, for now; the next request may be sent {} s later",
                    said.retry_after.unwrap_or_default().as_secs()
                );
            }
            502..=504 => {
                "platform: a server behind it is down or overloaded: second line with its log of this Call-ID"
            }
            500..=599 => {
                "platform: it broke at this request: second line with its log of this Call-ID at that moment"
            }
            603 => "platform: the far end, or a rule for it, declines: Reason and Warning may say why",
            _ => "second line: the platform's log of this Call-ID says why",
        };
        fixed.to_owned()
    }
}

/// Code of a request that got a provisional answer only.
pub(in crate::check) const NO_FINAL_ANSWER: &str = "no-final-answer";

/// E.g. `5 s`, `0.5 s`, `20 ms`.
pub(super) fn shown(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{} s", time.as_secs()),
        milliseconds @ ..100 if time.as_secs() == 0 => format!("{milliseconds} ms"),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
impl RequestEnd {
    /// Refused once, with these headers.
    pub(in crate::check) fn refused(status: u16, phrase: &str, notes: &[(&str, &str)]) -> RequestEnd {
        let said = Said {
            status,
            phrase: phrase.to_owned(),
            retry_after: None,
            contacts: Vec::new(),
            notes: notes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        RequestEnd { last: Reply::Refused(Instant::now(), Box::new(said)), ..RequestEnd::default() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const WAITED: Duration = Duration::from_secs(5);

    fn kind() -> Kind<'static> {
        Kind {
            what: "the BYE of alice",
            refused: "bye-refused",
            silent: "bye-not-answered",
            lost: "the route",
        }
    }

    fn after(statuses: &[u16], end: RequestEnd) -> RequestEnd {
        let earlier = statuses.iter().map(|status| (Instant::now(), *status)).collect();
        RequestEnd { earlier, ..end }
    }

    #[test]
    fn each_end_has_its_words_its_code_and_its_advice() {
        let refused = |status| RequestEnd::refused(status, "No", &[("Warning", "399 x \"why\"")]);
        let provisional =
            || RequestEnd { last: Reply::Provisional("100 Trying".to_owned()), ..RequestEnd::default() };
        let unusable = Unused::Branch { status: "200 OK".to_owned() };
        let unusable = Reply::Unusable("192.0.2.1:5060".parse().unwrap(), Box::new(unusable));
        let offer = |end: RequestEnd| RequestEnd { is_offer: true, ..end };
        let moved = |status| {
            let mut end = refused(status);
            if let Reply::Refused(_, said) = &mut end.last {
                said.contacts = vec!["<sip:a@x>".to_owned(), "<sip:b@x>".to_owned()];
            }
            end
        };
        let with_credentials =
            |status| RequestEnd { has_credentials: true, ..after(&[407], refused(status)) };
        #[rustfmt::skip]
        let cases: [(RequestEnd, &str, &str, &str); 17] = [
            (RequestEnd::default(), "bye-not-answered", "the BYE of alice was not answered in 5 s", "the route"),
            (provisional(), "no-final-answer", "got a provisional answer (100 Trying) and no final one in 5 s", "silent"),
            (after(&[491], provisional()), "no-final-answer", "was refused with 491, and sent again it got a provisional", "silent"),
            (after(&[491], RequestEnd::default()), "bye-not-answered", "was refused with 491, and sent again it was not answered", "the route"),
            // A challenge that was answered is no refusal.
            (after(&[407], RequestEnd::default()), "bye-not-answered", "the BYE of alice was not answered in 5 s", "the route"),
            (RequestEnd { last: unusable, ..RequestEnd::default() }, "answer-unmatched", "got what cannot be used: an answer to the request came from 192.0.2.1:5060", "ALG"),
            (refused(403), "bye-refused", "was refused with 403 No (Warning: 399 x \"why\")", "a rule forbids it"),
            (offer(after(&[491], refused(491))), "bye-refused", "was refused with 491 No twice, 0.0 s apart", "again and again"),
            (offer(after(&[491, 491], refused(491))), "bye-refused", "was refused with 491 No 3 times in 0.0 s", "again and again"),
            (offer(refused(491)), "bye-refused", "was refused with 491 No (Warning", "that may pass"),
            (refused(491), "bye-refused", "was refused with 491 No (Warning", "this request has none"),
            (offer(refused(488)), "bye-refused", "was refused with 488 No (Warning", "RFC 3264"),
            (moved(302), "bye-refused", "was refused with 302 No, which names <sip:a@x>, <sip:b@x> (Warning", "do not follow"),
            (moved(485), "bye-refused", "was refused with 485 No, which names <sip:a@x>, <sip:b@x> (Warning", "one of those"),
            (refused(300), "bye-refused", "which names nowhere: it has no Contact", "do not follow"),
            (after(&[491], refused(488)), "bye-refused", "was refused with 488 No (after 491)", "describes none"),
            (with_credentials(407), "bye-refused", "407 No again, to an answered challenge", "credentials"),
        ];
        for (end, code, seen, advice) in cases {
            let judged = end.judge(&kind(), WAITED);
            let finding = judged.finding.unwrap();
            assert_eq!(finding.code, code, "{}", finding.seen);
            assert!(finding.seen.contains(seen), "{seen:?} is not in {:?}", finding.seen);
            assert!(finding.advice.contains(advice), "{advice:?} is not in {:?}", finding.advice);
            assert_eq!(judged.detail, finding.seen);
        }
    }

    #[test]
    fn a_body_type_that_is_refused_and_named_as_taken_is_told_as_that() {
        let advice = |accept: &str, is_offer| {
            let end = RequestEnd { is_offer, ..RequestEnd::refused(415, "No", &[("Accept", accept)]) };
            end.advice(end.said().unwrap())
        };
        assert!(advice("application/SDP;v=1, text/plain", true).contains("its own Accept"));
        assert!(!advice("application/dtmf", true).contains("its own Accept"));
        assert!(!advice("application/sdp", false).contains("its own Accept"));
    }

    #[test]
    fn statuses_in_a_call_get_advice_of_their_own() {
        let advice = |status| {
            let end = RequestEnd::refused(status, "", &[]);
            end.advice(end.said().unwrap())
        };
        let all: Vec<String> =
            [400, 403, 405, 407, 408, 415, 420, 481, 488, 491, 500, 503, 603, 699].map(advice).into();
        for (number, one) in all.iter().enumerate() {
            assert!(!all[..number].contains(one), "twice: {one}");
        }
        assert_eq!((advice(481), advice(405)), (advice(404), advice(501)));
        let mut later = RequestEnd::refused(500, "", &[]);
        if let Reply::Refused(_, said) = &mut later.last {
            said.retry_after = Some(Duration::from_secs(3));
        }
        assert!(later.advice(later.said().unwrap()).contains("3 s later"));
    }
}
