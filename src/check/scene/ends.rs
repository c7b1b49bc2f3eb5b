//! Our ends of a question: parties, their calls, and what happens in all of them in one order.

mod invited;
mod referral;

use super::party::Stray;
use super::trace::header;
use super::{Leg, Party, Seen};
use crate::check::ask::Waited;
use crate::check::judge::audio;
use crate::check::judge::digits::INFO_TYPE_UNKNOWN;
use crate::check::{Finding, Interrupted, Run, Severity, Side};
use crate::endpoint::agent::{Arrival, CallEvent, CallEventKind, Invitation, MediaSetup};
use crate::error::{Argument, Error, Problem};
use crate::syntax::{HeaderName, Method};
use crate::ua::call::{Command, Event, Refers};
use crate::ua::transfer::TransfereeEvent;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::Instant as Clock;

/// Time that calls have to end after they were hung up, before the ends are closed.
const LAST_WAIT: Duration = Duration::from_secs(3);
/// Requests that were refused before any call had them, and that are kept of each party.
const STRAYS: usize = 64;

/// Foreign calls that are kept of one party; later ones are refused all the same.
const MOST_FOREIGN: usize = 64;

/// Events that may have been waiting when the time was over: they are looked at, and no more.
const WAITING: usize = 4_096;

/// Parties and their calls.
#[derive(Default)]
pub(in crate::check) struct Ends {
    pub(in crate::check) parties: Vec<Party>,
    /// In the order in which they began; none is ever removed.
    pub(in crate::check) legs: Vec<Leg>,
    /// REFERs that our parties obey, in the order in which they came.
    pub(in crate::check) referrals: Vec<referral::Referral>,
    /// Every URI that was called, in order: dialled, told by a REFER, named by a redirection.
    pub(in crate::check) dialled: Vec<String>,
    /// Calls that ring and will be answered.
    answers: Vec<(Instant, usize)>,
    /// Calls to a party that may be somebody else's, until when a surer one is waited for.
    held_back: Vec<(Instant, usize, Invitation)>,
    /// Share (0 to 1) of the packets due in the last listening window that were sent in time; `None` where none was due.
    pub(in crate::check) sent_share: Option<f64>,
}

/// End of a wait for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum Until {
    /// It came.
    Done,
    /// It did not, in the time that it had.
    TimedOut,
    /// The check has to end.
    Interrupted(Interrupted),
}

enum Next {
    Leg(usize, Option<CallEvent>),
    Arrival(usize, Option<Arrival>),
}

impl Ends {
    /// Party `caller` calls `target` (a URI without `<>`); gives the number of the leg.
    ///
    /// # Errors
    /// [`Error`] of [`Agent::dial`](crate::endpoint::agent::Agent::dial).
    pub(in crate::check) async fn dial(&mut self, caller: usize, target: &str) -> Result<usize, Error> {
        let Some(party) = self.parties.get(caller) else {
            return Err(Error::usage(
                Argument::Party,
                "",
                Problem::unusable("there is none", "name one of the question's"),
            ));
        };
        let media = MediaSetup::Stream { background: party.background(), detect_tones: true };
        let setup = party.call_config();
        // Before: by the time that the handle is here the call may have rung already.
        let now = Clock::now().into_std();
        self.dialled.push(target.to_owned());
        let handle = party.agent.dial(party.flow(), target, media, setup).await?;
        self.legs.push(Leg::new(caller, handle, true, now));
        Ok(self.legs.len() - 1)
    }

    /// The leg that a party was called on last.
    pub(in crate::check) fn called(&self, party: usize) -> Option<usize> {
        self.legs.iter().rposition(|leg| leg.party == party && !leg.is_caller)
    }

    /// The leg on which a party was called first among those from this one on.
    pub(in crate::check) fn called_since(&self, from: usize, party: usize) -> Option<usize> {
        let called =
            |leg: &usize| self.legs.get(*leg).is_some_and(|leg| leg.party == party && !leg.is_caller);
        (from..self.legs.len()).find(called)
    }

