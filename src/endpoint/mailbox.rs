//! What a client transaction has to say, on its way from the loop to who asked: bounded, and never in the loop's way.

use super::ClientEvent;
use crate::message::Message;
use crate::transaction::ClientId;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// Provisional responses kept for an owner that does not fetch them; later ones are dropped.
const PROVISIONAL_KEPT: usize = 16;
/// Final responses kept (an INVITE may have several); later ones are dropped.
const EVENTS_KEPT: usize = 32;

#[derive(Debug, Default)]
struct State {
    /// Mostly all that it ever holds: the request on its way to the loop, and later the one event.
    first: First,
    /// Events behind the first.
    events: VecDeque<ClientEvent>,
    waker: Option<Waker>,
    ended: bool,
    sent_at: Option<Instant>,
    id: Option<ClientId>,
}

/// In place, because both are large and a piece of memory for each would cost more than all that is done with them here.
#[derive(Debug, Default)]
enum First {
    #[default]
    Nothing,
    Request(Message),
    Event(ClientEvent),
}

impl State {
    fn push(&mut self, event: ClientEvent) {
        match self.first {
            First::Nothing if self.events.is_empty() => self.first = First::Event(event),
            _ => self.events.push_back(event),
        }
    }
    fn pop(&mut self) -> Option<ClientEvent> {
        match std::mem::take(&mut self.first) {
            First::Event(event) => Some(event),
            First::Nothing => self.events.pop_front(),
            request @ First::Request(_) => {
                self.first = request;
                None
            }
        }
    }
    fn len(&self) -> usize {
        self.events.len() + usize::from(matches!(self.first, First::Event(_)))
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    retransmissions: AtomicU32,
}

/// The loop's end.
#[derive(Debug)]
pub(super) struct Post(Arc<Shared>);

/// The owner's end.
#[derive(Debug)]
pub(super) struct Mailbox(Arc<Shared>);

/// The two ends of a client transaction that is to send this request.
pub(super) fn mailbox(request: Option<Message>) -> (Post, Mailbox) {
    let state = State { first: request.map_or(First::Nothing, First::Request), ..State::default() };
    let shared = Arc::new(Shared { state: Mutex::new(state), ..Shared::default() });
    (Post(Arc::clone(&shared)), Mailbox(shared))
}

impl Post {
    /// Hands over an event; false when it was dropped.
    pub(super) fn deliver(&self, event: ClientEvent, is_last: bool) -> bool {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let room = if matches!(event, ClientEvent::Provisional(_)) { PROVISIONAL_KEPT } else { EVENTS_KEPT };
        let fits = state.len() < room && !state.ended;
        if fits {
            state.push(event);
        }
        state.ended |= is_last;
        wake(state);
        fits
    }
    /// The loop takes the request; [`Post::sent`] says when that has led to something.
    pub(super) fn take_request(&self) -> Option<Message> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut state.first) {
            First::Request(request) => Some(request),
            other => {
                state.first = other;
                None
            }
        }
    }
    /// The request was taken by the loop and, unless that failed, sent.
    pub(super) fn sent(&self, at: Instant, id: Option<ClientId>) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.sent_at, state.id) = (Some(at), id);
        wake(state);
    }
    pub(super) fn is_ended(&self) -> bool {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).ended
    }
    /// The owner is gone: nobody waits for an answer any more.
    pub(super) fn is_unheard(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
    pub(super) fn retransmitted(&self, count: u32) {
        self.0.retransmissions.store(count, Ordering::Relaxed);
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ended = true;
        wake(state);
    }
}

/// Wakes who waits, once the lock is released.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Mailbox {
    /// Time at which the request was sent; `None` when the loop ended before it came to that.
    pub(super) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.sent_at.is_some() || state.ended {
            return Poll::Ready(state.sent_at);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
    /// The next event; `None` when the last was taken.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(event) = state.pop() {
            return Poll::Ready(Some(event));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
    /// Its transaction, once it was sent.
    pub(super) fn id(&self) -> Option<ClientId> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).id
    }
    pub(super) fn retransmissions(&self) -> u32 {
        self.0.retransmissions.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::endpoint::Received;
    use crate::message::{Flow, Transport};
    use crate::syntax::Limits;

    fn mailbox() -> (Post, Mailbox) {
        let (post, mailbox) = super::mailbox(Some(received(100).message));
        assert!(post.take_request().is_some());
        assert!(post.take_request().is_none());
        (post, mailbox)
    }

    fn received(status: u16) -> Received {
        let text = format!("SIP/2.0 {status} Text\r\nContent-Length: 0\r\n\r\n");
        let address = "192.0.2.1:5060".parse().unwrap();
        Received {
            message: Message::parse(text.into_bytes().into(), &Limits::default()).unwrap(),
            flow: Flow { transport: Transport::Udp, local: address, remote: address },
            at: std::time::Instant::now(),
        }
    }

    fn next(mailbox: &mut Mailbox) -> Poll<Option<ClientEvent>> {
        mailbox.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_flood_of_provisional_responses_leaves_room_for_the_final_one() {
        let (post, mut mailbox) = mailbox();
        let kept =
            (0..1_000).filter(|_| post.deliver(ClientEvent::Provisional(received(180)), false)).count();
        assert_eq!(kept, PROVISIONAL_KEPT);
        assert!(post.deliver(ClientEvent::Final(received(200)), true));
        for _ in 0..kept {
            assert!(matches!(next(&mut mailbox), Poll::Ready(Some(ClientEvent::Provisional(_)))));
        }
        assert!(matches!(next(&mut mailbox), Poll::Ready(Some(ClientEvent::Final(_)))));
        assert!(matches!(next(&mut mailbox), Poll::Ready(None)));
    }

    #[test]
    fn a_flood_of_final_responses_is_bounded_too() {
        let (post, _mailbox) = mailbox();
        let kept = (0..1_000).filter(|_| post.deliver(ClientEvent::Final(received(200)), false)).count();
        assert_eq!(kept, EVENTS_KEPT);
    }

    #[test]
    fn nothing_comes_after_the_last() {
        let (post, mut mailbox) = mailbox();
        assert!(post.deliver(ClientEvent::Timeout, true));
        assert!(!post.deliver(ClientEvent::Final(received(200)), true));
        assert!(matches!(next(&mut mailbox), Poll::Ready(Some(ClientEvent::Timeout))));
        assert!(matches!(next(&mut mailbox), Poll::Ready(None)));
    }

    #[test]
    fn who_waits_hears_of_the_end_of_the_loop() {
        let (post, mut mailbox) = mailbox();
        assert!(next(&mut mailbox).is_pending());
        drop(post);
        assert!(matches!(next(&mut mailbox), Poll::Ready(None)));
    }
}
