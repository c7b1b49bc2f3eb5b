//! Offer and answer: what we wrote, what is open, what is agreed.

use super::audio::{Audio, PTIME_MILLIS};
use super::writing::{Ours, Unused, text};
use super::{Codec, DIGITS_AND_FLASH, Description, Direction, MediaPlan, SdpError, TelephoneEvent};
use sdp_types::Session;
use std::net::SocketAddr;
use std::time::Duration;

/// Our side of the media.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Local {
    /// Where we receive RTP: an address that the peer can reach.
    pub rtp: SocketAddr,
    /// Where we receive RTCP: on the same address.
    pub rtcp_port: u16,
    /// Codecs that we speak, the dearest first; default A-law, then mu-law.
    pub codecs: Vec<Codec>,
    /// The payload type for telephone-events in our offers (96 to 127), unless a peer's offer gave another; `None`: no events at all.
    /// Default 101.
    pub telephone_event: Option<u8>,
    /// Length of audio in a packet that we ask for, in milliseconds: 10 to 100, a multiple of 10; default 20.
    pub ptime_millis: u32,
}

impl Local {
    /// RTP here, RTCP one port above, and defaults for the rest.
    pub fn new(rtp: SocketAddr) -> Local {
        Local {
            rtp,
            rtcp_port: rtp.port().saturating_add(1),
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            telephone_event: Some(101),
            ptime_millis: 20,
        }
    }

    fn rtcp(&self) -> SocketAddr {
        SocketAddr::new(self.rtp.ip(), self.rtcp_port)
    }
}

/// The offers and answers of one session, both ways.
///
/// Cheap to clone: each early dialog of a forked INVITE answers the same offer, so each goes on with a copy of its own.
#[derive(Debug, Clone)]
pub struct Negotiation {
    local: Local,
    session_id: u64,
    /// What we want to do with the media; both sides have their say.
    wish: Direction,
    zero_address: bool,
    proto: String,
    before: Vec<Unused>,
    after: Vec<Unused>,
    /// The number for telephone-events that this session has.
    event_number: Option<u8>,
    /// What we sent last.
    sent: Option<Session>,
    /// What stood in it, and its ptime.
    last: Option<(Offered, u32)>,
    /// Our last offer, while answers to it may come.
    offered: Option<Offered>,
    plan: Option<MediaPlan>,
}

/// What an answer is measured by.
#[derive(Debug, Clone)]
struct Offered {
    codecs: Vec<(Codec, u8)>,
    telephone_event: Option<TelephoneEvent>,
    direction: Direction,
}

impl Negotiation {
    /// A session without offer or answer yet. `session_id` is drawn by chance; it stands in `o=`.
    pub fn new(local: Local, session_id: u64) -> Negotiation {
        Negotiation {
            event_number: local.telephone_event,
            local,
            session_id,
            wish: Direction::SendRecv,
            zero_address: false,
            proto: "RTP/AVP".to_owned(),
            before: Vec::new(),
            after: Vec::new(),
            sent: None,
            last: None,
            offered: None,
            plan: None,
        }
    }

    /// What the next offer or answer asks for.
    pub fn set_direction(&mut self, wish: Direction) {
        (self.wish, self.zero_address) = (wish, false);
    }

    /// Hold in the way of RFC 2543: the next offer or answer has the address 0.0.0.0 (or ::).
    pub fn set_zero_address(&mut self) {
        (self.wish, self.zero_address) = (Direction::SendOnly, true);
    }

    /// What we want at the moment.
    pub fn direction(&self) -> Direction {
        self.wish
    }

    /// What was agreed on last.
    pub fn plan(&self) -> Option<&MediaPlan> {
        self.plan.as_ref()
    }

    /// An offer: all our codecs. In a session that has begun, the sections stay where they are (RFC 3264 sec. 8).
    pub fn offer(&mut self) -> String {
        let offered = Offered {
            codecs: self.local.codecs.iter().map(|codec| (*codec, self.number(*codec))).collect(),
            telephone_event: self
                .event_number
                .map(|payload_type| TelephoneEvent { payload_type, events: DIGITS_AND_FLASH }),
            direction: self.wish,
        };
        let ptime = self.local.ptime_millis;
        let text = self.write(&offered.codecs, offered.telephone_event, self.wish, ptime);
        self.offered = Some(offered);
        text
    }

    /// The description that we sent last as an offer, unchanged to its version: what a refresh carries (RFC 4028 sec. 7.4). When there
    /// is none, a first offer.
    pub fn repeat(&mut self) -> String {
        let Some((last, ptime)) = self.last.clone() else { return self.offer() };
        let text = self.write(&last.codecs, last.telephone_event, last.direction, ptime);
        self.offered = Some(last);
        text
    }

    /// The number that this session has for a codec.
    fn number(&self, codec: Codec) -> u8 {
        let agreed = self.plan.as_ref().filter(|plan| plan.codec == codec);
        agreed.map_or(codec.payload_type(), |plan| plan.receive_payload_type)
    }

