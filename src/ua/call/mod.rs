//! One call, in either role (RFC 3261 sec. 13 to 15): INVITE with offer and answer, early dialogs, changes, and its end.
//!
//! A machine without I/O. It gives requests without Via and responses; its owner runs the [transaction](crate::transaction) layer and
//! hands back what came.
//!
//! | RFC | what of it |
//! |---|---|
//! | 3261 | both roles; forks; ACK of every 2xx; CANCEL and the 200 that crosses it; 3xx where allowed; own realms' 401 and 407; 491 |
//! | 3262 | PRACK for reliable provisional responses; sends them where they are required |
//! | 3264 | offer in INVITE or in its 2xx, hold and resume |
//! | 3311 | UPDATE of the peer in early and confirmed dialogs, ours in confirmed ones |
//! | 3326 | Reason of a BYE and of a refusal |
//! | 3515, 4488 | REFER in the dialog both ways, and the NOTIFYs that belong to it, also after BYE (5057) |
//! | 3891, 3892 | Replaces and Referred-By of a call that we make; Replaces of one that we take |
//! | 4028 | session timers with either refresher, 422 |
//! | 4916 | a change of the far party in From, P-Asserted-Identity, Contact or session |
//! | 6086 | INFO in its old form: `application/dtmf-relay` and `application/dtmf` |
//!
//! # What the owner does
//! * [`Output::Send`] means [`Layer::send`](crate::transaction::Layer::send); its responses, timeout and failure come back under the same id.
//! * [`Output::SendAck`] means [`Layer::send_outside`](crate::transaction::Layer::send_outside).
//! * [`Output::Cancel`] means [`Layer::cancel`](crate::transaction::Layer::cancel) of what was sent under this id.
//! * [`Output::Respond`] means [`Layer::respond`](crate::transaction::Layer::respond); a 2xx to INVITE comes again until its ACK is there.
//! * Requests and ACKs with our Call-ID and tag ([`Call::owns`]) come in as [`Input::Request`] and [`Input::Ack`].
//! * [`Output::Finished`] means that nothing more comes and the call can be dropped.
//!
//! Each request answers challenges by itself: nonces are not shared between the INVITE and what follows in its dialog.
//!
//! ```
//! use ringback::message::Ids;
//! use ringback::sdp::Local;
//! use ringback::ua::call::{Call, Command, Config, Input, Output};
//! use std::time::Instant;
//!
//! let local = Local::new("127.0.0.1:40000".parse()?);
//! let config = Config::new("sip:alice@lab.example", "sip:alice@127.0.0.1:5070", local);
//! let mut call = Call::outgoing(config, "sip:bob@lab.example", Ids::from_seed([7; 32]));
//! call.handle_input(Instant::now(), Input::Command(Command::Dial));
//! let Some(Output::Send { request, .. }) = call.poll_output() else { panic!("no request") };
//! assert!(request.body().starts_with(b"v=0"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod change;
mod consent;
mod dtmf;
mod event;
mod incoming;
mod machine;
mod outgoing;
mod party;
mod refer;
mod request;
mod session;
mod state;

#[cfg(test)]
mod tests;

pub use consent::{Redirects, Refers};
pub use dtmf::{DTMF, DTMF_RELAY, DtmfInfo};
pub use event::{By, Cause, Event, Rejection, completed_elsewhere};
pub use outgoing::MAX_TARGETS;
pub use party::FarParty;
pub use session::MAX_MIN_SE;
pub use state::{MAX_ANSWERS, MAX_FORKS, MAX_GLARES, MAX_WAITING};

use crate::auth::Credentials;
use crate::message::{Ids, Message};
use crate::sdp::{Local, Negotiation};
use crate::transaction::ServerId;
use crate::ua::transfer::{Refer, Referrals, Referred, Replaces};
use crate::ua::trust::{Realms, Trust};
use change::Changes;
use incoming::{Accepted, Invited};
use outgoing::Inviting;
use request::Pending;
use session::Session;
use state::{Leg, Phase};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// One call.
#[derive(Debug)]
pub struct Call {
    config: Config,
    ids: Ids,
    call_id: String,
    local_tag: String,
    /// Did we make the call? (Then its Call-ID is ours, see RFC 3261 sec. 14.1.)
    is_caller: bool,
    phase: Phase,
    /// What each fork begins with: our offer.
    negotiation: Negotiation,
    /// Early dialogs and confirmed ones; never removed.
    legs: Vec<Leg>,
    /// The dialog of the call, as soon as it is answered (or early, where we are called).
    up: Option<usize>,
    inviting: Option<Inviting>,
    invited: Option<Invited>,
    accepted: Option<Accepted>,
    pending: Vec<Pending>,
    changes: Changes,
    session: Option<Session>,
    referrals: Referrals,
    /// Whose challenges are answered.
    realms: Realms,
    /// Of the INVITE that we were called with.
    replaces: Option<Replaces>,
    /// A BYE that waits for the ACK of our 2xx, with its Reason.
    bye_after_ack: Option<Option<String>>,
    /// Repetitions of 2xx may come until then.
    linger_until: Option<Instant>,
    next_id: u64,
    /// It is over for us, and the peer may not know.
    may_be_left: bool,
    finished: bool,
    outputs: VecDeque<Output>,
}

