//! The 49 torture messages of RFC 4475: each gives what it must, at the level where it must.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use ringback::message::{FieldError, Message};
use ringback::syntax::{
    Contact, Credentials, Date, HeaderName, Host, Limits, Method, Scheme, SyntaxErrorKind, Warning, unescape,
};
use std::path::Path;

/// What a message must give.
enum Expect {
    /// Parses, the mandatory headers are well-formed, and the closure is content.
    Valid(fn(&Message)),
    /// Parses; what is wrong shows in the typed values, which the closure looks at.
    Typed(fn(&Message)),
    /// Refused by framing, for this reason.
    Refused(SyntaxErrorKind),
}
use Expect::{Refused, Typed, Valid};

macro_rules! cases {
    ($($name:ident: $expect:expr,)*) => {
        const CASES: &[(&str, &[u8], Expect)] = &[
            $((stringify!($name), include_bytes!(concat!("data/rfc4475/", stringify!($name), ".dat")), $expect),)*
        ];
        $(#[test] fn $name() { check(stringify!($name)); })*
    };
}

fn parse(bytes: &'static [u8]) -> Result<Message, ringback::syntax::SyntaxError> {
    Message::parse(Bytes::from_static(bytes), &Limits::default())
}

fn check(name: &str) {
    let (_, bytes, expect) = CASES.iter().find(|case| case.0 == name).unwrap();
    let parsed = parse(bytes);
    match expect {
        Refused(kind) => assert_eq!(parsed.unwrap_err().kind, *kind),
        Typed(look) => look(&parsed.unwrap()),
        Valid(look) => {
            let message = parsed.unwrap();
            message.check_mandatory().unwrap();
            assert!(bytes.starts_with(message.as_bytes()));
            assert!(message.vias().all(|v| v.is_ok()));
            assert!(message.contacts().all(|c| c.is_ok()));
            look(&message);
        }
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
fn kind<T>(result: Result<T, FieldError>) -> SyntaxErrorKind {
    match result.err().unwrap() {
        FieldError::Syntax { error, .. } => error.kind,
        other => panic!("{other}"),
    }
}
fn loosely_read(m: &Message) -> Vec<HeaderName> {
    m.loosely_read().map(|(name, _)| name).collect()
}
fn contact_uris(m: &Message) -> Vec<&str> {
    let uri = |c: Result<Contact<'_>, FieldError>| match c.unwrap() {
        Contact::Addr(addr) => addr.uri().as_bytes().to_vec(),
        Contact::Star => panic!("a star"),
    };
    // The slices live as long as the message; collected by offset to keep the helper short.
    m.contacts()
        .map(uri)
        .map(|u| {
            let at = m.as_bytes().windows(u.len()).position(|w| w == u).unwrap();
            text(&m.as_bytes()[at..at + u.len()])
        })
        .collect()
}
fn body_is_150_octets(m: &Message) {
    assert_eq!(m.body().len(), 150);
    assert!(m.body().starts_with(b"v=0\r\n") && m.body().ends_with(b"a=rtpmap:31 LPC\r\n"));
}

cases! {
    // Sec. 3.1.1: valid.
    wsinv: Valid(|m| {
        assert_eq!(m.method(), Some(Method::Invite));
        assert!(m.request_uri().unwrap().unwrap().params().get(b"unknownparam").is_some());
        let to = m.to().unwrap();
        assert_eq!((text(to.uri().as_bytes()), to.tag()), ("sip:vivekg@chair-dnrc.example.com", Some(&b"1918181833n"[..])));
        let from = m.from().unwrap();
        assert_eq!((text(&from.display_name_unquoted()), from.tag()), ("J Rosenberg \\\"", Some(&b"98asjd8"[..])));
        assert_eq!(text(from.uri().as_bytes()), "sip:jdrosen@example.com");
        assert_eq!(m.max_forwards(), Some(Ok(68)));
        assert_eq!((m.cseq().unwrap().number, m.cseq().unwrap().method), (9, Method::Invite));
        let vias: Vec<_> = m.vias().map(|v| v.unwrap()).map(|v| (text(v.transport()).to_owned(), v.host().ip(), text(v.branch().unwrap()).to_owned())).collect();
        assert_eq!(vias, [
            ("UDP".into(), "192.0.2.2".parse().ok(), "390skdjuw".into()),
            ("TCP".into(), None, "z9hG4bK9ikj8".into()),
            ("UDP".into(), "192.168.255.111".parse().ok(), "z9hG4bK30239".into()),
        ]);
        assert_eq!(m.header(HeaderName::Subject), Some(&b""[..]));
        assert_eq!(m.header_named(b"newfangledheader"), Some(&b"newfangled value\r\n continued newfangled value"[..]));
        assert_eq!(m.header_named(b"UnknownHeaderWithUnusualValue"), Some(&b";;,,;;,;"[..]));
        let route = m.addresses(HeaderName::Route).next().unwrap().unwrap();
        let params: Vec<_> = route.uri().params().iter().map(|p| (text(p.name), p.value.map(text))).collect();
        assert_eq!(params, [("lr", None), ("unknownwith", Some("value")), ("unknown-no-value", None)]);
        let Some(Ok(contact @ Contact::Addr(addr))) = m.contacts().next() else { panic!() };
        assert_eq!((text(&addr.display_name_unquoted()), contact.q_thousandths()), ("Quoted string \"\"", Some(330)));
        assert_eq!(addr.params().get(b"newparam").unwrap().value, Some(&b"newvalue"[..]));
        body_is_150_octets(m);
    }),
    intmeth: Valid(|m| {
        let method = b"!interesting-Method0123456789_*+`.%indeed'~";
        assert_eq!((m.method(), m.cseq().unwrap().method), (Some(Method::Other(method)), Method::Other(method)));
        let uri = m.request_uri().unwrap().unwrap();
        assert_eq!(text(uri.user().unwrap()), "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*");
        assert_eq!(text(uri.password().unwrap()), "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)");
        assert_eq!(uri.host(), Some(Host::Name(b"example.com")));
        assert_eq!(m.top_via().unwrap().branch(), Some(&b"z9hG4bK-.!%66*_+`'~"[..]));
        assert_eq!(&*m.to().unwrap().display_name_unquoted(), b"BEL:\x07 NUL:\0 DEL:\x7f");
        let from = m.from().unwrap();
        assert_eq!((text(from.display_name()), from.tag()), ("token1~` token2'+_ token3*%!.-", Some(&b"_token~1'+`*%!-."[..])));
        assert_eq!(text(&from.params().get(b"fromParam''~+*_!.-%").unwrap().unquoted()), "работающий");
        assert_eq!(text(m.call_id().unwrap()), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
        assert_eq!((m.cseq().unwrap().number, m.max_forwards()), (139_122_385, Some(Ok(255))));
        assert_eq!(text(m.header_named(b"extensionHeader-!.%*+_`'~").unwrap()), "\u{feff}大停電");
    }),
    esc01: Valid(|m| {
        let uri = m.request_uri().unwrap().unwrap();
        assert_eq!((text(uri.user().unwrap()), &*unescape(uri.user().unwrap())), ("sips%3Auser%40example.com", &b"sips:user@example.com"[..]));
        assert_eq!(uri.host(), Some(Host::Name(b"example.net")));
        let to = m.to().unwrap().uri();
        assert_eq!(&*unescape(to.user().unwrap()), b"user");
        assert!(to.is_equivalent(&ringback::syntax::Uri::parse(b"sip:user@example.com").unwrap()));
        assert_eq!(&*unescape(m.from().unwrap().uri().user().unwrap()), b"I have spaces");
        let Some(Ok(Contact::Addr(contact))) = m.contacts().next() else { panic!() };
        assert_eq!(&*unescape(contact.uri().user().unwrap()), b"caller");
        let params: Vec<_> = contact.uri().params().iter().map(|p| (unescape(p.name).into_owned(), p.value.map(|v| unescape(v).into_owned()))).collect();
        assert_eq!(params, [(b"lr".to_vec(), None), (b"name".to_vec(), Some(b"value%41".to_vec()))]);
        body_is_150_octets(m);
    }),
    escnull: Valid(|m| {
        assert_eq!(&*unescape(m.to().unwrap().uri().user().unwrap()), b"null-\0-null");
        assert_eq!(&*unescape(m.from().unwrap().uri().user().unwrap()), b"null-\0-null");
        assert_eq!(contact_uris(m), ["sip:%00@host5.example.com", "sip:%00%00@host5.example.com"]);
        let users: Vec<_> = m.contacts().map(|c| match c.unwrap() { Contact::Addr(a) => unescape(a.uri().user().unwrap()).into_owned(), Contact::Star => vec![] }).collect();
        assert_eq!(users, [vec![0], vec![0, 0]]);
    }),
    esc02: Valid(|m| {
        assert_eq!(m.method(), Some(Method::Other(b"RE%47IST%45R")));
        assert_eq!((&*m.to().unwrap().display_name_unquoted(), &*m.from().unwrap().display_name_unquoted()), (&b"%Z%45"[..], &b"%Z%45"[..]));
        assert_eq!(m.top_via().unwrap().branch(), Some(&b"z9hG4bK209%fzsnel234"[..]));
        assert_eq!(contact_uris(m), ["sip:alias1@host1.example.com", "sip:alias3@host3.example.com"]);
        assert_eq!(m.header_named(b"C%6Fntact"), Some(&b"<sip:alias2@host2.example.com>"[..]));
    }),
    lwsdisp: Valid(|m| {
        let from = m.from().unwrap();
        assert_eq!((text(from.display_name()), text(from.uri().as_bytes()), from.tag()), ("caller", "sip:caller@example.com", Some(&b"323"[..])));
    }),
    longreq: Valid(|m| {
        assert_eq!(m.vias().count(), 34);
        let hosts: Vec<_> = m.vias().map(|v| match v.unwrap().host() { Host::Name(n) => text(n).to_owned(), _ => panic!() }).collect();
        let wanted: Vec<_> = (1..=33).rev().map(|n| format!("sip{n}.example.com")).chain(["host.example.com".into()]).collect();
        assert_eq!(hosts, wanted);
        let last = m.vias().last().unwrap().unwrap();
        assert_eq!((last.received(), last.branch().unwrap().len()), ("192.0.2.5".parse().ok(), 4 + 200 + 11));
        let to = m.to().unwrap();
        assert_eq!(to.display_name_unquoted().len(), 21 + 1 + 70 + 11);
        assert_eq!((to.uri().port(), to.uri().params().iter().count()), (Some(6000), 3));
        let from = m.from().unwrap();
        assert_eq!((from.uri().user().unwrap().len(), from.tag().unwrap().len(), from.params().iter().count()), (115, 155, 3));
        assert_eq!(text(m.call_id().unwrap()), format!("longreq.one{}longcallid", "really".repeat(20)));
        let long = format!("Unknown-{}-Name", "Long".repeat(20));
        assert!(m.header_named(long.as_bytes()).unwrap().starts_with(b"unknown-long"));
        body_is_150_octets(m);
    }),
    dblreq: Valid(|m| {
        assert_eq!((m.method(), m.body(), m.headers().count()), (Some(Method::Register), &b""[..], 8));
        assert_eq!(text(m.call_id().unwrap()), "dblreq.0ha0isndaksdj99sdfafnl3lk233412");
        assert!(m.as_bytes().ends_with(b"Content-Length: 0\r\n\r\n"));
    }),
    semiuri: Valid(|m| {
        let uri = m.request_uri().unwrap().unwrap();
        assert_eq!((&*unescape(uri.user().unwrap()), uri.params().iter().count()), (&b"user;par=u@example.net"[..], 0));
        assert_eq!(m.tokens(HeaderName::Accept).map(text).collect::<Vec<_>>(), [
            "application/sdp", "application/pkcs7-mime", "multipart/mixed", "multipart/signed", "message/sip", "message/sipfrag",
        ]);
    }),
    transports: Valid(|m| {
        let seen: Vec<_> = m.vias().map(|v| text(v.unwrap().transport()).to_owned()).collect();
        assert_eq!(seen, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
    }),
    mpart01: Valid(|m| {
        assert_eq!(m.body().len(), 553);
        assert!(m.body().starts_with(b"--7a9cbec02ceef655\r\n") && m.body().ends_with(b"--7a9cbec02ceef655--\r\n"));
        assert_eq!(m.top_via().unwrap().rport(), Some(None));
        assert_eq!(m.parsed(HeaderName::Date, Date::parse).unwrap().unwrap().unix_seconds(), 1_129_351_496);
    }),
    unreason: Valid(|m| {
        assert_eq!((m.status(), text(m.reason().unwrap())), (Some(200), "= 2**3 * 5**2 но сто девяносто девять - простое"));
        assert_eq!(m.body().len(), 154);
    }),
    noreason: Valid(|m| assert_eq!((m.status(), m.reason()), (Some(100), Some(&b""[..])))),

    // Sec. 3.1.2: invalid.
    badinv01: Typed(|m| {
        let Err(FieldError::Syntax { header, error }) = m.top_via().map(|_| ()) else { panic!() };
        assert_eq!((header, error.kind, &m.as_bytes()[error.offset - 1..error.offset + 1]), (HeaderName::Via, SyntaxErrorKind::Unexpected, &b";;"[..]));
        let Some(Err(FieldError::Syntax { error, .. })) = m.contacts().next() else { panic!() };
        assert_eq!(&m.as_bytes()[error.offset - 2..error.offset + 1], b">;;");
        assert!(m.check_mandatory().is_err());
    }),
    clerr: Refused(SyntaxErrorKind::ContentLength),
    ncl: Refused(SyntaxErrorKind::ContentLength),
    scalar02: Typed(|m| {
        assert_eq!(kind(m.cseq()), SyntaxErrorKind::Number);
        assert_eq!(kind(m.max_forwards().unwrap()), SyntaxErrorKind::Number);
        assert_eq!(m.seconds(HeaderName::Expires), Some(Ok(u32::MAX)));
        assert_eq!(m.contacts().next().unwrap().unwrap().expires(), Some(u32::MAX));
    }),
    scalarlg: Typed(|m| {
        assert_eq!(kind(m.cseq()), SyntaxErrorKind::Number);
        assert_eq!(m.seconds(HeaderName::RetryAfter), Some(Ok(u32::MAX)));
        assert!(m.parsed_list(HeaderName::Warning, Warning::parse_first).next().unwrap().is_err());
    }),
    // Where an address can be found it is taken, and told.
    quotbal: Typed(|m| {
        assert_eq!(text(m.to().unwrap().uri().as_bytes()), "sip:j.user@example.com");
        assert_eq!(loosely_read(m), [HeaderName::To]);
    }),
    ltgtruri: Refused(SyntaxErrorKind::StartLine),
    lwsruri: Refused(SyntaxErrorKind::StartLine),
    lwsstart: Refused(SyntaxErrorKind::StartLine),
    trws: Refused(SyntaxErrorKind::StartLine),
    escruri: Refused(SyntaxErrorKind::Uri),
    baddate: Typed(|m| {
        m.check_mandatory().unwrap();
        let Some(Err(FieldError::Syntax { error, .. })) = m.parsed(HeaderName::Date, Date::parse) else { panic!() };
        assert_eq!(&m.as_bytes()[error.offset..error.offset + 3], b"EST");
        body_is_150_octets(m);
    }),
    regbadct: Typed(|m| {
        m.check_mandatory().unwrap();
        let Some(Err(FieldError::Syntax { header, error })) = m.contacts().next() else { panic!() };
        assert_eq!((header, m.as_bytes()[error.offset]), (HeaderName::Contact, b'?'));
    }),
    badaspec: Typed(|m| {
        assert_eq!(text(m.to().unwrap().uri().as_bytes()), "sip:t.watson@example.org");
        assert_eq!(text(m.from().unwrap().uri().as_bytes()), "sip:a.g.bell@example.com");
        assert_eq!(loosely_read(m), [HeaderName::To]);
    }),
    baddn: Typed(|m| {
        assert_eq!(text(m.from().unwrap().display_name()), "Bell, Alexander");
        assert_eq!(text(m.to().unwrap().display_name()), "Watson, Thomas");
        assert_eq!((m.from().unwrap().tag(), m.to().unwrap().tag()), (Some(&b"43"[..]), None));
        assert_eq!(loosely_read(m), [HeaderName::From, HeaderName::To]);
    }),
    badvers: Refused(SyntaxErrorKind::Version),
    mismatch01: Typed(|m| assert_eq!(kind(m.cseq()), SyntaxErrorKind::MethodMismatch)),
    mismatch02: Typed(|m| assert_eq!(kind(m.cseq()), SyntaxErrorKind::MethodMismatch)),
    bigcode: Refused(SyntaxErrorKind::StatusCode),

    // Sec. 3.2 to 3.4: for the floors above.
    badbranch: Valid(|m| assert_eq!(m.top_via().unwrap().branch(), Some(&b"z9hG4bK"[..]))),
    insuf: Typed(|m| {
        assert_eq!(m.check_mandatory(), Err(FieldError::Missing(HeaderName::From)));
        assert_eq!(m.to().map(|_| ()), Err(FieldError::Missing(HeaderName::To)));
        assert_eq!(m.call_id(), Err(FieldError::Missing(HeaderName::CallId)));
    }),
    unkscm: Valid(|m| assert_eq!(m.request_uri().unwrap().unwrap().scheme(), Scheme::Other(b"nobodyKnowsThisScheme"))),
    novelsc: Valid(|m| assert_eq!(m.request_uri().unwrap().unwrap().scheme(), Scheme::Other(b"soap.beep"))),
    unksm2: Valid(|m| {
        assert_eq!(m.to().unwrap().uri().scheme(), Scheme::Other(b"isbn"));
        assert_eq!((m.from().unwrap().uri().scheme(), m.from().unwrap().tag()), (Scheme::Other(b"http"), Some(&b"3234233"[..])));
        assert_eq!(contact_uris(m), ["name:John_Smith"]);
    }),
    bext01: Valid(|m| {
        assert_eq!(m.tokens(HeaderName::Require).map(text).collect::<Vec<_>>(), ["nothingSupportsThis", "nothingSupportsThisEither"]);
        assert_eq!(m.tokens(HeaderName::ProxyRequire).count(), 2);
    }),
    invut: Valid(|m| {
        assert_eq!((m.header(HeaderName::ContentType), m.body().len()), (Some(&b"application/unknownformat"[..]), 40));
    }),
    regaut01: Valid(|m| {
        let credentials = m.parsed(HeaderName::Authorization, Credentials::parse).unwrap().unwrap();
        assert_eq!((text(credentials.scheme), credentials.params.get(b"opaque-data").unwrap().value), ("NoOneKnowsThisScheme", Some(&b"here"[..])));
    }),
    multi01: Typed(|m| {
        assert_eq!(m.cseq(), Err(FieldError::Repeated(HeaderName::CSeq)));
        assert_eq!(m.call_id(), Err(FieldError::Repeated(HeaderName::CallId)));
        assert_eq!(m.from().map(|_| ()), Err(FieldError::Repeated(HeaderName::From)));
        assert_eq!(m.to().map(|_| ()), Err(FieldError::Repeated(HeaderName::To)));
        assert_eq!(m.check_mandatory(), Err(FieldError::Repeated(HeaderName::From)));
    }),
    mcl01: Refused(SyntaxErrorKind::ContentLength),
    bcast: Valid(|m| {
        let hosts: Vec<_> = m.vias().map(|v| v.unwrap().host().ip().unwrap().to_string()).collect();
        assert_eq!(hosts, ["192.0.2.198", "255.255.255.255"]);
    }),
    zeromf: Valid(|m| assert_eq!(m.max_forwards(), Some(Ok(0)))),
    cparam01: Valid(|m| {
        let Some(Ok(Contact::Addr(contact))) = m.contacts().next() else { panic!() };
        assert!(contact.params().get(b"unknownparam").is_some() && contact.uri().params().get(b"unknownparam").is_none());
    }),
    cparam02: Valid(|m| {
        let Some(Ok(Contact::Addr(contact))) = m.contacts().next() else { panic!() };
        assert!(contact.params().get(b"unknownparam").is_none() && contact.uri().params().get(b"unknownparam").is_some());
    }),
    regescrt: Valid(|m| {
        let Some(Ok(Contact::Addr(contact))) = m.contacts().next() else { panic!() };
        assert_eq!((contact.params().iter().count(), text(contact.uri().headers())), (0, "Route=%3Csip:sip.example.com%3E"));
    }),
    sdp01: Valid(|m| {
        assert_eq!(m.tokens(HeaderName::Accept).map(text).collect::<Vec<_>>(), ["text/nobodyKnowsThis"]);
        body_is_150_octets(m);
    }),
    inv2543: Valid(|m| {
        assert_eq!((m.top_via().unwrap().branch(), m.from().unwrap().tag(), m.to().unwrap().tag()), (None, None, None));
        assert!(m.to().unwrap().params().get(b"user").is_some());
        assert!(m.body().ends_with(b"m=audio 49217 RTP/AVP 0\r\n"));
    }),
}

#[test]
fn holds_all_49_messages() {
    assert_eq!(CASES.len(), 49);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rfc4475");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "dat"));
    assert_eq!(files.count(), 49);
}

/// With `RINGBACK_CORPUS` naming a folder that holds somebody else's `rfc4475/*.dat`, our transcription is compared byte for byte.
#[test]
fn is_byte_exact() {
    let Some(corpus) = std::env::var_os("RINGBACK_CORPUS") else { return };
    for (name, bytes, _) in CASES {
        let path = Path::new(&corpus).join("rfc4475").join(format!("{name}.dat"));
        let other = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(other == *bytes, "{name} differs from {}", path.display());
    }
}

/// In the same folder stands `expect.tsv`: name, section, class, what it tries, what it must give. The table above says the same.
#[test]
fn expects_what_others_expect() {
    let Some(corpus) = std::env::var_os("RINGBACK_CORPUS") else { return };
    let text = std::fs::read_to_string(Path::new(&corpus).join("rfc4475/expect.tsv")).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), CASES.len());
    let number = |class: &str| rows.iter().filter(|row| row[2] == class).count();
    assert_eq!((number("valid"), number("invalid")), (13, 19));
    for row in rows {
        let (name, class, must) = (row[0], row[2], row[4]);
        let (_, _, expect) = CASES.iter().find(|case| case.0 == name).unwrap();
        let agrees = match (class, expect) {
            ("valid", expect) => matches!(expect, Valid(_)),
            // "In the typed value": framing takes it.
            ("invalid", Typed(_)) => true,
            ("invalid", expect) => matches!(expect, Refused(_)) && !must.contains("value"),
            (_, expect) => must.starts_with("parses") != matches!(expect, Refused(_)),
        };
        assert!(agrees, "{name}: {class}, {must}");
    }
}