    /// The answer to our offer. A further answer to the same offer (in a 200 after one in a 183) is read again and counts then.
    ///
    /// # Errors
    /// An answer that gives no plan; what was agreed on before stays.
    pub fn accept(&mut self, answer: &[u8]) -> Result<MediaPlan, SdpError> {
        let offered = self.offered.as_ref().ok_or(SdpError::NoOffer)?;
        let description = Description::parse(answer)?;
        let audio = self.checked(Audio::find(&description, self.local.rtp.ip())?)?;
        let same = |codec: Codec| offered.codecs.iter().find(|(ours, _)| *ours == codec);
        let both =
            audio.codecs.iter().find_map(|(codec, number)| same(*codec).map(|o| (*codec, *number, o.1)));
        let Some((codec, send, receive)) = both else {
            let names: Vec<&str> = audio.codecs.iter().map(|(codec, _)| codec.as_str()).collect();
            return Err(SdpError::NoCommonCodec(names.join(", ")));
        };
        let events = audio.telephone_event.zip(offered.telephone_event);
        let plan = MediaPlan {
            local: self.local.rtp,
            local_rtcp: self.local.rtcp(),
            remote: audio.rtp,
            remote_rtcp: audio.rtcp,
            codec,
            send_payload_type: send,
            receive_payload_type: receive,
            receive_payload_types: audio
                .codecs
                .iter()
                .filter_map(|(codec, _)| same(*codec).map(|(_, ours)| *ours))
                .collect(),
            send_telephone_event: events.map(|(theirs, _)| theirs),
            receive_telephone_event: events.map(|(_, ours)| ours),
            direction: offered.direction.and(audio.direction.reversed()),
            ptime: Duration::from_millis(audio.ptime(self.local.ptime_millis).into()),
        };
        self.plan = Some(plan.clone());
        Ok(plan)
    }

    /// Answers an offer with one codec, the peer's number for telephone-events, and the peer's ptime where it can be kept; other
    /// sections are refused.
    ///
    /// # Errors
    /// An offer that gives no plan (answer it with 488); what was agreed on before stays.
    pub fn answer(&mut self, offer: &[u8]) -> Result<(String, MediaPlan), SdpError> {
        let description = Description::parse(offer)?;
        let audio = self.checked(Audio::find(&description, self.local.rtp.ip())?)?;
        let ours = audio.codecs.iter().find(|(codec, _)| self.local.codecs.contains(codec));
        let Some(&(codec, number)) = ours else {
            let names: Vec<&str> = audio.codecs.iter().map(|(codec, _)| codec.as_str()).collect();
            return Err(SdpError::NoCommonCodec(names.join(", ")));
        };
        let theirs = audio.telephone_event.filter(|_| self.local.telephone_event.is_some());
        let event = theirs.map(|event| TelephoneEvent { events: event.events & DIGITS_AND_FLASH, ..event });
        // Where nothing is left, nothing is agreed on.
        let event = event.filter(|event| event.events != 0);
        let direction = self.wish.and(audio.direction.reversed());
        let ptime = audio.ptime(self.local.ptime_millis);
        let sections = description.session.medias.iter().enumerate().map(|(index, media)| {
            let (media, proto, formats) = (media.media.clone(), media.proto.clone(), media.fmt.clone());
            (index, Unused { media, proto, formats })
        });
        let (before, after): (Vec<_>, Vec<_>) =
            sections.filter(|(index, _)| *index != audio.index).partition(|(index, _)| *index < audio.index);
        self.before = before.into_iter().map(|(_, section)| section).collect();
        self.after = after.into_iter().map(|(_, section)| section).collect();
        self.proto.clone_from(&audio.proto);
        if let Some(event) = event {
            self.event_number = Some(event.payload_type);
        }
        self.offered = None;
        let text = self.write(&[(codec, number)], event, direction, ptime);
        let plan = MediaPlan {
            local: self.local.rtp,
            local_rtcp: self.local.rtcp(),
            remote: audio.rtp,
            remote_rtcp: audio.rtcp,
            codec,
            send_payload_type: number,
            receive_payload_type: number,
            receive_payload_types: vec![number],
            send_telephone_event: theirs.filter(|_| event.is_some()),
            receive_telephone_event: event,
            direction,
            ptime: Duration::from_millis(ptime.into()),
        };
        self.plan = Some(plan.clone());
        Ok((text, plan))
    }

    /// Our offer was refused (RFC 3264 sec. 8: what was agreed on before stays).
    pub fn withdraw(&mut self) {
        self.offered = None;
    }

    /// Is an answer to an offer of ours to be read?
    pub fn has_offered(&self) -> bool {
        self.offered.is_some()
    }

    fn checked(&self, audio: Audio) -> Result<Audio, SdpError> {
        let family = audio.rtp.is_ipv4() == self.local.rtp.is_ipv4() || audio.rtp.ip().is_unspecified();
        if family { Ok(audio) } else { Err(SdpError::Family(audio.rtp.ip())) }
    }

    /// The version counts up when something has changed (RFC 3264 sec. 8).
    fn write(
        &mut self,
        codecs: &[(Codec, u8)],
        telephone_event: Option<TelephoneEvent>,
        direction: Direction,
        ptime_millis: u32,
    ) -> String {
        let ours = Ours {
            session_id: self.session_id,
            proto: &self.proto,
            rtp: self.local.rtp,
            rtcp: self.local.rtcp(),
            codecs,
            telephone_event,
            direction,
            zero_address: self.zero_address,
            ptime_millis: ptime_millis.clamp(*PTIME_MILLIS.start(), *PTIME_MILLIS.end()),
            before: &self.before,
            after: &self.after,
        };
        let version = self.sent.as_ref().map_or(1, |sent| sent.origin.sess_version);
        let mut session = ours.session(version);
        if self.sent.as_ref().is_some_and(|sent| *sent != session) {
            session = ours.session(version.saturating_add(1));
        }
        let text = text(&session);
        self.last = Some((Offered { codecs: codecs.to_vec(), telephone_event, direction }, ptime_millis));
        self.sent = Some(session);
        text
    }
}