/// Who we are in a call, and how we behave.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Our address: the From URI (no `<>`) of a call that we make.
    pub from: String,
    /// Our Contact URI (no `<>`).
    pub contact: String,
    /// Our media.
    pub local: Local,
    /// What to answer challenges with; without, a challenge ends the call.
    pub credentials: Option<Credentials>,
    /// Whose challenges are answered with them.
    pub trust: Trust,
    /// `User-Agent`.
    pub user_agent: String,
    /// Preloaded Route values of the INVITE (an outbound proxy), e.g. `<sip:proxy.example.com;lr>`.
    pub routes: Vec<String>,
    /// Most times that one request is sent before it gives up (challenges, 422, 3xx); default 6.
    pub max_requests: u32,
    /// Which 3xx is followed; default none: it is the final answer.
    pub redirects: Redirects,
    /// Say that we know reliable provisional responses (`Supported: 100rel`); default yes.
    pub reliable: bool,
    /// Call only with reliable provisional responses (`Require: 100rel`); default no.
    pub require_reliable: bool,
    /// The session interval that we ask for, in seconds; default 1,800. `None`: session timers are not known to us.
    pub session_expires: Option<u32>,
    /// The shortest session interval that we take, in seconds; default (and least by RFC 4028) 90.
    pub min_se: u32,
    /// Hold, resume and refresh by UPDATE where the peer allows it; default no: by re-INVITE.
    pub prefer_update: bool,
    /// The dialog of its target that a call of ours takes over (RFC 3891); default none.
    pub replaces: Option<Replaces>,
    /// Call only when that is obeyed (`Require: replaces`); default no.
    pub require_replaces: bool,
    /// The value of Referred-By (RFC 3892) in a call that we make because of a REFER; default none.
    pub referred_by: Option<String>,
    /// To of the INVITE (a URI without `<>`), where it is not the Request-URI; default none.
    pub to: Option<String>,
    /// Further headers of the INVITE, name and value; default none.
    pub headers: Vec<(String, String)>,
    /// Which REFERs of the peer are taken; default none. The owner then accepts or refuses each that is. [`Command::ExpectRefers`] changes it
    /// while the call is up.
    pub refers: Refers,
    /// How long after the end of the call NOTIFYs are still taken (and sent) for referrals that are not done; default 60 s.
    pub referral_linger: Duration,
    /// What an INFO that can be read is answered with; default 200.
    pub info_status: u16,
    /// Round-trip estimate; default 500 ms. The same as the transaction layer's.
    pub t1: Duration,
    /// Longest interval between repetitions of a 2xx; default 4 s.
    pub t2: Duration,
}

impl Config {
    /// A configuration with defaults for the rest.
    pub fn new(from: impl Into<String>, contact: impl Into<String>, local: Local) -> Config {
        Config {
            from: from.into(),
            contact: contact.into(),
            local,
            credentials: None,
            trust: Trust::default(),
            user_agent: concat!("ringback/", env!("CARGO_PKG_VERSION")).into(),
            routes: Vec::new(),
            max_requests: 6,
            redirects: Redirects::Refused,
            reliable: true,
            require_reliable: false,
            session_expires: Some(1_800),
            min_se: 90,
            prefer_update: false,
            replaces: None,
            require_replaces: false,
            referred_by: None,
            to: None,
            headers: Vec::new(),
            refers: Refers::Declined,
            referral_linger: Duration::from_secs(60),
            info_status: 200,
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
        }
    }