    /// Number of INVITEs that rang a party once more, when the ringing before was ended, among the legs from this one on: no second call.
    pub(in crate::check) fn rung_again(&self, from: usize, party: usize) -> usize {
        let legs = self.legs.iter().skip(from).filter(|leg| leg.party == party && !leg.is_caller);
        legs.count().saturating_sub(1)
    }

    /// Is nothing of this leg to be waited for?
    pub(in crate::check) fn is_over(&self, leg: usize) -> bool {
        self.seen(leg).is_none_or(Seen::is_over)
    }

    /// Is this leg up?
    pub(in crate::check) fn is_up(&self, leg: usize) -> bool {
        self.seen(leg).is_some_and(Seen::is_up)
    }

    /// Events that a leg has seen.
    pub(in crate::check) fn seen(&self, leg: usize) -> Option<&Seen> {
        self.legs.get(leg).map(|leg| &leg.seen)
    }

    /// Lets things happen until `done` says so, or `time` is over.
    pub(in crate::check) async fn until(
        &mut self,
        run: &mut Run,
        time: Duration,
        done: impl Fn(&Ends) -> bool,
    ) -> Until {
        let end = Clock::now() + time;
        // In a row; a flood that never ends must keep nobody here for ever.
        let (mut in_a_row, mut late) = (0_usize, 0_usize);
        while !done(self) {
            let held_back = self.held_back.iter().map(|(at, ..)| *at);
            let due = self.answers.iter().map(|(at, _)| *at).chain(held_back).min();
            let wake = due.map_or(end, |due| end.min(Clock::from_std(due)));
            match run.wait(wake, poll_fn(|cx| self.poll(cx))).await {
                Waited::Came(next) => {
                    self.take(next).await;
                    (in_a_row, late) = (in_a_row + 1, late + usize::from(Clock::now() >= end));
                    if let Some(why) = run.interrupted().filter(|_| in_a_row > WAITING) {
                        return Until::Interrupted(why);
                    }
                    if late > WAITING && !done(self) {
                        return Until::TimedOut;
                    }
                }
                Waited::Interrupted(why) => return Until::Interrupted(why),
                Waited::TimedOut if Clock::now() >= end => return Until::TimedOut,
                Waited::TimedOut => {
                    in_a_row = 0;
                    self.answer_due().await;
                }
            }
        }
        Until::Done
    }

    /// Lets things happen for some time.
    pub(in crate::check) async fn rest(&mut self, run: &mut Run, time: Duration) -> Until {
        self.until(run, time, |_| false).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        for (index, leg) in self.legs.iter_mut().enumerate().filter(|(_, leg)| !leg.is_told) {
            if let Poll::Ready(happened) = leg.handle.poll_next(cx) {
                return Poll::Ready(Next::Leg(index, happened));
            }
        }
        for (index, party) in self.parties.iter_mut().enumerate().filter(|(_, party)| !party.is_closed) {
            if let Poll::Ready(arrival) = party.arrivals.poll_next(cx) {
                return Poll::Ready(Next::Arrival(index, arrival));
            }
        }
        Poll::Pending
    }

