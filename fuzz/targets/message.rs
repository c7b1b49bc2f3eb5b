//! Whatever comes in a datagram: parsed, asked for everything, redacted, and given on. Nothing may panic, and what is kept is what came.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ringback::message::{Message, redact};
use ringback::syntax::{HeaderName, Limits};

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let redacted = redact(data);
    let Ok(message) = Message::parse(Bytes::copy_from_slice(data), &limits) else { return };
    assert!(message.as_bytes().len() <= data.len());
    assert_eq!(message.is_request(), message.status().is_none());
    ask_for_everything(&message);
    // What goes to another peer is read there as here.
    let plain = message.without_stray_cr();
    assert!(!has_stray_cr(&plain) && plain.as_bytes().len() == message.as_bytes().len());
    let names =
        |message: &Message| message.headers().map(|header| header.raw_name.to_vec()).collect::<Vec<_>>();
    assert_eq!(names(&plain), names(&message));
    if message.is_request() {
        let sent = message.with_top_via(b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKfuzz;rport");
        let via = sent.top_via().expect("our own Via stands first");
        assert_eq!(via.branch(), Some(&b"z9hG4bKfuzz"[..]));
        assert_eq!(sent.body(), message.body());
        assert!(sent.headers().count() == message.headers().count() + 1 && !has_stray_cr(&sent));
        let _ = message.with_received_from(([192, 0, 2, 9], 40_000).into());
    }
    // A redacted message is still one: a report shows what was there. Of a request to a URI that is none nothing is promised.
    if redacted.len() > 65_535 || message.request_uri().is_some_and(|uri| uri.is_err()) {
        return;
    }
    // What stands for a secret may be longer than it.
    let mut wider = limits;
    (wider.header_length, wider.message_size) = (2 * limits.header_length, 2 * limits.message_size);
    let again = Message::parse(Bytes::copy_from_slice(&redacted), &wider).expect("a redacted message parses");
    assert_eq!(again.headers().count(), message.headers().count());
});

/// Is there a CR in the head that no LF follows?
fn has_stray_cr(message: &Message) -> bool {
    let head = &message.as_bytes()[..message.as_bytes().len() - message.body().len()];
    head.windows(2).any(|two| two[0] == b'\r' && two[1] != b'\n')
}

fn ask_for_everything(message: &Message) {
    let _ = (message.method(), message.request_uri(), message.reason(), message.body());
    let _ = (message.from(), message.to(), message.call_id(), message.cseq(), message.top_via());
    let _ = message.check_mandatory();
    // Each list ends, also when an element is broken.
    let most = message.as_bytes().len();
    assert!(message.vias().count() <= most);
    assert!(message.contacts().count() <= most);
    for name in [HeaderName::Route, HeaderName::RecordRoute, HeaderName::Path, HeaderName::ServiceRoute] {
        assert!(message.addresses(name).count() <= most);
    }
    for name in [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate] {
        for challenge in message.challenges(name).flatten() {
            assert!(challenge.params.iter().count() <= most);
        }
    }
    for name in [HeaderName::Supported, HeaderName::Require, HeaderName::Allow] {
        assert!(message.tokens(name).count() <= most);
    }
    let _ = (message.seconds(HeaderName::Expires), message.seconds(HeaderName::MinExpires));
    let _ = format!("{message:?}");
}
