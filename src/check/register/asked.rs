//! The account that is asked about, and for how long: the same for every question about registrations.

use super::session::Session;
use crate::check::{Account, Run};
use std::time::Duration;

/// The account and the time for the whole check.
#[derive(Debug, Clone)]
pub(in crate::check) struct Asked {
    account: Account,
    pub(in crate::check) time_limit: Option<Duration>,
}

impl Asked {
    pub(in crate::check) fn about(account: &Account) -> Asked {
        Asked { account: account.clone(), time_limit: None }
    }

    /// Name of the account for people.
    pub(in crate::check) fn name(&self) -> &str {
        self.account.name()
    }

    /// [`Check::accounts`](crate::check::Check::accounts).
    pub(in crate::check) fn accounts(&self) -> Vec<String> {
        vec![self.name().to_owned()]
    }

    /// [`Check::subject`](crate::check::Check::subject).
    pub(in crate::check) fn subject(&self) -> String {
        self.account.aor().to_owned()
    }

    /// Reaches its registrar, which is the step `reach`; `expires` is what a binding will ask for, in seconds.
    pub(in crate::check) async fn open(&self, run: &mut Run, expires: u32) -> Option<Session> {
        if self.account.name() != self.account.aor() {
            run.fact("account", self.account.name());
        }
        Session::open(run, &self.account, expires).await
    }
}
