//! Where a call goes, from its INVITE to its end. Calls between devices are begun here, and nowhere else.

use super::bridge::{Bridge, Rest};
use super::dial_plan::Destination;
use super::faults::Faults;
use super::hunt::Hunt;
use super::ivr::{Chosen, Conversation};
use super::legs::{LegState, Question};
use super::lot::Place;
use super::park::End;
use super::place::offered_codec;
use super::waiting::Waiting;
use super::which::Which;
use super::{Pbx, number, numbers};
use crate::endpoint::agent::Invitation;
use crate::message::Message;
use crate::sim::User;
use crate::sim::fault::Kind;
use crate::syntax::{HeaderName, SessionExpires};
use crate::ua::call::Command;

/// Most numbers that one call is led through: menus may lead to menus.
const MAX_NUMBERS: usize = 8;

impl Pbx {
    /// The whole of a call.
    pub(super) async fn route(self, invitation: Invitation, caller: User) {
        let number = number(&invitation.message);
        let destination = self.destination(&number);
        let mut faults = Faults::of(caller.faults());
        faults = match &destination {
            Destination::Users(called) => {
                let others = called.iter().filter(|called| called.name() != caller.name());
                others.fold(faults, |faults, called| faults.and(called.faults()))
            }
            Destination::Menu(menu) => faults.and(menu.faults()),
            _ => faults,
        };
        if let Some(response) = self.objection(&invitation.message, &faults) {
            return self.turn_away(invitation, caller.name(), Some(response)).await;
        }
        let destination = match destination {
            Destination::Slot(slot) => self.at_slot(slot, &invitation.message),
            other => other,
        };
        match destination {
            Destination::Nobody => self.turn_away_with(invitation, caller.name(), 404).await,
            Destination::Users(called) => {
                let codec = offered_codec(&invitation.message);
                let placed = match self.place(&called, &number, caller.name(), &faults, codec).await {
                    Ok(placed) => placed,
                    Err(status) => return self.turn_away_with(invitation, caller.name(), status).await,
                };
                // The caller's leg first: what cannot be taken rings nobody.
                let Some(leg) = self.take(invitation, &caller, &number, &faults).await else { return };
                let (placed, hunt) = self.in_turn(&number, placed);
                match self.dial(placed).await {
                    Ok(called) => self.bridge(leg, called, faults, hunt).await,
                    Err(status) => leg.turn_away(status).await,
                }
            }
            Destination::Echo
            | Destination::Announcement
            | Destination::Menu(_)
            | Destination::Slot(_)
            | Destination::Parked(_) => {
                if let Some(leg) = self.take(invitation, &caller, &number, &faults).await {
                    Box::pin(self.serve(leg, destination, faults)).await;
                }
            }
        }
    }

    /// A number of our own; a menu leads to another number.
    async fn serve(&self, mut leg: LegState, first: Destination, faults: Faults) {
        let (blocked, mut destination, mut number) = (faults.blocks(), first, String::new());
        for _ in 0..MAX_NUMBERS {
            match destination {
                Destination::Echo => return numbers::echo(leg, blocked.0 || blocked.1).await,
                Destination::Announcement => return numbers::announce(leg, self.ids(), blocked.1).await,
                Destination::Nobody => return leg.turn_away(404).await,
                Destination::Slot(slot) => return self.fetch(leg, &slot).await,
                Destination::Parked(place) => return self.park(leg, *place, faults).await,
                Destination::Menu(menu) => {
                    match Conversation::new(leg, &menu, faults.clone(), self.ids()).run().await {
                        Chosen::Over => return,
                        Chosen::Number(caller, chosen) => (leg, number) = (caller, chosen),
                    }
                    destination = self.destination(&number);
                }
                Destination::Users(called) => {
                    let faults = called.iter().fold(faults, |faults, called| faults.and(called.faults()));
                    let codec = leg.plan.as_ref().map(|plan| plan.codec);
                    leg.relay.set_faults(faults.clone());
                    let placed = match self.place(&called, &number, &leg.user, &faults, codec).await {
                        Ok(placed) => placed,
                        Err(status) => return leg.turn_away(status).await,
                    };
                    let (placed, hunt) = self.in_turn(&number, placed);
                    return match self.dial(placed).await {
                        Ok(called) => self.bridge(leg, called, faults, hunt).await,
                        Err(status) => leg.turn_away(status).await,
                    };
                }
            }
        }
        leg.turn_away(482).await;
    }

