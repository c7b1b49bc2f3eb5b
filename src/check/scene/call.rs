//! The verb `call`: a call is brought up, or it is said why not.

use super::trace::MessageKind;
use super::{Expect, Mark, Scene, Seen, Step};
use crate::check::judge::digits::Events;
use crate::check::judge::setup::{self, Callee, Setup, Wanted};
use crate::check::judged::{PATIENCE, Silence, StepVerdict};
use crate::check::{Finding, Interrupted, Side};
use crate::message::Message;
use crate::syntax::Method;
use crate::transport::RecordEvent;
use std::time::Duration;

/// Time for the end of a call that was cancelled.
const CANCELLING: Duration = Duration::from_secs(4);
/// Time between the end of a caller and that of its callee: a platform that gives up ends both, in any order.
const CROSSING: Duration = Duration::from_millis(500);
/// Time for a callee of ours to know that its answer arrived, once the caller has it.
const ACKNOWLEDGED: Duration = Duration::from_secs(2);

/// Time for a callee to be called after the caller was answered.
const LATE: Duration = Duration::from_secs(10);

/// A call as it is asked for.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct Dial<'a> {
    /// The caller.
    pub(in crate::check) from: usize,
    /// The Request-URI.
    pub(in crate::check) target: &'a str,
    /// The callee, where it is one of ours.
    pub(in crate::check) callee: Option<usize>,
    /// The call itself is to reach the callee: no menu and no group lies between.
    pub(in crate::check) is_direct: bool,
    /// Time for the answer.
    pub(in crate::check) wait: Duration,
}

impl<'a> Dial<'a> {
    /// From party 0 to party 1.
    pub(in crate::check) fn direct(target: &'a str, wait: Duration) -> Dial<'a> {
        Dial { from: 0, target, callee: Some(1), is_direct: true, wait }
    }
}

/// Both ends of a call that are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) struct JoinedLegs {
    /// The caller's.
    pub(in crate::check) caller: usize,
    /// The callee's.
    pub(in crate::check) callee: usize,
}

impl JoinedLegs {
    pub(in crate::check) fn both(self) -> [usize; 2] {
        [self.caller, self.callee]
    }
}

