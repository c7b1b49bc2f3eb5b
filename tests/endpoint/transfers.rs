//! Transfers between three agents over a network in memory: who hears whom in the end (flows of RFC 5589).

use crate::support::config;
use ringback::endpoint::Endpoint;
use ringback::endpoint::agent::{
    Agent, AgentConfig, Arrival, Arrivals, CallEventKind, CallHandle, Invitation, MediaSetup,
};
use ringback::media::party_tone;
use ringback::message::Transport;
use ringback::sdp::Local;
use ringback::sim::{Link, MemoryNetwork};
use ringback::ua::call::{By, Command, Config, Event, Hold, Rejection};
use ringback::ua::transfer::{
    DialogState, Refer, Referred, SubscriptionEnd, Target, TransfereeEvent, TransferorEvent,
};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// In virtual time: more than any flow here takes.
const LONG: Duration = Duration::from_secs(120);

struct Party {
    agent: Agent,
    arrivals: Arrivals,
    at: SocketAddr,
    tone: party_tone::Party,
}

impl Party {
    async fn new(network: &MemoryNetwork, number: u8) -> Party {
        let at: SocketAddr = format!("10.0.0.{}:5060", number + 1).parse().unwrap();
        let mut config = config(&[&at.to_string()], &[]);
        config.network = Some(Arc::new(network.host([at.ip()])));
        config.seed = Some([number; 32]);
        let (endpoint, incoming) = Endpoint::bind(config).await.unwrap();
        let (agent, arrivals) = Agent::start(endpoint.recorder(), incoming, AgentConfig::default());
        Party { agent, arrivals, at, tone: party_tone::Party::new(number).unwrap() }
    }

    fn uri(&self) -> String {
        format!("sip:p{}@{}", self.tone.number(), self.at)
    }

    fn media(&self) -> MediaSetup {
        MediaSetup::Stream { background: Some(self.tone.tone()), detect_tones: true }
    }

    fn setup(&self) -> impl Fn(Local) -> Config + use<> {
        let uri = self.uri();
        move |local| {
            let mut config = Config::new(uri.clone(), uri.clone(), local);
            config.refers = ringback::ua::call::Refers::Asked;
            config
        }
    }

    async fn dial(&self, target: &str) -> CallHandle {
        self.dial_with(target, self.setup()).await
    }

    async fn dial_with(&self, target: &str, setup: impl FnOnce(Local) -> Config) -> CallHandle {
        let remote: IpAddr = target.split(['@', ':']).nth(2).unwrap().parse().unwrap();
        let flow = self.agent.endpoint().flow(Transport::Udp, (remote, 5060).into()).await.unwrap();
        self.agent.dial(flow, target, self.media(), setup).await.unwrap()
    }

    /// Calls whom it was referred to.
    async fn follow(&self, referred: &Referred) -> CallHandle {
        let setup = self.setup();
        self.dial_with(&referred.target.uri, |local| setup(local).referred(referred)).await
    }

    async fn invited(&mut self) -> Invitation {
        match tokio::time::timeout(LONG, self.arrivals.next()).await.unwrap() {
            Some(Arrival::Call(invitation)) => invitation,
            other => panic!("{other:?}"),
        }
    }

    async fn take(&self, invitation: Invitation) -> CallHandle {
        invitation.take(self.media(), self.setup()).await.unwrap()
    }

    async fn answer(&mut self) -> CallHandle {
        let invitation = self.invited().await;
        let mut call = self.take(invitation).await;
        call.command(Command::Answer).await;
        answered(&mut call).await;
        call
    }
}

async fn three() -> [Party; 3] {
    let network = MemoryNetwork::new([5; 32]);
    network.link_all(Link::new().delay(Duration::from_millis(10)));
    [Party::new(&network, 0).await, Party::new(&network, 1).await, Party::new(&network, 2).await]
}

/// The first event of the signalling that is wanted.
async fn until<T>(call: &mut CallHandle, wanted: impl Fn(Event) -> Option<T>) -> T {
    let mut seen = Vec::new();
    let search = async {
        while let Some(happened) = call.next().await {
            if let CallEventKind::Signal(event) = happened.kind {
                seen.push(format!("{event:?}"));
                if let Some(found) = wanted(event) {
                    return Some(found);
                }
            }
        }
        None
    };
    tokio::time::timeout(LONG, search).await.ok().flatten().unwrap_or_else(|| panic!("not among {seen:#?}"))
}

async fn answered(call: &mut CallHandle) {
    until(call, |event| matches!(event, Event::Answered(_)).then_some(())).await;
}

async fn ended(call: &mut CallHandle) -> By {
    until(call, |event| if let Event::Ended { by, .. } = event { Some(by) } else { None }).await
}

