//! The verb `hear`: whose sound arrives at which end.

use super::ears::Pace;
use super::trace::{Entry, MessageKind};
use super::{Ends, JoinedLegs, Scene, Seen, Step};
use crate::check::judge::audio::{self, Figures, Hearing, Tones};
use crate::check::judge::described::{Described, Passed};
use crate::check::judged::StepVerdict;
use crate::check::{Finding, Interrupted, MetricValue};
use crate::endpoint::agent::MediaReport;
use crate::sdp::AudioDescription;
use crate::syntax::Method;
use crate::transport::Direction;
use crate::ua::call::{By, Event};
use std::time::{Duration, Instant};

/// A tone has to begin within this time.
pub(in crate::check) const PATIENCE: Duration = Duration::from_secs(5);
/// Our own hold is known to its sender by the answer, a little after the other end was told.
const CROSSING: Duration = Duration::from_millis(500);
/// Length of sound that is judged as a whole: a tone is heard in whole ones only.
const BLOCK: Duration = Duration::from_millis(50);
/// Time for all ends of a call to learn that it is over.
const SETTLING: Duration = Duration::from_secs(1);
/// Time that both ends listen where nothing but the audio is in question.
const LISTEN: Duration = Duration::from_millis(1_200);
/// Time that they listen on where something may be missing: then it shows what.
const MORE: Duration = Duration::from_millis(1_800);

/// Sound that each end of a call has heard of the other.
pub(in crate::check) struct Heard {
    /// At the caller's end.
    pub(in crate::check) caller: HeardAt,
    /// At the callee's end.
    pub(in crate::check) callee: HeardAt,
    /// Beginning and end of the listening.
    pub(in crate::check) from: Instant,
    pub(in crate::check) to: Instant,
    /// Share (0 to 1) of the packets due at both ends that were sent in time; `None` where none was due.
    pub(in crate::check) pace: Option<f64>,
}

/// Sound that one end has heard.
#[derive(Default)]
pub(in crate::check) struct HeardAt {
    pub(in crate::check) report: MediaReport,
    /// RTP packets that came during the listening.
    pub(in crate::check) packets: u64,
    /// Time at which the other's tone was heard in what came last.
    pub(in crate::check) last: Option<Instant>,
}

impl Heard {
    /// With what was heard after it.
    fn and(self, later: Heard) -> Heard {
        let at =
            |before: HeardAt, after: HeardAt| HeardAt { packets: before.packets + after.packets, ..after };
        let pace = self.pace.into_iter().chain(later.pace).reduce(f64::min);
        Heard {
            caller: at(self.caller, later.caller),
            callee: at(self.callee, later.callee),
            from: self.from,
            to: later.to,
            pace,
        }
    }
}

