//! Echo and announcement.

use crate::phone::{Scene, wait};
use ringback::endpoint::agent::CallEventKind;
use ringback::media::digit::{Digit, parse_digits};
use ringback::media::dtmf::DtmfMethod;
use ringback::media::stream;
use ringback::ua::call::{Command, Event};

fn digits(call: &crate::phone::Call, way: DtmfMethod) -> String {
    let observed = call.seen.iter().filter_map(|(_, what)| match what {
        CallEventKind::Media(stream::Event::Observed(seen)) if seen.way == way => seen.digit,
        _ => None,
    });
    observed.map(Digit::character).collect()
}

#[tokio::test(start_paused = true)]
async fn echo_sends_back_voice_and_digits_of_every_way() {
    let scene = Scene::plain().await;
    let mut alice = scene.alice.dial("*43").await;
    alice.until_answered().await;
    wait(500).await;
    assert_eq!(alice.hears().await, [0]);
    for way in [DtmfMethod::Rfc4733, DtmfMethod::InBand] {
        alice.handle.media(stream::Command::digits(parse_digits("15#").unwrap(), way)).await;
        alice.watch(2_000).await;
        assert_eq!(digits(&alice, way), "15#", "{way}");
    }
    let (content_type, body) =
        ("application/dtmf-relay".to_owned(), b"Signal=5\r\nDuration=100\r\n".to_vec());
    alice.handle.command(Command::Info { token: 7, content_type, body: body.clone() }).await;
    alice.watch(500).await;
    let came = |event: &Event| matches!(event, Event::InfoReceived { body: came, .. } if *came == body);
    assert!(alice.signals().any(came));
    let report = alice.handle.report().await.unwrap();
    assert_eq!(report.received.lost, 0);
    alice.handle.hang_up(None).await;
    alice.until_over().await;
    wait(100).await;
    assert!(scene.lab.legs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_announcement_hangs_up_by_itself() {
    let scene = Scene::plain().await;
    let mut alice = scene.alice.dial("*60").await;
    alice.until_answered().await;
    assert_eq!(alice.until_over().await, (None, vec![]));
    let told = alice.seen.iter().find_map(|(_, what)| match what {
        CallEventKind::LastReport(report) => Some(report.received.received),
        _ => None,
    });
    assert!(told.unwrap() > 130, "{told:?} packets: not even 2.7 s");
    wait(100).await;
    assert!(scene.lab.legs().is_empty());
}
