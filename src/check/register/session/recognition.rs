//! Which of the listed bindings is ours, where nothing in it is as we sent it.

use super::{Ended, Session, lists_own};
use crate::check::Run;
use crate::syntax::{Host, Uri};
use crate::ua::registration::Command;

impl Session {
    /// Finds our binding in the list where it was rewritten beyond recognition: by then it is the one of our user that was not there before.
    pub(super) fn recognize(&mut self, run: &mut Run, command: Command, ended: &mut Ended) {
        if !ended.accepted() {
            return;
        }
        let Some(answer) = ended.finished.as_mut().and_then(|f| f.answer.as_mut()) else { return };
        let is_bound = command == Command::Bind;
        if !answer.bindings.iter().any(|b| b.own) && answer.unreadable_own.is_none() {
            let known = self.rewritten.as_ref().filter(|uri| answer.bindings.iter().any(|b| b.uri == **uri));
            let found = known.cloned().or_else(|| {
                let before = self.listed.as_ref().filter(|_| is_bound)?;
                let mut new =
                    answer.bindings.iter().filter(|b| !before.contains(&b.uri) && self.may_be_ours(&b.uri));
                new.next().filter(|_| new.next().is_none()).map(|b| b.uri.clone())
            });
            if let Some(uri) = found {
                answer.claim(&uri);
                self.rewritten = Some(uri);
            }
        }
        if command == Command::Query && self.history.has_bound() && !self.removal_asked {
            self.listed_to_binds_only = !lists_own(answer);
        }
        if is_bound {
            self.granted = answer.granted.map(|(seconds, _)| seconds);
            let token = self.registration.contact().rsplit_once(';').map(|(_, token)| token.to_owned());
            let listed = answer.bindings.iter().filter(|b| b.own).map(|b| b.uri.clone());
            for part in token.into_iter().chain(listed) {
                if !run.bound().contains(&part) {
                    run.bound().push(part);
                }
            }
        }
        if command != Command::Remove {
            self.listed = Some(answer.bindings.iter().map(|b| b.uri.clone()).collect());
        }
    }

    /// Our user, elsewhere than at the domain itself.
    fn may_be_ours(&self, uri: &str) -> bool {
        let host = self.domain.rsplit_once(':').map_or(self.domain.as_str(), |(host, _)| host);
        let (Ok(uri), Ok(own)) = (Uri::parse(uri.as_bytes()), Uri::parse(self.contact.as_bytes())) else {
            return false;
        };
        let is_domain = match uri.host() {
            Some(Host::Name(name)) => name.eq_ignore_ascii_case(host.as_bytes()),
            Some(other) => other.ip().is_some_and(|ip| host.trim_matches(['[', ']']).parse() == Ok(ip)),
            None => true,
        };
        uri.user() == own.user() && !is_domain
    }

    /// Our binding as it is listed, where nothing in it is as we sent it.
    pub(in crate::check) fn rewritten(&self) -> Option<&str> {
        self.rewritten.as_deref()
    }
}
