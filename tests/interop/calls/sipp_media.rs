//! Media that SIPp sends: what it hears comes back, and digits of its own making.

use super::phone::{Phone, digits, text};
use crate::peer::scenario::{AUDIO, Scenario};
use ringback::media::dtmf::{Defect, DtmfMethod, Expected, judge};
use std::time::Duration;

/// SIPp gives the packets back as they are, our source (SSRC) in them: RFC 3550 sec. 8.2 calls that a loop.
#[tokio::test(flavor = "multi_thread")]
async fn an_echo_of_our_own_packets_is_a_loop_and_nobodys_voice() {
    let player = Scenario::called()
        .with_media(true)
        .invited()
        .answer("200 OK", "a", &[], AUDIO)
        .recv("ACK")
        .recv("BYE")
        .reply("200 OK", &[], "")
        .listen();
    let alice = Phone::new("alice").await;
    let mut talk = alice.dial("bob", player.address()).await;
    let remote = talk.answered().await.remote;
    for way in [DtmfMethod::Rfc4733, DtmfMethod::InBand] {
        talk.send_digits("159#", way).await;
    }
    // The last of them is back as well.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(text(&talk.observed().await), "");
    talk.hang_up().await;
    let report = talk.last_report();
    assert_eq!(report.sources, [remote]);
    assert!(report.voice.returned >= 50, "{report:#?}");
    assert!(report.received.received == 0 && report.heard.is_empty(), "{report:#?}");
    player.finished();
}

/// Captures of a telephone of 2004, which repeats its last packet under the same sequence number.
#[tokio::test(flavor = "multi_thread")]
async fn digits_that_others_made_long_ago() {
    const DIGITS: &str = "1234567890*#";
    let mut scenario = Scenario::called()
        .with_media(false)
        .invited()
        .answer("200 OK", "a", &[], &AUDIO.replace("96", "101"))
        .recv("ACK");
    for digit in DIGITS.chars() {
        let name = match digit {
            '*' => "star".to_owned(),
            '#' => "pound".to_owned(),
            digit => digit.to_string(),
        };
        scenario = scenario.play(&format!("dtmf_2833_{name}")).pause(300);
    }
    let player = scenario.recv("BYE").reply("200 OK", &[], "").listen();
    let alice = Phone::new("alice").await;
    let mut talk = alice.dial("bob", player.address()).await;
    talk.answered().await;
    let observed = talk.digits(DtmfMethod::Rfc4733, DIGITS.len()).await;
    assert_eq!(text(&observed), DIGITS, "{observed:#?}");
    // They last 140 ms and say 2,240: the clock runs at 16,000 Hz, though 8,000 were agreed on.
    let judged =
        judge(&Expected::new(DtmfMethod::Rfc4733, digits(DIGITS), Duration::from_millis(140)), &observed);
    assert_eq!(judged.received, DIGITS);
    assert_eq!(judged.defects.len(), DIGITS.len(), "{:?}", judged.defects);
    for defect in judged.defects {
        assert!(matches!(defect, Defect::WrongClockRate { hz: 12_000..20_000, .. }), "{defect:?}");
    }
    // The last end packet comes thrice, and is one all the same.
    assert!(observed.iter().all(|observation| observation.rtp.unwrap().end_packets == 1), "{observed:#?}");
    // Only when SIPp is through with its last pause.
    tokio::time::sleep(Duration::from_millis(400)).await;
    talk.hang_up().await;
    assert_eq!(talk.last_report().received.duplicates, 2 * DIGITS.len() as u64);
    player.finished();
}
