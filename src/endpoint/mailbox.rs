//! What a client transaction has to say, on its way from the loop to who asked: bounded, and never in the loop's way.

use super::ClientEvent;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Provisional responses kept for an owner that does not fetch them; later ones are dropped.
const PROVISIONAL_KEPT: usize = 16;
/// Final responses kept (an INVITE may have several); later ones are dropped.
const EVENTS_KEPT: usize = 32;

#[derive(Debug, Default)]
struct State {
    events: VecDeque<ClientEvent>,
    waker: Option<Waker>,
    ended: bool,
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

pub(super) fn mailbox() -> (Post, Mailbox) {
    let shared = Arc::new(Shared::default());
    (Post(Arc::clone(&shared)), Mailbox(shared))
}

impl Post {
    /// Hands over an event; false when it was dropped.
    pub(super) fn deliver(&self, event: ClientEvent, is_last: bool) -> bool {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let room = if matches!(event, ClientEvent::Provisional(_)) { PROVISIONAL_KEPT } else { EVENTS_KEPT };
        let fits = state.events.len() < room && !state.ended;
        if fits {
            state.events.push_back(event);
        }
        state.ended |= is_last;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        fits
    }
    pub(super) fn is_ended(&self) -> bool {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).ended
    }
    pub(super) fn retransmitted(&self, count: u32) {
        self.0.retransmissions.store(count, Ordering::Relaxed);
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ended = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Mailbox {
    /// The next event; `None` when the last was taken.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(event) = state.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
    pub(super) fn retransmissions(&self) -> u32 {
        self.0.retransmissions.load(Ordering::Relaxed)
    }
}
