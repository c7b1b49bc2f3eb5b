//! What rsip 0.4 does wrong behind its parser: the reasons why nothing of it is on our way. When one of these fails, rsip was fixed.
use super::parse;
use ringback::message::Message;
use rsip::prelude::*;
use rsip::services::DigestGenerator;
use rsip::{Header, Request, Response, SipMessage, headers, typed};

const CREDENTIALS: &str = "Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:h\", response=\"x\"";

fn credentials(more: &str) -> Result<typed::Authorization, rsip::Error> {
    headers::Authorization::new(format!("{CREDENTIALS}{more}")).typed()
}

#[test]
fn nonce_counts_above_255_or_in_hex_are_refused() {
    assert!(credentials(", qop=auth, nc=00000255, cnonce=\"c\"").is_ok());
    assert!(
        credentials(", qop=auth, nc=00000100, cnonce=\"c\"")
            .is_ok_and(|c| c.to_string().contains("nc=00000100"))
    );
    assert!(credentials(", qop=auth, nc=00000256, cnonce=\"c\"").is_err());
    assert!(credentials(", qop=auth, nc=0000000a, cnonce=\"c\"").is_err());
}

#[test]
fn nonce_counts_are_written_in_decimal() {
    let mut read = credentials(", qop=auth, nc=00000001, cnonce=\"c\"").unwrap();
    read.qop = Some(headers::auth::AuthQop::Auth { cnonce: "c".to_owned(), nc: 16 });
    assert!(read.to_string().contains("nc=00000016"), "{read}");
}

#[test]
fn the_algorithm_of_rfc_8760_is_refused() {
    assert!(credentials(", algorithm=SHA-256").is_err());
    assert!(credentials(", algorithm=SHA256").is_ok());
    let challenge = |text: &str| headers::WwwAuthenticate::new(text).typed();
    assert!(challenge("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256").is_err());
}

#[test]
fn a_challenge_with_two_qops_is_refused() {
    let challenge = |qop: &str| {
        headers::WwwAuthenticate::new(format!("Digest realm=\"r\", nonce=\"n\", qop=\"{qop}\"")).typed()
    };
    assert!(challenge("auth").is_ok());
    assert!(challenge("auth,auth-int").is_err());
}

#[test]
fn session_algorithms_give_the_plain_hash() {
    let uri = rsip::Uri::try_from("sip:h").unwrap();
    let qop = headers::auth::AuthQop::Auth { cnonce: "c".to_owned(), nc: 1 };
    let compute = |algorithm| {
        let digest = DigestGenerator {
            username: "u",
            password: "p",
            nonce: "n",
            uri: &uri,
            realm: "r",
            method: &rsip::Method::Register,
            qop: Some(&qop),
            algorithm,
        };
        digest.compute()
    };
    use headers::auth::Algorithm;
    assert_eq!(compute(Algorithm::Md5Sess), compute(Algorithm::Md5));
    assert_eq!(compute(Algorithm::Sha256Sess), compute(Algorithm::Sha256));
}

#[test]
fn a_binary_body_is_corrupted_on_output_but_not_by_us() {
    let mut request = Request::try_from(&parse("MESSAGE sip:h SIP/2.0\r\n\r\n")).unwrap();
    request.body = vec![0xff, 0x00, 0x80];
    assert!(!Vec::<u8>::from(request.clone()).ends_with(&request.body));
    assert_eq!(Message::try_from(&request).unwrap().body(), request.body);
}

#[test]
fn a_custom_reason_phrase_is_lost_and_rsips_own_has_no_spaces() {
    let response = Response::try_from("SIP/2.0 404 Number is gone\r\n\r\n").unwrap();
    assert_eq!(response.to_string(), "SIP/2.0 404 NotFound\r\n\r\n");
    assert_eq!(Message::try_from(&response).unwrap().reason(), Some(&b"Not Found"[..]));
}

#[test]
fn accepted_is_listed_under_201() {
    assert_eq!(rsip::StatusCode::Accepted.code(), 201);
}

#[test]
fn other_schemes_are_written_with_slashes() {
    let uri = rsip::Uri { scheme: Some(rsip::Scheme::Other("tel".to_owned())), ..rsip::Uri::default() };
    assert_eq!(uri.to_string(), "tel://127.0.0.1");
}

#[test]
fn addresses_of_ipv6_are_written_without_brackets() {
    let address: std::net::IpAddr = "2001:db8::1".parse().unwrap();
    let uri =
        rsip::Uri { scheme: Some(rsip::Scheme::Sip), ..std::net::SocketAddr::new(address, 5060).into() };
    assert_eq!(uri.to_string(), "sip:2001:db8::1:5060");
}

#[test]
fn the_second_via_of_a_list_is_dropped() {
    let via =
        headers::Via::new("SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b;branch=z9hG4bK2").typed().unwrap();
    assert_eq!(via.to_string(), "SIP/2.0/UDP a;branch=z9hG4bK1");
}

#[test]
fn subscription_state_is_an_unknown_header_to_the_parser() {
    let text = "NOTIFY sip:h SIP/2.0\r\nSubscription-State: active\r\n\r\n";
    let theirs = SipMessage::try_from(text).unwrap();
    assert!(matches!(theirs.headers().iter().next(), Some(Header::Other(_, _))));
    let ours = SipMessage::try_from(&parse(text)).unwrap();
    assert!(matches!(ours.headers().iter().next(), Some(Header::SubscriptionState(_))));
}

#[test]
fn the_user_is_lost_at_a_dot_and_the_host_takes_headers() {
    let contact = |text: &str| headers::Contact::new(text).typed().unwrap().uri;
    assert_eq!(contact("<sip:first.last@h>").user(), None);
    assert_eq!(contact("<sip:first.last@h>").host().to_string(), "first.last@h");
    assert_eq!(contact("<sip:a@h?Replaces=b>").host().to_string(), "h?Replaces=b");
    assert_eq!(contact("*").host().to_string(), "*");
}

#[test]
fn an_instance_an_ipv6_contact_and_a_list_of_contacts_are_refused() {
    for value in ["<sip:a@h>;+sip.instance=\"<urn:uuid:1>\"", "<sip:a@[::1]>", "<sip:a@h>, <sip:b@h>"] {
        assert!(headers::Contact::new(value).typed().is_err(), "{value}");
    }
}
