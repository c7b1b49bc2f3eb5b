//! Published examples, vectors of another implementation, and the form of the header value.
#![allow(clippy::unwrap_used)]

mod choice;
mod properties;
mod server;

use super::*;
use crate::syntax::{AuthParams, Challenge, Credentials as Parsed, Method};

fn challenge(text: &[u8]) -> DigestChallenge {
    DigestChallenge::from_challenge(&Challenge::parse_first(text).unwrap().0).unwrap()
}

fn session(text: &str, user: &str, password: &str, cnonce: &str) -> DigestSession {
    DigestSession::new(challenge(text.as_bytes()), &Credentials::new(user, password), cnonce)
}

/// The value of one parameter, between its quotes.
fn param(value: &[u8], name: &str) -> Option<String> {
    let parsed = Parsed::parse(value).unwrap();
    let found = challenge::between_quotes(&parsed.params, name.as_bytes());
    found.map(|v| String::from_utf8_lossy(&v).into_owned())
}

const RFC_7616_NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
const RFC_7616_CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

#[test]
fn rfc_7616_section_3_9_1_with_md5_and_sha_256() {
    let expected = [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ];
    for (algorithm, response) in expected {
        let challenge = format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
             nonce=\"{RFC_7616_NONCE}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        );
        let mut session = session(&challenge, "Mufasa", "Circle of Life", RFC_7616_CNONCE);
        let value = session.authorize(Method::Other(b"GET"), b"/dir/index.html", b"").unwrap();
        let expected = format!(
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", nonce=\"{RFC_7616_NONCE}\", \
             uri=\"/dir/index.html\", response=\"{response}\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", cnonce=\"{RFC_7616_CNONCE}\", \
             algorithm={algorithm}, qop=auth, nc=00000001"
        );
        assert_eq!(String::from_utf8(value).unwrap(), expected);
    }
}

/// With the values of erratum 4897: those in the RFC were made with a cut SHA-512 instead of SHA-512/256.
#[test]
fn rfc_7616_section_3_9_2_with_sha_512_256_and_userhash() {
    let mut session = session(
        "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
         nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", \
         opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8, userhash=true",
        "J\u{e4}s\u{f8}n Doe",
        "Secret, or not?",
        "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
    );
    let value = session.authorize(Method::Other(b"GET"), b"/doe.json", b"").unwrap();
    let user = "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b";
    let response = "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5";
    assert_eq!(param(&value, "username").unwrap(), user);
    assert_eq!(param(&value, "response").unwrap(), response);
    assert_eq!(param(&value, "userhash").unwrap(), "true");
}

#[test]
fn rfc_2617_section_3_5() {
    let mut session = session(
        "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
         nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
        "Mufasa",
        "Circle Of Life",
        "0a4f113b",
    );
    let value = session.authorize(Method::Other(b"GET"), b"/dir/index.html", b"").unwrap();
    assert_eq!(param(&value, "response").unwrap(), "6629fae49393a05397450978507c4ef1");
    assert_eq!(param(&value, "algorithm"), None, "what was not written is not echoed");
}

fn octets(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    plain
}

/// `tests/data/digest/generate.py` computes them with Python's hashlib.
#[test]
fn every_vector_of_the_independent_implementation() {
    let rows = include_str!("../../../tests/data/digest/vectors.tsv");
    for (number, row) in rows.lines().enumerate() {
        let columns: Vec<Vec<u8>> = row.split('\t').map(octets).collect();
        let [text, user, password, method, uri, body, cnonce, nc, sent, response] = &columns[..] else {
            panic!("row {number} has {} columns", columns.len())
        };
        let string = |octets: &Vec<u8>| String::from_utf8(octets.clone()).unwrap();
        let credentials = Credentials::new(string(user), string(password));
        let mut session = DigestSession::new(challenge(text), &credentials, string(cnonce));
        let count: u32 = string(nc).parse().unwrap();
        let mut value = Vec::new();
        for _ in 0..count {
            value = session.authorize(Method::from_bytes(method), uri, body).unwrap();
        }
        let parsed = Parsed::parse(&value).unwrap();
        assert_eq!(*parsed.params.get(b"username").unwrap().unquoted(), **sent, "row {number}: {row}");
        assert_eq!(param(&value, "response").unwrap(), string(response), "row {number}: {row}");
        if let Some(written) = param(&value, "nc") {
            assert_eq!(written, format!("{count:08x}"), "row {number}: {row}");
        }
    }
    assert_eq!(rows.lines().count(), 171);
}