    async fn bridge(&self, caller: LegState, called: Vec<LegState>, faults: Faults, hunt: Option<Hunt>) {
        let bridge = Bridge::new(self.clone(), caller, called, faults, hunt);
        Box::pin(self.until_over(bridge)).await;
    }

    /// Two legs that are there already; the first is about to be answered.
    async fn joined(&self, caller: LegState, called: LegState, faults: Faults) {
        Box::pin(self.until_over(Bridge::joined(self.clone(), caller, called, faults))).await;
    }

    /// A transfer may lead from a call to a number of our own, and from there to a call again.
    async fn until_over(&self, bridge: Bridge) {
        let Rest { onward, mut partings } = Box::pin(bridge.run()).await;
        if let Some((leg, destination, faults)) = onward {
            Box::pin(self.serve(leg, destination, faults)).await;
        }
        while partings.join_next().await.is_some() {}
    }

    /// Connects a caller with whoever waits at a place.
    async fn fetch(&self, leg: LegState, slot: &str) {
        let leg = Box::new(leg);
        let asked = match self.lot.inbox(slot) {
            Some(inbox) => inbox.ask(Question::Fetch { leg }),
            None => Err(Question::Fetch { leg }),
        };
        if let Err(Question::Fetch { leg }) = asked {
            leg.turn_away(404).await;
        }
    }

    /// Lets a leg wait.
    async fn park(&self, leg: LegState, mut place: Place, faults: Faults) {
        if !leg.up {
            leg.handle.command(Command::Answer).await;
        }
        let mut waiting = Waiting::new(leg, Which::Caller, &mut self.ids());
        let end = self.wait_at(&mut waiting, &mut place).await;
        let parker = place.parker.clone();
        drop(place);
        match end {
            End::Gone => {}
            End::Fetched(caller) => {
                caller.handle.command(Command::Answer).await;
                self.joined(*caller, waiting.leg, faults).await;
            }
            End::TimedOut => self.ring_back(waiting.leg, &parker, faults).await,
        }
    }

    /// Nobody came: whoever parked the call gets it back.
    async fn ring_back(&self, leg: LegState, parker: &str, faults: Faults) {
        let Some(user) = self.registrar().by_number(parker).cloned() else {
            return leg.turn_away(404).await;
        };
        let codec = leg.plan.as_ref().map(|plan| plan.codec);
        let placed = match self.place(&[user], parker, &leg.user, &faults, codec).await {
            Ok(placed) => self.dial(placed).await,
            Err(status) => Err(status),
        };
        match placed {
            Ok(called) => self.bridge(leg, called, faults, None).await,
            Err(status) => leg.turn_away(status).await,
        }
    }

    /// The final response with which faults refuse an INVITE before anything else is checked.
    fn objection(&self, invite: &Message, faults: &Faults) -> Option<Message> {
        let lists = |name| invite.tokens(name).any(|tag| tag.eq_ignore_ascii_case(b"100rel"));
        if faults.has(Kind::NoReliable) && (lists(HeaderName::Require) || lists(HeaderName::Supported)) {
            return self.response(invite, 420, (HeaderName::Unsupported, "100rel"));
        }
        let asked = invite.parsed(HeaderName::SessionExpires, SessionExpires::parse)?.ok()?.seconds;
        let min_se = faults.find(|kind| match kind {
            Kind::LongSessions { min_se } => Some(min_se),
            Kind::LongerSessions => Some(asked.saturating_add(600)),
            _ => None,
        })?;
        let refused = asked < min_se;
        refused.then(|| self.response(invite, 422, (HeaderName::MinSe, &min_se.to_string())))?
    }
}
