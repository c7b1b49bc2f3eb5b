//! What a registration has seen of its registrar so far: a refusal after a success is not a refusal at first.

use super::session::Ended;
use crate::ua::registration::Command;
use std::time::{Duration, Instant};

/// What was accepted before.
#[derive(Debug, Clone, Default)]
pub(in crate::check) struct History {
    /// Commands that were accepted, with the time, in order.
    accepted: Vec<(Command, Instant)>,
    /// A digest answer of ours was sent.
    pub(in crate::check) credentials_sent: bool,
    /// A request with a digest answer of ours was accepted.
    credentials_accepted: bool,
}

impl History {
    pub(super) fn add(&mut self, command: Command, ended: &Ended, now: Instant) {
        self.credentials_sent |= ended.credentials_sent;
        if ended.accepted() {
            self.accepted.push((command, now));
            self.credentials_accepted |= ended.credentials_sent;
        }
    }

    /// Were our credentials good before?
    pub(in crate::check) fn knows_credentials(&self) -> bool {
        self.credentials_accepted
    }

    /// What was accepted last, in words; `None` when nothing was.
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
