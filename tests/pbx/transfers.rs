//! Transfers by REFER, carried out by the PBX or passed on, and Replaces.

use crate::phone::{ALICE, BOB, Call, Phone, user, wait};
use ringback::endpoint::agent::{CallEventKind, Intercepted, Interceptor};
use ringback::media::digit::{Key, parse_digits};
use ringback::media::dtmf::DtmfMethod;
use ringback::media::stream;
use ringback::message::Message;
use ringback::sim::{Lab, LabBuilder, User};
use ringback::syntax::{HeaderName, Method};
use ringback::ua::call::{Command, DTMF_RELAY, DtmfInfo, Event, FarParty, Hold};
use ringback::ua::transfer::{Refer, Replaces, SubscriptionEnd, Target, TransfereeEvent, TransferorEvent};

const CAROL: &str = "192.0.2.3";
const DAN: &str = "192.0.2.4";

/// Alice, who transfers, bob, whom she transfers, carol, to whom, and dan; the faults are those of alice.
pub(crate) struct Office {
    pub(crate) lab: Lab,
    pub(crate) alice: Phone,
    pub(crate) bob: Phone,
    pub(crate) carol: Phone,
    pub(crate) dan: Phone,
}

impl Office {
    pub(crate) async fn new(faults: &[&str], more: impl FnOnce(LabBuilder) -> LabBuilder) -> Office {
        let mut alice = user("alice", ALICE).extension("201");
        for fault in faults {
            alice = alice.fault(fault).unwrap();
        }
        let others = [("bob", BOB, "202"), ("carol", CAROL, "203"), ("dan", DAN, "204")];
        let others = others.map(|(name, at, number)| user(name, at).extension(number));
        let lab = more(Lab::in_memory([4; 32]).user(alice).users(others)).start().await.unwrap();
        let network = lab.memory_network().unwrap().clone();
        let mut office = Office {
            lab,
            alice: Phone::new(&network, "alice", ALICE).await,
            bob: Phone::new(&network, "bob", BOB).await,
            carol: Phone::new(&network, "carol", CAROL).await,
            dan: Phone::new(&network, "dan", DAN).await,
        };
        (office.carol.party, office.dan.party) = (2, 3);
        office
    }

    pub(crate) async fn plain() -> Office {
        Office::new(&[], |lab| lab).await
    }

    /// Alice and bob are in a call.
    pub(crate) async fn call(&mut self) -> (Call, Call) {
        talk(&self.alice, &mut self.bob).await
    }
}

/// One calls another, who answers at once.
pub(crate) async fn talk(from: &Phone, to: &mut Phone) -> (Call, Call) {
    let mut caller = from.dial(&to.name).await;
    let called = answer(to).await;
    caller.until_answered().await;
    called.handle.listen_again().await;
    (caller, called)
}

pub(crate) async fn answer(phone: &mut Phone) -> Call {
    let mut call = phone.take_as(|config| config.refers = ringback::ua::call::Refers::Asked).await;
    call.handle.command(Command::Answer).await;
    call.until_answered().await;
    call
}

pub(crate) fn to(number: &str) -> Refer {
    Refer::new(1, Target::new(format!("sip:{number}@lab.example")))
}

pub(crate) fn with(number: &str, replaces: Replaces) -> Refer {
    Refer::new(1, Target::new(format!("sip:{number}@lab.example")).with_replaces(replaces))
}

/// What the transferor is told: the statuses of the NOTIFYs; how the subscription ended, or how the REFER was refused.
pub(crate) async fn told(call: &mut Call) -> (Vec<u16>, Result<SubscriptionEnd, u16>) {
    let is_end = |event: &Event| {
        let Event::Transferor { event, .. } = event else { return false };
        matches!(event, TransferorEvent::Over(_) | TransferorEvent::Refused { .. })
    };
    let Event::Transferor { event, .. } = call.until("end of the transfer", is_end).await else {
        unreachable!()
    };
    let statuses = call.signals().filter_map(|event| match event {
        Event::Transferor { event: TransferorEvent::Notified(told), .. } => told.status,
        _ => None,
    });
    let end = match event {
        TransferorEvent::Over(end) => Ok(end),
        TransferorEvent::Refused { status, .. } => Err(status),
        _ => unreachable!(),
    };
    (statuses.collect(), end)
}

pub(crate) fn done() -> Result<SubscriptionEnd, u16> {
    Ok(SubscriptionEnd::Terminated { reason: Some("noresource".to_owned()) })
}

