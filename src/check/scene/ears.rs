//! The matrix of who hears whom: in every call that is up each party sends its own tone, and each end says whose tones it hears.

use super::{Ends, Scene, Until};
use crate::check::{Heard, Interrupted, Run};
use crate::endpoint::agent::MediaReport;
use std::time::{Duration, Instant};

/// A tone heard for this long is heard.
const HEARD: Duration = Duration::from_millis(300);
/// Length of a listening window.
const LISTEN: Duration = Duration::from_millis(1_200);
/// Time for what was on its way, and the last block of what was heard before.
const SETTLE: Duration = Duration::from_millis(200);

/// Time for which a leg hears a sound beyond the tones of parties by chance: where a tone begins or ends inside a block.
const EDGES: Duration = Duration::from_millis(100);
/// Windows in which two that should hear each other may do so. Where many calls share a machine, a second without packets is no fault of the
/// platform.
const WINDOWS: usize = 3;

/// Sound that is heard in one leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) struct Ear {
    /// The party that listens.
    pub(in crate::check) listener: usize,
    /// Its leg.
    pub(in crate::check) leg: usize,
    /// The parties whose tones it hears, by their numbers.
    pub(in crate::check) speakers: Vec<usize>,
    /// Time for which it heard a sound that is no party's tone: music, prompts.
    pub(in crate::check) else_heard: Duration,
}

/// Tones that three parties heard of each other in one window, and other sound.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::check) struct Ears {
    pub(in crate::check) heard: Heard,
    /// Time for which each party heard a sound that is no party's tone: music, prompts.
    pub(in crate::check) else_heard: [Duration; 3],
    /// Share (0 to 1) of our own packets due in the window that were sent in time; `None` where none was due.
    pub(in crate::check) pace: Option<f64>,
}

impl Ears {
    /// The same, with the sounds that were heard in a window before: tones of a platform come and go.
    pub(in crate::check) fn after(mut self, before: &Ears) -> Ears {
        for (now, before) in self.else_heard.iter_mut().zip(before.else_heard) {
            *now = (*now).max(before);
        }
        self
    }
}

impl Scene<'_> {
    /// Listens for one window in every leg that is up: which party hears which.
    ///
    /// # Errors
    /// The check has to end.
    pub(in crate::check) async fn ears(&mut self) -> Result<Ears, Interrupted> {
        let interrupted = |run: &Run| run.interrupted().unwrap_or(Interrupted::Stopped);
        let heard = self.ends.listen(self.run).await.ok_or_else(|| interrupted(self.run))?;
        let mut ears = Ears { pace: self.ends.sent_share, ..Ears::default() };
        for ear in heard {
            if let Some(time) = ears.else_heard.get_mut(ear.listener) {
                *time += ear.else_heard;
            }
            ear.speakers.iter().for_each(|speaker| ears.heard.note(ear.listener, *speaker));
        }
        Ok(ears)
    }

    /// The same, again until these two hear each other, while both have a call, for [`WINDOWS`] windows at most.
    ///
    /// # Errors
    /// The check has to end.
    pub(in crate::check) async fn ears_of(&mut self, [one, other]: [usize; 2]) -> Result<Ears, Interrupted> {
        let mut ears = self.ears().await?;
        for _ in 1..WINDOWS {
            if ears.heard.joined(one, other) || !self.ends.has_call(one) || !self.ends.has_call(other) {
                break;
            }
            ears = self.ears().await?.after(&ears);
        }
        Ok(ears)
    }

    /// Asks in every leg that is up again who is heard, and since when.
    pub(in crate::check) async fn listen_again(&mut self) {
        for leg in self.ends.legs.iter_mut().filter(|leg| leg.seen.is_up()) {
            leg.listen_again().await;
        }
    }

    /// Tones heard since listening last started again, without waiting.
    pub(in crate::check) async fn heard_so_far(&self) -> Heard {
        let mut heard = Heard::default();
        for leg in self.ends.legs.iter().filter(|leg| leg.seen.is_up()) {
            let report = leg.report().await;
            for (speaker, _) in self.heard_in(&report) {
                heard.note(leg.party, speaker);
            }
        }
        heard
    }

    /// The parties whose tones were heard long enough, by their numbers.
    fn heard_in<'r>(&'r self, report: &'r MediaReport) -> impl Iterator<Item = (usize, Duration)> + 'r {
        let heard = self.ends.parties.iter().map(|party| report.heard_for(party.tone)).enumerate();
        heard.filter(|(_, time)| *time >= HEARD)
    }
}

