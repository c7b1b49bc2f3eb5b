//! Who is let in.
use super::*;
use crate::auth::{Algorithm, Qop};

const ONE: &str = "<sip:alice@192.0.2.7:5062>";

#[test]
fn every_algorithm_and_quality_of_protection_is_taken() {
    for algorithm in Algorithm::ALL {
        for qop in [&[][..], &[Qop::Auth], &[Qop::AuthInt], &[Qop::Auth, Qop::AuthInt]] {
            let user =
                User::new("alice", "alicepw").algorithm(algorithm).qop(qop.to_vec()).opaque("5ccc069c");
            let mut alice = Caller::new(user);
            assert_eq!(alice.bind(ONE).status(), Some(200), "{algorithm} {qop:?}");
            assert_eq!(alice.cseq, 2);
        }
    }
}

#[test]
fn a_wrong_password_is_challenged_again_without_stale() {
    let mut alice = Caller::alice();
    alice.password = "alicepW";
    let response = alice.bind(ONE);
    assert_eq!(response.status(), Some(401));
    assert!(!value(&response, HeaderName::WwwAuthenticate).unwrap().contains("stale"));
    assert!(alice.held().is_empty());
}

#[test]
fn the_digest_name_may_differ_from_the_address_of_record() {
    let mut alice = Caller::new(User::new("alice", "alicepw").auth_user("100-7"));
    assert_eq!(alice.bind(ONE).status(), Some(401));
    alice.auth_user = "100-7";
    assert_eq!(alice.bind(ONE).status(), Some(200));
}

#[test]
fn several_algorithms_are_offered_in_order_and_each_is_taken() {
    for wanted in [Algorithm::SHA_512_256, Algorithm::MD5] {
        let user = User::new("alice", "alicepw").algorithms([Algorithm::SHA_512_256, Algorithm::MD5]);
        let mut alice = Caller::new(user.unnamed_algorithm());
        let response = alice.plain(&[]);
        let offered: Vec<_> = response
            .challenges(HeaderName::WwwAuthenticate)
            .map(|challenge| DigestChallenge::from_challenge(&challenge.unwrap()).unwrap())
            .collect();
        let algorithms: Vec<_> = offered.iter().map(DigestChallenge::algorithm).collect();
        assert_eq!(algorithms, [Algorithm::SHA_512_256, Algorithm::MD5]);
        let challenge = offered.into_iter().find(|challenge| challenge.algorithm() == wanted).unwrap();
        let credentials = Credentials::new("alice", "alicepw");
        alice.session = Some(DigestSession::new(challenge, &credentials, "abc"));
        assert_eq!(alice.answer(&[]).status(), Some(200), "{wanted}");
    }
}

#[test]
fn a_hashed_user_name_is_known() {
    let mut alice = Caller::new(User::new("alice", "alicepw").algorithm(Algorithm::SHA_256).userhash());
    assert_eq!(alice.bind(ONE).status(), Some(200));
    let sent = value(alice.last.as_ref().unwrap(), HeaderName::Authorization).unwrap();
    assert!(sent.contains("userhash=true") && !sent.contains("alice"), "{sent}");
}

#[test]
fn a_nonce_is_stale_after_its_lifetime_and_counts_up_before() {
    let mut alice = Caller::new(User::new("alice", "alicepw").nonce_lifetime(Duration::from_secs(30)));
    alice.bind(ONE);
    alice.later(29);
    assert_eq!(alice.answer(&[]).status(), Some(200), "reused with nc 2");
    alice.later(1);
    let response = alice.answer(&[]);
    assert_eq!(response.status(), Some(401));
    assert!(value(&response, HeaderName::WwwAuthenticate).unwrap().contains("stale=true"));
    alice.take(&response);
    assert_eq!(alice.answer(&[]).status(), Some(200));
}

#[test]
fn a_replayed_nc_is_stale() {
    let mut alice = Caller::alice();
    alice.bind(ONE);
    let replayed = alice.last.clone().unwrap();
    let response = alice.hand_in(replayed).unwrap();
    assert_eq!(response.status(), Some(401));
    assert!(value(&response, HeaderName::WwwAuthenticate).unwrap().contains("stale=true"));
}

#[test]
fn a_nonce_of_somebody_else_is_stale_and_only_with_the_right_password() {
    for (password, stale) in [("alicepw", true), ("wrong", false)] {
        let mut alice = Caller::alice();
        alice.password = password;
        let mut elsewhere = Caller::with(Config::default(), User::new("alice", "alicepw"));
        elsewhere.registrar = Registrar::new(Config::default(), [9; 32]);
        elsewhere.registrar.set_user(elsewhere.now, User::new("alice", "alicepw"));
        let challenge = elsewhere.plain(&[]);
        alice.take(&challenge);
        let response = alice.answer(&[]);
        assert_eq!(value(&response, HeaderName::WwwAuthenticate).unwrap().contains("stale=true"), stale);
    }
}

#[test]
fn the_oldest_nonces_are_forgotten_at_the_limit() {
    let config = Config { max_nonces: 3, ..Config::default() };
    let mut alice = Caller::with(config, User::new("alice", "alicepw"));
    let first = alice.plain(&[]);
    for _ in 0..2 {
        alice.plain(&[]);
    }
    alice.take(&first);
    assert_eq!(alice.answer(&[]).status(), Some(200));
    alice.plain(&[]);
    assert_eq!(alice.answer(&[]).status(), Some(401));
}

#[test]
fn the_proxy_asks_first_and_the_registrar_after_it() {
    let mut alice = Caller::new(User::new("alice", "alicepw").behind_proxy());
    let first = alice.plain(&[]);
    assert_eq!(first.status(), Some(407));
    assert!(value(&first, HeaderName::ProxyAuthenticate).unwrap().contains("\"proxy.lab.example\""));
    alice.take(&first);
    let second = alice.answer(&[]);
    assert_eq!(second.status(), Some(401));
    alice.take(&second);
    assert_eq!(alice.answer(&[]).status(), Some(200));
}

#[test]
fn credentials_that_are_none_are_challenged() {
    let mut alice = Caller::alice();
    for value in
        ["Basic YWxpY2U6cHc=", "Digest", "Digest realm=\"lab.example\"", "Digest username=\"\u{e9}\", nc=x"]
    {
        assert_eq!(alice.plain(&[(HeaderName::Authorization, value)]).status(), Some(401), "{value}");
    }
}
