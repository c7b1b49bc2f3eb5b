//! The transferee's end of a referral: a REFER that came, our answer, and the NOTIFYs that we owe for it.

use super::issued::refer_sub;
use super::{Replaces, SIPFRAG, Target};
use crate::message::{Message, reason_phrase};
use crate::syntax::{self, HeaderName};
use crate::transaction::ServerId;
use crate::ua::response::text;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// NOTIFYs of one subscription that wait for the one before; of more, the oldest that is not the last is left out.
pub const MAX_NOTES: usize = 8;
/// Time for which a subscription lasts; then a NOTIFY ends it with `reason=timeout`.
pub const SUBSCRIPTION: Duration = Duration::from_secs(180);

/// A REFER that came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Referred {
    /// Whom we shall call.
    pub target: Target,
    /// Referred-By as it came (RFC 3892).
    pub referred_by: Option<String>,
    /// Refer-Sub (RFC 4488): `false` asks for no NOTIFY.
    pub refer_sub: Option<bool>,
    /// The dialog in its Target-Dialog (RFC 4538), as we see it: then the REFER is meant for that call.
    pub target_dialog: Option<Replaces>,
    /// Its CSeq number: the `id` of the NOTIFYs.
    pub cseq: u32,
}

impl Referred {
    /// Reads a REFER.
    ///
    /// # Errors
    /// The status that it is answered with, and the tags of an Unsupported: 400 for none or several Refer-To, or one that cannot be read;
    /// 416 for a URI that SIP cannot call; 420 for extensions that we do not know.
    pub fn parse(refer: &Message) -> Result<Referred, (u16, Vec<String>)> {
        const KNOWN: [&[u8]; 4] = [b"norefersub", b"replaces", b"tdialog", b"timer"];
        let unknown: Vec<String> = refer
            .tokens(HeaderName::Require)
            .filter(|tag| !KNOWN.iter().any(|known| tag.eq_ignore_ascii_case(known)))
            .map(text)
            .collect();
        if !unknown.is_empty() {
            return Err((420, unknown));
        }
        let value = refer.refer_to().and_then(Result::ok).ok_or((400, Vec::new()))?;
        let target = Target::from_value(&value).map_err(|_| (400, Vec::new()))?;
        if !target.is_sip() {
            return Err((416, Vec::new()));
        }
        let target_dialog = refer.parsed(HeaderName::TargetDialog, syntax::Replaces::parse);
        Ok(Referred {
            target,
            referred_by: refer.header(HeaderName::ReferredBy).map(text),
            refer_sub: refer_sub(refer),
            target_dialog: target_dialog.and_then(Result::ok).and_then(|v| Replaces::from_value(&v).ok()),
            cseq: refer.cseq().map_or(0, |cseq| cseq.number),
        })
    }
}

/// What becomes of a REFER that came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransfereeEvent {
    /// It came, and waits for our decision.
    Referred(Box<Referred>),
    /// It names somebody whom the owner of the call did not expect ([`Refers`](crate::ua::call::Refers)): it was refused with 603, and nobody
    /// is called.
    Unexpected(Box<Referred>),
    /// It was refused by itself.
    Declined(Declined),
    /// A NOTIFY of ours has its answer.
    Notified {
        /// The final status; `None`: none in time.
        status: Option<u16>,
    },
    /// No NOTIFY goes out for it any more: the last was sent, or the peer wants none.
    Over,
}

/// Why a REFER was refused by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declined {
    /// It could not be taken: 400, 416, 420, or 486 when there are too many.
    Unusable(u16),
    /// Its owner said nothing for 16*T1: 480.
    Undecided,
    /// One was obeyed in this call, and one is all that its owner expects: 603.
    Repeated,
}

/// What a NOTIFY of ours has and another request has not.
#[derive(Debug, Clone)]
pub(in crate::ua) struct Notify {
    pub(in crate::ua) headers: Vec<(HeaderName, String)>,
    /// Its type, and the body.
    pub(in crate::ua) body: (String, Vec<u8>),
}

/// What a NOTIFY of ours shall say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Note {
    status: u16,
    phrase: String,
    /// `reason` of a subscription that ends with it.
    end: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not answered; 480 goes out then.
    Undecided(Instant),
    /// Accepted; it ends then.
    Subscribed(Instant),
    Over,
}

/// A REFER that came, from its arrival to its last NOTIFY.
#[derive(Debug)]
pub(in crate::ua) struct Received {
    /// What its owner calls it.
    pub(in crate::ua) number: u32,
    pub(in crate::ua) leg: usize,
    /// It was accepted.
    pub(in crate::ua) accepted: bool,
    /// Its transaction and the REFER itself, while it has no answer.
    open: Option<(ServerId, Message)>,
    cseq: u32,
    wants_none: bool,
    state: State,
    waiting: VecDeque<Note>,
    in_flight: bool,
    last_status: (u16, String),
    last: Option<Instant>,
}

