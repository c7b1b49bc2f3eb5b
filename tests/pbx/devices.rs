//! Where the PBX finds a device: over the flow of its registration.

use crate::phone::{Call, PBX, Phone, Scene, ip, wait};
use ringback::auth::Credentials;
use ringback::endpoint::ClientEvent;
use ringback::endpoint::agent::AgentConfig;
use ringback::message::Transport;
use ringback::sim::{Lab, MemoryNetwork, Nat, User};
use ringback::ua::End;
use ringback::ua::call::{Command, Event, Hold};
use ringback::ua::registration::{self, Input, Output, Registration};

/// Registers a phone under this Contact.
async fn register(phone: &Phone, contact: &str) {
    let endpoint = phone.agent.endpoint();
    let credentials = Credentials::new(&phone.name, &phone.password);
    let aor = format!("sip:{}@lab.example", phone.name);
    let config = registration::Config::new(aor, "sip:lab.example", contact, credentials);
    let mut registration = Registration::new(config, endpoint.ids());
    let now = || tokio::time::Instant::now().into_std();
    registration.handle_input(now(), Input::Command(registration::Command::Bind));
    let flow = endpoint.flow(phone.transport, (ip(PBX), 5060).into()).await.unwrap();
    loop {
        match registration.poll_output().unwrap() {
            Output::Send(request) => {
                let mut transaction = phone.agent.recorder().request(request, flow).await.unwrap();
                let answer = loop {
                    match transaction.next().await.unwrap() {
                        ClientEvent::Final(response) => break response.message,
                        ClientEvent::Provisional(_) => {}
                        other => panic!("{other:?}"),
                    }
                };
                registration.handle_input(now(), Input::Response(answer));
            }
            Output::Finished(finished) => return assert_eq!(finished.end, End::Accepted),
            other => panic!("{other:?}"),
        }
    }
}

async fn lab(network: &MemoryNetwork) -> Lab {
    let users = ["alice", "bob"].map(|name| User::new(name, format!("{name}pw")));
    Lab::builder().seed([1; 32]).on(&network.host([ip(PBX)])).users(users).start().await.unwrap()
}

/// Alice calls bob: a call, a hold, a resume, and a BYE of the PBX each way.
async fn all_requests_reach(alice: &Phone, bob: &mut Phone, lab: &Lab) {
    for caller_hangs_up in [true, false] {
        let mut out: Call = alice.dial("bob").await;
        let mut called = bob.take().await;
        called.handle.command(Command::Answer).await;
        out.until_answered().await;
        called.until_answered().await;
        out.handle.command(Command::Hold(Hold::Inactive)).await;
        called.until("hold", |event| matches!(event, Event::Held { .. })).await;
        out.handle.command(Command::Resume).await;
        called.until("resume", |event| matches!(event, Event::Resumed { .. })).await;
        called.handle.command(Command::Hold(Hold::Inactive)).await;
        out.until("hold", |event| matches!(event, Event::Held { .. })).await;
        let (hangs_up, other) =
            if caller_hangs_up { (&mut out, &mut called) } else { (&mut called, &mut out) };
        hangs_up.handle.hang_up(None).await;
        other.until_over().await;
        hangs_up.until_over().await;
        wait(100).await;
        assert!(lab.legs().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_behind_a_nat_is_reached_whatever_its_contact_says() {
    let network = MemoryNetwork::new([9; 32]);
    let lab = lab(&network).await;
    let alice = Phone::new(&network, "alice", "192.0.2.1").await;
    let inside = network.host_behind(Nat::new(), ip("198.51.100.9"), [ip("10.0.0.2")]);
    let mut bob = Phone::on(&inside, "bob", "10.0.0.2", AgentConfig::default()).await;
    // Media of a device behind a NAT is a matter of its own: here only the signalling has to get through.
    bob.silent = true;
    assert_eq!(alice.dial("bob").await.until_over().await.0, Some(480));
    register(&bob, "sip:bob@10.0.0.2:5060").await;
    all_requests_reach(&alice, &mut bob, &lab).await;
}

#[tokio::test(start_paused = true)]
async fn a_device_on_a_connection_is_called_on_it() {
    let network = MemoryNetwork::new([9; 32]);
    let lab = lab(&network).await;
    let alice = Phone::new(&network, "alice", "192.0.2.1").await;
    let mut bob = Phone::new(&network, "bob", "192.0.2.2").await;
    bob.transport = Transport::Tcp;
    // Nobody listens at the port in the Contact.
    register(&bob, "sip:bob@192.0.2.2:9;transport=tcp").await;
    assert_eq!(lab.endpoint().stats().connections, 1);
    all_requests_reach(&alice, &mut bob, &lab).await;
    assert_eq!(lab.endpoint().stats().connections, 1, "no other connection was opened");
}

#[tokio::test(start_paused = true)]
async fn the_latest_binding_rings() {
    let scene = Scene::plain().await;
    let mut other = Phone::new(&scene.network, "bob", "192.0.2.22").await;
    register(&other, "sip:bob@192.0.2.22:5060").await;
    let _alice = scene.alice.dial("bob").await;
    let call = other.take().await;
    call.handle.command(Command::Refuse { status: 486, reason: None }).await;
}
