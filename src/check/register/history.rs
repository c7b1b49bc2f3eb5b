//! The history of a registration with its registrar: a refusal after a success is not a refusal at first.

use crate::ua::registration::Command;
use std::time::{Duration, Instant};

/// Request that was accepted before.
#[derive(Debug, Clone, Default)]
pub(in crate::check) struct History {
    /// Commands that were accepted, with the time, in order.
    accepted: Vec<(Command, Instant)>,
    /// The status that a query was refused with, where a binding was then tried all the same.
    pub(in crate::check) refused_query: Option<u16>,
    /// A bind was refused by a final response.
    pub(in crate::check) refused_bind: bool,
    /// A digest answer of ours was sent.
    pub(in crate::check) credentials_sent: bool,
    /// A request with a digest answer of ours was accepted.
    credentials_accepted: bool,
}

impl History {
    /// A command ended: was it accepted, and did it carry a digest answer?
    pub(super) fn add(&mut self, command: Command, (accepted, with_credentials): (bool, bool), now: Instant) {
        self.credentials_sent |= with_credentials;
        if accepted {
            self.accepted.push((command, now));
            self.credentials_accepted |= with_credentials;
        }
    }

    /// Were our credentials good before?
    pub(in crate::check) fn knows_credentials(&self) -> bool {
        self.credentials_accepted
    }

    /// Was a query of the bindings accepted before?
    pub(in crate::check) fn has_queried(&self) -> bool {
        self.accepted.iter().any(|(command, _)| *command == Command::Query)
    }

    /// Was a binding accepted before?
    pub(in crate::check) fn has_bound(&self) -> bool {
        self.accepted.iter().any(|(command, _)| *command == Command::Bind)
    }

    /// Request that was accepted last, in words; `None` when none was.
    pub(in crate::check) fn last(&self, now: Instant) -> Option<String> {
        let (command, at) = self.accepted.last()?;
        let what = match command {
            Command::Query => "the query of the bindings",
            Command::Bind => "the registration",
            Command::Remove => "the removal",
        };
        Some(format!("{what} was accepted {} before", ago(now.saturating_duration_since(*at))))
    }
}

fn ago(time: Duration) -> String {
    match time.as_secs() {
        0 => "just".to_owned(),
        seconds => format!("{seconds} s"),
    }
}