impl Scene<'_> {
    /// Listens at both ends for this time at least, and until each has heard the other or [`PATIENCE`] is over.
    ///
    /// # Errors
    /// The check has to end.
    pub(in crate::check) async fn listen(
        &mut self,
        legs: JoinedLegs,
        time: Duration,
    ) -> Result<Heard, Interrupted> {
        let from = self.run.now();
        let tones = self.tones(legs);
        let before = [self.leg(legs.caller).report().await, self.leg(legs.callee).report().await];
        let over = |ends: &Ends| legs.both().into_iter().any(|leg| ends.is_over(leg));
        self.until(time, over).await?;
        loop {
            let is_cut = over(&self.ends);
            if is_cut {
                self.settle(legs).await?;
            }
            let mut reports = [self.leg(legs.caller).report().await, self.leg(legs.callee).report().await];
            let to = self.run.now();
            let packets = [0, 1].map(|end: usize| {
                reports[end].received.received.saturating_sub(before[end].received.received)
            });
            // What was not passed on while the media was held is missing in the numbers, and is no loss.
            if legs.both().into_iter().any(|leg| !self.seen(leg).changes.is_empty()) {
                for (report, before) in reports.iter_mut().zip(&before) {
                    report.received = report.received.since(&before.received);
                }
            }
            // What is not heard behind the end of the call is missing nowhere.
            let to = self.first_end(legs).filter(|_| is_cut).map_or(to, |ended| ended.min(to));
            let passed = to.saturating_duration_since(from);
            let heard = [reports[0].heard_for(tones[1]), reports[1].heard_for(tones[0])];
            let [one, other] = heard.map(|time| audio::HEARD.saturating_sub(time));
            let (missing, left) = (one.max(other), PATIENCE.saturating_sub(passed));
            if is_cut || missing.is_zero() || left.is_zero() {
                let mut pace = Pace::default();
                for (before, after) in before.iter().zip(&reports).filter(|_| !is_cut) {
                    pace.add(before, after, passed);
                }
                let last = [reports[0].last_heard(tones[1]), reports[1].last_heard(tones[0])];
                let [caller, callee] = reports;
                return Ok(Heard {
                    caller: HeardAt { report: caller, packets: packets[0], last: last[0] },
                    callee: HeardAt { report: callee, packets: packets[1], last: last[1] },
                    from,
                    to,
                    pace: pace.share(),
                });
            }
            let hears =
                |ends: &Ends, leg, tone| ends.seen(leg).is_some_and(|seen| seen.hears_since(tone).is_some());
            let both = |ends: &Ends| hears(ends, legs.caller, tones[1]) && hears(ends, legs.callee, tones[0]);
            self.until(left, |ends| over(ends) || both(ends)).await?;
            // Both have begun to: as long as is missing, it takes at the least.
            let left = PATIENCE.saturating_sub(self.run.now().saturating_duration_since(from));
            self.until(left.min(missing + BLOCK), over).await?;
        }
    }

    /// Hearings from the caller to the callee and back, ready to be judged.
    pub(in crate::check) fn hearings<'h>(&self, legs: JoinedLegs, heard: &'h Heard) -> [Hearing<'h>; 2]
    where
        Self: 'h,
    {
        let [caller_tone, callee_tone] = self.tones(legs);
        let name = |leg: usize| self.name(self.leg(leg).party).to_owned();
        let answered = self.seen(legs.caller).answered;
        let limit = self.run.probe_limit();
        let ended = self.first_end(legs).map(|at| at.saturating_duration_since(answered.unwrap_or(at)));
        let described = self.described(legs);
        let hearing =
            |figures, from: usize, to: usize, sender: &'h HeardAt, listener: &'h HeardAt, tones| Hearing {
                figures,
                from: name(from),
                to: name(to),
                sent: Some(sender.report.sent),
                sent_back: sender.report.voice.returned,
                withheld: sender.report.withheld,
                held: self.held_by_platform(from, to),
                report: &listener.report,
                packets: listener.packets,
                described: described[usize::from(from == legs.callee)].clone(),
                other_way: Some(sender.packets > 0),
                tones: Some(tones),
                answered,
                listened: heard.from,
                last_heard: listener.last,
                looked: heard.to,
                ended,
                pace: heard.pace,
                lags: [&sender.report.lags[..], &listener.report.lags].concat(),
                probe_limit: limit.clone(),
            };
        let (there, back) = (
            Tones { wanted: caller_tone, own: callee_tone },
            Tones { wanted: callee_tone, own: caller_tone },
        );
        [
            hearing(&audio::A_TO_B, legs.caller, legs.callee, &heard.caller, &heard.callee, there),
            hearing(&audio::B_TO_A, legs.callee, legs.caller, &heard.callee, &heard.caller, back),
        ]
    }

    /// Since when one end is on hold, unless the other one of ours has put it there.
    fn held_by_platform(&self, held: usize, other: usize) -> Option<Instant> {
        let since = self.seen(held).held_since()?;
        let own = self.seen(other).changes.iter().rev().filter(|(at, _)| *at <= since + CROSSING).find_map(
            |(_, event)| match event {
                Event::Held { by: By::Local, .. } => Some(true),
                Event::Resumed { by: By::Local, .. } => Some(false),
                _ => None,
            },
        );
        (own != Some(true)).then_some(since)
    }

    /// Descriptions that both ends wrote when the call began, and what of them reached the other: from the caller to the callee,
    /// and back. Empty where they changed since, or are of two calls.
    fn described(&self, legs: JoinedLegs) -> [Described; 2] {
        if legs.both().into_iter().any(|leg| !self.seen(leg).changes.is_empty()) {
            return Default::default();
        }
        // A call that came before this one was dialled holds descriptions of another.
        if self.leg(legs.caller).is_caller && legs.callee < legs.caller {
            return Default::default();
        }
        let (caller, callee) = (self.trace(legs.caller), self.trace(legs.callee));
        let (invite, answer) =
            (MessageKind::Request(Method::Invite), MessageKind::Response(Method::Invite, 200, 299));
        let tag = |entry: &Entry| entry.message.to().ok().and_then(|to| to.tag().map(<[u8]>::to_vec));
        let read = |entry: Option<&Entry>| AudioDescription::of(entry?.message.body());
        let told = caller.received(answer);
        // Of several ends in one Call-ID the one that the caller has.
        let is_one = self.leg(legs.caller).handle.call_id() == self.leg(legs.callee).handle.call_id();
        let wrote = callee
            .all(Direction::Sent, answer)
            .find(|sent| !is_one || told.is_some_and(|told| tag(told) == tag(sent)));
        let of_callee = Passed { wrote: read(wrote), told: read(told) };
        let of_caller = Passed { wrote: read(caller.sent(invite)), told: read(callee.received(invite)) };
        let signalling =
            |leg: usize| self.ends.parties.get(self.leg(leg).party).map(|party| party.flow().remote.ip());
        [
            Described {
                listener: of_callee.clone(),
                sender: of_caller.clone(),
                signalling: signalling(legs.caller),
            },
            Described { listener: of_caller, sender: of_callee, signalling: signalling(legs.callee) },
        ]
    }

    /// A step in which each end has to hear the other; both listen from now on.
    ///
    /// # Errors
    /// One does not hear the other, or the check has to end.
    pub(in crate::check) async fn both_hear(&mut self, step: &'static str, legs: JoinedLegs) -> Step {
        let mark = self.begin(step);
        let judged = match self.mutual(legs).await {
            Ok(judged) => judged,
            Err(why) => why.into(),
        };
        self.end(mark, judged)
    }

    /// Does each end hear the other, from now on?
    pub(in crate::check) async fn mutual(&mut self, legs: JoinedLegs) -> Result<StepVerdict, Interrupted> {
        Ok(self.overheard(legs).await?.0)
    }

    /// The same, with what was heard.
    pub(in crate::check) async fn overheard(
        &mut self,
        legs: JoinedLegs,
    ) -> Result<(StepVerdict, Heard), Interrupted> {
        for leg in legs.both() {
            self.leg_mut(leg).listen_again().await;
        }
        let mut heard = self.listen(legs, LISTEN).await?;
        if self.hearings(legs, &heard).iter().any(audio::is_in_doubt) {
            let more = self.listen(legs, MORE).await?;
            heard = heard.and(more);
        }
        let hearings = self.hearings(legs, &heard);
        let (judged, beside) = audio::both(&hearings);
        self.note_odd(&hearings, beside);
        Ok((judged, heard))
    }

    /// Tells what is odd about the media of a call, once for each direction and kind; `beside` it what its verdict leaves.
    pub(in crate::check) fn note_odd(&mut self, hearings: &[Hearing<'_>], beside: [Option<Finding>; 2]) {
        for (hearing, beside) in hearings.iter().zip(beside) {
            let odd = beside.into_iter().chain(audio::odd(hearing)).collect();
            self.note_once(hearing, odd);
        }
    }

    fn note_once(&mut self, hearing: &Hearing<'_>, odd: Vec<Finding>) {
        let direction = format!("{} to {}", hearing.from, hearing.to);
        for finding in odd {
            let known = (direction.clone(), finding.code.to_string());
            if !self.odd_told.contains(&known) {
                self.odd_told.push(known);
                if !self.is_of_further_answer(&hearing.to, &finding) {
                    self.note(finding);
                }
            }
        }
    }

    /// What is odd about the media of a call so far, whatever was done in it; once for each direction and kind.
    pub(in crate::check) async fn note_beside(&mut self, legs: JoinedLegs) {
        self.note_so_far(legs, audio::beside).await;
    }

    /// A direction whose packets have stopped by now though its sender goes on, unless that was told already.
    pub(in crate::check) async fn note_stopped(&mut self, legs: JoinedLegs) {
        self.note_so_far(legs, |hearing| audio::stopped(hearing).into_iter().collect()).await;
    }

    /// From now on it counts as told that no more packets come from one end to the other.
    pub(in crate::check) fn stop_is_told(&mut self, from: usize, to: usize) {
        let name = |leg: usize| self.name(self.leg(leg).party);
        self.odd_told.push((format!("{} to {}", name(from), name(to)), "audio-stopped".to_owned()));
    }

    async fn note_so_far(&mut self, legs: JoinedLegs, odd: fn(&Hearing<'_>) -> Vec<Finding>) {
        let reports = [self.leg(legs.caller).report().await, self.leg(legs.callee).report().await];
        let packets = [0, 1].map(|end: usize| reports[end].received.received);
        let [caller, callee] = reports;
        let now = self.run.now();
        let heard = Heard {
            caller: HeardAt { report: caller, packets: packets[0], last: None },
            callee: HeardAt { report: callee, packets: packets[1], last: None },
            from: self.seen(legs.caller).answered.unwrap_or(now),
            to: now,
            pace: None,
        };
        for hearing in self.hearings(legs, &heard) {
            self.note_once(&hearing, odd(&hearing));
        }
    }

    /// The parties whose tones are in what an end heard.
    pub(in crate::check) fn speakers(&self, heard: &HeardAt) -> Vec<usize> {
        let parties = self.ends.parties.iter().enumerate();
        let speaking = parties.filter(|(_, party)| heard.report.heard_for(party.tone) >= audio::HEARD);
        speaking.map(|(number, _)| number).collect()
    }

    /// The figures of a direction.
    pub(in crate::check) fn measure(&mut self, figures: &'static Figures, report: &MediaReport) {
        let received = &report.received;
        self.run.metric(figures.packets, MetricValue::Count(received.received));
        if received.received > 0 {
            self.run.metric(figures.loss, MetricValue::Percent(received.loss() * 100.0));
            self.run.metric(figures.reordered, MetricValue::Count(received.reordered));
            self.run.metric(figures.jitter, MetricValue::Duration(received.jitter));
            self.run.metric(figures.gaps, MetricValue::Count(received.gaps.into()));
            self.run.metric(figures.longest_gap, MetricValue::Duration(received.longest_gap));
        }
        if let Some(time) = report.rtcp.round_trip {
            self.run.metric(figures.round_trip, MetricValue::Duration(time));
        }
    }

    /// One end is over: lets the others hear of it, so that their last report is there.
    pub(in crate::check) async fn settle(&mut self, legs: JoinedLegs) -> Result<(), Interrupted> {
        self.until(SETTLING, |ends| {
            legs.both().into_iter().all(|leg| ends.seen(leg).is_none_or(Seen::is_over))
        })
        .await
        .map(|_| ())
    }

    /// Time at which the first of two ends learned that the call is over.
    fn first_end(&self, legs: JoinedLegs) -> Option<Instant> {
        legs.both().into_iter().filter_map(|leg| self.seen(leg).ended.as_ref().map(|ended| ended.at)).min()
    }

    /// The tones of the caller and the callee.
    fn tones(&self, legs: JoinedLegs) -> [crate::media::party_tone::Party; 2] {
        legs.both().map(|leg| self.ends.parties[self.leg(leg).party].tone)
    }
}