async fn rejected(call: &mut CallHandle) -> Rejection {
    until(call, |event| if let Event::Rejected(rejection) = event { Some(*rejection) } else { None }).await
}

async fn referred(call: &mut CallHandle) -> (u32, Referred) {
    until(call, |event| match event {
        Event::Transferee { referral, event: TransfereeEvent::Referred(referred) } => {
            Some((referral, *referred))
        }
        _ => None,
    })
    .await
}

/// What the transferor is told in the end, with the statuses that it was notified of.
async fn told(call: &mut CallHandle) -> (Vec<u16>, SubscriptionEnd) {
    let statuses = std::cell::RefCell::new(Vec::new());
    let end = until(call, |event| {
        let Event::Transferor { event, .. } = event else { return None };
        match event {
            TransferorEvent::Notified(told) => statuses.borrow_mut().extend(told.status),
            TransferorEvent::Over(end) => return Some(end),
            _ => {}
        }
        None
    })
    .await;
    (statuses.into_inner(), end)
}

/// The numbers of the parties that are heard now.
async fn heard(call: &CallHandle) -> Vec<u8> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    call.listen_again().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let report = call.report().await.unwrap();
    let heard = report.heard.iter().filter(|(_, time)| *time >= party_tone::LEAST_HEARD);
    heard.map(|(party, _)| party.number()).collect()
}

fn done() -> SubscriptionEnd {
    SubscriptionEnd::Terminated { reason: Some("noresource".to_owned()) }
}

async fn notify(call: &CallHandle, referral: u32, status: u16) {
    call.command(Command::Notify { referral, status, phrase: None }).await;
}

