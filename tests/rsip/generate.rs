//! Messages to compare: plain ones, which rsip has to read as we do, and rich ones.
use proptest::prelude::*;
use proptest::sample::select;

/// Bytes that print as text.
#[derive(Clone)]
pub struct Datagram(pub Vec<u8>);

impl std::fmt::Debug for Datagram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

const METHODS: &[&str] = &[
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "REGISTER",
    "OPTIONS",
    "PRACK",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "INFO",
    "REFER",
    "MESSAGE",
    "UPDATE",
];

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9-]{0,8}[a-z0-9]\\.example\\.com",
        any::<std::net::Ipv4Addr>().prop_map(|address| address.to_string()),
    ]
}

fn port() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), any::<u16>().prop_map(|port| format!(":{port}"))]
}

fn plain_uri() -> impl Strategy<Value = String> {
    let scheme = select(vec!["sip", "sips"]);
    let user = prop_oneof![
        Just(String::new()),
        "[a-z0-9+%_-]{1,10}(:[a-z0-9]{1,5})?".prop_map(|user| format!("{user}@"))
    ];
    let params = proptest::collection::vec(
        prop_oneof![
            Just(";lr".to_owned()),
            Just(";transport=tcp".to_owned()),
            Just(";transport=UDP".to_owned()),
            "user=(phone|ip)".prop_map(|p| format!(";{p}")),
            ";[x-z]{1,4}=[a-zA-Z0-9_.!%*+-]{1,8}",
            ";[x-z]{1,4}",
        ],
        0..3,
    );
    (scheme, user, host(), port(), params)
        .prop_map(|(s, u, h, p, params)| format!("{s}:{u}{h}{p}{}", params.concat()))
}

/// A URI that our parser reads and rsip's does not always.
fn rich_uri() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => plain_uri(),
        1 => "sip:[a-z.]{1,8}@[a-z]{1,5}\\.example",
        1 => any::<std::net::Ipv6Addr>().prop_map(|address| format!("sip:a@[{address}]:5070")),
        1 => plain_uri().prop_map(|uri| format!("{uri}?Replaces=a%40b")),
        1 => plain_uri().prop_map(|uri| format!("{uri};maddr=[::1];x=a/b")),
        1 => plain_uri().prop_map(|uri| format!("{uri};transport=quic")),
        1 => Just("tel:+1-201-555-0123;phone-context=example.com".to_owned()),
    ]
}

fn display_name() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[A-Z][a-z]{1,6} ", "\"[A-Za-z ]{1,10}\" "]
}

/// Status line or request line, headers, body; `uri` gives the URIs.
fn message<U: Strategy<Value = String> + Clone + 'static>(
    uri: impl Fn() -> U,
    extra: impl Strategy<Value = Vec<String>>,
) -> impl Strategy<Value = Datagram> {
    let start = (select(METHODS), uri(), prop_oneof![Just(None), (100_u16..700).prop_map(Some)]);
    let via = (select(vec!["UDP", "TCP", "TLS", "WSS", "udp"]), host(), port(), "[a-zA-Z0-9.-]{1,12}");
    let addresses = (display_name(), uri(), "[a-z0-9]{1,8}", display_name(), uri(), "[a-z0-9]{0,8}");
    let numbers = (any::<u32>().prop_map(|n| n >> 1), any::<u8>(), "[a-z0-9-]{1,12}(@[a-z.]{1,8})?");
    let body = prop_oneof![Just(Vec::new()), proptest::collection::vec(any::<u8>(), 0..40)];
    (start, via, addresses, numbers, uri(), extra, body).prop_map(
        |((method, uri, status), (transport, host, port, branch), a, (number, max, id), contact, extra, body)| {
            // No URI headers in a Request-URI.
            let uri = uri.split('?').next().unwrap_or_default();
            let start = match status {
                None => format!("{method} {uri} SIP/2.0"),
                Some(status) => format!("SIP/2.0 {status} Reason"),
            };
            let to_tag = if a.5.is_empty() { String::new() } else { format!(";tag={}", a.5) };
            let mut text = format!(
                "{start}\r\nVia: SIP/2.0/{transport} {host}{port};rport;branch=z9hG4bK{branch}\r\nFrom: {}<{}>;tag={}\r\nTo: {}<{}>{to_tag}\r\n\
                 Call-ID: {id}\r\nCSeq: {number} {method}\r\nMax-Forwards: {max}\r\nContact: <{contact}>;q=0.5;expires=60\r\n",
                a.0, a.1, a.2, a.3, a.4
            );
            for header in extra {
                text.push_str(&header);
                text.push_str("\r\n");
            }
            text.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
            let mut bytes = text.into_bytes();
            bytes.extend(body);
            Datagram(bytes)
        },
    )
}

/// What rsip reads as we do.
pub fn plain() -> impl Strategy<Value = Datagram> {
    let extra = proptest::collection::vec("(Subject|X-Own|User-Agent): [a-z ]{0,8}[a-z]", 0..3);
    message(|| plain_uri().boxed(), extra)
}

/// What our parser reads; rsip some of it.
pub fn rich() -> impl Strategy<Value = Datagram> {
    let extra = proptest::collection::vec(
        prop_oneof![
            Just("Subject: folded\r\n here".to_owned()),
            Just("Subject : x".to_owned()),
            Just(
                "Via: SIP/2.0/UDP [2001:db8::1]:5060;received=2001:db8::2;branch=z9hG4bKa, SIP/2.0/TCP b"
                    .to_owned()
            ),
            Just("v: SIP / 2.0 / UDP c ; branch = z9hG4bKc".to_owned()),
            Just("m: *".to_owned()),
            Just("Contact: <sip:a@h>;+sip.instance=\"<urn:uuid:1>\", sip:b@h".to_owned()),
            Just("s: compact".to_owned()),
            Just("Subscription-State: active;expires=60".to_owned()),
            Just("Refer-To: <sip:a@h?Replaces=b>".to_owned()),
        ],
        0..3,
    );
    message(|| rich_uri().boxed(), extra)
}
