//! The end of a leg whose device has transferred the call: first the last NOTIFY, then BYE (RFC 5589 sec. 7.1).

use crate::endpoint::agent::{CallEvent, CallEventKind};
use crate::sim::pbx::legs::LegState;
use crate::ua::call::Event;
use crate::ua::transfer::TransfereeEvent;
use std::time::Duration;

/// Longest time that the answer to the last NOTIFY is waited for.
const PATIENCE: Duration = Duration::from_secs(4);

/// Waits until the last NOTIFY about this REFER has its answer, and hangs up on the transferor, and on its other leg where it had one.
pub(super) async fn part(mut transferor: LegState, referral: u32, consultation: Option<LegState>) {
    let told = async {
        while let Some(CallEvent { kind, .. }) = transferor.next().await {
            match kind {
                CallEventKind::Signal(Event::Ended { .. }) => return,
                CallEventKind::Signal(Event::Transferee { referral: over, event: TransfereeEvent::Over })
                    if over == referral =>
                {
                    return;
                }
                _ => {}
            }
        }
    };
    // Whoever does not answer in time has been told all the same.
    let _ = tokio::time::timeout(PATIENCE, told).await;
    for leg in [Some(transferor), consultation].into_iter().flatten() {
        leg.release(&[]).await;
    }
}