pub(crate) fn header(message: &Message, name: HeaderName) -> String {
    message.header(name).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

/// Who is at the far end now, as far as the PBX said.
pub(crate) fn far(call: &Call) -> Option<String> {
    let parties = call.signals().filter_map(|event| match event {
        Event::FarParty(far) => Some(far),
        _ => None,
    });
    let FarParty { asserted, .. } = &**parties.last()?;
    asserted.clone()
}

pub(crate) fn is_over(call: &Call) -> bool {
    call.signals().any(|event| matches!(event, Event::Ended { .. }))
}

/// Until it is over, if it is not yet.
pub(crate) async fn gone(call: &mut Call) {
    if !is_over(call) {
        call.until_over().await;
    }
}

pub(crate) async fn legs(office: &Office) -> Vec<String> {
    wait(200).await;
    office.lab.legs().into_iter().map(|leg| leg.user).collect()
}

#[tokio::test(start_paused = true)]
async fn a_blind_transfer_is_carried_out_and_told_step_by_step() {
    let mut office = Office::plain().await;
    let (mut alice, mut bob) = office.call().await;
    wait(500).await;
    alice.handle.refer(to("203")).await;
    let mut carol = office.carol.take().await;
    let invite = carol.invite.clone().unwrap();
    assert!(header(&invite, HeaderName::From).starts_with("<sip:bob@lab.example>"));
    assert_eq!(header(&invite, HeaderName::PAssertedIdentity), "<sip:bob@lab.example>");
    assert_eq!(header(&invite, HeaderName::ReferredBy), "<sip:alice@lab.example>");
    carol.handle.command(Command::Ring { status: 180, media: false }).await;
    wait(1_000).await;
    assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]), "until carol answers");
    carol.handle.command(Command::Answer).await;
    carol.until_answered().await;
    assert_eq!(told(&mut alice).await, (vec![100, 180, 200], done()));
    gone(&mut alice).await;
    bob.watch(500).await;
    assert_eq!((bob.hears().await, carol.hears().await), (vec![2], vec![1]));
    carol.watch(10).await;
    assert_eq!(far(&bob).as_deref(), Some("<sip:carol@lab.example>"));
    assert_eq!(legs(&office).await, ["bob", "carol"]);
    bob.handle.hang_up(None).await;
    carol.until_over().await;
    assert!(legs(&office).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_called_one_can_transfer_the_caller_too_and_need_not_wait() {
    let mut office = Office::plain().await;
    let (mut bob, mut alice) = talk(&office.bob, &mut office.alice).await;
    wait(500).await;
    alice.handle.command(Command::Hold(Hold::SendOnly)).await;
    wait(200).await;
    alice.handle.refer(to("carol")).await;
    alice
        .until("202", |event| {
            matches!(event, Event::Transferor { event: TransferorEvent::Accepted { .. }, .. })
        })
        .await;
    alice.handle.hang_up(None).await;
    let mut carol = answer(&mut office.carol).await;
    let (statuses, end) = told(&mut alice).await;
    assert_eq!((statuses.last(), end), (Some(&200), done()));
    bob.watch(500).await;
    carol.watch(500).await;
    assert_eq!((bob.hears().await, carol.hears().await), (vec![2], vec![1]), "bob is on hold no more");
    assert_eq!(legs(&office).await, ["bob", "carol"]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_refuses_or_is_not_there_leaves_all_as_it_was() {
    for (number, status) in [("carol", 486), ("carol", 603), ("nobody", 404), ("erin", 480)] {
        let mut office = Office::new(&[], |lab| lab.user(User::new("erin", "erinpw"))).await;
        let (mut alice, bob) = office.call().await;
        alice.handle.refer(to(number)).await;
        if number == "carol" {
            office.carol.invited().await.refuse(status).await;
        }
        assert_eq!(told(&mut alice).await, (vec![100, status], done()), "{number}");
        wait(500).await;
        assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]), "{number}");
        assert_eq!(legs(&office).await, ["alice", "bob"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_does_not_answer_is_cancelled_and_the_transferee_stays() {
    let mut office = Office::plain().await;
    let (mut alice, bob) = office.call().await;
    alice.handle.refer(to("carol")).await;
    let mut carol = office.carol.take().await;
    carol.handle.command(Command::Ring { status: 180, media: false }).await;
    assert_eq!(told(&mut alice).await, (vec![100, 180, 480], done()));
    assert!(carol.until_over().await.1[0].contains("no answer"));
    assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));
}

#[tokio::test(start_paused = true)]
async fn an_attended_transfer_joins_the_two_far_legs() {
    let mut office = Office::plain().await;
    let (mut alice, mut bob) = office.call().await;
    alice.handle.command(Command::Hold(Hold::SendOnly)).await;
    alice.watch(300).await;
    let (mut consult, mut carol) = talk(&office.alice, &mut office.carol).await;
    consult.handle.command(Command::Hold(Hold::SendOnly)).await;
    consult.watch(300).await;
    alice.handle.refer(with("carol", consult.handle.replaces().await.unwrap())).await;
    assert_eq!(told(&mut alice).await, (vec![100, 200], done()));
    gone(&mut alice).await;
    gone(&mut consult).await;
    bob.watch(500).await;
    carol.watch(500).await;
    assert_eq!((bob.hears().await, carol.hears().await), (vec![2], vec![1]));
    assert_eq!(far(&bob).as_deref(), Some("<sip:carol@lab.example>"));
    assert_eq!(far(&carol).as_deref(), Some("<sip:bob@lab.example>"));
    assert_eq!(legs(&office).await, ["bob", "carol"]);
    carol.handle.hang_up(None).await;
    bob.until_over().await;
    assert!(legs(&office).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_semi_attended_transfer_takes_over_a_target_that_still_rings() {
    for answers in [true, false] {
        let mut office = Office::plain().await;
        let (mut alice, mut bob) = office.call().await;
        let mut consult = office.alice.dial("carol").await;
        let mut carol = office.carol.take().await;
        carol.handle.command(Command::Ring { status: 180, media: false }).await;
        consult.until("180", |event| matches!(event, Event::Progress { status: 180, .. })).await;
        alice.handle.refer(with("carol", consult.handle.replaces().await.unwrap())).await;
        assert_eq!(consult.until_over().await.0, Some(487));
        if answers {
            carol.handle.command(Command::Answer).await;
            assert_eq!(told(&mut alice).await, (vec![100, 180, 200], done()));
            bob.watch(500).await;
            carol.watch(500).await;
            assert_eq!((bob.hears().await, carol.hears().await), (vec![2], vec![1]));
        } else {
            carol.handle.command(Command::Refuse { status: 486, reason: None }).await;
            assert_eq!(told(&mut alice).await, (vec![100, 180, 486], done()));
            wait(500).await;
            assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_replaces_that_names_nothing_comes_to_nothing() {
    let mut office = Office::plain().await;
    let (mut alice, bob) = office.call().await;
    let own = alice.handle.replaces().await.unwrap();
    let mut unknown = own.clone();
    unknown.dialog.local_tag = (*b"x").into();
    for replaces in [own, unknown] {
        alice.handle.refer(with("carol", replaces)).await;
        let (statuses, end) = told(&mut alice).await;
        assert_eq!((statuses.last(), end), (Some(&481), done()));
        alice.seen.clear();
    }
    assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));
}

#[tokio::test(start_paused = true)]
async fn a_transfer_to_a_number_of_the_pbx_leads_there() {
    let mut office = Office::plain().await;
    let (mut alice, mut bob) = office.call().await;
    alice.handle.refer(to("*43")).await;
    assert_eq!(told(&mut alice).await, (vec![100, 200], done()));
    gone(&mut alice).await;
    bob.watch(300).await;
    assert_eq!(bob.hears().await, [1], "his own tone comes back");
    bob.handle.hang_up(None).await;
    bob.until_over().await;
    assert!(legs(&office).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_invite_with_replaces_picks_up_a_call_that_rings_and_one_that_is_up() {
    let mut office = Office::plain().await;
    // Bob's phone rings; dan takes the call.
    let mut alice = office.alice.dial("bob").await;
    let mut bob = office.bob.take().await;
    bob.handle.command(Command::Ring { status: 180, media: false }).await;
    alice.until("180", |event| matches!(event, Event::Progress { status: 180, .. })).await;
    let replaces = bob.handle.replaces().await;
    let mut dan = office.dan.dial_as("bob", |config| config.replaces = replaces).await;
    dan.until_answered().await;
    alice.until_answered().await;
    assert_eq!(bob.until_over().await.1, ["SIP;cause=200;text=\"Call completed elsewhere\""]);
    alice.watch(500).await;
    assert_eq!((alice.hears().await, dan.hears().await), (vec![3], vec![0]));
    // Carol takes it from dan.
    let replaces = dan.handle.replaces().await;
    let mut carol = office.carol.dial_as("dan", |config| config.replaces = replaces.clone()).await;
    carol.until_answered().await;
    dan.until_over().await;
    alice.watch(500).await;
    assert_eq!((alice.hears().await, carol.hears().await), (vec![2], vec![0]));
    assert_eq!(far(&alice).as_deref(), Some("<sip:carol@lab.example>"));
    assert_eq!(legs(&office).await, ["alice", "carol"]);
    // What dan had is over; and what is up is not early.
    let mut late = office.bob.dial_as("dan", |config| config.replaces = replaces).await;
    assert_eq!(late.until_over().await.0, Some(603));
    let mut early_only = carol.handle.replaces().await.unwrap();
    early_only.early_only = true;
    let mut refused = office.bob.dial_as("carol", |config| config.replaces = Some(early_only)).await;
    assert_eq!(refused.until_over().await.0, Some(486));
    let mut unknown = carol.handle.replaces().await.unwrap();
    unknown.dialog.remote_tag = (*b"x").into();
    let mut refused = office.bob.dial_as("carol", |config| config.replaces = Some(unknown)).await;
    assert_eq!(refused.until_over().await.0, Some(481));
}

/// Bob's phone follows a REFER that was passed on to it.
pub(crate) async fn follow(office: &Office, bob: &mut Call) -> (u32, Call) {
    let is_refer =
        |event: &Event| matches!(event, Event::Transferee { event: TransfereeEvent::Referred(_), .. });
    let Event::Transferee { referral, event: TransfereeEvent::Referred(referred) } =
        bob.until("REFER", is_refer).await
    else {
        unreachable!()
    };
    assert_eq!(referred.referred_by.as_deref(), Some("<sip:alice@lab.example>"));
    bob.handle.command(Command::AcceptRefer { referral }).await;
    let number = referred.target.uri.trim_start_matches("sip:").split('@').next().unwrap().to_owned();
    (referral, office.bob.dial_as(&number, |config| *config = config.clone().referred(&referred)).await)
}

pub(crate) async fn notify(call: &Call, referral: u32, status: u16) {
    call.handle.command(Command::Notify { referral, status, phrase: None }).await;
}

#[tokio::test(start_paused = true)]
async fn a_refer_that_is_relayed_is_carried_out_by_the_other_phone() {
    for attended in [false, true] {
        let mut office = Office::new(&[], LabBuilder::relay_refer).await;
        let (mut alice, mut bob) = office.call().await;
        let mut consult = None;
        if attended {
            let (ours, theirs) = talk(&office.alice, &mut office.carol).await;
            alice.handle.refer(with("203", ours.handle.replaces().await.unwrap())).await;
            consult = Some((ours, theirs));
        } else {
            alice.handle.refer(to("203")).await;
        }
        let (referral, mut new) = follow(&office, &mut bob).await;
        let mut carol = match consult {
            Some((mut ours, theirs)) => {
                ours.until_over().await;
                theirs
            }
            None => answer(&mut office.carol).await,
        };
        new.until_answered().await;
        notify(&bob, referral, 200).await;
        assert_eq!(told(&mut alice).await, (vec![100, 200], done()));
        alice.handle.hang_up(None).await;
        bob.until_over().await;
        carol.watch(300).await;
        assert_eq!((new.hears().await, carol.hears().await), (vec![2], vec![1]), "attended: {attended}");
        assert_eq!(legs(&office).await.len(), 2);
    }
}

/// Presses keys by this way.
pub(crate) async fn press(call: &Call, digits: &str, way: DtmfMethod) {
    let keys = parse_digits(digits).unwrap();
    if way == DtmfMethod::Rfc4733 {
        call.handle.media(stream::Command::digits(keys, way)).await;
        return;
    }
    for key in keys {
        let Key::Digit(digit) = key else { continue };
        let body = DtmfInfo { digit, duration: None }.relay_body();
        let info = Command::Info { token: 1, content_type: DTMF_RELAY.to_owned(), body };
        call.handle.command(info).await;
        wait(200).await;
    }
}

#[tokio::test(start_paused = true)]
async fn keys_transfer_blindly_too_and_the_number_is_not_heard_by_the_other() {
    for (digits, way) in
        [("##203#", DtmfMethod::Rfc4733), ("##203", DtmfMethod::Rfc4733), ("##203#", DtmfMethod::Info)]
    {
        let mut office = Office::new(&[], |lab| lab.transfer_code("##")).await;
        let (mut alice, mut bob) = office.call().await;
        press(&alice, digits, way).await;
        let mut carol = office.carol.take().await;
        carol.handle.command(Command::Ring { status: 180, media: false }).await;
        bob.watch(1_000).await;
        let heard = bob.seen.iter().filter_map(|(_, what)| match what {
            CallEventKind::Media(stream::Event::Observed(seen)) => seen.digit.map(|digit| digit.character()),
            _ => None,
        });
        let heard: String = heard.collect();
        if way == DtmfMethod::Rfc4733 {
            assert_eq!(heard, "##", "the code, but not the number");
        }
        assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]), "until carol answers");
        carol.handle.command(Command::Answer).await;
        alice.until_over().await;
        carol.until_answered().await;
        bob.watch(500).await;
        assert_eq!((bob.hears().await, carol.hears().await), (vec![2], vec![1]));
        assert_eq!(legs(&office).await, ["bob", "carol"]);
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_lead_nowhere_leave_the_call_as_it_was() {
    let mut office = Office::new(&[], |lab| lab.transfer_code("##")).await;
    let (alice, bob) = office.call().await;
    press(&alice, "##999#", DtmfMethod::Rfc4733).await;
    wait(3_000).await;
    assert_eq!((alice.hears().await, bob.hears().await), (vec![1], vec![0]));
    assert_eq!(legs(&office).await, ["alice", "bob"]);
}

/// When each NOTIFY and BYE of a call came, in order; of a NOTIFY what it tells.
fn farewell(call: &Call) -> Vec<(tokio::time::Instant, String)> {
    let of_interest = |(at, what): &(tokio::time::Instant, CallEventKind)| match what {
        CallEventKind::Request(request) if request.method() == Some(Method::Notify) => {
            Some((*at, String::from_utf8_lossy(request.body()).trim().to_owned()))
        }
        CallEventKind::Request(request) if request.method() == Some(Method::Bye) => {
            Some((*at, "BYE".to_owned()))
        }
        _ => None,
    };
    call.seen.iter().filter_map(of_interest).collect()
}

#[tokio::test(start_paused = true)]
async fn the_transferor_is_told_before_it_is_hung_up_on() {
    let told = ["SIP/2.0 100 Trying", "SIP/2.0 200 OK", "BYE"];
    for number in ["*43", "701"] {
        let mut office = Office::new(&[], |lab| lab.park("70", 3)).await;
        let (mut alice, bob) = office.call().await;
        alice.handle.refer(to(number)).await;
        alice.watch(1_000).await;
        let seen: Vec<_> = farewell(&alice).into_iter().map(|(_, what)| what).collect();
        assert_eq!(seen, told, "{number}: {}", alice.story());
        assert_eq!(office.lab.legs().len(), 1, "{number}");
        drop(bob);
    }
    let mut office = Office::plain().await;
    let (mut first, _bob) = office.call().await;
    let (mut consult, _carol) = talk(&office.alice, &mut office.carol).await;
    first.handle.command(Command::Hold(Hold::SendOnly)).await;
    first.watch(200).await;
    let replaces = consult.handle.replaces().await.unwrap();
    first.handle.refer(with("carol", replaces)).await;
    first.watch(1_000).await;
    consult.watch(1_000).await;
    let seen = farewell(&first);
    assert_eq!(seen.iter().map(|(_, what)| what).collect::<Vec<_>>(), told, "{}", first.story());
    let other = farewell(&consult);
    assert!(other.len() == 1 && other[0].0 >= seen[1].0, "{}", consult.story());
}

#[tokio::test(start_paused = true)]
async fn a_transferor_that_answers_no_notify_is_hung_up_on_all_the_same() {
    let mut office = Office::plain().await;
    let ignores = |request: &Message| match request.method() {
        Some(Method::Notify) => Intercepted::Ignored,
        _ => Intercepted::Taken,
    };
    let mut alice = office.alice.dial_with("bob", Interceptor::new(Box::new(Some), Box::new(ignores))).await;
    let _bob = answer(&mut office.bob).await;
    alice.until_answered().await;
    alice.handle.refer(to("*43")).await;
    alice.watch(3_000).await;
    assert!(!farewell(&alice).iter().any(|(_, what)| what == "BYE"), "{}", alice.story());
    alice.watch(2_000).await;
    assert!(farewell(&alice).iter().any(|(_, what)| what == "BYE"), "{}", alice.story());
}