impl Scene<'_> {
    /// Sends the INVITE; gives the caller's leg.
    ///
    /// # Errors
    /// Our own limits kept it from being sent.
    pub(in crate::check) async fn dial(&mut self, dial: &Dial<'_>) -> Result<usize, StepVerdict> {
        self.ends.dial(dial.from, dial.target).await.map_err(|error| {
            StepVerdict::open(
                "probe-limit",
                Side::Probe,
                error.to_string(),
                "free some ports (--rtp-ports), or run fewer calls at once",
            )
        })
    }

    /// Waits for a sign of the far side: ringing, early media, or the answer.
    ///
    /// # Errors
    /// None came: why.
    pub(in crate::check) async fn until_there(
        &mut self,
        dial: &Dial<'_>,
        leg: usize,
    ) -> Result<(), StepVerdict> {
        let there = |seen: &Seen| {
            seen.rang().is_some() || seen.early_media.is_some() || seen.answered.is_some() || seen.is_over()
        };
        let came = self.until(self.left(dial, leg), |ends| ends.seen(leg).is_none_or(there)).await?;
        let seen = self.seen(leg);
        if came && seen.rejected.is_none() && (seen.ended.is_none() || seen.answered.is_some()) {
            return Ok(());
        }
        Err(self.not_up(dial, leg, Wanted::Sign).await)
    }

    /// Waits until it rings, also at the callee where that is one of ours.
    ///
    /// # Errors
    /// It does not: why.
    pub(in crate::check) async fn until_rings(
        &mut self,
        dial: &Dial<'_>,
        leg: usize,
        is_told: bool,
    ) -> Result<Option<usize>, StepVerdict> {
        let callee = dial.callee;
        // One of ours rings by the INVITE that came to it, whether the caller was told (`is_told`) or not.
        let rings = |ends: &super::Ends| {
            ends.seen(leg).is_none_or(|seen| {
                seen.is_over()
                    || seen.answered.is_some()
                    || (seen.rang().is_some() || callee.is_some() && !is_told)
                        && callee.is_none_or(|party| ends.called(party).is_some())
            })
        };
        let came = self.until(self.left(dial, leg), rings).await?;
        let called = callee.and_then(|party| self.ends.called(party));
        let seen = self.seen(leg);
        if came && !seen.is_over() && seen.answered.is_none() {
            return Ok(called);
        }
        Err(self.not_up(dial, leg, Wanted::Ringing).await)
    }

    /// Waits for the answer, also for the callee to have given it where that is one of ours.
    ///
    /// # Errors
    /// It does not come, or not from whom it should: why.
    pub(in crate::check) async fn until_answered(
        &mut self,
        dial: &Dial<'_>,
        leg: usize,
    ) -> Result<Option<usize>, StepVerdict> {
        let up = |seen: &Seen| seen.answered.is_some() || seen.is_over();
        let came = self.until(self.left(dial, leg), |ends| ends.seen(leg).is_none_or(up)).await?;
        if !came || self.seen(leg).answered.is_none() {
            return Err(self.not_up(dial, leg, Wanted::Answer).await);
        }
        let Some(party) = dial.callee else { return Ok(None) };
        let known = |ends: &super::Ends| {
            ends.called(party)
                .and_then(|leg| ends.seen(leg))
                .is_some_and(|seen| seen.answered.is_some() || seen.is_over())
                || ends.seen(leg).is_none_or(Seen::is_over)
        };
        // A queue or a menu answers first, and rings its member then.
        let time =
            if self.ends.called(party).is_some() { ACKNOWLEDGED } else { LATE.min(self.left(dial, leg)) };
        self.until(time, |ends| ends.called(party).is_some() || ends.seen(leg).is_none_or(Seen::is_over))
            .await?;
        // It answers after its time.
        let time = if self.ends.called(party).is_some() {
            self.left(dial, leg).max(ACKNOWLEDGED)
        } else {
            Duration::ZERO
        };
        self.until(time, known).await?;
        match self.ends.called(party) {
            Some(callee) if self.seen(callee).answered.is_some() => {
                match self.is_second(leg, callee).await? || self.is_left_ringing(leg, callee).await? {
                    false => Ok(Some(callee)),
                    true => Err(self.not_up(dial, leg, Wanted::Answer).await),
                }
            }
            _ => Err(self.not_up(dial, leg, Wanted::Answer).await),
        }
    }

    /// Did another device answer this caller before our callee did, whose answer the caller's phone then gave up (RFC 3261 sec. 13.2.2.4)?
    /// It shows where both ends have one Call-ID.
    async fn is_second(&mut self, caller: usize, callee: usize) -> Result<bool, Interrupted> {
        if self.leg(caller).handle.call_id() != self.leg(callee).handle.call_id() {
            // A queue answers before as well: then no second answer comes.
            let is_settled = |seen: &Seen| seen.forks_hung_up > 0 || seen.is_over();
            if self.was_answered_before(caller, callee) {
                self.until(CROSSING, |ends| ends.seen(caller).is_none_or(is_settled)).await?;
            }
            return Ok(self.is_second_of(caller, callee));
        }
        // The second answer may be on its way.
        let is_settled = |seen: &Seen| seen.forks_hung_up > 0 || seen.is_over();
        if self.trace(caller).has_other_answer() {
            self.until(CROSSING, |ends| ends.seen(caller).is_none_or(is_settled)).await?;
        }
        Ok(self.trace(caller).is_answered_by_another_first())
    }

    /// Did somebody else take the call while our callee rang, and does its own answer go nowhere? Its ACK has this time.
    async fn is_left_ringing(&mut self, caller: usize, callee: usize) -> Result<bool, Interrupted> {
        let began = self.run.now();
        while self.is_unjoined(caller, callee) {
            let is_over = self.leg(caller).seen.is_over() || self.leg(callee).seen.is_over();
            if is_over || self.run.now().saturating_duration_since(began) >= ACKNOWLEDGED {
                return Ok(!is_over);
            }
            self.rest(CROSSING / 4).await?;
        }
        Ok(false)
    }

    /// Was this caller answered while its callee rang, before that answered, and has the callee's own answer no ACK? What answers first and
    /// rings its member then, a queue, joins both.
    fn is_unjoined(&self, caller: usize, callee: usize) -> bool {
        let rang = self.leg(callee).began;
        // By the events: the record of an answer may come a moment after it.
        let (answered, own) = (self.seen(caller).answered, self.seen(callee).answered);
        answered.zip(own).is_some_and(|(answered, own)| rang < answered && answered < own)
            && !self.trace(callee).is_acknowledged(self.leg(callee).handle.local_tag())
    }

    /// Was this caller answered before its callee gave its own answer?
    fn was_answered_before(&self, caller: usize, callee: usize) -> bool {
        let answer = MessageKind::Response(Method::Invite, 200, 299);
        let (first, own) = (self.trace(caller), self.trace(callee));
        first.received(answer).zip(own.sent(answer)).is_some_and(|(first, own)| first.at < own.at)
    }

    /// Did another device answer this caller before our callee did? Where both ends have one Call-ID it shows by the tags, and behind a
    /// platform that hides them by the times: a second answer came, and the first one before the callee had given its own.
    fn is_second_of(&self, caller: usize, callee: usize) -> bool {
        let trace = self.trace(caller);
        if self.leg(caller).handle.call_id() == self.leg(callee).handle.call_id() {
            return trace.is_answered_by_another_first();
        }
        trace.answering_tags() > 1 && self.was_answered_before(caller, callee)
    }

    /// The step `call`: dials, lets the callee ring for this time and answer, and gives both legs.
    ///
    /// # Errors
    /// The call did not come up.
    pub(in crate::check) async fn call(&mut self, dial: &Dial<'_>, ring: Duration) -> Step<JoinedLegs> {
        let mark = self.begin("call");
        if let Some(callee) = dial.callee {
            self.expect(callee, Expect::answer(ring));
        }
        let connected = self.connect(dial).await;
        self.called(mark, connected)
    }

    async fn connect(&mut self, dial: &Dial<'_>) -> Result<JoinedLegs, StepVerdict> {
        let caller = self.dial(dial).await?;
        let callee = self.until_answered(dial, caller).await?;
        Ok(JoinedLegs { caller, callee: callee.unwrap_or(caller) })
    }

    /// Ends the step of a call that came up, or did not.
    fn called(&mut self, mark: Mark, connected: Result<JoinedLegs, StepVerdict>) -> Step<JoinedLegs> {
        let legs = match connected {
            Ok(legs) => legs,
            Err(judged) => return Err(self.stop(mark, judged)),
        };
        let plan = self.seen(legs.caller).plan.clone();
        let event = match plan.as_ref().and_then(|plan| plan.send_telephone_event) {
            Some(event) => format!("telephone-event with payload type {}", event.payload_type),
            None => match self.other_events(legs.caller) {
                Some(rates) => format!("no telephone-event that fits the voice ({rates})"),
                None => "no telephone-event".to_owned(),
            },
        };
        let codec = plan.as_ref().map_or("", |plan| plan.codec.as_str());
        self.end(mark, StepVerdict::pass(format!("answered; {codec}, {event}")))?;
        self.is_to_last(legs);
        self.run.fact("codec", codec);
        self.run.fact("telephone-event", event);
        Ok(legs)
    }

    /// Telephone events of the answer that have another clock than the voice, where it has no others.
    fn other_events(&self, leg: usize) -> Option<String> {
        Events::of(self.seen(leg).final_response.as_ref()?.body())?.other_rates()
    }

    /// Time that is left for the answer.
    fn left(&self, dial: &Dial<'_>, leg: usize) -> Duration {
        dial.wait.saturating_sub(self.run.now().saturating_duration_since(self.leg(leg).began))
    }

    /// Why a call did not come as far as it was wanted. One that still rings is given up.
    async fn not_up(&mut self, dial: &Dial<'_>, leg: usize, wanted: Wanted) -> StepVerdict {
        let callee = dial.callee.and_then(|party| self.ends.called(party));
        if let Some(callee) = callee.filter(|_| self.seen(leg).is_over()) {
            let _ = self.until(CROSSING, |ends| ends.seen(callee).is_none_or(Seen::is_over)).await;
        }
        let judged = self.judge_setup(dial, leg, wanted);
        if !self.seen(leg).is_over() && self.seen(leg).answered.is_none() {
            self.leg(leg).handle.hang_up(None).await;
            // What comes of it is for the ladder.
            let _ = self.until(CANCELLING, |ends| ends.seen(leg).is_none_or(Seen::is_over)).await;
        }
        judged
    }

    /// Gathers what was seen, and has it judged.
    pub(in crate::check) fn judge_setup(&self, dial: &Dial<'_>, leg: usize, wanted: Wanted) -> StepVerdict {
        let caller = self.leg(leg);
        let Some(party) = self.ends.parties.get(dial.from) else {
            return crate::check::Interrupted::Stopped.into();
        };
        let limit = self.run.probe_limit();
        // Only where nothing else says what happened: the record is read again for it.
        let is_silent = caller.seen.answered.is_none();
        let unused = is_silent.then(|| self.run.unused(self.records_of(leg))).flatten();
        let requests = is_silent.then(|| self.run.requests_in(self.records_of(leg))).flatten();
        let sizes = if is_silent { self.run.sizes() } else { (0, 0) };
        let failed =
            self.run.records().into_iter().skip(self.calls_from).rev().find_map(|record| {
                match record.event {
                    RecordEvent::Failed(error) => Some(error),
                    _ => None,
                }
            });
        let trace = self.trace(leg);
        let callee = dial.callee.and_then(|number| {
            let party = self.ends.parties.get(number)?;
            // A call that came to it before this one was dialled is another.
            let called = self.ends.called(number).filter(|called| *called > leg);
            Some(Callee {
                name: party.account.name(),
                aor: party.account.aor(),
                is_direct: dial.is_direct,
                others: party.others,
                seen: called.and_then(|leg| self.ends.seen(leg)),
                is_second: called.is_some_and(|callee| self.is_second_of(leg, callee)),
                is_unjoined: called.is_some_and(|callee| self.is_unjoined(leg, callee)),
                unusable: self.unusable_invite(number),
                foreign: party.foreign.iter().find(|(at, ..)| *at >= caller.began).map(|(.., why)| why),
                refused_busy: party.refused_busy.iter().filter(|at| **at >= caller.began).count(),
                is_idle: !self.ends.has_call(number),
                rang: called.map(|leg| self.leg(leg).began),
            })
        });
        setup::judge(&Setup {
            target: dial.target,
            wanted,
            wait: dial.wait,
            user: party.account.credentials().username(),
            caller_registered: party.is_registered(),
            follows_redirects: party.follow_redirects,
            seen: &caller.seen,
            trace: &trace,
            callee,
            failed: failed.as_ref(),
            silence: Silence {
                step: if trace.has_credentials() { "INVITE with credentials" } else { "INVITE" },
                remote: party.flow().remote,
                transport: party.flow().transport,
                waited: self.run.now().saturating_duration_since(caller.began),
                provisional: trace.is_last_answered(),
                answered_before: self.run.answers(),
                answers: Default::default(),
                others_go_on: false,
                is_login: false,
                is_cut: false,
                unused: unused.as_ref(),
                sizes,
                requests: requests.as_deref(),
                probe_limit: limit.as_deref(),
            },
        })
    }

    /// An INVITE that came to a party's port and belonged to no call: how it was answered, and what is wrong with it.
    fn unusable_invite(&self, party: usize) -> Option<(u16, String)> {
        let strays = &self.ends.parties.get(party)?.strays;
        let invite = |message: &Message| message.method() == Some(Method::Invite);
        strays.iter().rfind(|stray| invite(&stray.message)).map(|stray| (stray.status, stray.why.clone()))
    }

    /// The records since a leg began.
    fn records_of(&self, leg: usize) -> std::ops::Range<usize> {
        let began = self.leg(leg).began;
        let records = self.run.records();
        records.iter().position(|record| record.at >= began).unwrap_or(records.len())..records.len()
    }

    /// A platform that asked for a pause, or said nothing, is not asked again at once.
    pub(super) fn note_restraint(&mut self) {
        for number in 0..self.ends.legs.len() {
            let leg = self.leg(number);
            let Some(party) = self.ends.parties.get(leg.party).filter(|_| leg.is_caller) else { continue };
            let remote = party.flow().remote;
            let is_answered = self.trace(number).is_answered_at_all();
            let rejection = leg.seen.rejected.as_ref().map(|(_, rejection)| rejection);
            let pause = rejection.and_then(|rejection| Some((rejection.retry_after?, rejection.status?)));
            // What speaks of the callee is by the address that was called; what speaks of the server is for who asked.
            let target = match pause {
                Some((_, 429 | 500 | 503)) => party.account.aor().to_owned(),
                _ => self.trace(number).target(),
            };
            let waited = self.run.now().saturating_duration_since(leg.began);
            if is_answered || waited >= PATIENCE {
                let pause = pause.map(|(time, status)| (time, status, target.as_str()));
                self.run.note_call(remote, is_answered, pause);
            }
        }
    }

    /// Oddities of a call that was answered.
    pub(in crate::check) fn note_answer(&mut self, leg: usize, callee: Option<usize>) {
        let called = callee.map(|callee| self.leg(callee).began);
        let odd: Vec<Finding> = setup::odd(self.seen(leg), &self.trace(leg), called);
        odd.into_iter().for_each(|finding| self.note(finding));
    }
}
