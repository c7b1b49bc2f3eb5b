//! Referrals over a path on which every tenth message is lost: told once, and to the end.

use super::referral::{decides, done};
use crate::calls::phone::Phone;
use crate::peer::lossy::{Faults, Link};
use ringback::ua::call::{self, Command, Event};
use ringback::ua::transfer::TransfereeEvent;
use std::net::{Ipv4Addr, SocketAddr};

const FAULTS: Faults = Faults { lost: 100, reordered: 50, doubled: 100 };

/// Gives how many messages were lost.
async fn referral(seed: u8) -> u64 {
    let (alice, mut bob) = (Phone::with_t1("alice", 50).await, Phone::with_t1("bob", 50).await);
    let links = Link::between(alice.address(), bob.address(), FAULTS, seed);
    let [to_bob, to_alice] = [0, 1].map(|at| SocketAddr::from((Ipv4Addr::LOCALHOST, links[at].port())));
    let alices = |config: &mut call::Config| config.contact = format!("sip:alice@{to_alice}");
    let mut from = alice.dial_with("bob", to_bob, alices, None).await;
    let bobs = |config: &mut call::Config| {
        decides(config);
        config.contact = format!("sip:bob@{to_bob}");
    };
    let mut to = bob.take_with(bobs, None).await;
    to.command(Command::Answer).await;
    from.answered().await;

    from.refers_to("sip:carol@127.0.0.1:9", None).await;
    let (number, _) = to.referred().await;
    to.command(Command::AcceptRefer { referral: number }).await;
    from.refer_answered().await;
    let hangs_up_first = seed.is_multiple_of(2);
    if hangs_up_first {
        from.handle.hang_up(None).await;
    }
    for status in [180, 183] {
        to.command(Command::Notify { referral: number, status, phrase: None }).await;
    }
    to.notifies(number, 200).await;
    assert_eq!(from.told().await, (vec![100, 180, 183, 200], done()), "seed {seed}");
    if !hangs_up_first {
        from.handle.hang_up(None).await;
    }
    from.gone().await;
    to.gone().await;
    // Each once, whatever came twice.
    let referred = |event: &&&Event| match event {
        Event::Transferee { event: TransfereeEvent::Referred(_), .. } => true,
        Event::Transferee { event: TransfereeEvent::Declined(why), .. } => panic!("{why:?}"),
        _ => false,
    };
    assert_eq!(to.signals().iter().filter(referred).count(), 1, "seed {seed}");
    assert_eq!((alice.sent("REFER"), bob.sent("NOTIFY")), (1, 4), "seed {seed}");
    links.iter().map(|link| link.counts()[1]).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenth_of_the_messages_is_lost() {
    let referrals: Vec<_> = (1..=8).map(|seed| (seed, tokio::spawn(referral(seed)))).collect();
    let mut lost = 0;
    for (seed, referral) in referrals {
        lost += referral.await.unwrap_or_else(|failed| panic!("seed {seed}: {failed}"));
    }
    assert!(lost > 0);
}