#[test]
fn realm_nonce_and_opaque_go_back_escaped_exactly_as_they_came() {
    let text = br#"Digest realm="the \"big\" \\one", nonce="a\b+/==", opaque="\"", qop="auth""#;
    let mut session = DigestSession::new(challenge(text), &Credentials::new("u", "p"), "c");
    let value = session.authorize(Method::Register, b"sip:h", b"").unwrap();
    for part in [r#"realm="the \"big\" \\one""#, r#"nonce="a\b+/==""#, r#"opaque="\"""#] {
        assert!(value.windows(part.len()).any(|w| w == part.as_bytes()), "{part}");
    }
}

#[test]
fn octets_that_are_no_utf_8_go_back_as_they_came() {
    let text = b"Digest realm=\"B\xfcro\", nonce=\"n\", qop=\"auth\"";
    let mut session = DigestSession::new(challenge(text), &Credentials::new("u", "p"), "c");
    let value = session.authorize(Method::Register, b"sip:h", b"").unwrap();
    assert!(value.windows(13).any(|w| w == b" realm=\"B\xfcro\""), "{}", value.escape_ascii());
}

#[test]
fn a_fold_inside_quotes_is_one_space() {
    let folded = challenge(b"Digest realm=\"a \r\n\t b\", nonce=\"n\"");
    assert_eq!(folded.realm(), b"a b");
}

#[test]
fn without_qop_there_is_neither_nc_nor_cnonce() {
    let mut session = session("Digest realm=\"r\", nonce=\"n\"", "u", "p", "c");
    let value = session.authorize(Method::Register, b"sip:h", b"").unwrap();
    for name in ["qop", "nc", "cnonce", "opaque", "algorithm", "userhash"] {
        assert_eq!(param(&value, name), None, "{name}");
    }
}

#[test]
fn a_session_algorithm_without_qop_still_names_the_cnonce_that_it_needs() {
    let mut session = session("Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess", "u", "p", "c");
    let value = session.authorize(Method::Register, b"sip:h", b"").unwrap();
    assert_eq!(param(&value, "cnonce").as_deref(), Some("c"));
    assert_eq!(param(&value, "nc"), None);
}

#[test]
fn nc_counts_in_eight_hex_digits_for_as_long_as_the_nonce_lives() {
    let text = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
    let mut session = session(text, "u", "p", "c");
    let mut nc = || {
        let value = session.authorize(Method::Register, b"sip:h", b"").unwrap();
        param(&value, "nc").unwrap()
    };
    let counted: Vec<String> = (0..17).map(|_| nc()).collect();
    assert_eq!([&counted[0][..], &counted[9], &counted[16]], ["00000001", "0000000a", "00000011"]);

    let credentials = Credentials::new("u", "p");
    session.renew(challenge(text.as_bytes()), &credentials, "d");
    assert_eq!(session.answers(), 17, "the same nonce once more goes on counting");
    session.renew(challenge(b"Digest realm=\"r\", nonce=\"m\", qop=\"auth\""), &credentials, "d");
    assert_eq!(session.answers(), 0);
}

#[test]
fn the_algorithm_is_echoed_as_it_came_and_never_quoted() {
    let mut session = session("Digest realm=\"r\", nonce=\"n\", algorithm=\"sha-256\"", "u", "p", "c");
    let value = String::from_utf8(session.authorize(Method::Register, b"sip:h", b"").unwrap()).unwrap();
    assert!(value.ends_with(", algorithm=sha-256"), "{value}");
}

