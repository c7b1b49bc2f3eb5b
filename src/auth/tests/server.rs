//! The server's side: what it offers, and what each refusal means.

use super::*;

const URI: &[u8] = b"sip:lab.example";

fn offer() -> Offer<'static> {
    Offer {
        realm: "lab.example",
        nonce: "n1",
        opaque: Some("o"),
        algorithm: Some(Algorithm::SHA_256),
        qop: &[Qop::Auth],
        stale: false,
        userhash: false,
    }
}

fn expected() -> Expected<'static> {
    Expected {
        method: Method::Register,
        request_uri: URI,
        body: b"",
        realm: "lab.example",
        username: "alice",
        algorithm: Some(Algorithm::SHA_256),
        qop: &[Qop::Auth],
        opaque: Some("o"),
        nonce: NonceState::Live { last_nc: 0 },
    }
}

fn answer(offer: &Offer<'_>, password: &str) -> String {
    let mut session = session(&offer.to_string(), "alice", password, "c0ffee");
    String::from_utf8(session.authorize(Method::Register, URI, b"").unwrap()).unwrap()
}

fn ha1() -> Ha1 {
    Ha1::new(Hash::Sha256, "alice", b"lab.example", "secret")
}

fn verdict(value: &str, expected: &Expected<'_>) -> Result<u32, Refusal> {
    let presented = Presented::from_credentials(&Parsed::parse(value.as_bytes()).unwrap())?;
    expected.verify(&presented, &ha1())
}

#[test]
fn an_offer_is_written_with_quotes_where_they_belong() {
    let qop = &[Qop::Auth, Qop::AuthInt];
    let whole = Offer { stale: true, userhash: true, qop, ..offer() };
    assert_eq!(
        whole.to_string(),
        "Digest realm=\"lab.example\", nonce=\"n1\", opaque=\"o\", algorithm=SHA-256, \
         qop=\"auth,auth-int\", stale=true, userhash=true"
    );
    let bare = Offer { opaque: None, algorithm: None, qop: &[], ..offer() };
    assert_eq!(bare.to_string(), "Digest realm=\"lab.example\", nonce=\"n1\"");
}

#[test]
fn a_right_answer_is_accepted_and_gives_its_nc() {
    assert_eq!(verdict(&answer(&offer(), "secret"), &expected()), Ok(1));
}

#[test]
fn a_wrong_password_is_a_wrong_response_whatever_the_nonce() {
    let value = answer(&offer(), "guess");
    for nonce in [NonceState::Live { last_nc: 0 }, NonceState::Expired, NonceState::Unknown] {
        assert_eq!(verdict(&value, &Expected { nonce, ..expected() }), Err(Refusal::WrongResponse));
    }
}

#[test]
fn a_right_answer_to_a_nonce_that_is_gone_says_so() {
    let value = answer(&offer(), "secret");
    let with = |nonce| verdict(&value, &Expected { nonce, ..expected() });
    assert_eq!(with(NonceState::Unknown), Err(Refusal::UnknownNonce));
    assert_eq!(with(NonceState::Expired), Err(Refusal::ExpiredNonce));
    assert_eq!(with(NonceState::Live { last_nc: 1 }), Err(Refusal::NonceCountReplayed));
    assert_eq!(with(NonceState::Live { last_nc: 0 }), Ok(1));
}

#[test]
fn what_was_not_offered_is_refused_by_its_name() {
    let value = answer(&offer(), "secret");
    let refusal = |expected: Expected<'_>| verdict(&value, &expected).unwrap_err();
    assert_eq!(refusal(Expected { realm: "old.example", ..expected() }), Refusal::WrongRealm);
    assert_eq!(refusal(Expected { username: "bob", ..expected() }), Refusal::WrongUser);
    assert_eq!(refusal(Expected { algorithm: None, ..expected() }), Refusal::WrongAlgorithm);
    assert_eq!(refusal(Expected { qop: &[Qop::AuthInt], ..expected() }), Refusal::QopForm);
    assert_eq!(refusal(Expected { opaque: None, ..expected() }), Refusal::WrongOpaque);
    assert_eq!(refusal(Expected { request_uri: b"sip:other.example", ..expected() }), Refusal::WrongUri);
    assert_eq!(refusal(Expected { method: Method::Options, ..expected() }), Refusal::WrongResponse);
}

#[test]
fn qop_in_another_form_is_refused_except_for_quotes_which_are_noted() {
    let value = answer(&offer(), "secret");
    let with = |qop: &str| value.replace("qop=auth,", qop);
    assert_eq!(verdict(&with("qop=\"auth,auth-int\","), &expected()), Err(Refusal::QopForm));
    assert_eq!(verdict(&with("qop=token,"), &expected()), Err(Refusal::QopForm));
    assert_eq!(verdict(&with(""), &expected()), Err(Refusal::QopForm));
    let quoted = with("qop=\"auth\",");
    assert_eq!(verdict(&quoted, &expected()), Ok(1));
    assert!(Presented::from_credentials(&Parsed::parse(quoted.as_bytes()).unwrap()).unwrap().qop_quoted);
    for nc in ["nc=1", "nc=0000001g", "nc=+0000001", "nc=000000001"] {
        let value = value.replace("nc=00000001", nc);
        assert_eq!(verdict(&value, &expected()), Err(Refusal::QopForm), "{nc}");
    }
    let value = value.replace("cnonce=\"c0ffee\", ", "");
    assert_eq!(verdict(&value, &expected()), Err(Refusal::QopForm));
}

#[test]
fn missing_parameters_are_named() {
    let value = answer(&offer(), "secret");
    for name in ["username", "realm", "nonce", "uri", "response"] {
        let value = value.replace(&format!(" {name}=\""), " x=\"");
        assert_eq!(verdict(&value, &expected()), Err(Refusal::Missing(name)));
    }
    assert_eq!(verdict(&value.replacen("Digest", "Other", 1), &expected()), Err(Refusal::Scheme));
}

#[test]
fn a_request_uri_that_is_written_in_another_way_is_the_same() {
    let value = answer(&offer(), "secret");
    assert_eq!(verdict(&value, &Expected { request_uri: b"sip:LAB.example", ..expected() }), Ok(1));
}

#[test]
fn without_qop_the_same_nonce_is_accepted_as_often_as_it_lives() {
    let old = Offer { qop: &[], ..offer() };
    let value = answer(&old, "secret");
    let expected = Expected { qop: &[], nonce: NonceState::Live { last_nc: 9 }, ..expected() };
    assert_eq!(verdict(&value, &expected), Ok(0));
}

#[test]
fn a_hashed_user_name_is_known_again() {
    let value = answer(&Offer { userhash: true, ..offer() }, "secret");
    assert!(!value.contains("alice"), "{value}");
    assert_eq!(verdict(&value, &expected()), Ok(1));
    assert_eq!(verdict(&value, &Expected { username: "bob", ..expected() }), Err(Refusal::WrongUser));
}
