//! The transferor's call to the target, while the transferee is on hold.

use super::matrix::listen;
use super::play::{ANSWER, END, RING};
use super::{Transfer, TransferKind, TransferTarget};
use crate::check::judged::{Judged, interrupted};
use crate::check::pair::Pair;
use crate::check::scene::{Ends, Expect, Seen, Until};
use crate::check::{Finding, Run, Severity, Side};
use crate::check::{Heard, HeardOnHold};
use crate::ua::call::{Command, Hold};
use crate::ua::transfer::Replaces;

/// What came of it.
pub(super) struct Consulted {
    /// The transferor's leg.
    pub(super) leg: usize,
    /// Its dialog, where the transfer takes it over.
    pub(super) replaces: Option<Replaces>,
    /// Who heard whom meanwhile.
    pub(super) during: Option<Heard>,
    pub(super) on_hold: Option<HeardOnHold>,
}

/// It did not come about.
pub(super) struct Failed {
    /// The transferor's leg, when there was one.
    pub(super) leg: Option<usize>,
    pub(super) judged: Judged,
    /// The target did what it was told to do: no fault of anybody.
    pub(super) as_told: Option<String>,
}

impl From<Judged> for Failed {
    fn from(judged: Judged) -> Failed {
        Failed { leg: None, judged, as_told: None }
    }
}

/// Holds the transferee, as a phone does before it calls somebody else or asks for a transfer.
pub(super) async fn hold(run: &mut Run, stage: &mut Ends, ours: usize) -> Result<(), Judged> {
    let hold = Command::Hold(Hold::SendOnly);
    stage.change(run, ours, hold, ANSWER).await.map(|_| ()).map_err(interrupted)
}

/// The transferor holds `ours` and calls the target; `theirs` is the transferee's leg.
pub(super) async fn consult(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Ends,
    (ours, theirs): (usize, usize),
) -> Result<Consulted, Failed> {
    let (transferor, _, target) = check.roles();
    hold(run, stage, ours).await?;
    let attended = check.kind == TransferKind::Attended;
    if let Some(party) = stage.parties.get_mut(target) {
        party.expect = Some(match (attended, check.asked) {
            (true, TransferTarget::Answers) => Expect::answer(RING),
            (true, TransferTarget::Refuses(status)) => Expect { answer_after: None, refuse: Some(status) },
            _ => Expect { answer_after: None, refuse: None },
        });
    }
    let uri = check.refer_to.dialled(check.c.aor());
    let leg = stage
        .dial(transferor, &uri)
        .await
        .map_err(|error| Judged::open("probe-limit", Side::Probe, error.to_string(), "free a port"))?;
    let done = |stage: &Ends| {
        stage.seen(leg).is_none_or(|seen| {
            seen.is_over() || if attended { seen.answered.is_some() } else { seen.rang().is_some() }
        }) && (!attended
            || stage.called(target).is_none_or(|called| {
                stage.seen(called).is_none_or(|seen| seen.answered.is_some() || seen.is_over())
            }))
    };
    let until = stage.until(run, check.wait, done).await;
    if let Until::Interrupted(why) = until {
        return Err(interrupted(why).into());
    }
    let reached = stage.seen(leg).is_some_and(|seen| {
        !seen.is_over() && if attended { seen.answered.is_some() } else { seen.rang().is_some() }
    });
    if !reached {
        let pair = Pair { a: &check.a, b: &check.c, target: uri, wait: check.wait, direct: true };
        let judged = pair.not_up(run, stage, leg, until);
        return Err(Failed { leg: Some(leg), as_told: as_told(check, stage, leg), judged });
    }
    let (mut during, mut on_hold) = (None, None);
    if attended && !check.at_once {
        let before = match stage.legs.get(theirs) {
            Some(leg) => leg.report().await,
            None => return Err(interrupted(crate::check::Interrupted::Stopped).into()),
        };
        during = listen(run, stage).await;
        if let (Some(_), Some(leg)) = (during, stage.legs.get(theirs)) {
            let tones = stage.parties.iter().map(|party| party.tone);
            on_hold = Some(HeardOnHold::between(&before, &leg.report().await, tones));
        }
    }
    let mut replaces = None;
    if check.replaces() {
        if let Some(leg) = stage.legs.get(leg) {
            replaces = leg.handle.replaces().await;
        }
    } else {
        // Semi-attended: the transferor gives its own call up first.
        if let Some(leg) = stage.legs.get(leg) {
            leg.handle.hang_up(None).await;
        }
        let over = |stage: &Ends| stage.seen(leg).is_none_or(Seen::is_over);
        stage.until(run, END, over).await;
    }
    Ok(Consulted { leg, replaces, during, on_hold })
}

/// In words, when the target did in the transferor's call what it was told to do.
fn as_told(check: &Transfer, stage: &Ends, leg: usize) -> Option<String> {
    let names = check.names();
    let (transferor, _, target) = check.roles();
    if check.kind != TransferKind::Attended {
        return None;
    }
    let seen = stage.seen(leg)?;
    let status = seen.rejected.as_ref().and_then(|(_, rejection)| rejection.status);
    match (check.asked, status) {
        (TransferTarget::Refuses(_), Some(got)) => {
            Some(format!("{} did not take {}'s call ({got})", names[target], names[transferor]))
        }
        (TransferTarget::Rings, _) if seen.rang().is_some() => {
            Some(format!("{} did not answer {}'s call", names[target], names[transferor]))
        }
        _ => None,
    }
}

/// What is wrong while the transferee is on hold.
pub(super) fn leak(check: &Transfer, during: Heard) -> Option<Finding> {
    let names = check.names();
    let (transferor, transferee, target) = check.roles();
    let heard_by: Vec<&str> = [transferor, target]
        .into_iter()
        .filter(|who| during.hears(*who, transferee))
        .map(|who| &*names[who])
        .collect();
    let hears_target = during.hears(transferee, target);
    if heard_by.is_empty() && !hears_target {
        return None;
    }
    Some(Finding::new(
        "held-party-heard",
        Severity::Warning,
        Side::Peer,
        format!(
            "{} is on hold while {} asks {}: {}",
            names[transferee],
            names[transferor],
            names[target],
            during.told(&names)
        ),
        "platform: apply the direction of the hold; what is said on hold is heard (see `ringback hold`)",
    ))
}
