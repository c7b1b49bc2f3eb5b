//! Transfers: one side against a script that does what well-behaved peers do, and what they never do; and two sides of ours.
mod target;
mod transferee;
mod transferor;

use super::*;
use crate::ua::transfer::{Refer, Target};

const CAROL: &str = "sip:carol@192.0.2.3";
const FRAG: &str = "message/sipfrag;version=2.0";

/// A call of ours that the script has answered as `b`.
fn up() -> World {
    let mut world = World::scripted();
    world.sides[0].config.refers = Refers::Asked;
    world.dial().run(5);
    let invite = world.last("INVITE");
    world.reply(&invite, 200, "b", &[CONTACT], &sdp_of(7000));
    assert!(world.call(0).is_up());
    world
}

fn refer() -> Command {
    Command::Refer(Box::new(Refer::new(1, Target::new(CAROL))))
}

fn referring(world: &mut World) -> Message {
    world.command(0, refer()).run(5);
    world.last("REFER")
}

fn notify(world: &mut World, cseq: u32, state: &str, status: &str) -> u16 {
    let state = format!("Subscription-State: {state}");
    world.ask("NOTIFY", cseq, &["Event: refer", &state], (FRAG, &format!("SIP/2.0 {status}\r\n")));
    world.status()
}

/// What came of our transfer, in order.
fn told(world: &World) -> Vec<String> {
    world.events(0).into_iter().filter(|event| event.starts_with("refer")).collect()
}

#[track_caller]
fn hangs_up_clean(world: &mut World) {
    world.command(0, HANG_UP).run(5);
    let bye = world.last("BYE");
    world.reply(&bye, 200, "", &[], "").run(300_000);
    assert!(world.sides[0].finished && world.sides[0].layer.is_empty(), "{:#?}", world.ladder);
    assert_eq!(world.call(0).poll_timeout(), None);
}

fn text(message: &Message, name: HeaderName) -> String {
    message.header(name).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

#[test]
fn two_of_ours_transfer_and_both_know_the_end() {
    let mut world = World::new();
    world.sides.iter_mut().for_each(|side| side.config.refers = Refers::Asked);
    world.dial().run(10).command(1, Command::Answer).run(100);
    let refer = Command::Refer(Box::new(Refer::new(3, Target::new(CAROL))));
    world.command(0, refer).run(10).command(1, Command::AcceptRefer { referral: 1 }).run(10);
    world.command(0, HANG_UP).run(1_000);
    world.command(1, Command::Notify { referral: 1, status: 200, phrase: None }).run(1_000);
    assert_eq!(
        world.events(0)[1..],
        [
            "refer 3 accepted 202 true",
            "refer 3 notified Some(100) active",
            "ended Local HungUp",
            "refer 3 notified Some(200) terminated",
            "refer 3 over Terminated { reason: Some(\"noresource\") }"
        ]
    );
    world.run(100_000);
    for side in &world.sides {
        assert!(side.finished && side.layer.is_empty());
    }
    assert_eq!(
        world.events(1)[1..],
        [
            "referral 1 to sip:carol@192.0.2.3",
            "referral 1 notified Some(200)",
            "ended Peer HungUp",
            "referral 1 notified Some(200)",
            "referral 1 over"
        ]
    );
}
