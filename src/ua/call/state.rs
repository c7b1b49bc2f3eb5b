//! Where a call stands, its dialogs, and its limits.

use super::FarParty;
use crate::message::Message;
use crate::sdp::Negotiation;
use crate::ua::dialog::Dialog;
use std::collections::VecDeque;

/// Most early dialogs of one INVITE; provisional responses of further forks are left alone.
pub const MAX_FORKS: usize = 16;
/// Most forks of one INVITE that are acknowledged and hung up when they answer.
pub const MAX_ANSWERS: usize = 256;
/// Changes that wait for others to end, and requests without response; further changes, INFOs and PRACKs are dropped.
pub const MAX_WAITING: usize = 64;
/// Glares (491) of one change before it is given up.
pub const MAX_GLARES: u32 = 8;
/// ACKs that are kept of each dialog, to be sent again.
const MAX_ACKS: usize = 4;

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not dialled.
    Idle,
    /// Not answered, in either role.
    Ringing,
    /// Answered.
    Up,
    /// Our BYE is on its way.
    Closing,
    /// Ended.
    Over,
}

/// One dialog of the call.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) dialog: Dialog,
    pub(super) negotiation: Negotiation,
    /// The last RSeq that was acknowledged.
    pub(super) rseq: Option<u32>,
    /// Allow of the peer lists UPDATE.
    pub(super) allows_update: bool,
    /// Who the peer says to be.
    pub(super) far: FarParty,
    /// CSeq of our INVITEs that got a 2xx, with the ACK.
    acks: VecDeque<(u32, Message)>,
}

impl Leg {
    pub(super) fn new(dialog: Dialog, negotiation: Negotiation) -> Leg {
        let (far, acks) = (FarParty::default(), VecDeque::new());
        Leg { dialog, negotiation, rseq: None, allows_update: false, far, acks }
    }

    pub(super) fn keep_ack(&mut self, cseq: u32, ack: Message) {
        if self.acks.len() == MAX_ACKS {
            self.acks.pop_front();
        }
        self.acks.push_back((cseq, ack));
    }

    pub(super) fn ack_of(&self, cseq: u32) -> Option<&Message> {
        self.acks.iter().find(|(number, _)| *number == cseq).map(|(_, ack)| ack)
    }
}
