//! What an attack may come to, counted: all of it has to be nothing.

use crate::platform::{Core, Platform};
use crate::stranger::Stranger;
use crate::text::{Text, user};
use std::fmt;

/// Whom a question may dial here.
const MAY_BE_DIALLED: [&str; 5] = ["alice", "bob", "carol", "600", "900"];

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Request-URIs of INVITEs that nobody asked for.
    pub(crate) dialled: Vec<String>,
    /// Hosts and realms that got an answer made from a password and should not.
    pub(crate) digests: Vec<String>,
    /// Secrets, with the outputs that show them.
    pub(crate) secrets: Vec<String>,
    pub(crate) bindings: Vec<String>,
    /// Call-IDs of calls that are still up.
    pub(crate) calls: Vec<String>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Tally {
    pub(crate) fn of(platform: &Platform, strangers: &[&Stranger]) -> Tally {
        let core = platform.core.lock().unwrap();
        let mut tally = Tally::default();
        tally.dialled(&core);
        tally.digests(&core);
        tally.bindings.extend(core.bindings.values().flatten().cloned());
        tally
            .calls
            .extend(core.calls.iter().filter(|(_, ended)| !**ended).map(|(call_id, _)| call_id.clone()));
        for stranger in strangers {
            for text in stranger.heard() {
                let line = text.lines().next().unwrap_or_default().to_owned();
                if text.to_lowercase().contains("uthorization:") {
                    tally.digests.push(format!("{}: {line}", stranger.address));
                }
                if Text::parse(text.as_bytes()).is_some_and(|text| text.begins("INVITE")) {
                    tally.dialled.push(line);
                }
            }
        }
        tally
    }

    fn dialled(&mut self, core: &Core) {
        let invites = core.requests.iter().filter(|request| request.begins("INVITE"));
        let ours = |uri: &&str| core.is_ours(uri) && MAY_BE_DIALLED.contains(&user(uri));
        self.dialled.extend(invites.map(|invite| invite.uri()).filter(|uri| !ours(uri)).map(str::to_owned));
    }

    fn digests(&mut self, core: &Core) {
        for request in &core.requests {
            for name in ["Authorization", "Proxy-Authorization"] {
                let value = request.value(name);
                let is_right = value.is_empty()
                    || value.contains(r#"realm="pbx.example.com""#)
                        && value.contains("algorithm=SHA-256")
                        && value.contains("qop=auth")
                        && !value.contains("evil");
                if !is_right {
                    self.digests.push(format!("{}: {value}", request.start));
                }
            }
        }
    }

    #[track_caller]
    pub(crate) fn is_nothing(&self, what: &str, said: impl fmt::Display) {
        assert_eq!(*self, Tally::default(), "{what}\n{said}");
    }
}