#[test]
fn a_user_name_with_quotes_is_escaped_and_one_with_a_line_break_is_an_error() {
    let text = "Digest realm=\"r\", nonce=\"n\"";
    let value = session(text, "a\"b\\c", "p", "c").authorize(Method::Register, b"sip:h", b"").unwrap();
    assert!(value.starts_with(br#"Digest username="a\"b\\c", realm"#));
    let answer = session(text, "a\r\nEvil: x", "p", "c").authorize(Method::Register, b"sip:h", b"");
    assert_eq!(answer, Err(AnswerError::Username));
    let answer = session(text, "a", "p", "c").authorize(Method::Register, b"sip:h\"", b"");
    assert_eq!(answer, Err(AnswerError::Uri));
}

#[test]
fn nextnonce_is_taken_and_nc_begins_again() {
    let mut plain = session("Digest realm=\"r\", nonce=\"n\", qop=\"auth\"", "u", "p", "c");
    plain.authorize(Method::Register, b"sip:h", b"").unwrap();
    assert!(plain.take_next_nonce(&AuthParams::parse(b"nextnonce=\"m\"").unwrap(), "d"));
    let value = plain.authorize(Method::Register, b"sip:h", b"").unwrap();
    assert_eq!(param(&value, "nonce").as_deref(), Some("m"));
    assert_eq!(param(&value, "nc").as_deref(), Some("00000001"));
    assert_eq!(param(&value, "cnonce").as_deref(), Some("d"));

    let mut sess =
        session("Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5-sess", "u", "p", "c");
    assert!(!sess.take_next_nonce(&AuthParams::parse(b"nextnonce=\"m\"").unwrap(), "d"));
}

#[test]
fn rspauth_shows_whether_the_server_knows_the_secret() {
    let mut client = session("Digest realm=\"r\", nonce=\"n\", qop=\"auth\"", "u", "p", "c");
    client.authorize(Method::Register, b"sip:h", b"").unwrap();
    let md5 = |parts: &[&[u8]]| algorithm::hash_joined(Hash::Md5, parts);
    let (a1, a2) = (md5(&[b"u", b"r", b"p"]), md5(&[b"", b"sip:h"]));
    let right = md5(&[a1.as_bytes(), b"n", b"00000001", b"c", b"auth", a2.as_bytes()]);
    let info = format!("rspauth=\"{}\", qop=auth", String::from_utf8_lossy(right.as_bytes()));
    let proved =
        |info: &str| client.server_proved(&AuthParams::parse(info.as_bytes()).unwrap(), b"sip:h", b"");
    assert_eq!(proved(&info), Some(true));
    assert_eq!(proved("rspauth=\"00000000000000000000000000000000\""), Some(false));
    assert_eq!(proved("nextnonce=\"m\""), None);
}

#[test]
fn nothing_that_can_be_printed_holds_a_secret() {
    let mut session = session("Digest realm=\"r\", nonce=\"n\", qop=\"auth\"", "u", "hunter2", "c");
    let value = session.authorize(Method::Register, b"sip:h", b"").unwrap();
    let presented = Presented::from_credentials(&Parsed::parse(&value).unwrap()).unwrap();
    let ha1 = Ha1::new(Hash::Md5, "u", b"r", "hunter2");
    let printed = format!("{session:?} {presented:?} {ha1:?} {:?}", Credentials::new("u", "hunter2"));
    let hex = algorithm::hash_joined(Hash::Md5, &[b"u", b"r", b"hunter2"]);
    for secret in
        ["hunter2", &param(&value, "response").unwrap(), std::str::from_utf8(hex.as_bytes()).unwrap()]
    {
        assert!(!printed.contains(secret), "{printed}");
    }
}
