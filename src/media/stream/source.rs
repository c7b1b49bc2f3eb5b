//! Who sends to a media port: whom a description names, who may send for it, and strangers.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Sources that are told apart; strangers have half of the room.
pub const MAX_SOURCES: usize = 16;
/// Addresses of descriptions, and hosts that signal, that are remembered.
const MAX_NAMED: usize = 8;
/// With nothing from the address of the voice for this time, voice may come from another address.
const ALIVE: Duration = Duration::from_millis(200);

/// One sender of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Its synchronisation source.
    pub ssrc: u32,
    /// Its address, where that is known.
    pub remote: Option<SocketAddr>,
    /// Packets from it.
    pub packets: u64,
    /// Of these, those of telephone events.
    pub events: u64,
    /// Nobody was given these packets to hear: the voice came from another address at that time, or it is a stranger.
    pub is_foreign: bool,
    /// No description names its host, and the call is not signalled by it.
    pub is_stranger: bool,
}

/// What a packet holds, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Voice,
    Event,
    Other,
}

/// Whose packet one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Peers,
    /// Of a host that may send for the peer, while the voice comes from another address.
    Another,
    Strangers,
}

/// The senders of one stream.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// Where the descriptions of the peer say that it is, the present one last.
    named: Vec<SocketAddr>,
    /// Hosts that signal the call.
    signalling: Vec<IpAddr>,
    /// Where the voice comes from, and when something came from there last.
    voice_from: Option<(SocketAddr, Instant)>,
    seen: Vec<Source>,
    foreign_packets: u64,
}

impl Sources {
    pub(super) fn name(&mut self, peer: SocketAddr) {
        self.named.retain(|named| *named != peer);
        if self.named.len() == MAX_NAMED {
            self.named.remove(0);
        }
        self.named.push(peer);
    }
    pub(super) fn signalled_by(&mut self, mut hosts: Vec<IpAddr>) {
        hosts.truncate(MAX_NAMED);
        self.signalling = hosts;
    }
    pub(super) fn seen(&self) -> &[Source] {
        &self.seen
    }
    /// Packets that nobody was given to hear, of those too that are not told apart.
    pub(super) fn foreign_packets(&self) -> u64 {
        self.foreign_packets
    }
    /// The source that an event of this SSRC came from, of which nobody was given it to hear (or not). Two senders may have one SSRC.
    pub(super) fn of(&self, ssrc: u32, is_foreign: bool) -> Option<&Source> {
        let all = || self.seen.iter().filter(|source| source.ssrc == ssrc);
        all().find(|source| source.is_foreign == is_foreign).or_else(|| all().next())
    }
    /// May this host send media of the call: does a description name it, is the call signalled by it? Where a description names a private
    /// address, a public one may be its translation.
    pub(super) fn may_send(&self, host: IpAddr) -> bool {
        let is_named = |named: &SocketAddr| {
            named.ip() == host || named.ip().is_unspecified() || is_private(named.ip()) && !is_private(host)
        };
        self.named.is_empty() || self.named.iter().any(is_named) || self.signalling.contains(&host)
    }
    /// Counts a packet; is it the peer's?
    pub(super) fn take(&mut self, now: Instant, ssrc: u32, remote: Option<SocketAddr>, holds: Holds) -> bool {
        let whose = self.whose(now, remote, holds);
        self.foreign_packets += u64::from(whose != Whose::Peers);
        let is_it = |source: &Source| (source.ssrc, source.remote) == (ssrc, remote);
        if !self.seen.iter().any(is_it) && self.has_room(whose) {
            let (is_foreign, is_stranger) = (whose != Whose::Peers, whose == Whose::Strangers);
            self.seen.push(Source { ssrc, remote, packets: 0, events: 0, is_foreign, is_stranger });
        }
        if let Some(source) = self.seen.iter_mut().find(|source| is_it(source)) {
            source.packets += 1;
            source.events += u64::from(holds == Holds::Event);
            source.is_foreign &= whose != Whose::Peers;
            source.is_stranger &= whose == Whose::Strangers;
        }
        whose == Whose::Peers
    }
    fn has_room(&self, whose: Whose) -> bool {
        let foreign = self.seen.iter().filter(|source| source.is_foreign).count();
        self.seen.len() < MAX_SOURCES && (whose == Whose::Peers || foreign < MAX_SOURCES / 2)
    }
    fn whose(&mut self, now: Instant, remote: Option<SocketAddr>, holds: Holds) -> Whose {
        let Some(remote) = remote else { return Whose::Peers };
        let is_known =
            |(from, at): (SocketAddr, Instant)| from == remote || now.saturating_duration_since(at) >= ALIVE;
        let is_named = self.named.last() == Some(&remote);
        if !is_named && !self.may_send(remote.ip()) {
            return Whose::Strangers;
        }
        if !is_named && !self.voice_from.is_none_or(is_known) {
            return Whose::Another;
        }
        if holds == Holds::Voice || self.voice_from.is_some_and(|(from, _)| from == remote) {
            self.voice_from = Some((remote, now));
        }
        Whose::Peers
    }
}

