//! Passwords and digest responses that a peer repeats, and secrets of other devices, come out nowhere: text, JSON, ladder, capture.

use crate::scene::REGISTRAR;
use crate::scripted::{Registrar, Scripted};
use ringback::check::{Account, Outcome, Reachable, Register};
use ringback::message::Message;
use ringback::syntax::{Credentials, HeaderName};

const PASSWORD: &str = "Hush-pass/1";
/// In hex, with %-escapes, and in base64 behind `alice:`.
const FORMS: [&str; 4] = [PASSWORD, "487573682d706173732f31", "Hush-pass%2f1", "YWxpY2U6SHVzaC1wYXNzLzE"];
/// Secrets of other devices, told by where they stand.
const PLANTED: [&str; 4] = ["HUSH1", "HUSH2", "HUSH3", "HUSH4"];

/// Puts lines behind the start line.
fn with_lines(message: &str, lines: &str) -> String {
    message.replacen("\r\n", &format!("\r\n{lines}\r\n"), 1)
}

/// Everything that this program writes of an outcome.
fn written(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("text", outcome.to_string()),
        ("table", ringback::report::table([ringback::report::Row::of("alice", outcome)], false)),
        ("ladder", ringback::report::ladder(&outcome.transcript)),
    ];
    #[cfg(feature = "json")]
    all.push(("json", ringback::report::json::line(outcome)));
    #[cfg(feature = "pcap")]
    {
        let mut capture = ringback::report::pcap::Capture::new(Vec::new()).unwrap();
        capture.add(&outcome.transcript).unwrap();
        all.push(("capture", String::from_utf8_lossy(&capture.into_inner()).into_owned()));
    }
    all
}

fn response_of(request: &Message) -> Option<String> {
    let sent = request.parsed(HeaderName::Authorization, Credentials::parse)?.ok()?;
    Some(String::from_utf8(sent.params.get(b"response")?.unquoted().into_owned()).unwrap())
}

/// What a peer plants, in every place that a report shows; with or without a refusal of what carried the digest.
async fn planted(status: Option<u16>) -> (Outcome, Vec<String>) {
    let scripted = Scripted::new(Registrar::with(&["<sip:alice:HUSH1@192.0.2.5;token=HUSH3>"]), move |registrar, request| {
        let said = FORMS.join(" ");
        let echoed = response_of(request).unwrap_or_default();
        let answer = match (status, echoed.is_empty()) {
            (Some(status), false) => registrar.answer(request, status, "Forbidden", &[]),
            _ => registrar.healthy(request),
        };
        let phrase = answer.split("\r\n").next().unwrap().to_owned();
        let lines = format!(
            "Warning: 399 pbx \"{said} {echoed}\"\r\nServer: {said} {}\r\nReason: SIP;cause=403;text=\"{said}\"\r\nX-Error: {said}",
            echoed.to_uppercase()
        );
        with_lines(&answer, &lines).replacen(&phrase, &format!("{phrase} {said} {echoed}"), 1)
    })
    .await;
    let account = Account::new("sip:alice@pbx.example.com", PASSWORD).unwrap();
    let account = account.registrar(&format!("sip:{REGISTRAR}:5060")).unwrap();
    let outcome = scripted.check(Register::new(&account)).await;
    let responses = scripted.requests().iter().filter_map(response_of).collect();
    (outcome, responses)
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_repeats_of_our_secrets_comes_out_nowhere() {
    for status in [None, Some(403), Some(400), Some(503)] {
        let (outcome, responses) = planted(status).await;
        assert!(!responses.is_empty(), "{outcome}");
        for (place, text) in written(&outcome) {
            let lower = text.to_lowercase();
            let secrets = FORMS.iter().chain(&PLANTED).map(|s| (*s).to_owned()).chain(responses.clone());
            for secret in secrets {
                assert!(
                    !lower.contains(&secret.to_lowercase()),
                    "{secret} in {place} of {status:?}:\n{text}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn push_tokens_and_passwords_of_other_devices_are_masked_by_their_place() {
    let device = "<sip:alice:HUSH1@192.0.2.5;pn-provider=apns;pn-prid=HUSH2;token=HUSH3>;access_token=HUSH4";
    let scripted = Scripted::new(Registrar::with(&[device]), |registrar, request| {
        with_lines(&registrar.healthy(request), "X-Note: plain")
    })
    .await;
    let outcome =
        scripted.check(Register::new(&scripted.account("alice", ringback::message::Transport::Udp))).await;
    assert!(outcome.to_string().contains("192.0.2.5"), "{outcome}");
    for (place, text) in written(&outcome) {
        for secret in PLANTED {
            assert!(!text.contains(secret), "{secret} in {place}:\n{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_in_the_uri_that_is_asked_is_not_shown() {
    let scripted = Scripted::new(Registrar::default(), |registrar, request| registrar.healthy(request)).await;
    let check = Reachable::new(&format!("sip:alice:HUSH1@{REGISTRAR}:5060")).unwrap();
    let outcome = scripted.check(check).await;
    assert!(outcome.subject.contains("alice"), "{outcome}");
    for (place, text) in written(&outcome) {
        assert!(!text.contains("HUSH1"), "in {place}:\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_shown_acts_on_a_terminal() {
    const ACTING: &str = "\u{2028}\u{2029}\u{61c}\u{200b}\u{feff}\u{ad}\u{202e}\u{9b}\u{7f}";
    let scripted = Scripted::new(Registrar::default(), |registrar, request| {
        let answer = match response_of(request) {
            None => registrar.healthy(request),
            Some(_) => registrar.answer(request, 403, "Forbidden", &[]),
        };
        let phrase = answer.split("\r\n").next().unwrap().to_owned();
        let lines = format!("Server: x{ACTING}\r\nWarning: 399 pbx \"y{ACTING}\"");
        with_lines(&answer, &lines).replacen(&phrase, &format!("{phrase} {ACTING}"), 1)
    })
    .await;
    let outcome = scripted.register(ringback::message::Transport::Udp).await;
    for (place, text) in written(&outcome).into_iter().filter(|(place, _)| *place != "capture") {
        let acting = ACTING.chars().find(|c| text.contains(*c));
        assert_eq!(acting, None, "in {place}:\n{}", text.escape_unicode());
        assert!(place != "text" || text.contains("\\u{202e}"), "{text}");
    }
    #[cfg(feature = "json")]
    {
        let line = ringback::report::json::line(&outcome);
        let again = ringback::report::json::read(&line).unwrap();
        assert_eq!(again.facts, outcome.facts);
    }
}
