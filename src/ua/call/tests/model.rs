//! Two calls, a wire that loses, repeats and delays, and commands at any time: sends are bounded, both sides come to the same end, and
//! nothing is left.
use super::*;
use crate::ua::transfer::{Refer, Target};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Act {
    Do(usize, Command),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let hold = prop_oneof![Just(Hold::SendOnly), Just(Hold::Inactive), Just(Hold::ZeroAddress)];
    let command = prop_oneof![
        2 => any::<bool>().prop_map(|media| Command::Ring { status: 180, media }),
        3 => Just(Command::Answer),
        2 => hold.prop_map(Command::Hold),
        2 => Just(Command::Resume),
        2 => Just(Command::Info { token: 1, content_type: "application/dtmf".into(), body: b"1".to_vec() }),
        2 => (1..4_u64).prop_map(|token| Command::Refer(Box::new(Refer::new(token, Target::new("sip:c@h"))))),
        2 => (1..4_u32).prop_map(|referral| Command::AcceptRefer { referral }),
        1 => (1..4_u32).prop_map(|referral| Command::RefuseRefer { referral, status: 603 }),
        2 => (1..4_u32, prop::sample::select(vec![180, 200, 486])).prop_map(|(referral, status)| {
            Command::Notify { referral, status, phrase: None }
        }),
        1 => Just(HANG_UP),
        1 => Just(Command::Refuse { status: 486, reason: None }),
    ];
    prop_oneof![
        (0..2_usize, command).prop_map(|(side, command)| Act::Do(side, command)),
        (0..6_000_u64).prop_map(Act::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn both_sides_come_to_the_same_end_and_nothing_is_left(
        acts in prop::collection::vec(act(), 1..30), seed in any::<[u8; 32]>(), loss in 0..30_u64, delay in 0..900_u64,
        updates in any::<[bool; 2]>(), reliable in any::<bool>(),
    ) {
        let mut world = World::new();
        (world.chance, world.loss_percent, world.max_delay) = (Ids::from_seed(seed), loss, delay);
        for (side, update) in world.sides.iter_mut().zip(updates) {
            side.config.prefer_update = update;
            side.config.require_reliable = reliable;
            side.config.session_expires = Some(90);
            side.config.refers = Refers::Asked;
        }
        world.dial();
        for act in &acts {
            match act {
                Act::Do(side, command) => world.command(*side, command.clone()),
                Act::Wait(millis) => world.run(*millis),
            };
        }
        // A BYE whose every copy is lost is made good by the session timer: then both agree again.
        let agree = |world: &World| {
            let up = |side: usize| world.sides[side].call.as_ref().is_some_and(Call::is_up);
            up(0) == up(1)
        };
        for _ in 0..40 {
            world.run(10_000);
            if agree(&world) {
                break;
            }
        }
        prop_assert!(agree(&world), "{:#?}", world.ladder);
        world.command(0, HANG_UP).command(1, HANG_UP);
        world.run(500_000);
        for side in &world.sides {
            if let Some(call) = &side.call {
                prop_assert!(call.is_over() && side.finished, "{:?} {:#?}", side.events, world.ladder);
                prop_assert_eq!(call.poll_timeout(), None);
                let is_end = |event: &Event| matches!(event, Event::Ended { .. } | Event::Rejected(_));
                let ends = side.events.iter().filter(|(_, event)| is_end(event)).count();
                prop_assert_eq!(ends, 1);
                // Each transfer that was accepted has an end that was told.
                let count = |wanted: fn(&TransferorEvent) -> bool| {
                    let of = |e: &Event| matches!(e, Event::Transferor { event, .. } if wanted(event));
                    side.events.iter().filter(|(_, event)| of(event)).count()
                };
                let accepted = count(|event| matches!(event, TransferorEvent::Accepted { .. }));
                prop_assert!(count(|event| matches!(event, TransferorEvent::Over(_))) >= accepted);
                prop_assert!(!call.has_referrals());
            }
            prop_assert!(side.layer.is_empty());
            // Each command makes at most a handful of requests, each sent 11 times at most; a refresh each 45 seconds.
            let bound = 400 + 60 * acts.len() as u64;
            prop_assert!(side.sends < bound, "{} sends", side.sends);
        }
    }
}
