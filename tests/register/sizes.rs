//! What the path drops for its size is named with the size; our own limits are named as ours.

use super::scene::ALL_PASS;
use crate::scripted::{Registrar, Reply, Scripted, blamed, told};
use crate::seen::{finding, steps};
use ringback::check::{Register, Verdict};
use ringback::message::Transport::{Tcp, Udp};

#[tokio::test(start_paused = true)]
async fn a_request_that_the_path_drops_for_its_size_is_named_with_it() {
    let challenge =
        format!("Digest realm=\"pbx.example.com\", nonce=\"{}\", qop=\"auth\"", "n".repeat(1_100));
    let registrar = Registrar { challenge: Some(challenge), ..Registrar::default() };
    let scene = Scripted::raw(registrar, |r, q| match q.as_bytes().len() > 1_300 {
        true => Vec::new(),
        false => vec![Reply::Bytes(r.healthy(q).into_bytes())],
    })
    .await;
    scene.close_tcp();
    let outcome = scene.register(Udp).await;
    assert_eq!(blamed(&outcome), Some("path"), "{outcome}");
    let told_of = finding(&outcome, "large-request-dropped");
    assert!(told_of.seen.contains("1,300 bytes") && told_of.advice.contains("TCP"), "{outcome}");
    assert!(!told(&outcome).contains("fail2ban"), "{outcome}");
}

/// Bindings of others with long push tokens, all in one line.
async fn with_many(number: usize, length: usize) -> ringback::check::Outcome {
    let token = "t".repeat(length);
    let uris: Vec<String> =
        (0..number).map(|n| format!("<sip:alice@192.0.2.{n}:5060;pn-prid={token}>")).collect();
    let uris: Vec<&str> = uris.iter().map(String::as_str).collect();
    let scene = Scripted::new(Registrar::with(&uris), |r, q| {
        let answer = r.healthy(q);
        let (first, rest) = answer.split_once("Contact: ").unwrap_or((&answer, ""));
        match rest {
            "" => answer.clone(),
            _ => format!("{first}Contact: {}", rest.replace("\r\nContact: ", ", ")),
        }
    })
    .await;
    scene.check(Register::new(&scene.account("alice", Udp)).beside_live_devices(true)).await
}

#[tokio::test(start_paused = true)]
async fn sixty_bindings_in_one_line_are_read() {
    for length in [10, 230] {
        let outcome = with_many(60, length).await;
        assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
        assert!(told(&outcome).contains("60 live bindings of others"), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_over_our_own_limit_is_named_as_ours_with_its_size() {
    let outcome = with_many(200, 200).await;
    assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Inconclusive, Some("probe")), "{outcome}");
    let told_of = finding(&outcome, "probe-limit");
    assert!(told_of.seen.contains("header length") && !told_of.seen.contains("4096"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_long_list_over_tcp_is_read_as_well() {
    let scene = Scripted::new(
        Registrar::with(&[&format!("<sip:alice@192.0.2.1;x={}>", "t".repeat(10_000))]),
        Registrar::healthy,
    )
    .await;
    let check = Register::new(&scene.account("alice", Tcp)).beside_live_devices(true);
    assert_eq!(steps(&scene.check(check).await), ALL_PASS);
}
