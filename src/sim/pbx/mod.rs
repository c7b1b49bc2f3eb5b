//! The PBX of the embedded network: a back-to-back user agent (RFC 7092) with numbers of its own and switchable faults.
//!
//! A caller is a known user: its INVITE is challenged (407) by the rules of its registration. The user part of the Request-URI is the number:
//!
//! | number | who answers |
//! |---|---|
//! | a user's name, or one of its [extensions](crate::sim::User::extension) | the user's devices: all live bindings, each over the flow on which it registered |
//! | a [group](Config::groups) | the devices of all its members, at once or [one after the other](Config::hunting) |
//! | [`Config::echo`], `*43` | the PBX, and sends back what it hears, digits of every way included |
//! | [`Config::announcement`], `*60` | the PBX, plays some tones and hangs up |
//! | a place of the [park orbit](Config::park), e.g. 701 | whoever waits there; nobody: 404 |
//! | of an [`Ivr`] | a voice menu, which routes the caller to another number |
//! | anything else | nobody: 404 |
//!
//! A user without binding gives 480, one with [`User::max_calls`](crate::sim::User::max_calls) calls 486. Between two devices there are two
//! legs, each with a dialog, an offer and answer, and media ports of its own. RTP goes from one to the other packet by packet (other payload
//! types, one SSRC and one numbering for each leg); ringing, early media, answers, refusals, hold and resume, INFO, CANCEL and BYE with their
//! Reasons are passed on; each leg that ends takes the other with it. The called device learns the caller's address of record in From and
//! in P-Asserted-Identity.
//!
//! Devices that are rung for one call are rung as one: the first answer wins, the others get CANCEL with Reason
//! `SIP;cause=200;text="Call completed elsewhere"`; a refusal ends its own branch, and the best of them goes to the caller when none is left.
//!
//! The REFER of a device in a call (RFC 3515) is carried out by the PBX, or passed on to the device at the other end
//! ([`Config::refer`]). Carried out, it is answered 202; the target is called for the transferee, with Referred-By, and what comes of it goes
//! into NOTIFYs. When the target answers it takes the place of the transferor, who gets BYE; the legs that are joined get a re-INVITE that says
//! in P-Asserted-Identity who is at the other end now, and ends a hold of the transferor. When it refuses, the transferee stays with the
//! transferor. A Replaces in the Refer-To names another leg of the PBX (the transferor's second call): whoever is joined with that leg, or
//! is rung for it, is the target, and both legs of the transferor end. An INVITE with Replaces takes the place of the leg that it names, or gets
//! 481, 486 or 603 (RFC 3891). A transfer to a number that the PBX answers itself leads there.
//!
//! Without REFER a device transfers by keys, pressed as telephone-events or sent by INFO: a code and a number, blindly
//! ([`Config::transfer_code`]) or with a consultation in the same call ([`Config::consult_code`]). The number is not passed on; one that leads
//! nowhere is told by three low bursts. A call that is transferred to a place of the park orbit ([`Config::park`]) waits there with music until
//! somebody calls that number, or until it rings who parked it.
//!
//! What can be wrong with calls is told in the table of [`Fault`](crate::sim::Fault); faults of both users are met in a call, and those of a
//! menu in every call to it.
//!
//! ```
//! use ringback::sim::{Ivr, Lab, User};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ringback::error::Error> {
//! let lab = Lab::builder()
//!     .user(User::new("alice", "alicepw").extension("201"))
//!     .user(User::new("bob", "bobpw").extension("202").fault("D04")?)
//!     .ivr(Ivr::new("700").option("1,2#", "202")?)
//!     .start()
//!     .await?;
//! assert_eq!(lab.aor("700"), "sip:700@lab.example");
//! assert!(lab.legs().is_empty());
//! lab.shutdown().await;
//! # Ok(()) }
//! ```

mod bridge;
mod clock;
mod config;
mod dial_plan;
mod events;
mod faults;
mod feature;
mod hunt;
mod interceptor;
mod ivr;
mod legs;
mod lot;
mod menu;
mod numbers;
mod outbound;
mod park;
mod payloads;
mod place;
mod player;
mod relay;
mod replace;
mod ring;
mod route;
mod text;
mod waiting;
mod which;

pub use config::{Config, Ivr, ReferMode};
pub use legs::{Leg, LegId, Role};

use super::registrar::lock;
use super::registrar::{Admission, Registrar};
use crate::endpoint::Endpoint;
use crate::endpoint::agent::{Agent, Invitation};
use crate::message::{Ids, Message};
use legs::Legs;
use std::sync::{Arc, Mutex, MutexGuard};

/// The PBX; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Pbx {
    agent: Agent,
    registrar: Arc<Mutex<Registrar>>,
    config: Arc<Config>,
    legs: Arc<Legs>,
    lot: Arc<lot::Lot>,
}

impl Pbx {
    pub(super) fn new(agent: Agent, registrar: Arc<Mutex<Registrar>>, config: Config) -> Pbx {
        Pbx { agent, registrar, config: Arc::new(config), legs: Arc::default(), lot: Arc::default() }
    }

    /// The legs that there are, in the order in which they were made.
    pub(super) fn legs(&self) -> Vec<Leg> {
        self.legs.all()
    }

    fn registrar(&self) -> MutexGuard<'_, Registrar> {
        lock(&self.registrar)
    }

    fn endpoint(&self) -> &Endpoint {
        self.agent.endpoint()
    }

    fn ids(&self) -> Ids {
        self.endpoint().ids()
    }

    /// Somebody calls: asks who it is. The call itself is a future of its own, `None` when there is none.
    pub(super) async fn arrived(
        &self,
        invitation: Invitation,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let admission = self.registrar().admit(invitation.at, &invitation.message, &invitation.flow);
        let came = match &admission {
            Admission::Caller(_) => "let in".to_owned(),
            Admission::Refused(response) => format!("answered {}", response.status().unwrap_or_default()),
            Admission::Silence => "not answered".to_owned(),
        };
        tracing::info!(
            target: "ringback::sim",
            "INVITE to {} from {} over {}: {came}",
            number(&invitation.message).escape_debug(), invitation.flow.remote, invitation.flow.transport
        );
        match admission {
            Admission::Caller(caller) => {
                let invitation = self.replacing(invitation, &caller).await?;
                let pbx = self.clone();
                Some(async move { Box::pin(pbx.route(invitation, *caller)).await })
            }
            Admission::Refused(response) => {
                let from = invitation.message.from().map(|from| super::registrar::text_of_user(from.uri()));
                // Once: who did not say who he is makes us repeat nothing and keep nothing (RFC 3261 sec. 26.3.2.4).
                match self.line(invitation.flow, &from.unwrap_or_default()).divert(response) {
                    Some(response) => invitation.refuse_once(response).await,
                    None => invitation.refuse_with(None).await,
                }
                None
            }
            Admission::Silence => {
                invitation.refuse_with(None).await;
                None
            }
        }
    }
}

/// The number that an INVITE calls.
fn number(invite: &Message) -> String {
    let uri = invite.request_uri().and_then(Result::ok);
    uri.map(super::registrar::text_of_user).unwrap_or_default()
}
