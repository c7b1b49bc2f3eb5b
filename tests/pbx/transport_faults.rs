//! Faults of the transport (R15, T, N04) as a phone meets them that never registers, and calls.

use crate::phone::{ALICE, Call, Scene, user};
use ringback::endpoint::agent::CallEventKind;
use ringback::message::Transport::{self, Tcp, Udp};
use ringback::ua::call::{Command, Event};

/// Alice, with this fault, calls the echo over this transport.
async fn calls_the_echo(fault: &str, transport: Transport) -> (Scene, Call) {
    let mut scene = Scene::silent(&[]).await;
    scene.lab.set_user(user("alice", ALICE).extension("201").fault(fault).unwrap());
    scene.alice.transport = transport;
    let mut call = scene.alice.dial("*43").await;
    call.watch(3_000).await;
    (scene, call)
}

fn statuses(call: &Call) -> Vec<u16> {
    let status = |(_, what): &(_, CallEventKind)| match what {
        CallEventKind::Response(response) => response.status(),
        _ => None,
    };
    call.seen.iter().filter_map(status).collect()
}

fn is_up(call: &Call) -> bool {
    call.signals().any(|event| matches!(event, Event::Answered(_)))
}

#[tokio::test(start_paused = true)]
async fn the_transport_that_is_silent_takes_no_call_and_the_other_one_does() {
    for (fault, silent, answers) in [("R15", Udp, Tcp), ("R15:tcp", Tcp, Udp)] {
        let (scene, call) = calls_the_echo(fault, silent).await;
        assert_eq!(statuses(&call), [0; 0], "{fault}: {}", call.story());
        assert!(scene.lab.legs().is_empty(), "{fault}");
        let (_, call) = calls_the_echo(fault, answers).await;
        assert!(is_up(&call), "{fault}: {}", call.story());
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_on_the_silent_transport_is_not_rung() {
    let scene = Scene::silent(&["R15"]).await;
    let mut call = scene.alice.dial("bob").await;
    assert_eq!(call.until_over().await.0, Some(480), "{}", call.story());
}

#[tokio::test(start_paused = true)]
async fn answers_to_calls_go_to_another_port_or_come_cut() {
    for (fault, number) in [("N04:5099", "*43"), ("N04:5099", "bob"), ("N04:5099", "999")] {
        let mut scene = Scene::silent(&[]).await;
        scene.lab.set_user(user("alice", ALICE).extension("201").fault(fault).unwrap());
        let mut call = scene.alice.dial(number).await;
        call.watch(5_000).await;
        assert_eq!(statuses(&call), [0; 0], "{fault} {number}: {}", call.story());
        assert_eq!(scene.alice.agent.endpoint().stats().received, 0, "{fault} {number}: not even a 100");
        scene.alice.transport = Tcp;
        let mut call = scene.alice.dial("*43").await;
        call.watch(1_000).await;
        assert!(is_up(&call), "UDP only: {}", call.story());
    }
    for transport in [Udp, Tcp] {
        let (scene, call) = calls_the_echo("T02:truncated", transport).await;
        assert!(!is_up(&call) && !statuses(&call).contains(&200), "{transport}: {}", call.story());
        assert!(scene.alice.agent.endpoint().stats().malformed > 0, "{transport}: half a 200 came");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_of_a_call_that_are_too_large_are_refused() {
    let (_, call) = calls_the_echo("T02:300", Tcp).await;
    assert_eq!(statuses(&call), [513], "{}", call.story());
    let (_scene, mut call) = calls_the_echo("T02:2000", Tcp).await;
    assert!(is_up(&call), "{}", call.story());
    let info = |body: usize| Command::Info {
        token: body as u64,
        content_type: "text/plain".to_owned(),
        body: vec![b'x'; body],
    };
    call.handle.command(info(2_000)).await;
    call.handle.command(info(20)).await;
    call.watch(1_000).await;
    let story = call.story();
    assert!(story.contains("513"), "{story}");
    assert!(!call.signals().any(|event| matches!(event, Event::Ended { .. })), "{story}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_one_on_which_nothing_comes_or_goes() {
    let (scene, mut call) = calls_the_echo("T12:20", Tcp).await;
    assert!(is_up(&call), "{}", call.story());
    let open = || scene.lab.endpoint().stats().connections;
    // Traffic inside the call is traffic.
    for _ in 0..3 {
        call.watch(15_000).await;
        assert_eq!(open(), 1);
        call.handle.command(Command::Hold(ringback::ua::call::Hold::SendOnly)).await;
        call.watch(1_000).await;
        call.handle.command(Command::Resume).await;
    }
    call.watch(19_000).await;
    assert_eq!(open(), 1);
    call.watch(2_000).await;
    assert_eq!(open(), 0, "20 s without a message");
    // The same for a fault that others have: nothing.
    let (scene, mut call) = calls_the_echo("D04", Tcp).await;
    call.watch(30_000).await;
    assert_eq!(scene.lab.endpoint().stats().connections, 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_closed_or_lost_after_a_200_is_so_in_calls() {
    // T12:lost: the ACK is the next request.
    for (fault, closed) in [("T12", true), ("T12:lost", true), ("T12:60", false)] {
        let (scene, call) = calls_the_echo(fault, Tcp).await;
        assert!(is_up(&call), "{fault}: {}", call.story());
        let records = format!("{:?}", scene.alice.agent.recorder().records());
        assert_eq!(records.contains("closed by the peer"), closed, "{fault}: {}", call.story());
    }
}