impl Received {
    pub(in crate::ua) fn new(
        now: Instant,
        t1: Duration,
        number: u32,
        leg: usize,
        (id, refer, referred): (ServerId, Message, &Referred),
    ) -> Received {
        Received {
            number,
            leg,
            accepted: false,
            open: Some((id, refer)),
            cseq: referred.cseq,
            wants_none: referred.refer_sub == Some(false),
            state: State::Undecided(now + t1 * 16),
            waiting: VecDeque::new(),
            in_flight: false,
            last_status: (100, "Trying".to_owned()),
            last: None,
        }
    }

    pub(in crate::ua) fn is_done(&self) -> bool {
        self.state == State::Over && self.waiting.is_empty() && !self.in_flight
    }

    /// Accepted: gives the REFER that is to be answered 202, and whether `Refer-Sub: false` goes with it.
    pub(in crate::ua) fn accept(&mut self, now: Instant) -> Option<(ServerId, Message, bool)> {
        let (id, refer) = self.open.take()?;
        self.accepted = true;
        if self.wants_none {
            self.state = State::Over;
        } else {
            self.state = State::Subscribed(now + SUBSCRIPTION);
            self.note(100, "Trying".to_owned(), None);
        }
        Some((id, refer, self.wants_none))
    }

    /// Refused: gives the REFER that is to be answered.
    pub(in crate::ua) fn refuse(&mut self) -> Option<(ServerId, Message)> {
        let open = self.open.take()?;
        self.state = State::Over;
        Some(open)
    }

    /// What the transferee got from the target: a final status ends the subscription.
    pub(in crate::ua) fn notify(&mut self, status: u16, phrase: Option<String>) {
        if let (State::Subscribed(_), 100..700) = (self.state, status) {
            let phrase = phrase.unwrap_or_else(|| reason_phrase(status).to_owned());
            self.note(status, phrase, (status >= 200).then_some("noresource"));
        }
    }

    fn note(&mut self, status: u16, phrase: String, end: Option<&'static str>) {
        if end.is_some() {
            self.state = State::Over;
        }
        self.last_status = (status, phrase.clone());
        if self.waiting.len() == MAX_NOTES {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Note { status, phrase, end });
    }

    /// The next NOTIFY, unless one is on its way: they arrive in order because each waits for the answer to the one before.
    pub(in crate::ua) fn next(&mut self, now: Instant) -> Option<Notify> {
        if self.in_flight {
            return None;
        }
        let note = self.waiting.pop_front()?;
        self.in_flight = true;
        let left = match self.state {
            State::Subscribed(until) => until.saturating_duration_since(now).as_secs(),
            _ => 0,
        };
        let state = match note.end {
            Some(reason) => format!("terminated;reason={reason}"),
            None => format!("active;expires={left}"),
        };
        let headers = vec![
            (HeaderName::Event, format!("refer;id={}", self.cseq)),
            (HeaderName::SubscriptionState, state),
        ];
        let body = format!("SIP/2.0 {} {}\r\n", note.status, note.phrase).into_bytes();
        Some(Notify { headers, body: (format!("{SIPFRAG};version=2.0"), body) })
    }

    /// A NOTIFY of ours was answered, or not at all. The peer that does not want them, or is not there, gets no more (RFC 6665 sec. 4.2.2);
    /// what passes (491, 500, 503) ends nothing.
    pub(in crate::ua) fn on_notify_answered(&mut self, status: Option<u16>) {
        self.in_flight = false;
        if !matches!(status, Some(200..300 | 491 | 500 | 503)) {
            self.waiting.clear();
            self.state = State::Over;
        }
    }

    /// The call is over: the subscription lasts until then, no longer.
    pub(in crate::ua) fn outlive(&mut self, until: Instant) {
        self.last = Some(self.last.map_or(until, |last| last.min(until)));
    }

    pub(in crate::ua) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Undecided(at) => Some(at),
            State::Subscribed(at) => Some(self.last.map_or(at, |last| last.min(at))),
            State::Over => None,
        }
    }

    /// Its time is over: a REFER without decision is given back to be answered 480, a subscription ends with a NOTIFY.
    pub(in crate::ua) fn handle_timeout(&mut self, now: Instant) -> Option<(ServerId, Message)> {
        if self.poll_timeout().is_none_or(|at| at > now) {
            return None;
        }
        match self.state {
            State::Undecided(_) => return self.refuse(),
            _ => {
                let (status, phrase) = self.last_status.clone();
                self.note(status, phrase, Some("timeout"));
            }
        }
        None
    }
}
