//! Passwords and digest responses that a peer repeats, and secrets of other devices, come out nowhere: text, JSON, ladder, capture.

use crate::scene::REGISTRAR;
use crate::scripted::{Registrar, Scripted};
use futures_util::StreamExt;
use proptest::prelude::*;
use ringback::check::Progress;
use ringback::check::{Account, Outcome, Reachable, Register};
use ringback::message::Message;
use ringback::syntax::{Credentials, HeaderName};
use std::io::Write;
use std::sync::{Arc, Mutex};

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

/// A way in which a peer may write what it was sent.
#[derive(Debug, Clone, Copy)]
enum Form {
    Plain,
    Upper,
    /// %-escapes for those letters of which the bit is set.
    Escaped(u32),
    EscapedTwice(u32),
    Hex,
    Base64,
    /// Of `alice:` and the password, as Basic has it.
    Basic,
    Quoted,
}

/// Where it writes it.
#[derive(Debug, Clone, Copy)]
enum Place {
    Phrase,
    Warning,
    Server,
    Reason,
    Unknown,
    ContactUser,
    ContactParameter,
    Realm,
    Body,
}

impl Form {
    fn of(self, secret: &str) -> String {
        let escaped = |text: &str, which: u32| {
            let letter = |(at, byte): (usize, &u8)| match which >> (at % 32) & 1 == 1
                || !byte.is_ascii_alphanumeric()
            {
                true => format!("%{byte:02X}"),
                false => char::from(*byte).to_string(),
            };
            text.as_bytes().iter().enumerate().map(letter).collect::<String>()
        };
        match self {
            Form::Plain => secret.to_owned(),
            Form::Upper => secret.to_ascii_uppercase(),
            Form::Escaped(which) => escaped(secret, which),
            Form::EscapedTwice(which) => escaped(&escaped(secret, which), 0),
            Form::Hex => secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
            Form::Base64 => base64(secret.as_bytes()),
            Form::Basic => base64(format!("alice:{secret}").as_bytes()),
            Form::Quoted => secret.chars().map(|c| format!("\\{c}")).collect(),
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters = |three: &[u8]| {
        let value =
            three.iter().chain([&0, &0]).take(3).fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
        (0..=three.len())
            .map(move |n| char::from(LETTERS[(value >> (18 - 6 * n) & 63) as usize]))
            .collect::<String>()
    };
    bytes.chunks(3).map(letters).collect()
}

impl Place {
    fn plant(self, answer: &str, text: &str) -> String {
        let start = answer.split("\r\n").next().unwrap();
        let line = match self {
            Place::Phrase => return answer.replacen(start, &format!("{start} {text} said"), 1),
            Place::Body => {
                return answer.replacen(
                    "Content-Length: 0\r\n",
                    &format!("Content-Type: text/plain\r\nContent-Length: {}\r\n", text.len()),
                    1,
                ) + text;
            }
            Place::Realm => return answer.replacen("realm=\"pbx", &format!("realm=\"{text} pbx"), 1),
            Place::Warning => format!("Warning: 399 pbx \"no {text}\""),
            Place::Server => format!("Server: pbx {text} 1.0"),
            Place::Reason => format!("Reason: SIP;cause=403;text=\"{text}\""),
            Place::Unknown => format!("X-Note: a {text} b"),
            Place::ContactUser => format!("Contact: <sip:{text}@192.0.2.5>;expires=60"),
            Place::ContactParameter => format!("Contact: <sip:a@192.0.2.5;x={text}>;expires=60"),
        };
        with_lines(answer, &line)
    }
}

/// What is logged at every level.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A registration of this password with a peer that plants it so, and parts of the digest response; what is left of them in any output.
fn left(
    secret: &str,
    form: Form,
    place: Place,
    status: Option<u16>,
    part: (usize, usize, &'static str),
) -> Vec<String> {
    let (from, length, between) = part;
    let of_response = move |response: &str| {
        let digits: Vec<String> = response.chars().skip(from).take(length).map(String::from).collect();
        digits.join(between)
    };
    let planted = form.of(secret);
    let said = planted.clone();
    let logged = Logged::default();
    #[cfg(feature = "cli")]
    let _guard = {
        let logged = logged.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::TRACE);
        tracing::subscriber::set_default(subscriber.with_writer(move || logged.clone()).finish())
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (outcome, told, responses) = runtime.block_on(async {
        let scripted = Scripted::new(Registrar::default(), move |registrar, request| {
            let echoed = response_of(request).map(|response| of_response(&response)).unwrap_or_default();
            let answer = match (status, echoed.is_empty()) {
                (Some(status), false) => registrar.answer(request, status, "Forbidden", &[]),
                _ => registrar.healthy(request),
            };
            place.plant(&place.plant(&answer, &echoed), &said)
        })
        .await;
        let account = Account::new("sip:alice@pbx.example.com", secret).unwrap();
        let account = account.registrar(&format!("sip:{REGISTRAR}:5060")).unwrap();
        let mut watched = scripted.probe.watch(Register::new(&account));
        let (mut told, mut outcome) = (Vec::new(), None);
        while let Some(progress) = watched.next().await {
            match progress {
                Progress::Ended(step) => told.push(step.detail),
                Progress::Done(done) => outcome = Some(done),
                _ => {}
            }
        }
        let responses: Vec<String> = scripted.requests().iter().filter_map(response_of).collect();
        (*outcome.unwrap(), told, responses)
    });
    let mut outputs = written(&outcome);
    outputs.push(("steps", told.join("\n")));
    outputs.push(("log", String::from_utf8_lossy(&logged.0.lock().unwrap()).into_owned()));
    let secrets = [secret.to_owned(), planted]
        .into_iter()
        .chain(responses.iter().map(|response| of_response(response)));
    let mut left = Vec::new();
    for secret in secrets {
        let escaped = secret.replace('\\', "\\\\").replace('"', "\\\"");
        for (output, text) in &outputs {
            let lower = text.to_lowercase();
            if [&secret, &escaped].into_iter().any(|secret| lower.contains(&secret.to_lowercase())) {
                left.push(format!("{secret} in {output}:\n{text}"));
            }
        }
    }
    left
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Any password, anywhere, in any way of writing, with any part of our digest response: nothing of it comes out.
    #[test]
    fn no_secret_comes_out_of_any_output(
        secret in "[a-zA-Z0-9][a-zA-Z0-9@/:+&=!#%\"\\\\.é_-]{6,18}[a-zA-Z0-9]",
        form in prop_oneof![
            Just(Form::Plain), Just(Form::Upper), any::<u32>().prop_map(Form::Escaped), any::<u32>().prop_map(Form::EscapedTwice),
            Just(Form::Hex), Just(Form::Base64), Just(Form::Basic), Just(Form::Quoted),
        ],
        place in prop::sample::select(vec![
            Place::Phrase, Place::Warning, Place::Server, Place::Reason, Place::Unknown, Place::ContactUser, Place::ContactParameter,
            Place::Realm, Place::Body,
        ]),
        status in prop::sample::select(vec![None, Some(403), Some(400), Some(503)]),
        from in 0..16_usize,
        length in 16..33_usize,
        between in prop::sample::select(vec!["", " ", "-", " : "]),
    ) {
        let left = left(&secret, form, place, status, (from, length, between));
        prop_assert!(left.is_empty(), "{form:?} in {place:?} of {status:?}: {}", left.join("\n"));
    }
}
