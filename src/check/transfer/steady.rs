//! Listening until two hear each other, on a machine or path that is busy for a moment.

use super::matrix::{Heard, listen};
use crate::check::Run;
use crate::check::stage::Stage;

/// How often it is listened before two that should hear each other are said not to. Where many calls share a machine, a second without
/// packets is no fault of the platform.
const TRIES: usize = 3;

/// Listens anew until these two hear each other, while both have a call; `None` when the check has to end.
pub(super) async fn listen_for(
    run: &mut Run,
    stage: &mut Stage,
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
