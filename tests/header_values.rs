//! Every header value that a registrar, a phone or a PBX sends, read through the message: compact name, fold and odd case where there can be
//! some.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use ringback::message::{FieldError, Message};
use ringback::syntax::{
    Contact, ContentDisposition, Credentials, Date, Event, HeaderName, Limits, MediaType, Method, NameAddr,
    RAck, Reason, Refresher, RetryAfter, Scheme, SessionExpires, SubscriptionState, SyntaxError, Warning,
};

/// A message of these headers alone.
fn message(lines: impl AsRef<[u8]>) -> Message {
    let text = [b"NOTIFY sip:h SIP/2.0\r\n", lines.as_ref(), b"\r\n\r\n"].concat();
    Message::parse(Bytes::from(text), &Limits::default()).unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What one of the parsers of `syntax` makes of it.
fn parsed<T: 'static>(
    line: &str,
    name: HeaderName,
    parse: fn(&'static [u8]) -> Result<T, SyntaxError>,
) -> Result<T, FieldError> {
    // The value may borrow from the message: kept for the length of the test.
    let message: &'static Message = Box::leak(Box::new(message(line)));
    message.parsed(name, parse).unwrap()
}

#[test]
fn lists_of_addresses_are_read_whole() {
    for (name, compact) in [
        (HeaderName::Route, "rOUTE"),
        (HeaderName::RecordRoute, "record-route"),
        (HeaderName::Path, "PATH"),
        (HeaderName::ServiceRoute, "Service-ROUTE"),
    ] {
        let m = message(format!(
            "{compact}: <sip:a.example;lr>;x=1,\r\n\t\"b, c\" <sips:[::1]:5061>\r\n{compact} :sip:d"
        ));
        let uris: Vec<_> =
            m.addresses(name).map(|address| address.unwrap().uri().as_bytes().to_vec()).collect();
        assert_eq!(uris, [&b"sip:a.example;lr"[..], b"sips:[::1]:5061", b"sip:d"], "{compact}");
    }
    let m = message("m: <sip:a>;q=0.7;expires=60,\r\n b <sip:b>\r\nContact:*");
    let contacts: Vec<_> = m.contacts().map(Result::unwrap).collect();
    assert_eq!((contacts[0].q_thousandths(), contacts[0].expires()), (Some(700), Some(60)));
    assert!(matches!(contacts[1..], [Contact::Addr(_), Contact::Star]));
}

#[test]
fn lists_of_tokens_are_read_whole() {
    for (name, written) in [
        (HeaderName::Require, "Require"),
        (HeaderName::ProxyRequire, "Proxy-Require"),
        (HeaderName::Supported, "k"),
        (HeaderName::Unsupported, "UNSUPPORTED"),
        (HeaderName::Allow, "Allow"),
        (HeaderName::AllowEvents, "U"),
        (HeaderName::ContentEncoding, "e"),
        (HeaderName::ContentLanguage, "content-language"),
    ] {
        let m = message(format!("{written}: one ,two.x\r\n ,\r\n three\r\n{written}:\r\n{written}: four"));
        let tokens: Vec<_> = m.tokens(name).map(text).collect();
        assert_eq!(tokens, ["one", "two.x", "three", "four"], "{written}");
    }
}

#[test]
fn numbers_are_read() {
    for (name, written) in [
        (HeaderName::Expires, "EXPIRES"),
        (HeaderName::MinExpires, "Min-Expires"),
        (HeaderName::MinSe, "min-se"),
        (HeaderName::RetryAfter, "Retry-After"),
    ] {
        assert_eq!(message(format!("{written}:\r\n 0090")).seconds(name), Some(Ok(90)), "{written}");
        assert_eq!(message(format!("{written}: 99999999999")).seconds(name), Some(Ok(u32::MAX)));
        assert!(message(format!("{written}: soon")).seconds(name).unwrap().is_err());
        assert_eq!(message("X: 1").seconds(name), None);
    }
    assert_eq!(message("max-forwards : 70").max_forwards(), Some(Ok(70)));
    assert_eq!(message("rseq:\r\n 4294967295").rseq(), Some(Ok(u32::MAX)));
    let rack = parsed("RAck: 4294967295\r\n 7 INVITE", HeaderName::RAck, RAck::parse).unwrap();
    assert_eq!((rack.rseq, rack.cseq, rack.method), (u32::MAX, 7, Method::Invite));
}

#[test]
fn subscriptions_and_sessions_are_read() {
    let event = parsed("o: Refer ;\r\n ID=4", HeaderName::Event, Event::parse).unwrap();
    assert_eq!((text(event.package), event.id()), ("Refer", Some(&b"4"[..])));
    let line = "Subscription-State: TERMINATED;reason=timeout;retry-after=5";
    let state = parsed(line, HeaderName::SubscriptionState, SubscriptionState::parse).unwrap();
    assert_eq!(
        (state.is_terminated(), state.reason(), state.retry_after()),
        (true, Some(&b"timeout"[..]), Some(5))
    );
    let session = parsed("x: 1800;Refresher=UAS", HeaderName::SessionExpires, SessionExpires::parse).unwrap();
    assert_eq!((session.seconds, session.refresher()), (1800, Some(Refresher::Uas)));
    let least = parsed("Min-SE: 90;x", HeaderName::MinSe, SessionExpires::parse).unwrap();
    assert_eq!((least.seconds, least.refresher()), (90, None));
}

#[test]
fn transfers_are_read() {
    let m = message(
        "r: <sip:b@h?Replaces=1%3Bto-tag%3D2>\r\nB: \"A\" <sip:a@h>;cid=\"x\"\r\nreplaces: 1;to-tag=2;\r\n\tfrom-tag=3",
    );
    assert_eq!(m.refer_to().unwrap().unwrap().replaces().as_deref(), Some(&b"1;to-tag=2"[..]));
    assert_eq!(m.referred_by().unwrap().unwrap().cid().as_deref(), Some(&b"x"[..]));
    let replaces = m.replaces().unwrap().unwrap();
    assert_eq!((replaces.to_tag(), replaces.from_tag()), (Some(&b"2"[..]), Some(&b"3"[..])));
}

#[test]
fn identities_are_read() {
    let m = message("p-asserted-identity: \"A\" <sip:a@h>,\r\n <tel:+1-2>");
    let identity = m.asserted_identity().unwrap().unwrap();
    let scheme = |address: Option<NameAddr<'_>>| address.map(|address| address.uri().scheme() == Scheme::Tel);
    assert_eq!((scheme(identity.sip), scheme(identity.tel)), (Some(false), Some(true)));
    let m = message("remote-party-id: <sip:a@h>;privacy=full;screen=yes");
    let id = m.remote_party_ids().next().unwrap().unwrap();
    assert_eq!((id.hides(b"name"), id.is_screened()), (true, Some(true)));
    let m = message("DIVERSION: <sip:a@h>;reason=\"no-answer\";counter=2, <sip:b@h>");
    let all: Vec<_> = m.diversions().map(|diversion| diversion.unwrap().counter()).collect();
    assert_eq!(all, [Some(2), Some(1)]);
    let m = message("history-info: <sip:a@h>;index=1,\r\n <sip:b@h?Reason=SIP%3Bcause%3D486>;index=1.1;mp=1");
    let last = m.history().last().unwrap().unwrap();
    assert_eq!(
        (last.levels().collect::<Vec<_>>(), last.reason().as_deref()),
        (vec![1, 1], Some(&b"SIP;cause=486"[..]))
    );
}

#[test]
fn challenges_and_credentials_are_read() {
    for (name, written) in [
        (HeaderName::WwwAuthenticate, "www-authenticate"),
        (HeaderName::ProxyAuthenticate, "Proxy-Authenticate"),
    ] {
        let m = message(format!(
            "{written}: Digest realm=\"a, b\",\r\n nonce=\"n\", Basic realm=\"c\"\r\n{written}: X"
        ));
        let schemes: Vec<_> =
            m.challenges(name).map(|challenge| challenge.unwrap().scheme.to_vec()).collect();
        assert_eq!(schemes, [&b"Digest"[..], b"Basic", b"X"], "{written}");
    }
    for (name, written) in [
        (HeaderName::Authorization, "AUTHORIZATION"),
        (HeaderName::ProxyAuthorization, "Proxy-Authorization"),
    ] {
        let line = format!("{written}: Digest username=\"a\",\r\n\tnc=00000001");
        let credentials = parsed(&line, name, Credentials::parse).unwrap();
        assert_eq!(credentials.params.get(b"NC").unwrap().value, Some(&b"00000001"[..]), "{written}");
    }
    let m = message("authentication-info: nextnonce=\"n\",\r\n nc=0000000a");
    let info = m.authentication_info().unwrap().unwrap();
    assert_eq!((info.next_nonce().as_deref(), info.nonce_count()), (Some(&b"n"[..]), Some(10)));
}

#[test]
fn reasons_warnings_and_dates_are_read() {
    let m = message("reason: Q.850;cause=17;text=\"a, b\",\r\n SIP;cause=486");
    let causes: Vec<_> = m
        .parsed_list(HeaderName::Reason, Reason::parse_first)
        .map(|reason| reason.unwrap().cause())
        .collect();
    assert_eq!((causes, m.values(HeaderName::Reason).count()), (vec![Some(17), Some(486)], 2));
    let m = message("WARNING: 399 h:5060 \"a, \\\"b\",\r\n 301 x \"c\"");
    let codes: Vec<_> = m
        .parsed_list(HeaderName::Warning, Warning::parse_first)
        .map(|warning| warning.unwrap().code)
        .collect();
    assert_eq!(codes, [399, 301]);
    let date = parsed("date: Sat, 15 Oct 2005\r\n 04:44:56 GMT", HeaderName::Date, Date::parse).unwrap();
    assert_eq!(date.unix_seconds(), 1_129_351_496);
    let retry = parsed(
        "Retry-After: 18000 (in (a) meeting);duration=3600",
        HeaderName::RetryAfter,
        RetryAfter::parse,
    )
    .unwrap();
    assert_eq!((retry.seconds, retry.comment), (18_000, Some(&b"in (a) meeting"[..])));
}

#[test]
fn what_is_said_of_bodies_is_read() {
    let kind = parsed("C: multipart/Mixed ;\r\n boundary=\"x y\"", HeaderName::ContentType, MediaType::parse);
    let kind = kind.unwrap();
    assert!(kind.is("MULTIPART", "mixed"));
    assert_eq!(&*kind.params.get(b"boundary").unwrap().unquoted(), b"x y");
    let line = "content-disposition: session;handling=Optional";
    let disposition = parsed(line, HeaderName::ContentDisposition, ContentDisposition::parse).unwrap();
    assert_eq!((text(disposition.kind), disposition.is_optional()), ("session", true));
    let m = message("accept: application/sdp;level=1,\r\n text/*;q=0.5");
    let kinds: Vec<_> =
        m.parsed_list(HeaderName::Accept, MediaType::parse_first).map(Result::unwrap).collect();
    assert!(kinds.len() == 2 && kinds[0].is("application", "sdp") && kinds[1].is("text", "*"));
    let m = message("Accept:\r\nAccept: text/plain");
    assert_eq!(m.parsed_list(HeaderName::Accept, MediaType::parse_first).filter(Result::is_ok).count(), 1);
    assert_eq!(m.parsed_list(HeaderName::Accept, MediaType::parse_first).count(), 1);
    let m = message("L : 0000");
    assert_eq!(m.header(HeaderName::ContentLength), Some(&b"0000"[..]));
}

#[test]
fn what_is_for_people_stays_as_it_came() {
    let m = message(b"user-agent: Phone/1.0 (a (b) \"c\") x\r\nSERVER: P\xfcx/2\r\ns: hello\r\n world");
    assert_eq!(m.header(HeaderName::UserAgent), Some(&b"Phone/1.0 (a (b) \"c\") x"[..]));
    assert_eq!(m.header(HeaderName::Server), Some(&b"P\xfcx/2"[..]));
    assert_eq!(m.header(HeaderName::Subject), Some(&b"hello\r\n world"[..]));
}
