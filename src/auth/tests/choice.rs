//! Which challenges can be answered, and which of several is.

use super::*;

fn refused(text: &str) -> Unsupported {
    let parsed = Challenge::parse_first(text.as_bytes()).unwrap().0;
    DigestChallenge::from_challenge(&parsed).unwrap_err()
}

#[test]
fn what_cannot_be_answered_says_why() {
    assert_eq!(refused("Basic realm=\"r\""), Unsupported::Scheme);
    assert_eq!(refused("Digest nonce=\"n\""), Unsupported::NoRealm);
    assert_eq!(refused("Digest realm=\"r\""), Unsupported::NoNonce);
    assert_eq!(refused("Digest realm=\"r\", nonce=\"n\", algorithm=AKAv1-MD5"), Unsupported::Algorithm);
    assert_eq!(refused("Digest realm=\"r\", nonce=\"n\", qop=\"token\""), Unsupported::Qop);
    assert_eq!(refused("Digest realm=\"r\", nonce=\"\x01\""), Unsupported::Octets);
    let long = "n".repeat(MAX_ECHOED);
    assert_eq!(refused(&format!("Digest realm=\"r\", nonce=\"{long}\"")), Unsupported::TooLong);
    challenge(format!("Digest realm=\"\", nonce=\"{long}\"").as_bytes());
}

#[test]
fn the_scheme_and_the_names_are_read_without_regard_to_case() {
    let read =
        challenge(b"DIGEST Realm=\"r\", NONCE=\"n\", Algorithm=sha-512-256-SESS, QOP=\"AUTH\", Stale=TRUE");
    assert_eq!(read.algorithm(), Algorithm { hash: Hash::Sha512_256, session: true });
    assert_eq!((read.qop(), read.stale()), (Some(Qop::Auth), true));
}

#[test]
fn a_realm_and_a_nonce_may_be_empty() {
    let read = challenge(b"Digest realm=\"\", nonce=\"\"");
    assert_eq!((read.realm(), read.nonce()), (&b""[..], &b""[..]));
}

fn chosen(texts: &[&str]) -> Vec<usize> {
    let challenges: Vec<_> = texts.iter().map(|t| challenge(t.as_bytes())).collect();
    strongest(&challenges)
}

#[test]
fn the_strongest_hash_is_answered_wherever_it_stands() {
    let md5 = "Digest realm=\"r\", nonce=\"1\", algorithm=MD5";
    let sha = "Digest realm=\"r\", nonce=\"2\", algorithm=SHA-256";
    let long = "Digest realm=\"r\", nonce=\"3\", algorithm=SHA-512-256-sess";
    assert_eq!(chosen(&[md5, sha]), [1]);
    assert_eq!(chosen(&[sha, md5]), [0]);
    assert_eq!(chosen(&[sha, long, md5]), [1]);
    assert!(chosen(&[]).is_empty());
}

#[test]
fn of_equals_the_topmost_is_answered() {
    let first = "Digest realm=\"r\", nonce=\"1\", algorithm=MD5-sess";
    let second = "Digest realm=\"r\", nonce=\"2\"";
    assert_eq!(chosen(&[first, second]), [0]);
    assert_eq!(chosen(&[second, first]), [0]);
}

#[test]
fn each_realm_gets_an_answer() {
    let a = "Digest realm=\"a\", nonce=\"1\"";
    let b = "Digest realm=\"b\", nonce=\"2\"";
    let strong_a = "Digest realm=\"a\", nonce=\"3\", algorithm=SHA-256";
    assert_eq!(chosen(&[a, b, strong_a]), [1, 2]);
}
