//! Who hears whom: in every call that is up each party sends its own tone, and each end says whose tones it hears.

use super::{Ends, Until};
use crate::check::Run;
use crate::endpoint::agent::MediaReport;
use std::time::Duration;

/// A tone heard for this long is heard.
const HEARD: Duration = Duration::from_millis(300);
/// How long is listened.
const LISTEN: Duration = Duration::from_millis(1_200);
/// What was on its way, and the last block of what was heard before.
const SETTLE: Duration = Duration::from_millis(200);

/// What a leg hears beyond the tones of parties by chance: where a tone begins or ends inside a block.
const EDGES: Duration = Duration::from_millis(100);

/// What is heard in one leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) struct Ear {
    /// The party that listens.
    pub(in crate::check) listener: usize,
    /// Its leg.
    pub(in crate::check) leg: usize,
    /// The parties whose tones it hears, by their numbers.
    pub(in crate::check) speakers: Vec<usize>,
    /// How long it heard a sound that is no party's tone: music, prompts.
    pub(in crate::check) else_heard: Duration,
}

impl Ends {
    /// Listens anew in every leg that is up; `None` when the check has to end.
    pub(in crate::check) async fn listen(&mut self, run: &mut Run) -> Option<Vec<Ear>> {
        if let Until::Interrupted(_) = self.rest(run, SETTLE).await {
            return None;
        }
        let up: Vec<usize> =
            (0..self.legs.len()).filter(|leg| self.seen(*leg).is_some_and(|seen| seen.is_up())).collect();
        let mut reports = Vec::with_capacity(up.len());
        for number in up {
            let Some(leg) = self.legs.get(number) else { continue };
            leg.handle.listen_anew().await;
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

/// How many of the packets that were due while it was listened did go out: fewer where the machine does not get to them.
#[derive(Debug, Default)]
pub(super) struct Pace {
    due: f64,
    sent: u64,
}

impl Pace {
    pub(super) fn add(&mut self, before: &MediaReport, after: &MediaReport, time: Duration) {
        let sends = |report: &MediaReport| report.plan.as_ref().is_some_and(|plan| plan.direction.sends());
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
