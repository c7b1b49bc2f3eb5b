//! Challenges that cannot be answered are told as what they are (RFC 3261 sec. 22.4, RFC 7616, RFC 3310).

use super::scene::ALL_PASS;
use crate::scripted::{CHALLENGE, Registrar, Scripted, blamed, told};
use crate::seen::steps;
use ringback::check::{Outcome, Verdict};
use ringback::message::Transport::{Tcp, Udp};

async fn challenged(lines: &'static [&'static str]) -> Outcome {
    let scene = Scripted::new(Registrar::default(), move |r, q| match r.is_unanswered(q) {
        true => {
            let headers: Vec<_> = lines.iter().map(|line| ("WWW-Authenticate", *line)).collect();
            r.answer(q, 401, "Unauthorized", &headers)
        }
        false => r.healthy(q),
    })
    .await;
    scene.register(Udp).await
}

#[tokio::test(start_paused = true)]
async fn each_says_why_it_cannot_be_answered() {
    const OFFER: &str = "offer Digest with MD5";
    for (challenge, sides, says, never) in [
        (
            &["Digest realm=\"pbx.example.com\", qop=\"auth\""][..],
            &["peer"][..],
            &["nonce is missing"][..],
            &[OFFER][..],
        ),
        (&["Digest nonce=\"abc123\", qop=\"auth\""], &["peer"], &["realm is missing"], &[OFFER]),
        (&["NTLM realm=\"X\""], &["peer"], &["NTLM"], &["MD5 by default", "no qop"]),
        (&["Negotiate"], &["peer"], &["Negotiate"], &["MD5 by default", "no qop"]),
        (
            &["Digest realm=\"pbx.example.com\" nonce=\"abc\" qop=\"auth\""],
            &["peer"],
            &["cannot be read", "nonce=\"abc\""],
            &["realm \"\""],
        ),
        (
            &["Digest realm=\"ims.example\", nonce=\"abc\", algorithm=AKAv1-MD5, qop=\"auth\""],
            &["setup", "peer"],
            &["AKA", "SIM"],
            &["RFC 8760", "old phones"],
        ),
        (
            &["Digest realm=\"pbx.example.com\", nonce=\"abc\", algorithm=SHA-3, qop=\"auth\""],
            &["peer"],
            &["SHA-3"],
            &["cannot register"],
        ),
    ] {
        let outcome = challenged(challenge).await;
        let text = told(&outcome);
        assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
        assert!(sides.contains(&blamed(&outcome).unwrap()), "{outcome}");
        for word in says {
            assert!(text.contains(word), "{word:?} is not told:\n{outcome}");
        }
        for word in never {
            assert!(!outcome.to_string().contains(word), "{word:?} is told:\n{outcome}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_realm_of_what_was_answered_counts() {
    let outcome = challenged(&[
        "NTLM realm=\"SIP Communications Service\"",
        "Kerberos realm=\"SIP Communications Service\"",
        CHALLENGE,
    ])
    .await;
    assert_eq!((steps(&outcome).as_str(), outcome.findings.len()), (ALL_PASS, 0), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn strong_and_weak_in_one_line_pass() {
    let outcome = challenged(&[
        "Digest realm=\"pbx.example.com\", nonce=\"a\", algorithm=SHA-256, qop=\"auth\", Digest realm=\"pbx.example.com\", nonce=\"a\", algorithm=MD5, qop=\"auth\"",
    ])
    .await;
    assert_eq!(steps(&outcome), ALL_PASS, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_long_nonce_is_answered_or_the_limit_is_named() {
    for (length, transport, passes) in [(5_000, Udp, true), (5_000, Tcp, true), (20_000, Tcp, false)] {
        let challenge =
            format!("Digest realm=\"pbx.example.com\", nonce=\"{}\", qop=\"auth\"", "n".repeat(length));
        let registrar = Registrar { challenge: Some(challenge), ..Registrar::default() };
        let scene = Scripted::new(registrar, Registrar::healthy).await;
        let outcome = scene.register(transport).await;
        if passes {
            assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
        } else {
            assert_eq!(
                (outcome.verdict, blamed(&outcome)),
                (Verdict::Inconclusive, Some("probe")),
                "{outcome}"
            );
            assert!(told(&outcome).contains("16384"), "{outcome}");
        }
    }
}
