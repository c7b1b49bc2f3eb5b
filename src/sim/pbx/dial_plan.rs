//! The dial plan: who answers at a number.

use super::lot::{self, Place};
use super::{Ivr, Pbx};
use crate::message::Message;
use crate::sim::User;
use crate::syntax::{HeaderName, ReferredBy};

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
        if self.config.park.as_ref().is_some_and(|park| lot::is_slot(park, number)) {
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

    /// What a call to a place is for: a device that was sent there (RFC 3892) waits, any other comes to fetch.
    pub(super) fn at_slot(&self, slot: String, invite: &Message) -> Destination {
        let sent = invite.parsed(HeaderName::ReferredBy, ReferredBy::parse).and_then(Result::ok);
        let occupied = self.lot.inbox(&slot).is_some();
        match sent.map(|sent| crate::sim::registrar::text_of_user(sent.address.uri())) {
            Some(parker) if !occupied => match self.lot.reserve(&slot, &parker) {
                Some(place) => Destination::Parked(Box::new(place)),
                None => Destination::Nobody,
            },
            None if occupied => Destination::Slot(slot),
            _ => Destination::Nobody,
        }
    }
}
