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

/// Listens anew in every leg that is up; `None` when the check has to end.
pub(super) async fn listen(run: &mut Run, stage: &mut Stage) -> Option<Heard> {
    if let Until::Interrupted(_) = stage.rest(run, SETTLE).await {
        return None;
    }
    let up: Vec<usize> =
        (0..stage.legs.len()).filter(|leg| stage.seen(*leg).is_some_and(|seen| seen.is_up())).collect();
    for leg in &up {
        if let Some(leg) = stage.legs.get(*leg) {
            leg.handle.listen_anew().await;
        }
    }
    if let Until::Interrupted(_) = stage.rest(run, LISTEN).await {
        return None;
    }
    let mut heard = Heard::default();
    for leg in up {
        let Some(leg) = stage.legs.get(leg) else { continue };
        let report = leg.report().await;
        for (speaker, party) in stage.parties.iter().enumerate() {
            if let Some(cell) = heard.0.get_mut(leg.party).and_then(|row| row.get_mut(speaker)) {
                *cell |= report.heard_for(party.tone) >= HEARD;
            }
        }
    }
    Some(heard)
}
