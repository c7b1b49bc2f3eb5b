//! Who hears whom: in every call that is up each party sends its own tone, and each end says whose tones it hears.

use super::{Stage, Until};
use crate::check::Run;
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

impl Stage {
    /// Listens anew in every leg that is up; `None` when the check has to end.
    pub(in crate::check) async fn listen(&mut self, run: &mut Run) -> Option<Vec<Ear>> {
        if let Until::Interrupted(_) = self.rest(run, SETTLE).await {
            return None;
        }
        let up: Vec<usize> =
            (0..self.legs.len()).filter(|leg| self.seen(*leg).is_some_and(|seen| seen.is_up())).collect();
        let mut audible = Vec::with_capacity(up.len());
        for number in up {
            let Some(leg) = self.legs.get(number) else { continue };
            leg.handle.listen_anew().await;
            audible.push((number, leg.report().await.audible));
        }
        if let Until::Interrupted(_) = self.rest(run, LISTEN).await {
            return None;
        }
        let mut ears = Vec::new();
        for (number, before) in audible {
            let Some(leg) = self.legs.get(number) else { continue };
            let report = leg.report().await;
            let tones: Duration = self.parties.iter().map(|party| report.heard_for(party.tone)).sum();
            let speakers = self.parties.iter().enumerate();
            let speakers = speakers.filter(|(_, party)| report.heard_for(party.tone) >= HEARD);
            ears.push(Ear {
                listener: leg.party,
                leg: number,
                speakers: speakers.map(|(number, _)| number).collect(),
                else_heard: report.audible.saturating_sub(before).saturating_sub(tones + EDGES),
            });
        }
        Some(ears)
    }
}