    /// For the call that a REFER asks for: takes over Replaces, whether it is required, Referred-By, and the
    /// [headers](crate::ua::transfer::Target::usable_headers) that may go into the INVITE.
    #[must_use]
    pub fn referred(mut self, referred: &Referred) -> Config {
        self.replaces = referred.target.replaces.clone();
        self.require_replaces = self.replaces.is_some() && referred.target.requires_replaces();
        self.referred_by = referred.referred_by.clone();
        let headers = referred.target.usable_headers();
        self.headers.extend(headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
        self
    }
}

/// What to do. A command that does not fit the state of the call has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Makes the call.
    Dial,
    /// Tells the caller that it rings.
    Ring {
        /// 101 to 199; 180 as a rule.
        status: u16,
        /// With our answer to the offer, so that early media can flow.
        media: bool,
    },
    /// Takes the call.
    Answer,
    /// Refuses it.
    Refuse {
        /// 300 to 699.
        status: u16,
        /// A Reason value, e.g. `Q.850;cause=17`; without effect when it is none (RFC 3326).
        reason: Option<String>,
    },
    /// Puts the peer on hold.
    Hold(Hold),
    /// Takes the peer from hold.
    Resume,
    /// Sends an INFO.
    Info {
        /// Named again in [`Event::InfoAnswered`].
        token: u64,
        /// E.g. `application/dtmf-relay`.
        content_type: String,
        /// The body as it is to be sent.
        body: Vec<u8>,
    },
    /// Asks the peer to call somebody else (RFC 3515); [`Event::Transferor`] tells what becomes of it.
    Refer(Box<Refer>),
    /// Takes these REFERs of the peer from now on. (Allow names REFER in what is sent from then on.)
    ExpectRefers(Refers),
    /// Accepts a REFER of the peer: 202, and a NOTIFY of 100 at once, unless it asked for none.
    AcceptRefer {
        /// From [`Event::Transferee`].
        referral: u32,
    },
    /// Refuses a REFER of the peer.
    RefuseRefer {
        /// From [`Event::Transferee`].
        referral: u32,
        /// 300 to 699.
        status: u16,
    },
    /// Tells the peer what we got from the one that it sent us to. A final status is the last that it is told.
    Notify {
        /// From [`Event::Transferee`].
        referral: u32,
        /// 100 to 699.
        status: u16,
        /// The phrase; without, that of the status.
        phrase: Option<String>,
    },
    /// Another call of ours has taken over the dialog of this one (RFC 3891): tells it and hangs up.
    GiveWay {
        /// The Call-ID of the other.
        by: String,
    },
    /// Ends the call: CANCEL before the answer, BYE after it, 480 where we were called and have not answered.
    HangUp {
        /// A Reason value for the CANCEL or BYE, e.g. `SIP;cause=200;text="done"`; without effect when it is none (RFC 3326).
        reason: Option<String>,
    },
}

/// How to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hold {
    /// `a=sendonly` (RFC 3264 sec. 8.4).
    SendOnly,
    /// `a=inactive`.
    Inactive,
    /// The address 0.0.0.0 or :: (RFC 2543).
    ZeroAddress,
}

/// Names a request that the call gave out; never used twice by one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(super) u64);

/// What comes in.
#[derive(Debug)]
pub enum Input {
    /// Something to do.
    Command(Command),
    /// This request goes to the account's own registrar or proxy (or does not): to be said before its responses, where it is known. Challenges
    /// from elsewhere are not answered. Unless it is said, all that goes to the host that was dialled first is at home.
    SentTo {
        /// Which request.
        id: RequestId,
        /// Is it one of [`Trust::hosts`]?
        home: bool,
    },
    /// A response to a request that was given out; each 2xx of an INVITE too.
    Response {
        /// Which request.
        id: RequestId,
        /// The response.
        response: Message,
    },
    /// No final response in time.
    Timeout(RequestId),
    /// It could not be sent, or its connection was lost.
    TransportFailed(RequestId),
    /// A request of the peer in this call.
    Request {
        /// Its transaction.
        id: ServerId,
        /// The request.
        request: Message,
    },
    /// The INVITE that we were called with is cancelled.
    Cancelled {
        /// Its transaction.
        invite: ServerId,
        /// Reason values of the CANCEL, as they came.
        reasons: Vec<String>,
    },
    /// An ACK for a 2xx of ours.
    Ack(Message),
}

/// What goes out.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Send this request (without Via) in a client transaction.
    Send {
        /// Its name.
        id: RequestId,
        /// The request.
        request: Message,
    },
    /// Send this ACK (without Via) outside any transaction.
    SendAck(Message),
    /// Cancel an INVITE.
    Cancel {
        /// The one that was sent under this id.
        id: RequestId,
        /// A Reason value (RFC 3326) of the CANCEL, without line breaks.
        reason: Option<String>,
    },
    /// Answer this request.
    Respond {
        /// Its transaction.
        id: ServerId,
        /// The response.
        response: Message,
    },
    /// Something happened.
    Event(Event),
    /// The call is over, and nothing of it is on its way any more. Commands have no effect from now on; requests that still come get 481.
    Finished,
}
