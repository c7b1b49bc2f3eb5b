//! Numbers that the PBX answers itself: echo and announcement.

use super::clock::{at, now};
use super::legs::LegState;
use super::player::{Player, announcement};
use crate::endpoint::agent::{CallEvent, CallEventKind};
use crate::media::stream;
use crate::message::Ids;
use crate::ua::call::{Command, Event};

/// Sends back what comes: RTP packet by packet, INFO by INFO, until the caller hangs up.
pub(super) async fn echo(mut leg: LegState, blocked: bool) {
    leg.handle.command(Command::Answer).await;
    while let Some(CallEvent { at, kind }) = leg.next().await {
        match kind {
            CallEventKind::Rtp(datagram) if !blocked => {
                let Some(plan) = leg.plan.clone() else { continue };
                let flags = std::sync::Arc::clone(&leg.flags);
                if let Some((digit, time)) = leg.pass(at, &datagram, (&plan, &flags)) {
                    leg.tell_digit(digit, time).await;
                }
            }
            CallEventKind::Signal(Event::Answered(plan)) => leg.answered(plan),
            CallEventKind::Signal(
                Event::Held { plan, .. } | Event::Resumed { plan, .. } | Event::Changed { plan, .. },
            ) => {
                leg.plan = Some(plan);
            }
            CallEventKind::Signal(Event::InfoReceived { content_type, body, status })
                if (200..300).contains(&status) =>
            {
                leg.info(content_type, body).await;
            }
            _ => {}
        }
    }
}

/// Answers, plays, and hangs up.
pub(super) async fn announce(mut leg: LegState, mut ids: Ids, blocked: bool) {
    leg.handle.command(Command::Answer).await;
    let mut player: Option<Player> = None;
    while !leg.over {
        let due = player.as_ref().and_then(Player::due);
        tokio::select! {
            biased;
            happened = leg.next() => {
                let Some(CallEvent { at, kind }) = happened else { return };
                match kind {
                    CallEventKind::Signal(Event::Answered(plan)) => {
                        let mut begun = Player::new(now(), &plan, &mut ids, false);
                        begun.play(now(), announcement());
                        player = Some(begun);
                        leg.answered(plan);
                    }
                    CallEventKind::Signal(Event::Held { plan, .. } | Event::Resumed { plan, .. } | Event::Changed { plan, .. }) => {
                        leg.plan = Some(plan);
                    }
                    CallEventKind::Rtp(datagram) => {
                        if let Some(player) = &mut player {
                            player.hear(at, &datagram);
                        }
                    }
                    _ => {}
                }
            }
            () = at(due) => {
                let Some(player) = &mut player else { continue };
                let events = if blocked { player.run(now()).1 } else { leg.play(now(), player) };
                if events.contains(&stream::Event::Played) {
                    leg.release(&[]).await;
                }
            }
        }
    }
}
