//! What holds for any message and any bytes.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use proptest::prelude::*;
use ringback::message::{Builder, Message, StreamDecoder, StreamItem, call_id_of, redact};
use ringback::syntax::{
    Challenge, Contact, Credentials, Date, HeaderName, HostPort, Limits, Method, NameAddr, Params, RAck,
    RetryAfter, Uri, Via, Warning, frame_stream, unescape,
};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// What this thread has had of a processor: a busy machine takes longer, and not more of it.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

fn parse(bytes: &[u8]) -> Result<Message, ringback::syntax::SyntaxError> {
    Message::parse(Bytes::copy_from_slice(bytes), &Limits::default())
}

/// Everything that can be asked of bytes. The result only keeps the work from being left out.
fn ask_everything(bytes: &[u8]) -> usize {
    let mut seen = redact(bytes).len() + call_id_of(bytes).map_or(0, <[u8]>::len) + unescape(bytes).len();
    seen += usize::from(frame_stream(bytes, &Limits::default()).is_ok());
    seen += usize::from(HostPort::parse(bytes).is_ok()) + usize::from(Params::parse(bytes).is_ok());
    seen += usize::from(Date::parse(bytes).is_ok()) + usize::from(RAck::parse(bytes).is_ok());
    seen += usize::from(RetryAfter::parse(bytes).is_ok()) + usize::from(Credentials::parse(bytes).is_ok());
    seen += usize::from(HeaderName::from_bytes(bytes) == HeaderName::Other);
    if let Ok(uri) = Uri::parse(bytes) {
        assert_eq!(uri.as_bytes(), bytes);
        assert!(uri.is_equivalent(&uri), "{uri:?}");
    }
    macro_rules! lists {
        ($($first:path),*) => {$({
            let mut rest = bytes;
            while let Ok((value, after)) = $first(rest) {
                seen += format!("{value:?}").len();
                assert!(after.len() < rest.len() || rest.is_empty());
                rest = after;
                if rest.is_empty() { break; }
            }
        })*};
    }
    lists!(
        Via::parse_first,
        NameAddr::parse_first,
        Contact::parse_first,
        Challenge::parse_first,
        Warning::parse_first
    );
    if let Ok(message) = parse(bytes) {
        seen += ask_message(&message);
    }
    seen
}

fn ask_message(m: &Message) -> usize {
    let mut seen =
        usize::from(m.check_mandatory().is_ok()) + m.headers().map(|h| h.value.len()).sum::<usize>();
    for via in m.vias().flatten() {
        seen += via.params().iter().count() + usize::from(via.received().is_some() || via.rport().is_some());
    }
    for contact in m.contacts().flatten() {
        seen +=
            contact.expires().unwrap_or(0) as usize % 7 + usize::from(contact.q_thousandths().unwrap_or(0));
    }
    for header in m.headers() {
        seen += m.addresses(header.name).count()
            + m.challenges(header.name).count()
            + m.tokens(header.name).count();
        seen += usize::from(m.seconds(header.name).is_some())
            + usize::from(m.header_named(header.raw_name).is_some());
    }
    for address in [m.from(), m.to()].into_iter().flatten() {
        seen += address.display_name_unquoted().len()
            + address.params().iter().map(|p| p.unquoted().len()).sum::<usize>();
    }
    let sent = m.with_top_via(b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1");
    assert!(sent.top_via().is_ok());
    assert_eq!(sent.body(), m.body());
    let received = m.with_received_from("198.51.100.7:5060".parse().unwrap());
    assert_eq!(received.body(), m.body());
    if m.is_request()
        && let Ok(response) = Builder::response(m, 200, "OK", Some("t")).build()
    {
        assert_eq!(response.vias().count(), m.vias().count());
    }
    seen + m.body().len() + m.request_uri().map_or(0, |u| usize::from(u.is_ok())) + format!("{m:?}").len()
}

/// The message from its spans: start line, each `name:value` at its place, body.
fn printed(m: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    let at = |part: &[u8]| part.as_ptr() as usize - m.as_bytes().as_ptr() as usize;
    for header in m.headers() {
        // What the spans leave out between two of them is colon, white space and line ends; and lines that are no header.
        let gap = &m.as_bytes()[out.len()..at(header.raw_name)];
        if !out.is_empty() && m.odd_lines().next().is_none() {
            assert!(gap.iter().all(|b| b" \t\r\n".contains(b)), "{gap:?}");
        }
        out.extend_from_slice(gap);
        out.extend_from_slice(header.raw_name);
        let gap = &m.as_bytes()[out.len()..at(header.value)];
        assert!(gap.iter().all(|b| b" \t:\r\n".contains(b)), "{gap:?}");
        out.extend_from_slice(gap);
        out.extend_from_slice(header.value);
    }
    let body = m.as_bytes().len() - m.body().len();
    out.extend_from_slice(&m.as_bytes()[out.len()..body]);
    out.extend_from_slice(m.body());
    out
}

fn corpus() -> Vec<Vec<u8>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut paths: Vec<_> = ["messages", "rfc4475"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "sip" || e == "dat"))
        .collect();
    paths.sort();
    assert_eq!(paths.len(), 60);
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// A message of the corpus with a few bytes changed, left out or doubled.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..5_u8, any::<u8>()), 0..12);
    (prop::sample::select(corpus()), edits).prop_map(|(mut text, edits)| {
        for (index, kind, byte) in edits {
            if text.is_empty() {
                break;
            }
            let at = index.index(text.len());
            match kind {
                0 => text[at] = byte,
                1 => drop(text.remove(at)),
                2 => text.insert(at, b"\r\n\t \"<>;,=:@?%\\"[usize::from(byte) % 15]),
                3 => text.truncate(at),
                _ => text.extend_from_within(at..(at + usize::from(byte)).min(text.len())),
            }
        }
        text
    })
}

