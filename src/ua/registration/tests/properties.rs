//! Whatever a registrar answers, every command ends, in bounded steps, exactly once.

use super::*;
use proptest::prelude::*;

/// What a registrar, good or hostile, may answer.
fn responses() -> impl Strategy<Value = (&'static str, Vec<String>)> {
    let status = prop::sample::select(vec![
        "100 Trying",
        "200 OK",
        "302 Moved",
        "401 Unauthorized",
        "401 Unauthorized",
        "407 Proxy Authentication Required",
        "423 Interval Too Brief",
        "503 Service Unavailable",
        "999 What",
    ]);
    let header = prop_oneof![
        4 => ("[a-c]", "[a-c]", any::<bool>(), any::<bool>()).prop_map(|(realm, nonce, stale, proxy)| format!(
            "{}-Authenticate: Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\", stale={stale}",
            if proxy { "Proxy" } else { "WWW" }
        )),
        1 => prop::sample::select(vec!["MD5-sess", "SHA-256", "SHA-512-256", "AKAv1-MD5"]).prop_map(|algorithm| {
            format!("WWW-Authenticate: Digest realm=\"a\", nonce=\"a\", algorithm={algorithm}")
        }),
        1 => (0..u32::MAX).prop_map(|s| format!("Min-Expires: {s}")),
        1 => (0..4000u32).prop_map(|s| format!("Contact: <OWN>;expires={s}")),
        1 => "[ -~]{0,40}".prop_map(|text| format!("WWW-Authenticate: {text}")),
        1 => "[ -~]{0,40}".prop_map(|text| format!("Contact: {text}")),
        1 => "[ -~]{0,40}".prop_map(|text| format!("Authentication-Info: {text}")),
    ];
    (status, prop::collection::vec(header, 0..4))
}

fn commands() -> impl Strategy<Value = Command> {
    prop::sample::select(vec![Command::Query, Command::Bind, Command::Remove])
}

proptest! {
    #[test]
    fn every_command_ends_once_within_its_limit_of_requests(
        commands in prop::collection::vec(commands(), 1..5),
        answers in prop::collection::vec(responses(), 40),
    ) {
        let mut play = Play::new();
        let mut answers = answers.into_iter();
        for (number, command) in commands.into_iter().enumerate() {
            play.command(command);
            while play.finished.len() == number {
                match answers.next() {
                    Some((status, headers)) => {
                        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
                        play.respond(status, &headers);
                    }
                    None => {
                        play.input(Input::Timeout);
                    }
                }
            }
            prop_assert_eq!(play.finished.len(), number + 1);
            prop_assert!(play.finished().requests <= config().max_requests);
        }
        let total: u32 = play.finished.iter().map(|f| f.requests).sum();
        prop_assert_eq!(play.sent() as u32, total);
    }
}
