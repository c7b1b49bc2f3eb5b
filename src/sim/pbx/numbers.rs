//! Numbers that the PBX answers itself: echo and announcement.

use super::clock::{at, now};
use super::legs::LegState;
use super::player::{Player, announcement};
use crate::endpoint::agent::{Happened, What};
use crate::media::stream;
use crate::message::Ids;
use crate::ua::call::{Command, Event};

/// Sends back what comes: RTP packet by packet, INFO by INFO, until the caller hangs up.
pub(super) async fn echo(mut side: LegState, blocked: bool) {
    side.handle.command(Command::Answer).await;
    while let Some(Happened { at, what }) = side.next().await {
        match what {
            What::Rtp(datagram) if !blocked => {
                let Some(plan) = side.plan.clone() else { continue };
                let flags = std::sync::Arc::clone(&side.flags);
                if let Some((digit, time)) = side.pass(at, &datagram, (&plan, &flags)) {
                    side.tell_digit(digit, time).await;
                }
            }
            What::Signal(Event::Answered(plan)) => side.answered(plan),
            What::Signal(
                Event::Held { plan, .. } | Event::Resumed { plan, .. } | Event::Changed { plan, .. },
            ) => {
                side.plan = Some(plan);
            }
            What::Signal(Event::InfoReceived { content_type, body, status })
                if (200..300).contains(&status) =>
            {
                side.info(content_type, body).await;
            }
            _ => {}
        }
    }
}

/// Answers, plays, and hangs up.
pub(super) async fn announce(mut side: LegState, mut ids: Ids, blocked: bool) {
    side.handle.command(Command::Answer).await;
    let mut player: Option<Player> = None;
    while !side.over {
        let due = player.as_ref().and_then(Player::due);
        tokio::select! {
            biased;
            happened = side.next() => {
                let Some(Happened { at, what }) = happened else { return };
                match what {
                    What::Signal(Event::Answered(plan)) => {
                        let mut begun = Player::new(now(), &plan, &mut ids, false);
                        begun.play(now(), announcement());
                        player = Some(begun);
                        side.answered(plan);
                    }
                    What::Signal(Event::Held { plan, .. } | Event::Resumed { plan, .. } | Event::Changed { plan, .. }) => {
                        side.plan = Some(plan);
                    }
                    What::Rtp(datagram) => {
                        if let Some(player) = &mut player {
                            player.hear(at, &datagram);
                        }
                    }
                    _ => {}
                }
            }
            () = at(due) => {
                let Some(player) = &mut player else { continue };
                let events = if blocked { player.run(now()).1 } else { side.play(now(), player) };
                if events.contains(&stream::Event::Played) {
                    side.release(&[]).await;
                }
            }
        }
    }
}
