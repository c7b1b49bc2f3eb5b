//! The transferor's end of a referral: our REFER, its answer, and the NOTIFYs that tell what came of it.

use super::{Notification, Replaces, Target};
use crate::message::Message;
use crate::syntax::HeaderName;
use crate::ua::dialog::DialogId;
use crate::ua::response::{reason, text, values};
use std::time::{Duration, Instant};

/// The longest that a subscription is believed to last, whatever its `expires` says.
pub const MAX_SUBSCRIPTION: Duration = Duration::from_secs(3_600);

/// A REFER that we send.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refer {
    /// Named again in the events.
    pub token: u64,
    /// Whom it names.
    pub target: Target,
    /// The value of Referred-By (RFC 3892); without, our own address.
    pub referred_by: Option<String>,
    /// Ask not to be told what came of it (`Refer-Sub: false`, RFC 4488).
    pub suppress_subscription: bool,
    /// A dialog that we have with the peer and that the REFER is for, as we see it (Target-Dialog, RFC 4538): for a REFER outside any call.
    pub target_dialog: Option<DialogId>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
}

impl Refer {
    /// A REFER that wants to be told what came of it.
    pub fn new(token: u64, target: Target) -> Refer {
        Refer {
            token,
            target,
            referred_by: None,
            suppress_subscription: false,
            target_dialog: None,
            headers: Vec::new(),
        }
    }

    /// Everything that this REFER has and another request has not; `from` is our address.
    pub(in crate::ua) fn written(&self, from: &str) -> Vec<(String, String)> {
        let mut headers = vec![("Refer-To".to_owned(), self.target.value())];
        let by = self.referred_by.clone().unwrap_or_else(|| format!("<{from}>"));
        headers.push(("Referred-By".to_owned(), by));
        if self.suppress_subscription {
            headers.push(("Refer-Sub".to_owned(), "false".to_owned()));
        }
        if let Some(dialog) = &self.target_dialog {
            let value = Replaces::of_ours(dialog).target_dialog_value();
            headers.push(("Target-Dialog".to_owned(), text(&value)));
        }
        headers.extend(self.headers.iter().cloned());
        headers
    }
}

/// What becomes of a REFER of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferorEvent {
    /// A 2xx. That says nothing of the transfer itself.
    Accepted {
        /// 202, or 200 (RFC 7647).
        status: u16,
        /// Will there be NOTIFYs? Not where `Refer-Sub: false` was asked for and granted.
        subscribed: bool,
    },
    /// Refused; nothing more comes.
    Refused {
        /// 300 to 699.
        status: u16,
        /// Its phrase.
        phrase: String,
        /// Reason values.
        reasons: Vec<String>,
        /// Warning values.
        warnings: Vec<String>,
    },
    /// No final response in time. When a NOTIFY has come already, more may come; else this is the end.
    Unanswered,
    /// It was not sent: why. This is the end.
    NotSent(String),
    /// A NOTIFY came, perhaps before the answer, and was answered 200.
    Notified(Box<Notification>),
    /// No NOTIFY comes any more; a late one is answered 481.
    Over(SubscriptionEnd),
}

/// How a subscription ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriptionEnd {
    /// A NOTIFY said so.
    Terminated {
        /// `noresource` when all is done; also `timeout`, `rejected`, ...
        reason: Option<String>,
    },
    /// There was none: `Refer-Sub: false` was granted.
    Suppressed,
    /// No NOTIFY at all came within 64*T1 of the 2xx (RFC 6665 sec. 4.1.2.4).
    NeverCame,
    /// Its time was over (and 64*T1 more), and no NOTIFY said `terminated`.
    Expired,
    /// The call ended so long ago that nobody waits any more.
    CallOver,
}

/// A REFER of ours, from sending to the end of its subscription.
#[derive(Debug)]
pub(in crate::ua) struct Issued {
    pub(in crate::ua) token: u64,
    /// The dialog, by its owner's count.
    pub(in crate::ua) leg: usize,
    /// CSeq as it was sent last: the `id` of its NOTIFYs.
    pub(in crate::ua) cseq: u32,
    suppress: bool,
    answered: bool,
    notified: bool,
    over: bool,
    /// The subscription is given up then, and how.
    deadline: Option<(Instant, SubscriptionEnd)>,
    /// The end of all patience after the call.
    last: Option<Instant>,
}

