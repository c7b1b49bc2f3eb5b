//! Who hears whom.

use crate::check::scene::Ends;
use crate::check::{Heard, Run};
use std::time::{Duration, Instant};

/// Who hears whom, and what else.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ears {
    pub(super) heard: Heard,
    /// How long each party heard a sound that is no party's tone: music, prompts.
    pub(super) else_heard: [Duration; 3],
}

/// Asks in every leg that is up anew who is heard, and since when.
pub(super) async fn listen_anew(stage: &Ends) {
    for leg in stage.legs.iter().filter(|leg| leg.seen.is_up()) {
        leg.handle.listen_anew().await;
    }
}

/// Since when these two hear each other, as far as it was listened for.
pub(super) async fn joined_since(stage: &Ends, one: usize, other: usize) -> Option<Instant> {
    let there = hears_since(stage, one, other).await?;
    Some(there.max(hears_since(stage, other, one).await?))
}

async fn hears_since(stage: &Ends, listener: usize, speaker: usize) -> Option<Instant> {
    let tone = stage.parties.get(speaker)?.tone;
    let mut first = None;
    for leg in stage.legs.iter().filter(|leg| leg.party == listener && leg.seen.is_up()) {
        let since = leg.report().await.heard_since(tone);
        first = first.into_iter().chain(since).min();
    }
    first
}

/// Listens anew in every leg that is up; `None` when the check has to end.
pub(super) async fn listen(run: &mut Run, stage: &mut Ends) -> Option<Heard> {
    overhear(run, stage).await.map(|ears| ears.heard)
}

/// The same, for other sounds as well.
pub(super) async fn overhear(run: &mut Run, stage: &mut Ends) -> Option<Ears> {
    let mut ears = Ears::default();
    for ear in stage.listen(run).await? {
        if let Some(time) = ears.else_heard.get_mut(ear.listener) {
            *time += ear.else_heard;
        }
        for speaker in ear.speakers {
            if let Some(cell) = ears.heard.0.get_mut(ear.listener).and_then(|row| row.get_mut(speaker)) {
                *cell = true;
            }
        }
    }
    Some(ears)
}
