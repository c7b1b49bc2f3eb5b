//! Listening until two hear each other, on a machine or path that is busy for a moment; and what is not blamed on the platform.

use super::matrix::listen;
use crate::check::Heard;
use crate::check::judged::Judged;
use crate::check::scene::Ends;
use crate::check::{Run, Side, Verdict};

/// How often it is listened before two that should hear each other are said not to. Where many calls share a machine, a second without
/// packets is no fault of the platform.
const TRIES: usize = 3;

/// Listens anew until these two hear each other, while both have a call; `None` when the check has to end.
pub(super) async fn listen_for(
    run: &mut Run,
    stage: &mut Ends,
    (one, other): (usize, usize),
) -> Option<Heard> {
    let mut heard = listen(run, stage).await?;
    for _ in 1..TRIES {
        let up = |party| stage.legs.iter().any(|leg| leg.party == party && leg.seen.is_up());
        if heard.joined(one, other) || !up(one) || !up(other) {
            break;
        }
        heard = listen(run, stage).await?;
    }
    Some(heard)
}

/// Of the packets that are due so many have to go out, or what is not heard says nothing.
const ENOUGH: f64 = 0.75;

/// A failure by what was heard last, on a machine that did not keep up itself, is none of the platform's.
pub(super) fn doubted(stage: &Ends, judged: Judged) -> Judged {
    match stage.sent_share.filter(|share| *share < ENOUGH) {
        Some(share) if judged.verdict == Verdict::Fail => Judged::open(
            "probe-limit",
            Side::Probe,
            format!("{}; but of our own packets only {:.0} % went out in time", judged.detail, share * 100.0),
            "this machine is too busy: check fewer at once, with less beside it",
        ),
        _ => judged,
    }
}