    async fn take(&mut self, next: Next) {
        match next {
            Next::Leg(index, None) => {
                if let Some(leg) = self.legs.get_mut(index) {
                    leg.is_told = true;
                }
            }
            Next::Leg(index, Some(CallEvent { at, kind })) => {
                let referred = match &kind {
                    CallEventKind::Signal(Event::Transferee {
                        referral,
                        event: TransfereeEvent::Referred(referred),
                    }) => Some((*referral, (**referred).clone())),
                    _ => None,
                };
                if let CallEventKind::Signal(Event::Redirected { target, .. }) = &kind {
                    self.dialled.push(target.clone());
                }
                if let Some(leg) = self.legs.get_mut(index) {
                    leg.seen.take(at, kind);
                }
                match referred {
                    Some((number, referred)) => self.obey(index, number, referred).await,
                    None => self.notify_progress(index).await,
                }
            }
            Next::Arrival(index, None) => {
                if let Some(party) = self.parties.get_mut(index) {
                    party.is_closed = true;
                }
            }
            Next::Arrival(index, Some(Arrival::Call(invitation))) => self.invited(index, invitation).await,
            Next::Arrival(index, Some(Arrival::Refused { message, status, why, .. })) => {
                if let Some(party) = self.parties.get_mut(index).filter(|party| party.strays.len() < STRAYS) {
                    party.strays.push(Stray { message, status, why });
                }
            }
            Next::Arrival(index, Some(Arrival::Request(request))) => {
                let Some(party) = self.parties.get_mut(index) else { return };
                if request.message.method() != Some(Method::Refer) {
                    return party.agent.answer_by_itself(request).await;
                }
                // Outside of a call as in one: nobody asked for it.
                if party.referred.len() < MOST_FOREIGN {
                    party.referred.push(header(&request.message, HeaderName::ReferTo));
                }
                party.agent.decline(request).await;
            }
        }
    }

    async fn answer_due(&mut self) {
        let now = Clock::now().into_std();
        self.take_held_back(now).await;
        let due: Vec<usize> = self.answers.iter().filter(|(at, _)| *at <= now).map(|(_, leg)| *leg).collect();
        self.answers.retain(|(at, _)| *at > now);
        for leg in due {
            if let Some(leg) = self.legs.get(leg) {
                leg.handle.command(Command::Answer).await;
            }
        }
    }

    /// Hangs up what is still up, removes our bindings, closes the endpoints. Tells what was left behind.
    pub(in crate::check) async fn clear(&mut self, run: &mut Run) {
        run.clean_up();
        self.answers.clear();
        // Dropped, each is answered 480.
        self.held_back.clear();
        for party in &mut self.parties {
            party.expect = None;
        }
        let (mut up, mut ringing) = (false, false);
        for leg in self.legs.iter().filter(|leg| !leg.seen.is_over()) {
            up |= leg.seen.answered.is_some();
            ringing = true;
            leg.handle.hang_up(None).await;
        }
        let ended = self.until(run, LAST_WAIT, |ends| ends.legs.iter().all(|leg| leg.seen.is_over())).await;
        match ended {
            Until::Done if up => run.ended_calls("the call was hung up"),
            Until::Done if ringing => run.ended_calls("the call was cancelled"),
            Until::Done => {}
            _ => self.tell_left(run),
        }
        let withheld = self.legs.iter().flat_map(|leg| {
            let party = self.parties.get(leg.party);
            let expects_refer = party.is_some_and(|party| party.refers != Refers::Declined);
            let name = party.map_or("our end", |party| party.account.name());
            super::withheld::findings(name, &leg.seen, expects_refer)
        });
        let foreign = self.parties.iter().flat_map(super::withheld::foreign_calls);
        let foreign = foreign.chain(self.parties.iter().flat_map(super::withheld::referred));
        let foreign = foreign.chain(self.parties.iter().filter_map(super::withheld::without_contact));
        let strays = self.parties.iter().enumerate().flat_map(|(number, party)| {
            super::withheld::strays(party, self.legs.iter().filter(move |leg| leg.party == number))
        });
        let media = self.legs.iter().filter_map(|leg| self.media_moved(leg));
        // What a step has told already is not told again.
        let is_told = |run: &Run, finding: &Finding| {
            let why = finding.seen.split_once(": ").map_or("", |(_, why)| why);
            run.findings().iter().any(|known| {
                let says_it =
                    known.severity == Severity::Error && !why.is_empty() && known.seen.contains(why);
                says_it || known.code == INFO_TYPE_UNKNOWN && finding.code == INFO_TYPE_UNKNOWN
            })
        };
        let new: Vec<Finding> = withheld
            .chain(foreign)
            .chain(strays)
            .chain(media)
            .filter(|finding| !is_told(run, finding))
            .collect();
        new.into_iter().for_each(|finding| run.find(finding));
        for party in &mut self.parties {
            let before = run.answers();
            party.leave(run).await;
            // A host that is banned gets no answer: what was taken for that is one request that is dropped.
            if run.answers() > before {
                run.not_silent_at(party.flow().remote);
            }
        }
        for party in &self.parties {
            party.agent.endpoint().close().await;
        }
    }
}

