//! Challenges that are not the account's own: strange realms, weaker ones, those of other hosts and of the called party; and redirections, behind
//! which others challenge.

use crate::commands::{ALL, CALLS, Command, account, codes, each};
use crate::platform::{Attack, Core, Platform};
use crate::stranger::Stranger;
use crate::tally::Tally;
use crate::text::{Text, uri};
use ringback::check::{Call, Probe, Verdict};
use std::net::SocketAddr;
use std::sync::Arc;

const STRANGE: &str = r#"Digest realm="evil.example", nonce="evil", qop="auth", algorithm=SHA-256"#;
const WEAKER: &str = r#"Digest realm="pbx.example.com", nonce="evil""#;
/// As the account's own, with a nonce of somebody else's.
const ALIKE: &str = r#"Digest realm="pbx.example.com", nonce="evil", qop="auth", algorithm=SHA-256"#;
const NUMBER: &str = "sip:+19005550000@pbx.example.com";

fn platforms(number: usize, attack: impl Fn() -> Attack) -> Vec<Platform> {
    (0..number).map(|_| Platform::start(attack())).collect()
}

fn is_call(text: &Text) -> bool {
    text.status().is_none() && text.begins("INVITE")
}

/// INVITE gets this challenge, once or always.
fn challenged_with(challenge: &'static str) -> Attack {
    Box::new(move |core: &mut Core, text: &mut Text, from: SocketAddr| {
        let is_call = is_call(text);
        if is_call {
            core.answer(text, from, 407, "Who Are You", &format!("Proxy-Authenticate: {challenge}"));
        }
        is_call
    })
}

#[tokio::test]
async fn no_realm_but_the_accounts_own_and_no_weaker_challenge_is_answered() {
    for challenge in [STRANGE, WEAKER] {
        let platforms = platforms(CALLS.len(), || challenged_with(challenge));
        for (command, platform, outcome) in each(&CALLS, &platforms, false).await {
            Tally::of(platform, &[]).is_nothing(&format!("{command:?} {challenge}"), &outcome);
            assert_ne!(outcome.verdict, Verdict::Pass, "{command:?}\n{outcome}");
            let named = ["challenge-not-answered", "challenge-downgraded"];
            assert!(codes(&outcome).iter().any(|code| named.contains(code)), "{command:?}\n{outcome}");
        }
    }
}

/// A stranger answers each request of this method before the platform does.
fn answered_by(stranger: &Arc<Stranger>, method: &'static str, status: u16, header: &'static str) -> Attack {
    let stranger = Arc::clone(stranger);
    Box::new(move |_: &mut Core, text: &mut Text, from: SocketAddr| {
        if text.status().is_none() && text.begins(method) {
            let answer = Text::response(text, status, "Who Are You", "s").with(header, ALIKE);
            stranger.socket.send_to(&answer.bytes(), from).unwrap();
        }
        false
    })
}

#[tokio::test]
async fn a_challenge_from_another_host_than_was_asked_gets_nothing() {
    let stranger = Arc::new(Stranger::start());
    for (method, status, header) in [
        ("INVITE", 407, "Proxy-Authenticate"),
        ("REGISTER", 401, "WWW-Authenticate"),
        ("OPTIONS", 401, "WWW-Authenticate"),
    ] {
        let platforms = platforms(ALL.len(), || answered_by(&stranger, method, status, header));
        for (command, platform, outcome) in each(&ALL, &platforms, false).await {
            Tally::of(platform, &[&stranger]).is_nothing(&format!("{command:?} {method}"), &outcome);
            let named = ["neither the account's registrar nor a proxy", "[answer-from-elsewhere]"];
            let asks = match method {
                "INVITE" => CALLS.contains(&command),
                "REGISTER" => command != Command::Reachable,
                _ => command == Command::Reachable,
            };
            let said = outcome.to_string();
            assert!(!asks || named.iter().any(|words| said.contains(words)), "{command:?} {method}\n{said}");
        }
    }
}

