//! The descriptions of both ends, and what of them reached the other: both are ours, so what the platform changed is known.

use crate::sdp::AudioDescription;
use std::net::IpAddr;
use std::time::Duration;

/// One description on its way through the platform.
#[derive(Debug, Clone, Default)]
pub(in crate::check) struct Passed {
    /// Description as one end wrote it; `None` where that is not ours.
    pub(in crate::check) wrote: Option<AudioDescription>,
    /// Description as it reached the other.
    pub(in crate::check) told: Option<AudioDescription>,
}

/// The descriptions of a call, seen from one direction of its media.
#[derive(Debug, Clone, Default)]
pub(in crate::check) struct Described {
    /// The listener's, as it reached the sender: where to send, and what.
    pub(in crate::check) listener: Passed,
    /// The sender's, as it reached the listener.
    pub(in crate::check) sender: Passed,
    /// Address to which the sender's signalling goes.
    pub(in crate::check) signalling: Option<IpAddr>,
}

/// Network from which an address can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Everywhere,
    /// The same host, link, or private network, in words.
    Within(&'static str),
}

fn reach(ip: IpAddr) -> Reach {
    let within = match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            match (a, b) {
                (127, _) => "the host itself",
                (169, 254) => "one link",
                (10, _) | (172, 16..=31) | (192, 168) => "a private network",
                (100, 64..=127) => "a carrier's network",
                _ => return Reach::Everywhere,
            }
        }
        IpAddr::V6(ip) => match ip.segments()[0] {
            _ if ip.is_loopback() => "the host itself",
            0xfe80..=0xfebf => "one link",
            0xfc00..=0xfdff => "a private network",
            _ => return Reach::Everywhere,
        },
    };
    Reach::Within(within)
}

/// Oddity of an address beside that of the signalling: ` (an address of a private network)`.
pub(super) fn oddity(ip: IpAddr, signalling: Option<IpAddr>) -> Option<String> {
    match reach(ip) {
        Reach::Within(what) if signalling.is_none_or(|to| reach(to) != Reach::Within(what)) => {
            Some(format!(" (an address within {what})"))
        }
        _ => None,
    }
}

/// Address to which the audio went that did not come.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::check) struct Place {
    /// A sentence with `; ` in front; empty where it is where the listener wants it.
    pub(in crate::check) told: String,
    /// It cannot be reached from everywhere, and its listener did not write it.
    pub(in crate::check) is_wrong: bool,
}

impl Described {
    /// Address to which `from` sent, and the one that `to` had wanted.
    pub(in crate::check) fn place(&self, from: &str, to: &str) -> Place {
        let Some(told) = &self.listener.told else { return Place::default() };
        let odd = oddity(told.rtp.ip(), self.signalling);
        let note = odd.as_deref().unwrap_or_default();
        match &self.listener.wrote {
            Some(wrote) if wrote.rtp == told.rtp => {
                let told =
                    odd.as_ref().map(|note| format!("; {from} was told to send to {}{note}", told.rtp));
                Place { told: told.unwrap_or_default(), is_wrong: false }
            }
            Some(wrote) if odd.is_some() => Place {
                told: format!(
                    "; {from} was told to send to {}{note}, which {to} never wrote: {to} wrote {}",
                    told.rtp, wrote.rtp
                ),
                is_wrong: true,
            },
            // A relay, most likely.
            Some(wrote) => Place {
                told: format!("; {from} was told to send to {}, where {to} wrote {}", told.rtp, wrote.rtp),
                is_wrong: false,
            },
            None => Place::default(),
        }
    }

    /// The place that the far side wants ours at, where that cannot be reached.
    pub(in crate::check) fn unreachable(&self, from: &str) -> Option<String> {
        let rtp = self.sender.told.as_ref()?.rtp;
        let note = oddity(rtp.ip(), self.signalling)?;
        Some(format!("{from} wants ours at {rtp}{note}"))
    }

    /// Text about the direction of the media, where the platform changed it.
    pub(in crate::check) fn direction_changed(&self, from: &str, to: &str) -> Option<String> {
        let one = |passed: &Passed, writer: &str, reader: &str| {
            let (wrote, told) = (passed.wrote.as_ref()?, passed.told.as_ref()?);
            let at =
                if told.rtp.ip().is_unspecified() { format!(" at {}", told.rtp.ip()) } else { String::new() };
            (wrote.direction != told.direction).then(|| {
                format!(
                    "{writer} wrote {}, and {reader} was told {}{at}",
                    wrote.direction.as_str(),
                    told.direction.as_str()
                )
            })
        };
        one(&self.listener, to, from).or_else(|| one(&self.sender, from, to))
    }

    /// The length of packets that `to` wrote, where the platform told the sender another length, and which.
    pub(in crate::check) fn packet_time_changed(&self) -> Option<(Duration, Duration)> {
        let (wrote, told) = (self.listener.wrote.as_ref()?.ptime?, self.listener.told.as_ref()?.ptime?);
        (wrote != told).then_some((wrote, told))
    }

    /// The payload types that one end wrote, where the platform told the other ones that it did not: a sentence with `; ` in front.
    pub(in crate::check) fn numbers_changed(&self, from: &str, to: &str) -> Option<String> {
        self.listener.numbers_changed(from, to).or_else(|| self.sender.numbers_changed(to, from))
    }
}

