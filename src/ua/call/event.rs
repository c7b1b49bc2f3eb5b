//! What a call tells its owner.

use super::FarParty;
use crate::sdp::{MediaPlan, SdpError};
use crate::syntax::Reason;
use crate::ua::End;
use crate::ua::challenged::Offered;
use crate::ua::transfer::{TransfereeEvent, TransferorEvent};
use crate::ua::trust::Distrust;
use std::time::Duration;

/// Which side did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// We.
    Local,
    /// The peer, or something on the way to it.
    Peer,
}

/// Something happened. The messages themselves are the owner's: they went through its hands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A provisional response other than 100 came.
    Progress {
        /// 180: it rings.
        status: u16,
        /// The place of the early dialog among the forks; `None` when the response makes none.
        fork: Option<usize>,
    },
    /// The peer sends media before it answers, or we may send it.
    EarlyMedia {
        /// The place of the early dialog among the forks.
        fork: usize,
        /// What was agreed on.
        plan: MediaPlan,
    },
    /// A 3xx was followed.
    Redirected {
        /// Its status.
        status: u16,
        /// Where the call goes now.
        target: String,
    },
    /// A challenge that could have been answered was not: credentials go to the account's own registrar and proxies only.
    ChallengeRefused {
        /// The method of the request that was challenged.
        method: String,
        /// The realm of the challenge.
        realm: String,
        /// It stood in Proxy-Authenticate (407).
        proxy: bool,
        /// Why it was not answered.
        why: Distrust,
    },
    /// The call is up.
    Answered(MediaPlan),
    /// The call that we made was not answered; it is over.
    Rejected(Box<Rejection>),
    /// The other side is on hold now.
    Held {
        /// Who holds.
        by: By,
        /// What was agreed on.
        plan: MediaPlan,
    },
    /// The hold is over.
    Resumed {
        /// Who held.
        by: By,
        /// What was agreed on.
        plan: MediaPlan,
    },
    /// The media changed in another way (address, codec, numbers).
    Changed {
        /// Who wanted it.
        by: By,
        /// What was agreed on.
        plan: MediaPlan,
    },
    /// A change that we wanted did not come about; what was agreed on before stays.
    ChangeFailed {
        /// The status of the refusal; `None` where there was none, or a 2xx that could not be used.
        status: Option<u16>,
    },
    /// A description of the peer could not be used.
    MediaFailed(SdpError),
    /// We refused an offer of the peer, because of what [`Event::MediaFailed`] told just before.
    OfferRefused {
        /// The status that it was refused with: 488.
        status: u16,
        /// What was offered ([`sdp::summary`](crate::sdp::summary)).
        offer: String,
    },
    /// The INVITE that we are called with has a header that breaks the grammar (a display name without quotes, an empty parameter), and was taken
    /// all the same: others refuse it with 400.
    LooselyRead {
        /// Its name: From, To or Contact.
        header: String,
        /// Its value as it came.
        value: String,
    },
    /// We refused a request of the peer in this call by ourselves: one in another dialog, out of order, or that cannot be read.
    RequestRefused {
        /// Its method.
        method: String,
        /// What it was answered.
        status: u16,
        /// What is wrong with it.
        why: String,
    },
    /// A glare: our change and one of the peer met (491); it is tried again.
    Glare {
        /// After this time.
        again_in: Duration,
    },
    /// An INFO came, and was answered with this status.
    InfoReceived {
        /// Content-Type as it came; empty when there was none.
        content_type: String,
        /// The body.
        body: Vec<u8>,
        /// 200, or 415 for what we do not know.
        status: u16,
    },
    /// What became of an INFO of ours.
    InfoAnswered {
        /// From its command.
        token: u64,
        /// The final status; `None`: none in time.
        status: Option<u16>,
    },
    /// Of a REFER of ours.
    Transferor {
        /// From its command.
        token: u64,
        /// What.
        event: TransferorEvent,
    },
    /// Of a REFER of the peer.
    Transferee {
        /// Its number, for commands; 0 for one that was refused at once.
        referral: u32,
        /// What.
        event: TransfereeEvent,
    },
    /// A re-INVITE, UPDATE or answer of the peer says that somebody else is at the far end now, or the same at another place.
    FarParty(Box<FarParty>),
    /// Another call takes the place of this one, which ends (RFC 3891).
    Replaced {
        /// The Call-ID of the other.
        by: String,
    },
    /// A further fork answered as well; it was sent an ACK and a BYE.
    ForkHungUp {
        /// Its place among the forks.
        fork: usize,
    },
    /// The session timer was refreshed.
    Refreshed {
        /// By whom.
        by: By,
    },
    /// The call is over.
    Ended {
        /// Who ended it.
        by: By,
        /// Why.
        cause: Cause,
        /// Reason values of the request that ended it, as they came.
        reasons: Vec<String>,
    },
}

/// Do these Reason values, of the CANCEL that ended a call to us, say that another device took it (RFC 3326 sec. 3.1: `SIP;cause=200`)?
pub fn completed_elsewhere(reasons: &[String]) -> bool {
    reasons.iter().any(|value| {
        let Ok((reason, _)) = Reason::parse_first(value.as_bytes()) else {
            return value.to_ascii_lowercase().contains("completed elsewhere");
        };
        let is = |protocol: &str, cause| {
            reason.protocol.eq_ignore_ascii_case(protocol.as_bytes()) && reason.cause() == Some(cause)
        };
        // Q.850 26: non-selected user clearing.
        is("SIP", 200) || is("Q.850", 26)
    })
}

/// Why a call is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// BYE.
    HungUp,
    /// CANCEL, before an answer.
    Cancelled,
    /// We refused it with this status.
    Refused(u16),
    /// Our 2xx got no ACK within 64*T1 (RFC 3261 sec. 13.3.1.4).
    NoAck,
    /// Our reliable provisional response got no PRACK within 64*T1 (RFC 3262 sec. 3).
    NoPrack,
    /// The session was not refreshed in time (RFC 4028 sec. 10).
    SessionExpired,
    /// A request in the dialog got 408 or 481 (RFC 3261 sec. 12.2.1.2).
    DialogGone(u16),
    /// A request in the dialog got no answer at all.
    NoAnswer,
    /// The descriptions did not fit.
    Media(SdpError),
    /// A message of ours could not be written: what is wrong.
    BadConfig(String),
}

/// How a call that we made was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// Why it ended: [`End::Refused`] for a final response, [`End::Timeout`] for none, and what became of challenges.
    pub end: End,
    /// The last final status, when there was one.
    pub status: Option<u16>,
    /// Its reason phrase.
    pub phrase: String,
    /// Its Reason values.
    pub reasons: Vec<String>,
    /// Its Warning values.
    pub warnings: Vec<String>,
    /// Its Retry-After.
    pub retry_after: Option<Duration>,
    /// Of a 3xx the URIs of its Contacts that can be read, in order, without their headers; at most [`MAX_TARGETS`](super::MAX_TARGETS).
    pub targets: Vec<String>,
    /// Every challenge that the INVITE met, in order.
    pub challenges: Vec<Offered>,
    /// INVITEs sent, retransmissions not counted.
    pub requests: u32,
}
