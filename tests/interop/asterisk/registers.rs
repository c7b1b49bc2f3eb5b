//! Registration at Asterisk.

use super::{ask, ask_with, did, says};
use crate::peer::asterisk::Asterisk;
use crate::peer::sipsak;

/// A stock Asterisk names its realm "asterisk", whatever the domain of its users is.
const REALM: &str = "info peer realm-differs";
/// SHA-256 stands before MD5 in its answer, which older phones stumble over.
const STRONG_FIRST: &str = "warning peer strong-challenge-first";

/// What is found where both algorithms are offered; Asterisk 16 offers MD5 alone.
fn modern(asterisk: &Asterisk) -> &'static [&'static str] {
    if asterisk.knows_sha_256() { &[STRONG_FIRST, REALM] } else { &[REALM] }
}

#[test]
fn registers_over_udp_and_tcp() {
    for transport in ["udp", "tcp"] {
        let asterisk = Asterisk::start();
        let outcome = ask_with(&asterisk.account("alice", "alicepw", transport), &["register", "alice"]);
        says(&outcome, "pass", &[REALM]);
        assert!(asterisk.idle(), "{outcome}");
        did(
            &asterisk,
            &[
                "Added contact 'sip:alice@127.0.0.1:",
                "Removed contact 'sip:alice@127.0.0.1:",
                "due to request",
            ],
        );
        let contact = format!("transport={transport}");
        assert_eq!(asterisk.log().contains(&contact), transport == "tcp", "{}", asterisk.log());
    }
}

#[test]
fn answers_one_of_two_challenges() {
    let asterisk = Asterisk::start();
    // Two realms with MD5; one realm with SHA-256 and MD5.
    for (name, found) in [("twice", &[REALM][..]), ("modern", modern(&asterisk))] {
        let outcome = ask(&asterisk, &["register", name]);
        says(&outcome, "pass", found);
        did(&asterisk, &[&format!("Added contact 'sip:{name}@"), &format!("Removed contact 'sip:{name}@")]);
    }
}

#[test]
fn a_wrong_password_is_the_accounts_fault() {
    for transport in ["udp", "tcp"] {
        let asterisk = Asterisk::start();
        for (name, more) in [("alice", &[REALM][..]), ("twice", &[REALM]), ("modern", modern(&asterisk))] {
            let outcome = ask_with(&asterisk.account(name, "wrong", transport), &["register", name]);
            // Asterisk: 401 to each answer, and each time a fresh nonce.
            says(&outcome, "fail", &[&["error setup credentials-refused"], more].concat());
            did(&asterisk, &["SecurityEvent=\"ChallengeResponseFailed\"", &format!("AccountID=\"{name}\"")]);
        }
        assert!(asterisk.idle());
    }
}

#[test]
fn a_user_that_is_not_known_looks_like_a_wrong_password() {
    let asterisk = Asterisk::start();
    let outcome = ask_with(&asterisk.account("nobody", "nobodypw", "udp"), &["register", "nobody"]);
    // Asterisk challenges those it does not know as well, so that names cannot be guessed.
    says(&outcome, "fail", &["error setup credentials-refused", REALM]);
    did(&asterisk, &["No matching endpoint found"]);
}

/// Another device of this user registers, where nobody listens.
fn other_device(asterisk: &Asterisk, name: &str) {
    let contact = format!("sip:{name}@127.0.0.1:9");
    let (status, printed) = sipsak::register(asterisk.port(), name, &format!("{name}pw"), &contact, 600);
    assert_eq!(status, 0, "{printed}\n{}", asterisk.log());
}

#[test]
fn a_second_device_of_a_user_that_may_have_one() {
    let asterisk = Asterisk::with_users(&[("oona", "rfc4733 first_device")]);
    other_device(&asterisk, "oona");
    let outcome = ask_with(asterisk.accounts(), &["register", "oona"]);
    assert!(outcome.finding("forbidden-after-digest").is_none(), "{outcome}");
    assert!(asterisk.ask("pjsip show contacts").contains("oona/sip:oona@127.0.0.1:9 "), "{outcome}");
}

#[test]
fn a_second_device_that_would_throw_out_the_first() {
    let asterisk = Asterisk::with_users(&[("oleg", "rfc4733 last_device")]);
    other_device(&asterisk, "oleg");
    let outcome = ask_with(asterisk.accounts(), &["register", "oleg"]);
    // remove_existing=yes: the phone is thrown out when ours comes.
    let kept = asterisk.ask("pjsip show contacts").contains("oleg/sip:oleg@127.0.0.1:9 ");
    assert!(kept || outcome.finding("binding-replaced").is_some(), "{outcome}");
}
