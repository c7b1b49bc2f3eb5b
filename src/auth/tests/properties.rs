//! What one side answers the other verifies, and nothing else.

use super::*;
use proptest::prelude::*;

fn algorithms() -> impl Strategy<Value = Algorithm> {
    prop::sample::select(Algorithm::ALL.to_vec())
}

fn qops() -> impl Strategy<Value = &'static [Qop]> {
    prop::sample::select(vec![&[][..], &[Qop::Auth], &[Qop::AuthInt], &[Qop::Auth, Qop::AuthInt]])
}

/// Text that may stand between quotes as it is.
fn quotable() -> &'static str {
    "[ !#-\\[\\]-~äé€]{0,40}"
}

#[derive(Debug)]
struct Scene {
    value: Vec<u8>,
    realm: String,
    user: String,
    ha1: Ha1,
    algorithm: Algorithm,
    qop: &'static [Qop],
    body: Vec<u8>,
}

impl Scene {
    fn verify(&self, value: &[u8], body: &[u8]) -> Result<u32, Refusal> {
        let presented = Presented::from_credentials(&Parsed::parse(value).map_err(|_| Refusal::Scheme)?)?;
        let expected = Expected {
            method: Method::Register,
            request_uri: b"sip:lab.example",
            body,
            realm: &self.realm,
            username: &self.user,
            algorithm: Some(self.algorithm),
            qop: self.qop,
            opaque: None,
            nonce: NonceState::Live { last_nc: 0 },
        };
        expected.verify(&presented, &self.ha1)
    }
}

prop_compose! {
    fn scenes()(
        algorithm in algorithms(),
        qop in qops(),
        realm in quotable(),
        nonce in quotable(),
        user in "[ -~äé€]{0,30}",
        password in ".{0,30}",
        userhash: bool,
        body in prop::collection::vec(any::<u8>(), 1..50),
        before in 0..3,
    ) -> Scene {
        let text = Offer {
            realm: &realm, nonce: &nonce, opaque: None, algorithm: Some(algorithm), qop, stale: false, userhash,
        };
        let mut session = session(&text.to_string(), &user, &password, "0123abcd");
        for _ in 0..before {
            session.authorize(Method::Register, b"sip:lab.example", &body).unwrap();
        }
        let value = session.authorize(Method::Register, b"sip:lab.example", &body).unwrap();
        let ha1 = Ha1::new(algorithm.hash, &user, realm.as_bytes(), &password);
        Scene { value, realm, user, ha1, algorithm, qop, body }
    }
}

proptest! {
    #[test]
    fn every_answer_verifies(scene in scenes()) {
        prop_assert!(scene.verify(&scene.value, &scene.body).is_ok());
    }

    #[test]
    fn no_answer_verifies_with_a_flipped_bit_in_what_it_covers(scene in scenes(), at: prop::sample::Index, bit in 0..7) {
        // What the response does not cover: names, punctuation, the case of tokens and hex.
        let covered: Vec<usize> = ["response", "nonce", "uri", "cnonce", "nc"]
            .iter()
            .filter_map(|name| span(&scene.value, name))
            .flatten()
            .collect();
        let at = covered[at.index(covered.len())];
        let mut value = scene.value.clone();
        value[at] ^= 1u8 << bit;
        let hex_case = value[at].eq_ignore_ascii_case(&scene.value[at]);
        prop_assert!(hex_case || scene.verify(&value, &scene.body).is_err(), "{}", value.escape_ascii());
    }

    #[test]
    fn a_changed_body_is_seen_by_auth_int_only(scene in scenes(), at: prop::sample::Index, bit in 0..8) {
        let mut body = scene.body.clone();
        let at = at.index(body.len());
        body[at] ^= 1u8 << bit;
        let verified = scene.verify(&scene.value, &body);
        prop_assert_eq!(verified.is_err(), scene.qop == [Qop::AuthInt]);
    }

    #[test]
    fn another_password_never_verifies(mut scene in scenes(), other in ".{31,40}") {
        scene.ha1 = Ha1::new(scene.algorithm.hash, &scene.user, scene.realm.as_bytes(), &other);
        prop_assert_eq!(scene.verify(&scene.value, &scene.body), Err(Refusal::WrongResponse));
    }
}

/// Where the value of a parameter stands, without quotes.
fn span(value: &[u8], name: &str) -> Option<std::ops::Range<usize>> {
    let params = Parsed::parse(value).unwrap().params;
    let found = params.get(name.as_bytes())?.value?;
    let start = found.as_ptr() as usize - value.as_ptr() as usize;
    let quotes = usize::from(found.starts_with(b"\""));
    Some(start + quotes..start + found.len() - quotes)
}
