//! Who shouts changes no verdict: large datagrams and small ones of a stranger, and requests in our own calls without end.

use crate::commands::{Command, codes};
use crate::platform::{Core, Platform};
use crate::stranger::{Stranger, request};
use crate::tally::Tally;
use crate::text::{Text, address, uri};
use ringback::check::Verdict;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shouts at these addresses.
fn shout(stranger: &Stranger, ends: &[SocketAddr]) {
    for number in 0..10_090 {
        let mut text =
            request("OPTIONS", "sip:100@127.0.0.1", "<sip:scan@127.0.0.2>", stranger.address, number);
        if number < 90 {
            text = text.with("X-Noise", "x".repeat(50_000));
        }
        let _ = stranger.socket.send_to(&text.bytes(), ends[number % ends.len()]);
    }
}

#[tokio::test]
async fn ninety_large_datagrams_and_ten_thousand_small_ones_change_no_verdict() {
    let stranger = Arc::new(Stranger::start());
    for command in [Command::Call, Command::Register] {
        let host = Arc::clone(&stranger);
        let platform =
            Platform::start(Box::new(move |core: &mut Core, text: &mut Text, from: SocketAddr| {
                let is_call = text.status().is_none()
                    && text.begins("INVITE")
                    && text.get("Proxy-Authorization").is_some();
                if core.count == 0 && (is_call || command == Command::Register) {
                    core.count = 1;
                    let bound = core.bindings.values().flatten().filter_map(|uri| address(uri));
                    shout(&host, &bound.chain([from]).collect::<Vec<_>>());
                }
                false
            }));
        let outcome = command.ask(&platform, false).await;
        Tally::of(&platform, &[&stranger]).is_nothing(&format!("{command:?}"), &outcome);
        assert_eq!(outcome.verdict, Verdict::Pass, "{command:?}\n{outcome}");
        assert_eq!(outcome.transcript.dropped, 0, "{command:?}\n{outcome}");
    }
}

/// More requests in the call than are kept, to both ends: our own BYE and its answer have room, nothing waits for the noise, and what is missing
/// from the record is nobody's fault.
#[tokio::test]
async fn requests_in_our_own_call_without_end_hold_up_no_bye_and_blame_nobody() {
    let asked = [Command::Call, Command::Hold];
    for command in asked {
        let platform = Platform::start(Box::new(move |core: &mut Core, text: &mut Text, _: SocketAddr| {
            if text.status() == Some(200) && text.method() == "INVITE" && core.count == 0 {
                core.count = 1;
                let invite = core.requests.iter().rev().find(|m| m.begins("INVITE")).unwrap().clone();
                let ends = [
                    (
                        uri(invite.value("Contact")).to_owned(),
                        text.value("To").to_owned(),
                        text.value("From").to_owned(),
                    ),
                    (
                        uri(text.value("Contact")).to_owned(),
                        text.value("From").to_owned(),
                        text.value("To").to_owned(),
                    ),
                ];
                let (socket, at) = (core.socket.try_clone().unwrap(), core.address);
                let call_id = text.call_id().to_owned();
                std::thread::spawn(move || {
                    for number in 0..5_000 {
                        let (target, from, to) = &ends[number % 2];
                        let mut info = request("INFO", target, from, at, number);
                        info.set("To", to.as_str());
                        info.set("Call-ID", call_id.as_str());
                        // Numbers that come before those of the far end itself.
                        info.set("CSeq", "0 INFO");
                        let _ = socket.send_to(&info.bytes(), address(target).unwrap());
                        if number % 50 == 0 {
                            std::thread::sleep(Duration::from_millis(5));
                        }
                    }
                });
            }
            false
        }));
        let began = Instant::now();
        let outcome = command.ask(&platform, false).await;
        Tally::of(&platform, &[]).is_nothing(&format!("{command:?}"), &outcome);
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}\n{outcome}", began.elapsed());
        assert_ne!(outcome.verdict, Verdict::Fail, "{command:?}\n{outcome}");
        assert!(outcome.transcript.dropped == 0 || codes(&outcome).contains(&"records-dropped"), "{outcome}");
        assert!(!codes(&outcome).contains(&"bye-not-answered"), "{outcome}");
    }
}