fn method() -> impl Strategy<Value = String> {
    prop_oneof![Just("INVITE".to_owned()), Just("REGISTER".to_owned()), "[A-Za-z0-9.!%*_+`'~-]{1,20}"]
}

fn header() -> impl Strategy<Value = (String, Vec<u8>)> {
    let value = prop::collection::vec(prop_oneof![0x20..0x7f_u8, 0x80..=0xff_u8, Just(b'\t')], 0..60);
    ("X-[A-Za-z0-9.!%*_+`'~-]{0,20}", value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn what_the_builder_writes_parses_to_the_same(
        method in method(),
        user in "[a-z0-9._~!$&'()*+,;=?/-]{1,12}",
        headers in prop::collection::vec(header(), 0..40),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let uri = format!("sip:{user}@example.com");
        let mut builder = Builder::request(Method::from_bytes(method.as_bytes()), &uri);
        for (name, value) in &headers {
            builder = builder.header_named(name, value);
        }
        let built = builder.body("application/octet-stream", &body).build().unwrap();
        let again = parse(built.as_bytes()).unwrap();
        prop_assert_eq!(again.as_bytes(), built.as_bytes());
        prop_assert_eq!(again.method().unwrap().as_bytes(), method.as_bytes());
        prop_assert_eq!(again.request_uri_bytes().unwrap(), uri.as_bytes());
        prop_assert_eq!(again.request_uri().unwrap().unwrap().user().unwrap(), user.as_bytes());
        let all: Vec<_> = again.headers().collect();
        prop_assert_eq!(all.len(), headers.len() + 2);
        for (header, (name, value)) in all.iter().zip(&headers) {
            prop_assert_eq!(header.raw_name, name.as_bytes());
            prop_assert_eq!(header.value, value.trim_ascii());
        }
        prop_assert_eq!(again.body(), &body[..]);
    }

    #[test]
    fn nothing_that_the_builder_takes_makes_a_second_header(name in ".{0,8}", value in ".{0,20}", bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        for value in [value.as_bytes(), &bytes] {
            let built = Builder::request(Method::Options, "sip:h").header_named(&name, value).build();
            if let Ok(message) = built {
                prop_assert_eq!(message.headers().count(), 2);
                prop_assert_eq!(message.body(), b"");
            }
        }
    }

    #[test]
    fn what_parses_prints_back_byte_for_byte(text in mutated()) {
        if let Ok(message) = parse(&text) {
            prop_assert_eq!(printed(&message), message.as_bytes());
            let start = text.iter().take_while(|b| b"\r\n".contains(b)).count();
            prop_assert!(text[start..].starts_with(message.as_bytes()));
            prop_assert!(parse(message.as_bytes()).is_ok());
        }
    }

    #[test]
    fn any_split_of_a_stream_gives_the_same(picks in prop::collection::vec((0..11_usize, 0..4_usize), 1..6), cuts in prop::collection::vec(1..400_usize, 1..40)) {
        let corpus = corpus();
        let mut stream = Vec::new();
        let (mut wanted, mut pings) = (Vec::new(), 0);
        for (pick, keep_alives) in picks {
            for _ in 0..keep_alives {
                stream.extend_from_slice(b"\r\n\r\n");
                pings += 1;
            }
            stream.extend_from_slice(&corpus[pick]);
            wanted.push(corpus[pick].clone());
        }
        let mut decoder = StreamDecoder::new(Limits::default());
        let (mut seen, mut seen_pings) = (Vec::new(), 0);
        let mut rest = &stream[..];
        for cut in cuts.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            rest = after;
            decoder.push(piece);
            while let Some(item) = decoder.next().unwrap() {
                match item {
                    StreamItem::Message(m) => seen.push(m.as_bytes().to_vec()),
                    StreamItem::Ping => seen_pings += 1,
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
        prop_assert_eq!((seen, seen_pings), (wanted, pings));
        prop_assert!(decoder.pending().is_empty());
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300), text in mutated(), marks in r#"[sip:@<>;,="\\ \r\n\t%a-f0-9\[\].*/?-]{0,60}"#) {
        ask_everything(&bytes);
        ask_everything(&text);
        ask_everything(marks.as_bytes());
        let mut decoder = StreamDecoder::new(Limits::default());
        for piece in text.chunks(7) {
            decoder.push(piece);
            while let Ok(Some(_)) = decoder.next() {}
        }
    }

    #[test]
    fn no_secret_is_left(secret in "[A-Za-z0-9]{12,40}", noise in mutated(), quoted in any::<bool>()) {
        let quote = if quoted { "\"" } else { "" };
        for text in [
            format!("Authorization: Digest username=\"a\", response={quote}{secret}{quote}, nc=00000001\r\n"),
            format!("Proxy-Authorization:  Digest RESPONSE = {quote}{secret}{quote}\r\n"),
            format!("Authorization: Basic {secret}==\r\n"),
            format!("authorization : Bearer\r\n {secret}\r\n"),
            format!("Contact: <sips:alice:{secret}@example.com;transport=tls>\r\n"),
            format!("Cookie: sid={secret}\r\n"),
            format!("\r\n\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{secret}\r\n"),
        ] {
            let mut message = noise.clone();
            message.extend_from_slice(b"\r\n");
            message.extend_from_slice(text.as_bytes());
            let masked = redact(&message);
            prop_assert!(memchr::memmem::find(&masked, secret.as_bytes()).is_none(), "{}", String::from_utf8_lossy(&masked));
        }
    }
}

/// The values of a list that is no header: nothing has been trimmed.
fn contacts(mut text: &[u8]) -> usize {
    let mut seen = 0;
    while let Ok((_, rest)) = Contact::parse_first(text) {
        (text, seen) = (rest, seen + 1);
    }
    seen
}

/// Each header once.
fn read_once(m: &Message) -> usize {
    let mut seen = m.vias().count() + m.contacts().count() + usize::from(m.check_mandatory().is_ok());
    seen += m.addresses(HeaderName::Route).count() + m.challenges(HeaderName::WwwAuthenticate).count();
    seen += m.addresses(HeaderName::Other).count() + m.tokens(HeaderName::Allow).count();
    seen += m.parts(&Limits::default()).map_or(0, |parts| parts.map_or(0, Iterator::count));
    seen += m.history().count() + m.diversions().count() + usize::from(m.asserted_identity().is_some());
    seen += m.with_top_via(b"SIP/2.0/UDP h").body().len();
    seen + m.with_received_from("198.51.100.7:5060".parse().unwrap()).body().len()
}

/// 64 KB of the nastiest bytes cost no more per byte than ten times the ordinary ones: quadratic work would be thousands of times over.
#[test]
fn time_is_linear_in_nasty_input() {
    const SIZE: usize = 64_000;
    let fill = |unit: &str| unit.repeat(SIZE / unit.len());
    let request = |headers: &str| format!("OPTIONS sip:h SIP/2.0\r\n{headers}\r\n\r\n");
    let limits = Limits::default();
    // Nothing is cut short by a limit.
    let mut wide = limits;
    (wide.message_size, wide.header_count, wide.header_length) = (1 << 20, 1 << 20, 1 << 20);
    let nasty = [
        fill("\r\n"),
        fill("a"),
        fill(" \r\n"),
        fill("\r"),
        request(&format!("Via: {}", fill("SIP/2.0/UDP h,"))),
        request(&format!("Via: {}", fill("\r\n "))),
        request(&format!("To: {}", fill("\""))),
        request(&format!("To: {}", fill("\\\""))),
        request(&format!("To: {}", fill("a "))),
        request(&format!("To: <sip:a>{}", fill(";a=b"))),
        request(&format!("To: <sip:a>{}", fill(" ;"))),
        request(&format!("To: {}", fill("<sip:a>,"))),
        request(&format!("WWW-Authenticate: {}", fill("a=b,"))),
        request(&format!("WWW-Authenticate: Digest {}", fill("a b,"))),
        request(&fill("a:\r\n")),
        request(&fill("Content-Length: 0\r\n")),
        request(&fill("P-Access-Network-Infx:\r\n")),
        request(&fill("a:\r\n b\r\n")),
        request(&format!("Diversion: {}", fill("<sip:a>;counter=1,"))),
        request(&format!("History-Info: <sip:a?{}>;index=1", fill("a=%41&"))),
        request(&format!("c: multipart/mixed;boundary=-\r\n\r\n{}", fill("-"))),
        request(&format!("c: multipart/mixed;boundary=-\r\n\r\n{}", fill("---\n"))),
        request(&format!("c: multipart/mixed;boundary=b\r\n\r\n--b\r\n{}", fill("\n--b "))),
        request(&format!("c: multipart/mixed;boundary=\"{}\"\r\n\r\n{}", "-".repeat(70), fill("-"))),
        format!("{}{}", "<sip:a>,".repeat(SIZE / 16), " ".repeat(SIZE / 2)),
        fill("sip:a:b@"),
        fill("sip:a:"),
        fill("@:"),
        fill("response="),
        fill("response = \""),
        fill("Basic "),
        fill("Call-ID:\r\n"),
        fill("="),
    ];
    let ordinary: Vec<u8> = corpus().into_iter().take(11).flatten().collect();
    let cost = |text: &[u8]| -> Duration {
        let run = || {
            let start = processor_time();
            if let Ok(m) = Message::parse(Bytes::copy_from_slice(text), &wide) {
                std::hint::black_box(read_once(&m));
            }
            std::hint::black_box((redact(text).len(), call_id_of(text), NameAddr::parse_first(text).is_ok()));
            std::hint::black_box((
                Challenge::parse_first(text).is_ok(),
                Via::parse_first(text).is_ok(),
                Uri::parse(text).is_ok(),
                contacts(text),
            ));
            let mut decoder = StreamDecoder::new(limits);
            for piece in text.chunks(16) {
                decoder.push(piece);
                while let Ok(Some(_)) = decoder.next() {}
            }
            processor_time() - start
        };
        // The shortest of a few: what else the machine does fills its caches.
        (0..5).map(|_| run()).min().unwrap()
    };
    let one: Duration = {
        let split: Vec<Vec<u8>> = corpus().into_iter().take(11).collect();
        (0..5).map(|_| split.iter().map(|m| cost(m)).sum()).min().unwrap()
    };
    let per_byte = one.as_nanos() as f64 / ordinary.len() as f64;
    let mut worst = (0.0, "");
    for text in &nasty {
        let ratio = cost(text.as_bytes()).as_nanos() as f64 / text.len() as f64 / per_byte;
        assert!(ratio < 10.0, "{ratio:.1} times the ordinary cost: {:?}...", &text[..60.min(text.len())]);
        if ratio > worst.0 {
            worst = (ratio, &text[..60.min(text.len())]);
        }
    }
    println!("{:.1} times the ordinary cost at most: {:?}...", worst.0, worst.1);
}