impl Passed {
    /// What `to` wrote, and `from` was told.
    fn numbers_changed(&self, from: &str, to: &str) -> Option<String> {
        let (wrote, told) = (self.wrote.as_ref()?, self.told.as_ref()?);
        let changed = told.codecs.iter().any(|(codec, number)| {
            !wrote.codecs.iter().any(|(known, theirs)| known == codec && theirs == number)
        });
        let named = |description: &AudioDescription| {
            let all = description.codecs.iter().map(|(codec, number)| format!("{} {number}", codec.as_str()));
            let event = description.telephone_event.map(|number| format!("telephone-event {number}"));
            all.chain(event).collect::<Vec<_>>().join(", ")
        };
        let event = told.telephone_event.is_some() && told.telephone_event != wrote.telephone_event;
        (changed || event).then(|| {
            format!("; {to} wrote {}, and {from} was told {}: changed on the way", named(wrote), named(told))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sdp(at: &str, more: &str) -> Option<AudioDescription> {
        let (ip, port) = at.split_once(' ').unwrap();
        let body = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n\
             a=rtpmap:101 telephone-event/8000\r\n{more}"
        );
        AudioDescription::of(body.as_bytes())
    }

    fn described(wrote: &str, told: &str, signalling: &str, more: [&str; 2]) -> Described {
        Described {
            listener: Passed { wrote: sdp(wrote, more[0]), told: sdp(told, more[1]) },
            sender: Passed::default(),
            signalling: Some(signalling.parse().unwrap()),
        }
    }

    #[test]
    fn an_address_that_the_listener_never_wrote_is_told_and_blamed_where_it_cannot_be_reached() {
        for (wrote, told, signalling, words, is_wrong) in [
            (
                "127.0.0.1 4000",
                "192.168.77.5 4000",
                "127.0.0.1",
                "a private network), which bob never wrote: bob wrote 127.0.0.1:4000",
                true,
            ),
            (
                "192.0.2.7 4000",
                "10.0.0.3 9000",
                "203.0.113.1",
                "10.0.0.3:9000 (an address within a private",
                true,
            ),
            (
                "192.0.2.7 4000",
                "203.0.113.9 9000",
                "203.0.113.1",
                "203.0.113.9:9000, where bob wrote 192.0.2.7:4000",
                false,
            ),
            // A lab in a private network, whose relay is there as well.
            (
                "10.0.0.7 4000",
                "10.0.0.3 9000",
                "10.0.0.1",
                "10.0.0.3:9000, where bob wrote 10.0.0.7:4000",
                false,
            ),
            (
                "10.0.0.7 4000",
                "10.0.0.7 4000",
                "203.0.113.1",
                "told to send to 10.0.0.7:4000 (an address within",
                false,
            ),
            ("192.0.2.7 4000", "192.0.2.7 4000", "203.0.113.1", "", false),
            ("192.0.2.7 4000", "100.64.3.1 4000", "203.0.113.1", "a carrier's network", true),
            ("192.0.2.7 4000", "169.254.3.1 4000", "192.168.1.1", "one link", true),
        ] {
            let place = described(wrote, told, signalling, ["", ""]).place("alice", "bob");
            assert_eq!(place.is_wrong, is_wrong, "{wrote} -> {told}: {place:?}");
            assert!(place.told.contains(words) && place.told.is_empty() == words.is_empty(), "{place:?}");
        }
    }

    #[test]
    fn what_the_platform_changed_is_told_and_what_it_left_is_not() {
        let (at, relay) = ("192.0.2.7 4000", "203.0.113.1 9000");
        let same = described(at, relay, "203.0.113.1", ["a=ptime:20\r\n", "a=ptime:20\r\n"]);
        assert_eq!(same.packet_time_changed(), None);
        assert_eq!(same.direction_changed("alice", "bob"), None);
        assert_eq!(same.numbers_changed("alice", "bob"), None);
        let longer = described(at, relay, "203.0.113.1", ["a=ptime:20\r\n", "a=ptime:60\r\n"]);
        assert_eq!(
            longer.packet_time_changed(),
            Some((Duration::from_millis(20), Duration::from_millis(60)))
        );
        let held = described(at, relay, "203.0.113.1", ["a=sendrecv\r\n", "a=sendonly\r\n"]);
        let told = held.direction_changed("alice", "bob").unwrap();
        assert_eq!(told, "bob wrote sendrecv, and alice was told sendonly");
        let zero = described(at, "0.0.0.0 9000", "203.0.113.1", ["", ""]);
        assert!(zero.direction_changed("alice", "bob").unwrap().ends_with("sendonly at 0.0.0.0"));
        let mut numbers = same;
        numbers.listener.told.as_mut().unwrap().telephone_event = Some(96);
        let told = numbers.numbers_changed("alice", "bob").unwrap();
        assert!(told.contains("bob wrote PCMA 8, telephone-event 101, and alice was told"), "{told}");
        // Left out is no other number.
        numbers.listener.told.as_mut().unwrap().telephone_event = None;
        assert_eq!(numbers.numbers_changed("alice", "bob"), None);
    }
}
