//! Debian's baresip 1.0, which carries out and asks for blind transfers and knows no Replaces, with Kamailio between.

use super::referral::{concluded, decides, done, registered};
use crate::calls::phone::{Phone, Talk, all_at_once};
use crate::eventually;
use crate::peer::baresip::{self, Baresip, Line};
use crate::peer::kamailio::Kamailio;
use ringback::media::party_tone::{Party, PartyListener};
use ringback::message::Transport;
use ringback::ua::call::{By, Command, Hold};
use std::net::SocketAddr;

struct Lab {
    _kamailio: Kamailio,
    proxy: SocketAddr,
    phone: baresip::Phone,
    tone: Party,
}

impl Lab {
    fn new(user: &str) -> Lab {
        let kamailio = Kamailio::start(&[]);
        let proxy = SocketAddr::from(([127, 0, 0, 1], kamailio.port()));
        let (tone, mut samples) = (Party::new(user.as_bytes()[0] % 8).unwrap(), Vec::new());
        tone.tone().write(8_000 * 30, &mut samples);
        let phone = Baresip::phone(Line { user, registrar: proxy, transport: Transport::Udp }, &samples);
        eventually("baresip's binding", || kamailio.bindings().pop());
        Lab { _kamailio: kamailio, proxy, phone, tone }
    }

    async fn ours(&self, user: &'static str) -> Phone {
        registered(user, self.proxy, Transport::Udp).await
    }

    async fn dialled(&self, from: &Phone, user: &str) -> Talk {
        let mut talk = from.dial_with(user, self.proxy, decides, None).await;
        talk.progress(180).await;
        self.phone.command("accept", "");
        talk.answered().await;
        talk.hears_party(self.tone).await;
        talk
    }

    /// Was this party heard in its last call?
    fn heard(&self, party: Party) {
        let mut listener = PartyListener::new();
        listener.feed(&self.phone.heard());
        assert!(listener.hears(party), "{}", self.phone.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_moved_to_somebody_else() {
    all_at_once([("answered", it_is_moved(200)), ("refused", it_is_moved(486))]).await;
}

async fn it_is_moved(status: u16) {
    let lab = Lab::new("bob");
    let (alice, mut carol) = (lab.ours("alice").await, lab.ours("carol").await);
    let mut first = lab.dialled(&alice, "bob").await;
    first.refers_to(&format!("sip:carol@{}", lab.proxy), None).await;
    assert_eq!(first.refer_answered().await, 202);
    if status != 200 {
        carol.invited().await.refuse(status).await;
        let (told, end) = first.told().await;
        assert_eq!(told.last(), Some(&status), "{end:?}\n{}", lab.phone.log());
        first.hears_party(lab.tone).await;
        return first.hang_up().await;
    }
    let (mut last, _) = carol.answers().await;
    let (told, end) = first.told().await;
    assert_eq!((told.last(), end), (Some(&200), done()), "{}", lab.phone.log());
    first.over().await;
    last.hears_party(lab.tone).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    last.hang_up().await;
    lab.phone.wait("CALL_CLOSED", 2);
    lab.heard(carol.party());
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_moved_to_it() {
    let lab = Lab::new("carol");
    let (alice, mut bob) = (lab.ours("alice").await, lab.ours("bob").await);
    let mut first = alice.dial("bob", lab.proxy).await;
    let (mut at_bob, _) = bob.answers().await;
    first.answered().await;
    first.refers_to("sip:carol@lab.example", None).await;
    let (referral, _, mut last) = bob.obeys(&mut at_bob, lab.proxy).await;
    last.progress(180).await;
    lab.phone.command("accept", "");
    last.answered().await;
    concluded(&mut first, (&mut at_bob, referral)).await;
    last.hears_party(lab.tone).await;
    last.hang_up().await;
}

/// It takes one call at a time here, and a Replaces is nothing to it: the transfer fails, and everybody is where he was.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_moved_to_it_with_replaces_is_refused_as_by_one_that_is_busy() {
    let lab = Lab::new("carol");
    let (alice, mut bob) = (lab.ours("alice").await, lab.ours("bob").await);
    let mut first = alice.dial("bob", lab.proxy).await;
    let (mut at_bob, _) = bob.answers().await;
    first.answered().await;
    first.command(Command::Hold(Hold::SendOnly)).await;
    assert_eq!(first.held().await, By::Local);
    let mut asking = lab.dialled(&alice, "carol").await;
    first.refers_to("sip:carol@lab.example", asking.handle.replaces().await).await;
    let (referral, _, mut last) = bob.obeys(&mut at_bob, lab.proxy).await;
    let status = last.rejected().await.status.unwrap();
    assert_eq!(status, 486, "{}", lab.phone.log());
    at_bob.notifies(referral, status).await;
    let (told, end) = first.told().await;
    assert_eq!((told.last(), end), (Some(&486), done()));
    asking.hears_party(lab.tone).await;
    asking.hang_up().await;
    first.command(Command::Resume).await;
    assert_eq!(first.resumed().await, By::Local);
    first.hears(&bob).await;
    at_bob.hears(&alice).await;
    first.hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_moves_one_of_ours_to_another() {
    all_at_once([("answered", it_moves(200)), ("refused", it_moves(404))]).await;
}

async fn it_moves(status: u16) {
    let lab = Lab::new("alice");
    let (mut bob, mut carol) = (lab.ours("bob").await, lab.ours("carol").await);
    lab.phone.command("dial", &format!("sip:bob@{}", lab.proxy));
    let (mut first, _) = bob.answers().await;
    lab.phone.wait("CALL_ESTABLISHED", 1);
    first.hears_party(lab.tone).await;
    let target = if status == 200 { "carol" } else { "nobody" };
    lab.phone.command("transfer", &format!("sip:{target}@{}", lab.proxy));
    let (referral, asked, mut last) = bob.obeys(&mut first, lab.proxy).await;
    assert_eq!(asked.target.replaces, None);
    if status != 200 {
        assert_eq!(last.rejected().await.status, Some(status));
        first.notifies(referral, status).await;
        eventually("its word on it", || lab.phone.log().contains("transfer failure: 404").then_some(()));
        // It hangs up for that: who was to be moved is cut off.
        assert_eq!(first.gone().await, By::Peer);
        return;
    }
    let (mut at_carol, _) = carol.answers().await;
    last.answered().await;
    first.notifies(referral, 200).await;
    assert_eq!(first.gone().await, By::Peer);
    lab.phone.wait("CALL_CLOSED", 1);
    last.hears(&carol).await;
    at_carol.hears(&bob).await;
    last.hang_up().await;
    assert_eq!(at_carol.gone().await, By::Peer);
}