impl Ends {
    /// Since when these two hear each other in calls that are up, as far as it was told.
    pub(in crate::check) fn joined_since(&self, [one, other]: [usize; 2]) -> Option<Instant> {
        let there = self.hears_since(one, other)?;
        Some(there.max(self.hears_since(other, one)?))
    }

    fn hears_since(&self, listener: usize, speaker: usize) -> Option<Instant> {
        let tone = self.parties.get(speaker)?.tone;
        let up = self.legs.iter().filter(|leg| leg.party == listener && leg.seen.is_up());
        up.filter_map(|leg| leg.seen.hears_since(tone)).min()
    }

    /// Has this party a call that is up?
    pub(in crate::check) fn has_call(&self, party: usize) -> bool {
        self.legs.iter().any(|leg| leg.party == party && leg.seen.is_up())
    }

    /// Starts listening again in every leg that is up; `None` when the check has to end.
    pub(in crate::check) async fn listen(&mut self, run: &mut Run) -> Option<Vec<Ear>> {
        if let Until::Interrupted(_) = self.rest(run, SETTLE).await {
            return None;
        }
        let up: Vec<usize> =
            (0..self.legs.len()).filter(|leg| self.seen(*leg).is_some_and(|seen| seen.is_up())).collect();
        let mut reports = Vec::with_capacity(up.len());
        for number in up {
            let Some(leg) = self.legs.get_mut(number) else { continue };
            leg.listen_again().await;
            reports.push((number, leg.report().await));
        }
        let began = run.now();
        if let Until::Interrupted(_) = self.rest(run, LISTEN).await {
            return None;
        }
        let mut ears = Vec::new();
        let mut pace = Pace::default();
        for (number, before) in reports {
            let Some(leg) = self.legs.get(number) else { continue };
            let report = leg.report().await;
            if leg.seen.is_up() {
                pace.add(&before, &report, run.now().saturating_duration_since(began));
            }
            let tones: Duration = self.parties.iter().map(|party| report.heard_for(party.tone)).sum();
            let speakers = self.parties.iter().enumerate();
            let speakers = speakers.filter(|(_, party)| report.heard_for(party.tone) >= HEARD);
            ears.push(Ear {
                listener: leg.party,
                leg: number,
                speakers: speakers.map(|(number, _)| number).collect(),
                else_heard: report.audible.saturating_sub(before.audible).saturating_sub(tones + EDGES),
            });
        }
        self.sent_share = pace.share();
        Some(ears)
    }
}

/// Share of the packets due in the listening window that went out: less than 1 where the machine was too slow.
#[derive(Debug, Default)]
pub(super) struct Pace {
    due: f64,
    sent: u64,
}

impl Pace {
    pub(super) fn add(&mut self, before: &MediaReport, after: &MediaReport, time: Duration) {
        let may_send = |report: &MediaReport| report.plan.as_ref().is_some_and(|plan| plan.direction.sends());
        // What is kept back on purpose is not late.
        let sends = |report: &MediaReport| may_send(report) && report.withheld.is_none();
        let packet_time = after.plan.as_ref().map(|plan| plan.ptime).filter(|time| !time.is_zero());
        if let Some(packet_time) = packet_time.filter(|_| sends(before) && sends(after)) {
            self.due += time.as_secs_f64() / packet_time.as_secs_f64();
            self.sent += after.sent.saturating_sub(before.sent);
        }
    }

    /// `None` where nothing was due.
    pub(super) fn share(&self) -> Option<f64> {
        (self.due > 0.0).then(|| self.sent as f64 / self.due)
    }
}
