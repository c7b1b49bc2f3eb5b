//! What a machine works with during one step.
use super::buffers::Buffers;
use super::slab::Id;
use super::timers::{Moment, Tick, Timers};
use super::{ClientId, Output, Owner, ServerId};
use crate::message::Flow;
use bytes::Bytes;
use std::collections::VecDeque;

/// One input of one machine: when, by which timer values, and where its outputs go.
pub(super) struct Step<'a> {
    pub(super) now: Moment,
    pub(super) timers: &'a Timers,
    pub(super) outputs: &'a mut VecDeque<Output>,
    /// Where bytes go that nobody needs any more.
    pub(super) buffers: &'a mut Buffers,
    /// The transaction.
    pub(super) id: Id,
}

/// What became of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Fate {
    Alive,
    Terminated,
}

impl Step<'_> {
    /// Has a deadline come?
    pub(super) fn is_due(&self, deadline: Tick) -> bool {
        deadline <= self.now.down
    }
    pub(super) fn after(&self, interval: u64) -> Tick {
        self.now.after(interval)
    }
    pub(super) fn client(&self) -> ClientId {
        ClientId(self.id)
    }
    pub(super) fn server(&self) -> ServerId {
        ServerId(self.id)
    }
    pub(super) fn discard(&mut self, bytes: Bytes) {
        self.buffers.give(bytes);
    }
    pub(super) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }
    pub(super) fn transmit_client(&mut self, flow: Flow, bytes: Bytes, retransmission: u32) {
        let owner = Owner::Client(self.client());
        self.output(Output::Transmit { owner, flow, bytes, retransmission });
    }
    pub(super) fn transmit_server(&mut self, flow: Flow, bytes: Bytes, retransmission: u32) {
        let owner = Owner::Server(self.server());
        self.output(Output::Transmit { owner, flow, bytes, retransmission });
    }
}
