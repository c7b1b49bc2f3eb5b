//! Who may call, by the digest rules of registration, and who is called by a number.

use super::gate::{self, Asker, Pass};
use super::{Output, Passage, Registrar, text_of_user};
use crate::message::{Flow, Message};
use crate::sim::User;
use crate::sim::fault::Kind;
use std::time::Instant;

/// What the registrar says of an INVITE.
#[derive(Debug)]
pub(in crate::sim) enum Admission {
    /// This user calls.
    Caller(Box<User>),
    /// Nobody who may call: answer this.
    Refused(Message),
    /// A banned address: answer nothing.
    Silence,
}

impl Registrar {
    /// Asks who calls: From has to name a user, who has to know the password.
    pub(in crate::sim) fn admit(&mut self, now: Instant, invite: &Message, flow: &Flow) -> Admission {
        let ip = flow.remote.ip();
        let name = invite.from().map(|from| text_of_user(from.uri())).unwrap_or_default();
        if self.banned.contains(&(ip, None)) || self.banned.contains(&(ip, Some(name.clone()))) {
            return Admission::Silence;
        }
        let known = invite.from().is_ok_and(|from| self.serves(&from.uri()));
        let user = self.accounts.get(&name).map(|account| account.user.clone()).filter(|_| known);
        let Some(user) = user else {
            return Admission::Refused(self.plain(invite, 403, "Forbidden"));
        };
        self.watch(&name, flow);
        let passage = self.passage(&name, invite, flow);
        match passage {
            Passage::In => {}
            Passage::Silence => return Admission::Silence,
            Passage::Closed => {
                self.outputs.push_back(Output::Close(*flow));
                return Admission::Silence;
            }
            Passage::TooLarge => return Admission::Refused(self.plain(invite, 513, "Message Too Large")),
        }
        if user.has(Kind::UnknownUser) || user.has(Kind::ForbiddenAtOnce) {
            return Admission::Refused(self.plain(invite, 403, "Forbidden"));
        }
        match gate::judge(&self.config, &mut self.nonces, now, &user, invite, &[Asker::Calls]) {
            Pass::In => Admission::Caller(Box::new(user)),
            Pass::BadForm => Admission::Refused(self.plain(invite, 400, "Bad qop")),
            Pass::Challenge { asker, stale } => {
                Admission::Refused(self.challenge(now, invite, (&user, asker, stale)))
            }
        }
    }

    /// Whom a number rings: the user of this name, or who has this extension.
    pub(in crate::sim) fn by_number(&self, number: &str) -> Option<&User> {
        let by_name = self.accounts.get(number).map(|account| &account.user);
        by_name.or_else(|| self.users().find(|user| user.extensions.iter().any(|own| own == number)))
    }
}