impl Issued {
    pub(in crate::ua) fn new(token: u64, leg: usize, suppress: bool) -> Issued {
        Issued {
            token,
            leg,
            cseq: 0,
            suppress,
            answered: false,
            notified: false,
            over: false,
            deadline: None,
            last: None,
        }
    }

    /// Is there nothing left to wait for?
    pub(in crate::ua) fn is_done(&self) -> bool {
        self.answered && self.over
    }

    /// May NOTIFYs still come?
    pub(in crate::ua) fn is_open(&self) -> bool {
        !self.over
    }

    fn end(&mut self, end: SubscriptionEnd) -> TransferorEvent {
        (self.over, self.deadline) = (true, None);
        TransferorEvent::Over(end)
    }

    /// The final response to the REFER, or none.
    pub(in crate::ua) fn on_final(
        &mut self,
        now: Instant,
        t1: Duration,
        response: Option<&Message>,
    ) -> Vec<TransferorEvent> {
        self.answered = true;
        let Some((response, status)) = response.and_then(|r| Some((r, r.status()?))) else {
            // RFC 6665 sec. 4.1.2.4: a NOTIFY makes the subscription as well as a 2xx does.
            self.over |= !self.notified;
            return vec![TransferorEvent::Unanswered];
        };
        if !(200..300).contains(&status) {
            (self.over, self.deadline) = (true, None);
            return vec![TransferorEvent::Refused {
                status,
                phrase: reason(response),
                reasons: values(response, HeaderName::Reason),
                warnings: values(response, HeaderName::Warning),
            }];
        }
        let subscribed = !(self.suppress && refer_sub(response) == Some(false));
        let mut events = vec![TransferorEvent::Accepted { status, subscribed }];
        if self.over || self.notified {
            return events;
        }
        if subscribed {
            self.deadline = Some((now + t1 * 64, SubscriptionEnd::NeverCame));
        } else {
            events.push(self.end(SubscriptionEnd::Suppressed));
        }
        events
    }

    /// It could not be written.
    pub(in crate::ua) fn on_unwritable(&mut self, wrong: String) -> TransferorEvent {
        (self.answered, self.over, self.deadline) = (true, true, None);
        TransferorEvent::NotSent(wrong)
    }

    /// A NOTIFY of this subscription.
    pub(in crate::ua) fn on_notify(
        &mut self,
        now: Instant,
        t1: Duration,
        mut notification: Notification,
    ) -> Vec<TransferorEvent> {
        self.notified = true;
        notification.refer_cseq = self.cseq;
        // RFC 3515 sec. 2.4.4 leaves the time to the other side; who does not say it gets three minutes.
        let lasts = Duration::from_secs(notification.expires_s.unwrap_or(180).into()).min(MAX_SUBSCRIPTION);
        self.deadline = Some((now + lasts + t1 * 64, SubscriptionEnd::Expired));
        let ended = notification.is_terminated().then(|| notification.reason.clone());
        let mut events = vec![TransferorEvent::Notified(Box::new(notification))];
        if let Some(reason) = ended {
            events.push(self.end(SubscriptionEnd::Terminated { reason }));
        }
        events
    }

    /// The call is over: NOTIFYs are taken until then, no longer.
    pub(in crate::ua) fn outlive(&mut self, until: Instant) {
        self.last = Some(self.last.map_or(until, |last| last.min(until)));
    }

    pub(in crate::ua) fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.deadline.as_ref().map(|(at, _)| *at);
        deadline.into_iter().chain(self.last).min().filter(|_| !self.over)
    }

    pub(in crate::ua) fn handle_timeout(&mut self, now: Instant) -> Option<TransferorEvent> {
        if self.over {
            return None;
        }
        if let Some((_, end)) = self.deadline.clone().filter(|(at, _)| *at <= now) {
            return Some(self.end(end));
        }
        self.last.filter(|at| *at <= now).map(|_| self.end(SubscriptionEnd::CallOver))
    }
}

/// Refer-Sub (RFC 4488 sec. 4): does it say that there is (or shall be) a subscription?
pub(super) fn refer_sub(message: &Message) -> Option<bool> {
    let value = text(message.header(HeaderName::ReferSub)?);
    match value.split(';').next().unwrap_or_default().trim() {
        word if word.eq_ignore_ascii_case("true") => Some(true),
        word if word.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
