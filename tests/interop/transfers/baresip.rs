//! baresip in each of the three roles, with two agents of ours in the others and Kamailio between all of them.

use super::referral::{concluded, decides, done, registered};
use crate::calls::phone::{Phone, Talk, all_at_once};
use crate::eventually;
use crate::peer::baresip::{self, Baresip, Line};
use crate::peer::kamailio::Kamailio;
use ringback::media::party_tone::{Party, PartyListener};
use ringback::message::Transport;
use ringback::ua::call::{By, Command, Hold};
use ringback::ua::transfer::SubscriptionEnd;
use std::net::SocketAddr;

/// Kamailio, a baresip that is registered as `user`, and the others, who are ours.
struct Lab {
    _kamailio: Kamailio,
    proxy: SocketAddr,
    transport: Transport,
    phone: baresip::Phone,
    /// Whose tone baresip sends.
    tone: Party,
}

fn party(user: &str) -> Party {
    Party::new(user.as_bytes()[0] % 8).unwrap()
}

type Start = fn(Line<'_>, &[i16]) -> baresip::Phone;

impl Lab {
    fn new(user: &str, transport: Transport, start: Start) -> Lab {
        let kamailio = Kamailio::start(&[]);
        let proxy = SocketAddr::from(([127, 0, 0, 1], kamailio.port()));
        let (tone, mut samples) = (party(user), Vec::new());
        tone.tone().write(8_000 * 30, &mut samples);
        let phone = start(Line { user, registrar: proxy, transport }, &samples);
        eventually("baresip's binding", || kamailio.bindings().pop());
        Lab { _kamailio: kamailio, proxy, transport, phone, tone }
    }

    async fn ours(&self, user: &'static str) -> Phone {
        registered(user, self.proxy, self.transport).await
    }

    /// Waits until baresip hears this party of ours in its call `number`.
    fn hears(&self, number: u64, party: Party) {
        let before = self.phone.heard_in(number).len();
        eventually(&format!("{party:?} in call {number} of baresip"), || {
            let mut listener = PartyListener::new();
            listener.feed(&self.phone.heard_in(number)[before..]);
            listener.hears(party).then_some(())
        });
    }

    /// Somebody of ours calls baresip, which answers: its call `number`.
    async fn dialled(&self, from: &Phone, user: &str, number: u64) -> Talk {
        let mut talk = from.dial_with(user, self.proxy, decides, None).await;
        self.phone.wait_in(number, "CALL_INCOMING");
        self.phone.command("accept", &number.to_string());
        talk.answered().await;
        talk.hears_party(self.tone).await;
        self.hears(number, from.party());
        talk
    }

    /// baresip calls one of ours, who answers: its call `number`.
    async fn calls(&self, to: &mut Phone, number: u64) -> Talk {
        self.phone.command("dial", &format!("sip:{}@lab.example", to.user));
        let (mut talk, _) = to.answers().await;
        self.phone.wait_in(number, "CALL_ESTABLISHED");
        talk.hears_party(self.tone).await;
        self.hears(number, to.party());
        talk
    }
}

/// The one who transfers holds the first, and calls the second, who answers: both ends of that call.
async fn consults(from: &Phone, first: &mut Talk, to: &mut Phone, proxy: SocketAddr) -> (Talk, Talk) {
    first.command(Command::Hold(Hold::SendOnly)).await;
    assert_eq!(first.held().await, By::Local);
    let mut asking = from.dial(to.user, proxy).await;
    let (asked, _) = to.answers().await;
    asking.answered().await;
    (asking, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_moved_to_somebody_else() {
    all_at_once([
        ("blind", it_is_moved(false, Transport::Udp)),
        ("attended", it_is_moved(true, Transport::Udp)),
        ("attended, TCP", it_is_moved(true, Transport::Tcp)),
    ])
    .await;
}

async fn it_is_moved(attended: bool, transport: Transport) {
    let lab = Lab::new("bob", transport, Baresip::current);
    let (alice, mut carol) = (lab.ours("alice").await, lab.ours("carol").await);
    let mut first = lab.dialled(&alice, "bob", 0).await;
    let (mut consultation, mut replaces) = (None, None);
    if attended {
        let (asking, asked) = consults(&alice, &mut first, &mut carol, lab.proxy).await;
        replaces = asking.handle.replaces().await;
        consultation = Some((asking, asked));
    }
    first.refers_to("sip:carol@lab.example", replaces).await;
    assert_eq!(first.refer_answered().await, 202);
    let (mut last, replacement) = carol.answers().await;
    assert_eq!(replacement.map(|replacement| replacement.decision), attended.then_some(Ok(())));
    if let Some((mut asking, mut asked)) = consultation {
        asked.replaced_by(&last).await;
        assert_eq!(asking.gone().await, By::Peer);
    }
    let (told, end) = first.told().await;
    assert_eq!((told.last(), end), (Some(&200), done()), "{}", lab.phone.log());
    first.over().await;
    lab.phone.wait_in(0, "CALL_CLOSED");
    last.hears_party(lab.tone).await;
    lab.hears(1, carol.party());
    last.hang_up().await;
    lab.phone.wait_in(1, "CALL_CLOSED");
    assert_eq!((alice.sent("REFER"), carol.sent("REFER")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_that_the_target_refused_and_talks_on() {
    let lab = Lab::new("bob", Transport::Udp, Baresip::current);
    let (alice, mut carol) = (lab.ours("alice").await, lab.ours("carol").await);
    let mut first = lab.dialled(&alice, "bob", 0).await;
    first.refers_to("sip:carol@lab.example", None).await;
    assert_eq!(first.refer_answered().await, 202);
    carol.invited().await.refuse(486).await;
    let (told, end) = first.told().await;
    assert_eq!(told.last(), Some(&486), "{end:?}\n{}", lab.phone.log());
    assert!(matches!(end, SubscriptionEnd::Terminated { .. }), "{end:?}");
    first.hears_party(lab.tone).await;
    lab.hears(0, alice.party());
    first.hang_up().await;
    lab.phone.wait_in(0, "CALL_CLOSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_moved_to_it() {
    all_at_once([
        ("blind", is_moved_to_it(false, Transport::Tcp)),
        ("attended", is_moved_to_it(true, Transport::Udp)),
    ])
    .await;
}

async fn is_moved_to_it(attended: bool, transport: Transport) {
    let lab = Lab::new("carol", transport, Baresip::current);
    let (alice, mut bob) = (lab.ours("alice").await, lab.ours("bob").await);
    let mut first = alice.dial("bob", lab.proxy).await;
    let (mut at_bob, _) = bob.answers().await;
    first.answered().await;
    let mut asking = None;
    let mut replaces = None;
    if attended {
        first.command(Command::Hold(Hold::SendOnly)).await;
        assert_eq!(first.held().await, By::Local);
        let talk = lab.dialled(&alice, "carol", 0).await;
        replaces = talk.handle.replaces().await;
        asking = Some(talk);
    }
    first.refers_to("sip:carol@lab.example", replaces).await;
    let (referral, _, mut last) = bob.obeys(&mut at_bob, lab.proxy).await;
    let number = u64::from(attended);
    lab.phone.wait_in(number, "CALL_INCOMING");
    if let Some(mut asking) = asking {
        // It hangs up the call that is replaced before the new one is answered: sooner than RFC 3891 sec. 3 has it.
        assert_eq!(asking.gone().await, By::Peer, "{}", lab.phone.log());
        lab.phone.wait_in(0, "CALL_CLOSED");
    }
    lab.phone.command("accept", &number.to_string());
    last.answered().await;
    concluded(&mut first, (&mut at_bob, referral)).await;
    last.hears_party(lab.tone).await;
    lab.hears(number, bob.party());
    last.hang_up().await;
    lab.phone.wait_in(number, "CALL_CLOSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_moves_one_of_ours_to_another() {
    all_at_once([
        ("blind", it_moves(false, 200, Transport::Udp)),
        ("attended", it_moves(true, 200, Transport::Tcp)),
        ("blind, refused", it_moves(false, 486, Transport::Tcp)),
    ])
    .await;
}

async fn it_moves(attended: bool, status: u16, transport: Transport) {
    let lab = Lab::new("alice", transport, Baresip::current);
    let (mut bob, mut carol) = (lab.ours("bob").await, lab.ours("carol").await);
    let mut first = lab.calls(&mut bob, 0).await;
    let mut asked_first = None;
    if attended {
        asked_first = Some(lab.calls(&mut carol, 1).await);
        lab.phone.command("attended", "0 1");
    } else {
        lab.phone.command("transfer", "0 sip:carol@lab.example");
    }
    let (referral, asked, mut last) = bob.obeys(&mut first, lab.proxy).await;
    assert_eq!(asked.target.replaces.is_some(), attended, "{asked:?}");
    if status != 200 {
        carol.invited().await.refuse(status).await;
        assert_eq!(last.rejected().await.status, Some(status));
        first.notifies(referral, status).await;
        assert_eq!(lab.phone.wait("TRANSFER_REFUSED", 1), [status.to_string()]);
        first.hears_party(lab.tone).await;
        lab.hears(0, bob.party());
        return first.hang_up().await;
    }
    let (mut at_carol, replacement) = carol.answers().await;
    assert_eq!(replacement.map(|replacement| replacement.decision), attended.then_some(Ok(())));
    last.answered().await;
    if let Some(mut replaced) = asked_first {
        replaced.replaced_by(&at_carol).await;
        lab.phone.wait_in(1, "CALL_CLOSED");
    }
    first.notifies(referral, 200).await;
    // It was told, and leaves.
    assert_eq!(first.gone().await, By::Peer);
    lab.phone.wait("DONE", 2);
    lab.phone.wait_in(0, "CALL_CLOSED");
    last.hears(&carol).await;
    at_carol.hears(&bob).await;
    last.hang_up().await;
    assert_eq!(at_carol.gone().await, By::Peer);
    assert_eq!((bob.sent("BYE"), bob.sent("REFER")), (1, 0));
}
