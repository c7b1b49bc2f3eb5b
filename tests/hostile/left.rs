//! A platform that does not let go: BYE and CANCEL that are never answered. It is told, noted, and `ringback clean` ends it when the platform answers
//! again; so it is with what a killed run left, and with nothing else.

use crate::outputs::{accounts, finish, notes, signal, start};
use crate::platform::{Core, Platform};
use crate::text::{Text, uri};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Leaves these without an answer until it is told otherwise. Bob's phone, which is not ours, rings on and answers never, or at once.
fn platform(deaf_to: &'static [&'static str], answers: bool) -> (Platform, Arc<AtomicBool>) {
    let hears = Arc::<AtomicBool>::default();
    let shared = Arc::clone(&hears);
    let platform = Platform::start(Box::new(move |core: &mut Core, text: &mut Text, from: SocketAddr| {
        if text.status().is_some() {
            return false;
        }
        match text.method() {
            method if deaf_to.contains(&method) && !shared.load(Relaxed) => true,
            "INVITE" if text.begins("INVITE") && text.get("Proxy-Authorization").is_some() => {
                if answers {
                    let sdp = format!(
                        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 8\r\n",
                        9
                    );
                    let answer = Text::response(text, 200, "OK", "s")
                        .with("Contact", format!("<sip:900@{}>", core.address));
                    core.send(answer.sdp(sdp), from);
                } else {
                    // No Contact: it rings somewhere, and says no more.
                    core.answer(text, from, 180, "Ringing", "");
                }
                true
            }
            "BYE" | "CANCEL" => {
                core.answer(text, from, 200, "OK", "");
                true
            }
            "ACK" => true,
            _ => false,
        }
    }));
    (platform, hears)
}

fn file(folder: &Path) -> String {
    folder.join("accounts.toml").display().to_string()
}

/// Requests of a method that came so far.
fn came(platform: &Platform, method: &str) -> Vec<Text> {
    let core = platform.core.lock().unwrap();
    core.requests.iter().filter(|request| request.is(method)).cloned().collect()
}

fn until(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `clean` removes what is noted, all of it.
fn cleans(platform: &Platform, folder: &Path, said: &str) {
    assert!(notes(folder).contains("open "), "no note is left");
    let cleaned = finish(folder, start(folder, &["clean", "--accounts", &file(folder)]));
    assert_eq!(cleaned.status, Some(0), "{cleaned}");
    assert!(cleaned.of("stdout").contains(said), "{cleaned}");
    assert!(notes(folder).is_empty(), "{}", notes(folder));
    assert!(platform.core.lock().unwrap().bindings.values().all(Vec::is_empty), "{cleaned}");
}

#[test]
fn a_call_whose_bye_is_never_answered_is_told_and_stays_noted_for_clean() {
    let (platform, hears) = platform(&["BYE"], true);
    let folder = tempfile::tempdir().unwrap();
    accounts(&platform, folder.path());
    let arguments =
        ["call", "alice", "900", "--listen", "300ms", "--accounts", &file(folder.path()), "--json"];
    let ran = finish(folder.path(), start(folder.path(), &arguments));
    assert!(ran.codes().iter().any(|code| code == "call-left"), "{ran}");
    assert!(!came(&platform, "BYE").is_empty(), "{ran}");
    hears.store(true, Relaxed);
    cleans(&platform, folder.path(), "the call was ended");
}

#[test]
fn a_call_whose_cancel_is_never_answered_is_told_and_stays_noted_for_clean() {
    let (platform, hears) = platform(&["CANCEL"], false);
    let folder = tempfile::tempdir().unwrap();
    accounts(&platform, folder.path());
    let child = start(folder.path(), &["call", "alice", "900", "--accounts", &file(folder.path()), "--json"]);
    until("it never rang", || notes(folder.path()).contains(" cancel=CANCEL"));
    signal(&child, "INT");
    let ran = finish(folder.path(), child);
    assert!(ran.codes().iter().any(|code| code == "call-left"), "{ran}");
    hears.store(true, Relaxed);
    cleans(&platform, folder.path(), "the call was cancelled");
}

#[test]
fn a_call_that_rang_when_its_run_was_killed_is_cancelled_where_its_invite_went() {
    let (platform, _) = platform(&[], false);
    let folder = tempfile::tempdir().unwrap();
    accounts(&platform, folder.path());
    let child = start(
        folder.path(),
        &["call", "alice", "900", "--register-caller", "--accounts", &file(folder.path())],
    );
    until("it never rang", || {
        notes(folder.path()).contains(" cancel=CANCEL") && notes(folder.path()).contains(" bye=BYE")
    });
    signal(&child, "KILL");
    finish(folder.path(), child);
    assert_eq!(platform.core.lock().unwrap().bindings["alice"].len(), 1, "it had registered");
    for secret in [crate::commands::PASSWORD, "response=", "uthorization"] {
        assert!(!notes(folder.path()).contains(secret), "{}", notes(folder.path()));
    }
    // Another device, which nobody noted.
    let other = "sip:alice@192.0.2.9:5060".to_owned();
    platform.core.lock().unwrap().bindings.get_mut("alice").unwrap().push(other.clone());
    let cleaned = finish(folder.path(), start(folder.path(), &["clean", "--accounts", &file(folder.path())]));
    assert_eq!(cleaned.status, Some(0), "{cleaned}");
    assert!(notes(folder.path()).is_empty(), "{}", notes(folder.path()));
    assert_eq!(platform.core.lock().unwrap().bindings["alice"], [other], "{cleaned}");
    let invite = came(&platform, "INVITE").pop().unwrap();
    let [cancel] = &came(&platform, "CANCEL")[..] else { panic!("{cleaned}") };
    assert_eq!((cancel.branch(), cancel.uri()), (invite.branch(), invite.uri()), "it is known by its INVITE");
    assert_eq!(uri(cancel.value("To")), uri(invite.value("To")));
}
