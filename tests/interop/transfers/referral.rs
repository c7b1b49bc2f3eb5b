//! Transfers by our agents, step by step, with somebody else in one of the three roles.

use crate::calls::phone::{Phone, Talk};
use ringback::endpoint::agent::Replacement;
use ringback::message::Transport;
use ringback::transport::{Direction, RecordEvent};
use ringback::ua::call::{self, By, Command, Event};
use ringback::ua::transfer::{
    Refer, Referred, Replaces, SubscriptionEnd, Target, TransfereeEvent, TransferorEvent,
};
use std::net::SocketAddr;

/// A phone of ours, registered there.
pub(super) async fn registered(user: &'static str, proxy: SocketAddr, transport: Transport) -> Phone {
    let phone = Phone::at(user, proxy.ip(), transport).await;
    phone.register(proxy).await;
    phone
}

/// It is told of REFERs, and decides.
pub(super) fn decides(config: &mut call::Config) {
    config.refers = call::Refers::Asked;
}

/// What a subscription ends with when all is done.
pub(super) fn done() -> SubscriptionEnd {
    SubscriptionEnd::Terminated { reason: Some("noresource".to_owned()) }
}

/// The target has answered: the transferee tells the transferor, who leaves.
pub(super) async fn concluded(transferor: &mut Talk, (transferee, referral): (&mut Talk, u32)) {
    transferee.notifies(referral, 200).await;
    let (told, end) = transferor.told().await;
    assert_eq!((told.last(), end), (Some(&200), done()));
    transferor.over().await;
    transferee.gone().await;
}

impl Phone {
    /// Takes the next call and answers it; with what its Replaces came to.
    pub(super) async fn answers(&mut self) -> (Talk, Option<Replacement>) {
        let invitation = self.invited().await;
        let replacement = invitation.replaces();
        let mut talk = self.take_invitation(invitation, decides);
        talk.command(Command::Ring { status: 180, media: false }).await;
        talk.command(Command::Answer).await;
        talk.answered().await;
        (talk, replacement)
    }

    /// Calls whom it was referred to.
    pub(super) async fn follows(&self, referred: &Referred, proxy: SocketAddr) -> Talk {
        let adjust = |config: &mut call::Config| *config = config.clone().referred(referred);
        self.dial_uri(&referred.target.uri, proxy, adjust, None).await
    }

    /// Obeys the next REFER of this call: its number, what it asked for, and the new call.
    pub(super) async fn obeys(&self, talk: &mut Talk, proxy: SocketAddr) -> (u32, Referred, Talk) {
        let (referral, asked) = talk.referred().await;
        talk.command(Command::AcceptRefer { referral }).await;
        let new = self.follows(&asked, proxy).await;
        (referral, asked, new)
    }

    /// Requests of this method that it sent, retransmissions not counted.
    pub(super) fn sent(&self, method: &str) -> usize {
        let records = self.agent.recorder().records();
        let is_one = |event: &RecordEvent| match event {
            RecordEvent::Message { direction: Direction::Sent, bytes, retransmission: 0 } => {
                bytes.starts_with(format!("{method} ").as_bytes())
            }
            _ => false,
        };
        records.iter().filter(|record| is_one(&record.event)).count()
    }
}

impl Talk {
    /// Sends a REFER to `target`, with Replaces for an attended transfer.
    pub(super) async fn refers_to(&self, target: &str, replaces: Option<Replaces>) {
        let mut target = Target::new(target);
        target.replaces = replaces;
        self.handle.refer(Refer::new(1, target)).await;
    }

    /// The status of the REFER's answer: 2xx or not.
    pub(super) async fn refer_answered(&mut self) -> u16 {
        let status = |event: &Event| match event {
            Event::Transferor { event: TransferorEvent::Accepted { status, .. }, .. }
            | Event::Transferor { event: TransferorEvent::Refused { status, .. }, .. } => Some(*status),
            _ => None,
        };
        match self.signals().into_iter().find_map(status) {
            Some(status) => status,
            None => self.signal("the answer to REFER", status).await,
        }
    }

    /// Waits until nothing more is told: all statuses that NOTIFYs told, and how the subscription ended.
    pub(super) async fn told(&mut self) -> (Vec<u16>, SubscriptionEnd) {
        let over = |event: &Event| match event {
            Event::Transferor { event: TransferorEvent::Over(end), .. } => Some(end.clone()),
            _ => None,
        };
        let end = match self.signals().into_iter().find_map(over) {
            Some(end) => end,
            None => self.signal("the end of the subscription", over).await,
        };
        (self.notified(), end)
    }

    /// The statuses that NOTIFYs told so far.
    pub(super) fn notified(&self) -> Vec<u16> {
        let status = |event: &Event| match event {
            Event::Transferor { event: TransferorEvent::Notified(told), .. } => told.status,
            _ => None,
        };
        self.signals().into_iter().filter_map(status).collect()
    }

    /// The next REFER that comes: its number, and what it asks for.
    pub(super) async fn referred(&mut self) -> (u32, Referred) {
        self.signal("a REFER", |event| match event {
            Event::Transferee { referral, event: TransfereeEvent::Referred(referred) } => {
                Some((*referral, (**referred).clone()))
            }
            _ => None,
        })
        .await
    }

    /// Tells what the target said, and waits for the answer to that NOTIFY.
    pub(super) async fn notifies(&mut self, referral: u32, status: u16) {
        self.command(Command::Notify { referral, status, phrase: None }).await;
        self.signal("the end of the referral", |event| match event {
            Event::Transferee { event: TransfereeEvent::Over, .. } => Some(()),
            _ => None,
        })
        .await;
    }

    /// Waits until another call has taken its place.
    pub(super) async fn replaced_by(&mut self, other: &Talk) {
        let by = self
            .signal("the other call", |event| match event {
                Event::Replaced { by } => Some(by.clone()),
                _ => None,
            })
            .await;
        assert_eq!(by, other.handle.call_id());
        assert_eq!(self.gone().await, By::Local);
    }

    /// Waits for its end, unless that was told already: who ended it.
    pub(super) async fn gone(&mut self) -> By {
        let by = |event: &Event| match event {
            Event::Ended { by, .. } => Some(*by),
            _ => None,
        };
        match self.signals().into_iter().find_map(by) {
            Some(by) => by,
            None => self.signal("the end", by).await,
        }
    }

    /// Hangs up, unless the other side does first.
    pub(super) async fn over(&mut self) {
        self.handle.hang_up(None).await;
        self.gone().await;
    }
}
