//! What calls ask of each other: an attended transfer moves a leg from one call to another.

use super::state::LegState;
use crate::ua::transfer::Replaces;
use std::fmt;
use tokio::sync::mpsc;

/// Questions that wait for one call; further ones are refused.
const QUESTIONS: usize = 16;

/// Where a call takes questions of others.
#[derive(Debug, Clone)]
pub(in crate::sim::pbx) struct CallInbox(mpsc::Sender<Question>);

/// A question, or the answer to one.
#[derive(Debug)]
pub(in crate::sim::pbx) enum Question {
    /// Give away whoever is joined with this dialog, and end its leg.
    Surrender { replaces: Replaces, reply: Reply },
    /// The answer.
    Surrendered { referral: u32, far: Option<JoinedLegs> },
    /// Let this leg take the place of the one with this dialog.
    Replace { replaces: Replaces, leg: Box<LegState> },
    /// Let this leg talk to the one that is parked.
    Fetch { leg: Box<LegState> },
}

/// Who was joined with a leg: one leg that is up, or all that are rung.
pub(in crate::sim::pbx) struct JoinedLegs {
    pub(in crate::sim::pbx) legs: Vec<LegState>,
    /// The leg that they were joined with, where it is up: it is hung up when its device has been told of the transfer.
    pub(in crate::sim::pbx) left: Option<Box<LegState>>,
}

impl fmt::Debug for JoinedLegs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinedLegs").field("legs", &self.legs.len()).finish()
    }
}

/// Answers a question; dropped, it says no.
#[derive(Debug)]
pub(in crate::sim::pbx) struct Reply {
    inbox: CallInbox,
    referral: u32,
    done: bool,
}

impl CallInbox {
    pub(in crate::sim::pbx) fn new() -> (CallInbox, mpsc::Receiver<Question>) {
        let (sender, questions) = mpsc::channel(QUESTIONS);
        (CallInbox(sender), questions)
    }

    /// Gives the question back when nobody takes it.
    pub(in crate::sim::pbx) fn ask(&self, question: Question) -> Result<(), Question> {
        self.0.try_send(question).map_err(|error| match error {
            mpsc::error::TrySendError::Full(question) | mpsc::error::TrySendError::Closed(question) => {
                question
            }
        })
    }

    /// For a question about this referral.
    pub(in crate::sim::pbx) fn reply(&self, referral: u32) -> Reply {
        Reply { inbox: self.clone(), referral, done: false }
    }
}

impl Reply {
    pub(in crate::sim::pbx) fn give(mut self, far: JoinedLegs) {
        self.done = true;
        let referral = self.referral;
        // Nobody there any more: the legs are dropped, which hangs them up.
        let _ = self.inbox.ask(Question::Surrendered { referral, far: Some(far) });
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.done {
            let _ = self.inbox.ask(Question::Surrendered { referral: self.referral, far: None });
        }
    }
}