/// An address that others see translated: RFC 1918, 6598, 3927, 4193, 4291.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_private() || ip.is_link_local() || ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64
        }
        IpAddr::V6(ip) => ip.segments()[0] & 0xfe00 == 0xfc00 || ip.segments()[0] & 0xffc0 == 0xfe80,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn another_port_beside_living_voice_is_foreign_and_after_silence_it_is_not() {
        let (peer, other) = (at("192.0.2.1:4000"), at("192.0.2.1:4002"));
        let (start, mut sources) = (Instant::now(), Sources::default());
        let mut take = |ms: u32, remote, holds| sources.take(start + ms * MS, 1, Some(remote), holds);
        assert!(take(0, other, Holds::Voice), "nothing else came yet");
        assert!(!take(20, peer, Holds::Event));
        assert!(take(40, other, Holds::Event), "events go with the voice");
        assert!(take(230, other, Holds::Voice), "an event keeps the address alive");
        assert!(take(500, peer, Holds::Voice), "the other one is silent");
        assert!(!take(520, other, Holds::Voice));
        sources.name(other);
        assert!(sources.take(start + 540 * MS, 1, Some(other), Holds::Voice), "its description says so");
        assert!(!sources.take(start + 560 * MS, 1, Some(peer), Holds::Voice));
        assert!(sources.seen().iter().all(|source| !source.is_foreign));
    }

    #[test]
    fn whom_nothing_names_is_a_stranger_also_while_nobody_else_sends() {
        let (start, mut sources) = (Instant::now(), Sources::default());
        sources.name(at("192.0.2.1:4000"));
        sources.signalled_by(vec!["192.0.2.7".parse().unwrap()]);
        for (remote, is_peers) in [
            ("198.51.100.9:4000", false),
            ("192.0.2.2:4000", false),
            // Another port of the same host, and the host that signals.
            ("192.0.2.1:9000", true),
            ("192.0.2.7:9000", true),
        ] {
            let mut sources = Sources { seen: Vec::new(), voice_from: None, ..sources_like(&sources) };
            let later = start + 1_000 * MS;
            assert_eq!(sources.take(later, 9, Some(at(remote)), Holds::Voice), is_peers, "{remote}");
            let source = *sources.seen().last().unwrap();
            assert_eq!((source.is_foreign, source.is_stranger), (!is_peers, !is_peers), "{remote}");
            assert_eq!(sources.foreign_packets(), u64::from(!is_peers));
        }
        // Where the description names an address that cannot be reached from outside, its translation may come from anywhere outside.
        sources.name(at("192.168.77.5:4000"));
        assert!(sources.take(start, 1, Some(at("198.51.100.9:4000")), Holds::Voice));
        assert!(!sources.may_send("10.1.1.1".parse().unwrap()));
    }

    fn sources_like(sources: &Sources) -> Sources {
        Sources { named: sources.named.clone(), signalling: sources.signalling.clone(), ..Sources::default() }
    }

    #[test]
    fn strangers_without_end_leave_room_for_the_peer() {
        let (start, mut sources) = (Instant::now(), Sources::default());
        sources.name(at("192.0.2.1:4000"));
        for ssrc in 0..10_000 {
            sources.take(start, ssrc, Some(at("198.51.100.9:4000")), Holds::Event);
        }
        sources.take(start, 77_777, Some(at("192.0.2.1:4000")), Holds::Voice);
        assert_eq!((sources.seen().len(), sources.foreign_packets()), (MAX_SOURCES / 2 + 1, 10_000));
        assert!(!sources.of(77_777, false).unwrap().is_foreign);
    }
}