#[tokio::test]
async fn a_redirection_leads_to_no_stranger_and_to_no_number_that_nobody_asked_for() {
    let stranger = Arc::new(Stranger::playing(|_| Some((407, format!("Proxy-Authenticate: {ALIKE}")))));
    let elsewhere = format!("sip:x@{}", stranger.address);
    for (target, follow) in
        [(NUMBER, false), (&elsewhere, false), (&elsewhere, true), ("tel:+19005550000", true)]
    {
        let platforms = platforms(CALLS.len(), || {
            let lines = format!("Contact: <{target}>");
            Box::new(move |core: &mut Core, text: &mut Text, from: SocketAddr| {
                let is_call = is_call(text) && text.get("Proxy-Authorization").is_some();
                if is_call {
                    core.answer(text, from, 302, "Moved", &lines);
                }
                is_call
            })
        });
        for (command, platform, outcome) in each(&CALLS, &platforms, follow).await {
            Tally::of(platform, &[&stranger]).is_nothing(&format!("{command:?} {target} {follow}"), &outcome);
            assert_ne!(outcome.verdict, Verdict::Pass, "{command:?}\n{outcome}");
            let said = outcome.to_string();
            let is_named = said.contains("302") && said.contains(target);
            assert!(is_named || target.starts_with("tel:"), "{command:?} {target}\n{said}");
        }
    }
    assert_eq!(stranger.heard(), Vec::<String>::new());
}

/// The called party answers from the stranger's host, past the platform: what is asked in the call goes there, and is challenged.
fn answered_from(stranger: &Arc<Stranger>) -> Attack {
    let stranger = Arc::clone(stranger);
    Box::new(move |core: &mut Core, text: &mut Text, _: SocketAddr| {
        let is_answer = text.status() == Some(200) && text.method() == "INVITE";
        if is_answer && uri(text.value("Contact")) != format!("sip:x@{}", stranger.address) {
            // Its own end is told that all is well.
            let contact = uri(text.value("Contact")).to_owned();
            let mut ack = Text::request("ACK", &contact);
            for name in ["From", "To", "Call-ID"] {
                ack = ack.with(name, text.value(name));
            }
            let number = text.value("CSeq").split(' ').next().unwrap().to_owned();
            core.count += 1;
            let via = format!("SIP/2.0/UDP {};branch=z9hG4bKack{}", core.address, core.count);
            let ack = ack.with("Via", via).with("CSeq", format!("{number} ACK")).with("Max-Forwards", "70");
            core.send(ack, crate::text::address(&contact).unwrap());
            text.remove("Record-Route");
            text.set("Contact", format!("<sip:x@{}>", stranger.address));
        }
        false
    })
}

#[tokio::test]
async fn a_called_party_that_challenges_what_is_asked_in_the_call_gets_nothing() {
    let stranger = Arc::new(Stranger::playing(|_| Some((407, format!("Proxy-Authenticate: {ALIKE}")))));
    let asked = [Command::Call, Command::Dtmf, Command::Hold, Command::Transfer];
    let platforms = platforms(asked.len(), || answered_from(&stranger));
    for (command, platform, outcome) in each(&asked, &platforms, false).await {
        let tally = Tally::of(platform, &[&stranger]);
        assert_eq!((tally.dialled.len(), tally.digests.len()), (0, 0), "{command:?} {tally}\n{outcome}");
        assert_ne!(outcome.verdict, Verdict::Pass, "{command:?}\n{outcome}");
        assert!(codes(&outcome).contains(&"challenge-not-answered"), "{command:?}\n{outcome}");
    }
    for method in ["BYE", "INFO", "REFER"] {
        assert!(stranger.got(method) > 0, "no {method} was challenged");
    }
}

#[tokio::test]
async fn a_call_to_a_number_is_held_to_the_same() {
    let stranger = Arc::new(Stranger::playing(|_| Some((401, format!("WWW-Authenticate: {ALIKE}")))));
    let host = Arc::clone(&stranger);
    let platform = Platform::start(Box::new(move |core: &mut Core, text: &mut Text, from: SocketAddr| {
        let is_call = is_call(text) && text.get("Proxy-Authorization").is_some();
        if is_call {
            let sdp = format!(
                "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 224.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 8\r\n",
                host.address.port()
            );
            let answer =
                Text::response(text, 200, "OK", "s").with("Contact", format!("<sip:x@{}>", host.address));
            core.send(answer.sdp(sdp), from);
        }
        is_call
    }));
    let probe = Probe::bind("udp:127.0.0.1:0").await.unwrap();
    let call =
        Call::to(&account("alice", &platform), "900").unwrap().listen(std::time::Duration::from_millis(300));
    let outcome = probe.check(call).await;
    let tally = Tally::of(&platform, &[&stranger]);
    assert_eq!((tally.dialled.len(), tally.digests.len()), (0, 0), "{tally}\n{outcome}");
    assert!(codes(&outcome).contains(&"challenge-not-answered"), "{outcome}");
    assert!(outcome.to_string().contains("224.0.0.1"), "an address for many is named:\n{outcome}");
}