impl Ends {
    /// Tells which of our calls did not end.
    fn tell_left(&self, run: &mut Run) {
        // Where no message of the call came, there is nothing to hang up; nor may an INVITE be cancelled that nothing came to, as to one that
        // answers a challenge (RFC 3261 sec. 9.1).
        let is_asked = |leg: &Leg| !leg.is_caller || run.trace(leg.handle.call_id()).is_last_answered();
        let open = self
            .legs
            .iter()
            .filter(|leg| !leg.seen.is_over() && run.has_heard(leg.handle.call_id()) && is_asked(leg));
        let taken = |leg: &&Leg| {
            let trace = run.trace(leg.handle.call_id());
            leg.seen.answered.is_none() && trace.is_cancel_taken()
        };
        let (waiting, left): (Vec<&Leg>, Vec<&Leg>) = open.partition(taken);
        let whose = |legs: &[&Leg]| {
            let name = |leg: &&Leg| self.parties.get(leg.party).map_or("somebody", |p| p.account.name());
            let names: Vec<&str> = legs.iter().map(name).collect();
            match names.len() {
                1 => format!("1 leg ({})", names.join("")),
                number => format!("{number} legs ({})", names.join(", ")),
            }
        };
        let verb =
            |legs: &[&Leg], one: &'static str, more: &'static str| if legs.len() == 1 { one } else { more };
        if !waiting.is_empty() {
            run.find(Finding::new(
                "not-ended-yet",
                Severity::Info,
                Side::Peer,
                format!(
                    "{} {} cancelled (the CANCEL was answered 200) and not ended yet",
                    whose(&waiting),
                    verb(&waiting, "is", "are")
                ),
                "a branch that answers nothing, as of an unplugged device, may hold up the final response for 32 s (RFC 3261 sec. 9.1, 16.7)",
            ));
        }
        if !left.is_empty() {
            let how: Vec<String> = left.iter().map(|leg| self.why_left(run, leg)).collect();
            run.find(Finding::new(
                "call-left",
                Severity::Warning,
                Side::Peer,
                format!("{} did not end: {}", whose(&left), how.join("; ")),
                "look at the platform for calls that are still up; it ends them by itself when their timers run out",
            ));
        }
    }

    /// Where the media of a leg moved in mid-call.
    fn media_moved(&self, leg: &Leg) -> Option<Finding> {
        let (report, party) = (leg.seen.last_report.as_ref()?, self.parties.get(leg.party)?);
        audio::moved(party.account.name(), report, leg.seen.answered)
    }

    /// End of our attempt to end this leg.
    fn why_left(&self, run: &Run, leg: &Leg) -> String {
        let number = self.legs.iter().position(|other| std::ptr::eq(other, leg)).unwrap_or_default();
        let method = if leg.seen.answered.is_some() { Method::Bye } else { Method::Cancel };
        let end = self.request_end(run, number, &[method], leg.began);
        let name = self.parties.get(leg.party).map_or("somebody", |party| party.account.name());
        format!("the {method} of {name} {}", end.words(LAST_WAIT))
    }
}

impl Seen {
    /// Is there nothing left to wait for?
    pub(in crate::check) fn is_over(&self) -> bool {
        self.ended.is_some() || self.rejected.is_some()
    }
}
