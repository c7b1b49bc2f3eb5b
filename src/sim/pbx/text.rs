//! Messages of our own, changed in a header or in the description, for networks that misbehave on purpose.

use crate::message::Message;
use crate::syntax::{HeaderName, Limits};
use bytes::Bytes;

/// A message taken apart into its lines and its body. Only for what we wrote ourselves: a header a line, by its full name.
pub(super) struct Text {
    lines: Vec<Vec<u8>>,
    body: Vec<u8>,
}

impl Text {
    pub(super) fn of(message: &Message) -> Text {
        let body = message.body().to_vec();
        let whole = message.as_bytes();
        let head = &whole[..whole.len() - body.len()];
        let lines = head.split(|&b| b == b'\n').map(|line| line.trim_ascii_end().to_vec());
        Text { lines: lines.filter(|line| !line.is_empty()).collect(), body }
    }

    fn is(line: &[u8], name: HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        line.len() > name.len() && line[name.len()] == b':' && line[..name.len()].eq_ignore_ascii_case(name)
    }

    /// Adds a header behind the others.
    pub(super) fn add(&mut self, name: HeaderName, value: &str) {
        self.lines.push(format!("{}: {value}", name.as_str()).into_bytes());
    }

    /// Changes every value of a header.
    pub(super) fn change(&mut self, name: HeaderName, change: impl Fn(&str) -> String) {
        for line in self.lines.iter_mut().filter(|line| Text::is(line, name)) {
            let value = String::from_utf8_lossy(&line[name.as_str().len() + 1..]).trim().to_owned();
            *line = format!("{}: {}", name.as_str(), change(&value)).into_bytes();
        }
    }

    /// Changes the description.
    pub(super) fn change_body(&mut self, change: impl Fn(&str) -> String) {
        self.body = change(&String::from_utf8_lossy(&self.body)).into_bytes();
    }

    /// The message again; the one before the change where that is no message any more.
    pub(super) fn message(mut self, before: &Message) -> Message {
        let length = self.body.len();
        self.change(HeaderName::ContentLength, |_| length.to_string());
        let mut bytes = self.lines.join(&b"\r\n"[..]);
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&self.body);
        Message::parse(Bytes::from(bytes), &Limits::default()).unwrap_or_else(|_| before.clone())
    }
}

/// The direction that a description of ours says.
pub(super) fn direction(body: &[u8]) -> Option<&'static str> {
    let all = ["sendrecv", "sendonly", "recvonly", "inactive"];
    let body = String::from_utf8_lossy(body);
    all.into_iter().find(|direction| body.contains(&format!("a={direction}")))
}

/// The description with another direction.
pub(super) fn with_direction(body: &str, from: &str, to: &str) -> String {
    body.replace(&format!("a={from}"), &format!("a={to}"))
}

/// The description without telephone-event.
pub(super) fn without_events(body: &str) -> String {
    let number = body.lines().find_map(|line| {
        let (number, name) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
        name.to_ascii_lowercase().starts_with("telephone-event/").then(|| number.to_owned())
    });
    let Some(number) = number else { return body.to_owned() };
    let of_event = |line: &&str| {
        ["a=rtpmap:", "a=fmtp:"].iter().any(|name| {
            line.strip_prefix(name).and_then(|rest| rest.split(' ').next()) == Some(number.as_str())
        })
    };
    let mut text = String::with_capacity(body.len());
    for line in body.lines().filter(|line| !of_event(line)) {
        if line.starts_with("m=audio ") {
            let mut fields: Vec<&str> = line.split(' ').collect();
            fields.retain(|field| *field != number);
            text.push_str(&fields.join(" "));
        } else {
            text.push_str(line);
        }
        text.push_str("\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sdp::{Local, Negotiation};

    #[test]
    fn telephone_event_goes_out_of_a_description_and_the_voice_stays() {
        let offer = Negotiation::new(Local::new("192.0.2.1:40000".parse().unwrap()), 1).offer();
        let without = without_events(&offer);
        assert!(offer.contains("telephone-event") && !without.contains("telephone-event"), "{without}");
        assert!(without.contains("m=audio 40000 RTP/AVP 8 0\r\n") && !without.contains("101"), "{without}");
        let mut other = Negotiation::new(Local::new("192.0.2.2:50000".parse().unwrap()), 2);
        assert_eq!(other.answer(without.as_bytes()).unwrap().1.send_telephone_event, None);
    }

    #[test]
    fn a_changed_message_is_a_message_with_its_new_length() {
        let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
                    To: <sip:b@h>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContact: <sip:b@h>\r\n\
                    Content-Type: application/sdp\r\nContent-Length: 12\r\n\r\na=recvonly\r\n";
        let before = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        let mut edit = Text::of(&before);
        edit.change(HeaderName::Contact, |_| "<sip:c@h>".to_owned());
        edit.add(HeaderName::Supported, "timer");
        edit.change_body(|body| with_direction(body, "recvonly", "inactive"));
        let after = edit.message(&before);
        assert_eq!(direction(before.body()), Some("recvonly"));
        assert_eq!(direction(after.body()), Some("inactive"));
        assert_eq!(after.header(HeaderName::Contact), Some(&b"<sip:c@h>"[..]));
        assert_eq!(after.header(HeaderName::Supported), Some(&b"timer"[..]));
        assert_eq!(after.header(HeaderName::ContentLength), Some(&b"12"[..]));
    }
}