#[tokio::test(start_paused = true)]
async fn after_an_attended_transfer_transferee_and_target_hear_each_other_and_the_transferor_is_free() {
    let [mut a, mut b, mut c] = three().await;
    let mut ab = a.dial(&b.uri()).await;
    let mut ba = b.answer().await;
    answered(&mut ab).await;
    assert_eq!((heard(&ab).await, heard(&ba).await), (vec![1], vec![0]));
    ab.command(Command::Hold(Hold::SendOnly)).await;
    let mut ac = a.dial(&c.uri()).await;
    let mut ca = c.answer().await;
    answered(&mut ac).await;
    assert_eq!(heard(&ca).await, [0]);

    let target = Target::new(c.uri()).with_replaces(ac.replaces().await.unwrap());
    ab.refer(Refer::new(1, target)).await;
    let (referral, asked) = referred(&mut ba).await;
    assert_eq!(asked.referred_by, Some(format!("<{}>", a.uri())));
    ba.command(Command::AcceptRefer { referral }).await;
    let mut bc = b.follow(&asked).await;
    let invitation = c.invited().await;
    let replacement = invitation.replaces().unwrap();
    assert_eq!((replacement.state, replacement.decision), (DialogState::Confirmed, Ok(())));
    assert!(replacement.is_of(&ca) && !replacement.is_of(&ba));
    let mut cb = c.take(invitation).await;
    cb.command(Command::Answer).await;
    answered(&mut bc).await;
    let by = until(&mut ca, |event| if let Event::Replaced { by } = event { Some(by) } else { None }).await;
    assert_eq!(by, cb.call_id());
    assert_eq!((ended(&mut ca).await, ended(&mut ac).await), (By::Local, By::Peer));
    notify(&ba, referral, 200).await;
    assert_eq!(told(&mut ab).await, (vec![100, 200], done()));
    ab.hang_up(None).await;
    assert_eq!((ended(&mut ab).await, ended(&mut ba).await), (By::Local, By::Peer));
    answered(&mut cb).await;
    assert_eq!((heard(&bc).await, heard(&cb).await), (vec![2], vec![1]));
    // Nothing more comes to anybody.
    for party in [&mut a, &mut b, &mut c] {
        let more = tokio::time::timeout(LONG, party.arrivals.next()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_blind_transfer_with_a_bye_at_once_the_notifies_still_arrive() {
    let [a, mut b, mut c] = three().await;
    let mut ab = a.dial(&b.uri()).await;
    let mut ba = b.answer().await;
    answered(&mut ab).await;
    ab.refer(Refer::new(1, Target::new(c.uri()))).await;
    let (referral, asked) = referred(&mut ba).await;
    ba.command(Command::AcceptRefer { referral }).await;
    ab.hang_up(None).await;
    assert_eq!((ended(&mut ab).await, ended(&mut ba).await), (By::Local, By::Peer));
    let mut bc = b.follow(&asked).await;
    let invitation = c.invited().await;
    assert_eq!(invitation.replaces(), None);
    let mut cb = c.take(invitation).await;
    cb.command(Command::Ring { status: 180, media: false }).await;
    notify(&ba, referral, 180).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    cb.command(Command::Answer).await;
    answered(&mut bc).await;
    answered(&mut cb).await;
    notify(&ba, referral, 200).await;
    // The 100 may have come while the BYE was on its way.
    let (statuses, end) = told(&mut ab).await;
    assert_eq!((statuses.last(), end), (Some(&200), done()));
    assert_eq!((heard(&bc).await, heard(&cb).await), (vec![2], vec![1]));
    assert!(ab.next().await.is_none(), "the transferor's call is told to its end");
}

#[tokio::test(start_paused = true)]
async fn when_the_target_refuses_the_transferor_is_told_and_takes_the_transferee_back() {
    let [a, mut b, mut c] = three().await;
    let mut ab = a.dial(&b.uri()).await;
    let mut ba = b.answer().await;
    answered(&mut ab).await;
    ab.command(Command::Hold(Hold::Inactive)).await;
    ab.refer(Refer::new(1, Target::new(c.uri()))).await;
    let (referral, asked) = referred(&mut ba).await;
    ba.command(Command::AcceptRefer { referral }).await;
    assert_eq!(heard(&ba).await, Vec::<u8>::new());
    let mut bc = b.follow(&asked).await;
    c.invited().await.refuse(486).await;
    let status = rejected(&mut bc).await.status.unwrap();
    notify(&ba, referral, status).await;
    assert_eq!(told(&mut ab).await, (vec![100, 486], done()));
    ab.command(Command::Resume).await;
    assert_eq!((heard(&ab).await, heard(&ba).await), (vec![1], vec![0]));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_still_rings_does_not_give_up_its_call_and_is_referred_to_without_replaces() {
    let [a, mut b, mut c] = three().await;
    let mut ab = a.dial(&b.uri()).await;
    let mut ba = b.answer().await;
    answered(&mut ab).await;
    let mut ac = a.dial(&c.uri()).await;
    let invitation = c.invited().await;
    let mut ca = c.take(invitation).await;
    ca.command(Command::Ring { status: 180, media: false }).await;
    until(&mut ac, |event| matches!(event, Event::Progress { status: 180, .. }).then_some(())).await;

    // With Replaces: C did not begin its early dialog, so it is 481 (RFC 3891 sec. 3).
    let replaces = ac.replaces().await.unwrap();
    ab.refer(Refer::new(1, Target::new(c.uri()).with_replaces(replaces))).await;
    let (referral, asked) = referred(&mut ba).await;
    ba.command(Command::AcceptRefer { referral }).await;
    let mut bc = b.follow(&asked).await;
    let invitation = c.invited().await;
    assert_eq!(invitation.replaces().unwrap().decision, Err(481));
    let refused = c.take(invitation).await;
    let status = rejected(&mut bc).await.status.unwrap();
    drop(refused);
    notify(&ba, referral, status).await;
    assert_eq!(told(&mut ab).await, (vec![100, 481], done()));

    // As RFC 5589 sec. 7.6 has it: the transferor cancels its own call, and refers without.
    ac.hang_up(None).await;
    assert_eq!(ended(&mut ca).await, By::Peer);
    ab.refer(Refer::new(2, Target::new(c.uri()))).await;
    let (referral, asked) = referred(&mut ba).await;
    ba.command(Command::AcceptRefer { referral }).await;
    let mut bc = b.follow(&asked).await;
    let mut cb = c.answer().await;
    answered(&mut bc).await;
    notify(&ba, referral, 200).await;
    assert_eq!(told(&mut ab).await, (vec![100, 200], done()));
    ab.hang_up(None).await;
    ended(&mut ba).await;
    assert_eq!((heard(&bc).await, heard(&cb).await), (vec![2], vec![1]));
    cb.hang_up(None).await;
    ended(&mut cb).await;
}

#[tokio::test(start_paused = true)]
async fn a_replaces_that_cannot_be_obeyed_gets_what_the_rfc_says() {
    let [a, b, mut c] = three().await;
    let mut ac = a.dial(&c.uri()).await;
    let mut ca = c.answer().await;
    answered(&mut ac).await;
    let good = ac.replaces().await.unwrap();
    let early_only = {
        let mut replaces = good.clone();
        replaces.early_only = true;
        replaces
    };
    let unknown = {
        let mut replaces = good.clone();
        replaces.dialog.remote_tag = (*b"x").into();
        replaces
    };
    for (replaces, status) in [(early_only, 486), (unknown, 481)] {
        let setup = b.setup();
        let mut bc = b
            .dial_with(&c.uri(), |local| {
                let mut config = setup(local);
                config.replaces = Some(replaces);
                config
            })
            .await;
        let invitation = c.invited().await;
        let _refused = c.take(invitation).await;
        assert_eq!(rejected(&mut bc).await.status, Some(status));
    }
    assert_eq!((heard(&ac).await, heard(&ca).await), (vec![2], vec![0]), "that call goes on");
    ac.hang_up(None).await;
    ended(&mut ca).await;
    for (after, status) in [(0, 603), (120, 481)] {
        tokio::time::sleep(Duration::from_secs(after)).await;
        let (setup, replaces) = (b.setup(), good.clone());
        let mut bc = b
            .dial_with(&c.uri(), |local| {
                let mut config = setup(local);
                config.replaces = Some(replaces);
                config
            })
            .await;
        let invitation = c.invited().await;
        assert_eq!(invitation.replaces().unwrap().decision, Err(status));
        invitation.refuse(status).await;
        assert_eq!(rejected(&mut bc).await.status, Some(status));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_still_rings_elsewhere_is_picked_up_and_its_invite_cancelled() {
    let [mut a, b, mut c] = three().await;
    // C calls A; B answers in A's place by calling C with Replaces (RFC 3891 sec. 1).
    let mut ca = c.dial(&a.uri()).await;
    let invitation = a.invited().await;
    let mut ac = a.take(invitation).await;
    ac.command(Command::Ring { status: 180, media: false }).await;
    until(&mut ca, |event| matches!(event, Event::Progress { status: 180, .. }).then_some(())).await;
    let (setup, mut replaces) = (b.setup(), ac.replaces().await.unwrap());
    replaces.early_only = true;
    let mut bc = b
        .dial_with(&c.uri(), |local| {
            let mut config = setup(local);
            config.replaces = Some(replaces);
            config.require_replaces = true;
            config
        })
        .await;
    let mut cb = c.answer().await;
    answered(&mut bc).await;
    until(&mut ca, |event| matches!(event, Event::Replaced { .. }).then_some(())).await;
    assert_eq!((ended(&mut ca).await, ended(&mut ac).await), (By::Local, By::Peer));
    assert_eq!((heard(&bc).await, heard(&cb).await), (vec![2], vec![1]));
    cb.hang_up(None).await;
    ended(&mut cb).await;
}

#[tokio::test(start_paused = true)]
async fn who_ignores_replaces_rings_a_second_time_and_keeps_its_call() {
    let [a, b, mut c] = three().await;
    let mut ac = a.dial(&c.uri()).await;
    let ca = c.answer().await;
    answered(&mut ac).await;
    let (setup, replaces) = (b.setup(), ac.replaces().await);
    let mut bc = b
        .dial_with(&c.uri(), |local| {
            let mut config = setup(local);
            config.replaces = replaces;
            config
        })
        .await;
    let invitation = c.invited().await.ignoring_replaces();
    let cb = c.take(invitation).await;
    cb.command(Command::Answer).await;
    answered(&mut bc).await;
    assert_eq!((heard(&cb).await, heard(&ca).await), (vec![1], vec![0]));
}

#[tokio::test(start_paused = true)]
async fn a_notify_that_is_kept_back_ends_the_subscription_and_holds_up_no_call() {
    let [a, mut b, c] = three().await;
    let mut ab = a.dial(&b.uri()).await;
    let invitation = b.invited().await;
    let rewrite: ringback::endpoint::agent::Rewrite =
        Box::new(|message| (message.method() != Some(ringback::syntax::Method::Notify)).then_some(message));
    let mut ba = invitation.take_rewritten(b.media(), b.setup(), Some(rewrite)).unwrap();
    ba.command(Command::Answer).await;
    answered(&mut ab).await;
    ab.refer(Refer::new(1, Target::new(c.uri()))).await;
    let (referral, _) = referred(&mut ba).await;
    let began = tokio::time::Instant::now();
    ba.command(Command::AcceptRefer { referral }).await;
    notify(&ba, referral, 200).await;
    assert_eq!(told(&mut ab).await, (vec![], SubscriptionEnd::NeverCame));
    let over = |event| matches!(event, Event::Transferee { event: TransfereeEvent::Over, .. }).then_some(());
    until(&mut ba, over).await;
    assert!(began.elapsed() < Duration::from_secs(33), "{:?}", began.elapsed());
    ab.hang_up(None).await;
    assert_eq!((ended(&mut ab).await, ended(&mut ba).await), (By::Local, By::Peer));
    assert!(ab.next().await.is_none() && ba.next().await.is_none());
}
