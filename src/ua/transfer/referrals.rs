//! The referrals of one call, in both directions: which of them a NOTIFY belongs to, and when all are done.

use super::{Issued, MAX_REFERRALS, Notification, Received, Referred};
use crate::message::Message;
use crate::transaction::ServerId;
use std::time::{Duration, Instant};

/// Referrals that are not done yet.
#[derive(Debug, Default)]
pub(in crate::ua) struct Referrals {
    pub(in crate::ua) issued: Vec<Issued>,
    pub(in crate::ua) received: Vec<Received>,
    last_number: u32,
    /// One that came was accepted.
    obeyed: bool,
}

impl Referrals {
    /// Is nothing owed and nothing awaited any more?
    pub(in crate::ua) fn is_empty(&self) -> bool {
        self.issued.is_empty() && self.received.is_empty()
    }

    /// Room for one more of ours; a token must not be in use.
    pub(in crate::ua) fn may_issue(&self, token: u64) -> bool {
        self.issued.len() < MAX_REFERRALS && self.issued.iter().all(|issued| issued.token != token)
    }

    pub(in crate::ua) fn issued(&mut self, token: u64) -> Option<&mut Issued> {
        self.issued.iter_mut().find(|issued| issued.token == token)
    }

    pub(in crate::ua) fn received(&mut self, number: u32) -> Option<&mut Received> {
        self.received.iter_mut().find(|received| received.number == number)
    }

    /// Was a REFER obeyed, or does one wait for that?
    pub(in crate::ua) fn has_obeyed(&self) -> bool {
        self.obeyed || !self.received.is_empty()
    }

    pub(in crate::ua) fn obey(&mut self) {
        self.obeyed = true;
    }

    /// A REFER came: gives its number; `None` when there are too many.
    pub(in crate::ua) fn receive(
        &mut self,
        now: Instant,
        t1: Duration,
        leg: usize,
        (id, refer, referred): (ServerId, Message, &Referred),
    ) -> Option<u32> {
        if self.received.len() >= MAX_REFERRALS {
            return None;
        }
        self.last_number = self.last_number.wrapping_add(1);
        self.received.push(Received::new(now, t1, self.last_number, leg, (id, refer, referred)));
        Some(self.last_number)
    }

    /// Which of ours a NOTIFY in this dialog is for: the one with its id; without an id the first that is open (RFC 3515 sec. 2.4.6). An id
    /// that fits none is taken for the only open one: a B2BUA that relays REFER under numbers of its own often lets the id pass as it is.
    pub(in crate::ua) fn notified(&mut self, leg: usize, notification: &Notification) -> Option<&mut Issued> {
        let open = |issued: &&mut Issued| issued.leg == leg && issued.is_open();
        let id = notification.event_id.as_deref();
        let number = id.and_then(|id| id.parse::<u32>().ok());
        let exact = self.issued.iter().position(|i| i.leg == leg && i.is_open() && Some(i.cseq) == number);
        let only = self.issued.iter_mut().filter(open).count() == 1;
        match exact {
            Some(at) => self.issued.get_mut(at),
            None if id.is_none() || only => self.issued.iter_mut().find(open),
            None => None,
        }
    }

    /// The call is over: none lasts longer than this.
    pub(in crate::ua) fn outlive(&mut self, until: Instant) {
        self.issued.iter_mut().for_each(|issued| issued.outlive(until));
        self.received.iter_mut().for_each(|received| received.outlive(until));
    }

    pub(in crate::ua) fn poll_timeout(&self) -> Option<Instant> {
        let issued = self.issued.iter().filter_map(Issued::poll_timeout);
        issued.chain(self.received.iter().filter_map(Received::poll_timeout)).min()
    }
}
