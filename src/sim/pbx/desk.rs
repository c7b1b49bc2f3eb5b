//! What calls ask of each other: an attended transfer moves a leg from one call to another.

use super::side::Side;
use crate::ua::transfer::Replaces;
use std::fmt;
use tokio::sync::mpsc;

/// Questions that wait for one call; further ones are refused.
const QUESTIONS: usize = 16;

/// Where a call takes questions.
#[derive(Debug, Clone)]
pub(super) struct Desk(mpsc::Sender<Ask>);

/// A question, or the answer to one.
#[derive(Debug)]
pub(super) enum Ask {
    /// Give away whoever is joined with this dialog, and end its leg.
    Surrender { replaces: Replaces, reply: Reply },
    /// The answer.
    Surrendered { referral: u32, far: Option<Far> },
    /// Let this leg take the place of the one with this dialog.
    Replace { replaces: Replaces, side: Box<Side> },
    /// Let this leg talk to the one that is parked.
    Fetch { side: Box<Side> },
}

/// Who was joined with a leg: one leg that is up, or all that are rung.
pub(super) struct Far {
    pub(super) sides: Vec<Side>,
    /// The leg that they were joined with, where it is up: it is hung up when its device has been told of the transfer.
    pub(super) left: Option<Side>,
}

impl fmt::Debug for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Far").field("sides", &self.sides.len()).finish()
    }
}

/// Answers a question; dropped, it says no.
#[derive(Debug)]
pub(super) struct Reply {
    desk: Desk,
    referral: u32,
    done: bool,
}

impl Desk {
    pub(super) fn new() -> (Desk, mpsc::Receiver<Ask>) {
        let (sender, questions) = mpsc::channel(QUESTIONS);
        (Desk(sender), questions)
    }

    /// Gives the question back when nobody takes it.
    pub(super) fn ask(&self, question: Ask) -> Result<(), Ask> {
        self.0.try_send(question).map_err(|error| match error {
            mpsc::error::TrySendError::Full(question) | mpsc::error::TrySendError::Closed(question) => {
                question
            }
        })
    }

    /// For a question about this referral.
    pub(super) fn reply(&self, referral: u32) -> Reply {
        Reply { desk: self.clone(), referral, done: false }
    }
}

impl Reply {
    pub(super) fn give(mut self, far: Far) {
        self.done = true;
        let referral = self.referral;
        // Nobody there any more: the legs are dropped, which hangs them up.
        let _ = self.desk.ask(Ask::Surrendered { referral, far: Some(far) });
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.done {
            let _ = self.desk.ask(Ask::Surrendered { referral: self.referral, far: None });
        }
    }
}
