//! Who hears whom.

use crate::check::Run;
use crate::check::stage::{Stage, Until};
use std::fmt;
use std::time::Duration;

/// A tone heard for this long is heard.
const HEARD: Duration = Duration::from_millis(300);
/// How long is listened.
const LISTEN: Duration = Duration::from_millis(1_200);
/// What was on its way, and the last block of what was heard before.
const SETTLE: Duration = Duration::from_millis(200);

/// Who hears whom: `0.[listener][speaker]`, by the numbers of the parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard(pub [[bool; 3]; 3]);

impl Heard {
    /// Does `listener` hear `speaker`?
    pub fn hears(self, listener: usize, speaker: usize) -> bool {
        self.0.get(listener).and_then(|row| row.get(speaker)).copied().unwrap_or_default()
    }

    /// Do these two hear each other?
    pub fn joined(self, one: usize, other: usize) -> bool {
        self.hears(one, other) && self.hears(other, one)
    }

    /// Nobody hears this party, and it hears nobody.
    pub fn is_alone(self, party: usize) -> bool {
        (0..3).all(|other| other == party || !self.hears(party, other) && !self.hears(other, party))
    }

    /// In words, e.g. `alice hears bob; bob hears alice`.
    pub fn told<'a>(&'a self, names: &'a [String; 3]) -> impl fmt::Display + 'a {
        struct Told<'a>(&'a Heard, &'a [String; 3]);
        impl fmt::Display for Told<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut any = false;
                for (listener, name) in self.1.iter().enumerate() {
                    let speakers: Vec<&str> = (0..3)
                        .filter(|speaker| self.0.hears(listener, *speaker))
                        .filter_map(|speaker| self.1.get(speaker).map(String::as_str))
                        .collect();
                    if !speakers.is_empty() {
                        f.write_str(if any { "; " } else { "" })?;
                        write!(f, "{name} hears {}", speakers.join(" and "))?;
                        any = true;
                    }
                }
                if any { Ok(()) } else { f.write_str("nobody hears anybody") }
            }
        }
        Told(self, names)
    }
}

/// What a leg hears beyond the tones of parties by chance: where a tone begins or ends inside a block.
const EDGES: Duration = Duration::from_millis(100);

/// Who hears whom, and what else.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ears {
    pub(super) heard: Heard,
    /// How long each party heard a sound that is no party's tone: music, prompts.
    pub(super) else_heard: [Duration; 3],
}

/// Listens anew in every leg that is up; `None` when the check has to end.
pub(super) async fn listen(run: &mut Run, stage: &mut Stage) -> Option<Heard> {
    overhear(run, stage).await.map(|ears| ears.heard)
}

/// The same, for other sounds as well.
pub(super) async fn overhear(run: &mut Run, stage: &mut Stage) -> Option<Ears> {
    if let Until::Interrupted(_) = stage.rest(run, SETTLE).await {
        return None;
    }
    let up: Vec<usize> =
        (0..stage.legs.len()).filter(|leg| stage.seen(*leg).is_some_and(|seen| seen.is_up())).collect();
    let mut audible = Vec::with_capacity(up.len());
    for leg in &up {
        if let Some(leg) = stage.legs.get(*leg) {
            leg.handle.listen_anew().await;
            audible.push(leg.report().await.audible);
        }
    }
    if let Until::Interrupted(_) = stage.rest(run, LISTEN).await {
        return None;
    }
    let mut ears = Ears::default();
    for (leg, before) in up.into_iter().zip(audible) {
        let Some(leg) = stage.legs.get(leg) else { continue };
        let report = leg.report().await;
        let tones: Duration = stage.parties.iter().map(|party| report.heard_for(party.tone)).sum();
        if let Some(time) = ears.else_heard.get_mut(leg.party) {
            *time += report.audible.saturating_sub(before).saturating_sub(tones + EDGES);
        }
        for (speaker, party) in stage.parties.iter().enumerate() {
            if let Some(cell) = ears.heard.0.get_mut(leg.party).and_then(|row| row.get_mut(speaker)) {
                *cell |= report.heard_for(party.tone) >= HEARD;
            }
        }
    }
    Some(ears)
}
