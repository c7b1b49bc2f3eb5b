//! Where a call goes: the dial plan.

use super::bridge::Bridge;
use super::faults::Faults;
use super::hunt::Hunt;
use super::ivr::{Chosen, Conversation};
use super::park::{self, Place};
use super::place::offered_codec;
use super::side::Side;
use super::{Ivr, Pbx, number, numbers};
use crate::endpoint::agent::Invitation;
use crate::message::Message;
use crate::sim::User;
use crate::sim::fault::Kind;
use crate::syntax::{HeaderName, SessionExpires};

/// Most numbers that one call is led through: menus may lead to menus.
const MAX_NUMBERS: usize = 8;

/// Who answers a number.
pub(super) enum Destination {
    /// Who is rung: one user, or all of a group.
    Users(Vec<User>),
    Echo,
    Announcement,
    Menu(Box<Ivr>),
    /// A place of the park orbit: whoever waits there is fetched.
    Slot(String),
    /// The same for who is sent there to wait.
    Parked(Box<Place>),
    Nobody,
}

impl Pbx {
    pub(super) fn destination(&self, number: &str) -> Destination {
        if self.config.echo.as_deref() == Some(number) {
            return Destination::Echo;
        }
        if self.config.announcement.as_deref() == Some(number) {
            return Destination::Announcement;
        }
        if let Some(menu) = self.config.menus.iter().find(|menu| menu.number == number) {
            return Destination::Menu(Box::new(menu.clone()));
        }
        if self.config.park.as_ref().is_some_and(|park| park::is_slot(park, number)) {
            return Destination::Slot(number.to_owned());
        }
        let registrar = self.registrar();
        if let Some((_, members)) = self.config.groups.iter().find(|(group, _)| group == number) {
            let members = members.iter().filter_map(|member| registrar.by_number(member).cloned());
            return Destination::Users(members.collect());
        }
        let user = registrar.by_number(number).cloned();
        user.map_or(Destination::Nobody, |user| Destination::Users(vec![user]))
    }

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
                let Some(side) = self.take(invitation, &caller, &number, &faults).await else { return };
                let (placed, hunt) = self.in_turn(&number, placed);
                match self.dial(placed).await {
                    Ok(called) => self.bridge(side, called, faults, hunt).await,
                    Err(status) => refuse(side, status).await,
                }
            }
            Destination::Echo
            | Destination::Announcement
            | Destination::Menu(_)
            | Destination::Slot(_)
            | Destination::Parked(_) => {
                if let Some(side) = self.take(invitation, &caller, &number, &faults).await {
                    Box::pin(self.serve(side, destination, faults)).await;
                }
            }
        }
    }

    /// A number of our own; a menu leads to another one.
    pub(super) async fn serve(&self, mut side: Side, first: Destination, faults: Faults) {
        let (blocked, mut destination, mut number) = (faults.blocks(), first, String::new());
        for _ in 0..MAX_NUMBERS {
            match destination {
                Destination::Echo => return numbers::echo(side, blocked.0 || blocked.1).await,
                Destination::Announcement => return numbers::announce(side, self.ids(), blocked.1).await,
                Destination::Nobody => return refuse(side, 404).await,
                Destination::Slot(slot) => return self.fetch(side, &slot).await,
                Destination::Parked(place) => return self.park(side, *place, faults).await,
                Destination::Menu(menu) => {
                    match Conversation::new(side, &menu, faults.clone(), self.ids()).run().await {
                        Chosen::Over => return,
                        Chosen::Number(caller, chosen) => (side, number) = (caller, chosen),
                    }
                    destination = self.destination(&number);
                }
                Destination::Users(called) => {
                    let faults = called.iter().fold(faults, |faults, called| faults.and(called.faults()));
                    let codec = side.plan.as_ref().map(|plan| plan.codec);
                    side.relay.set_faults(faults.clone());
                    let placed = match self.place(&called, &number, &side.user, &faults, codec).await {
                        Ok(placed) => placed,
                        Err(status) => return refuse(side, status).await,
                    };
                    let (placed, hunt) = self.in_turn(&number, placed);
                    return match self.dial(placed).await {
                        Ok(called) => self.bridge(side, called, faults, hunt).await,
                        Err(status) => refuse(side, status).await,
                    };
                }
            }
        }
        refuse(side, 482).await;
    }

    pub(super) async fn bridge(&self, caller: Side, called: Vec<Side>, faults: Faults, hunt: Option<Hunt>) {
        // Boxed: a transfer may lead from here to a number of our own, and from there to a call again.
        let mut bridge = Bridge::new(self.clone(), caller, called, faults);
        bridge.hunt = hunt;
        Box::pin(bridge.run()).await;
    }

    /// Two legs that are there already; the first is about to be answered.
    pub(super) async fn joined(&self, caller: Side, called: Side, faults: Faults) {
        Box::pin(Bridge::joined(self.clone(), caller, called, faults).run()).await;
    }

    /// The final response with which faults refuse an INVITE before anything else is looked at.
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

/// Ends a caller's leg whose call goes no further.
pub(super) async fn refuse(mut side: Side, status: u16) {
    if side.up {
        side.release(&[format!("SIP;cause={status}")]).await;
    } else {
        side.handle.command(crate::ua::call::Command::Refuse { status, reason: None }).await;
    }
    while side.next().await.is_some() {}
}
