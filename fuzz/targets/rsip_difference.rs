//! What both parsers read they read alike, but for the known deviations; and what rsip's types can hold comes back as it went.
#![no_main]

// Not all of what the tests share is used here.
#[allow(dead_code)]
#[path = "../../tests/rsip/compare.rs"]
mod compare;
#[allow(dead_code)]
#[path = "../../tests/rsip/known.rs"]
mod known;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ringback::message::Message;
use ringback::syntax::Limits;
use rsip::SipMessage;

fuzz_target!(|data: &[u8]| {
    compare::differences(data, |case| {
        let known = case.explanation();
        assert!(known.is_some(), "{:?}: ours {:?}, rsip's {:?}", case.field, case.ours, case.theirs);
    });
    let Ok(message) = Message::parse(Bytes::copy_from_slice(data), &Limits::default()) else { return };
    let Ok(theirs) = SipMessage::try_from(&message) else { return };
    // Control characters in a header value, which we read and do not write.
    let Ok(back) = Message::try_from(&theirs) else { return };
    assert_eq!(back.body(), message.body());
    assert_eq!(back.method(), message.method());
    assert_eq!(back.status(), message.status());
    let again = SipMessage::try_from(&back).expect("what went there and back goes there again");
    assert_eq!(without_length(again), without_length(theirs));
});

/// Without Content-Length, which is written anew.
fn without_length(mut message: SipMessage) -> SipMessage {
    use rsip::message::HasHeaders;
    message.headers_mut().retain(|header| !matches!(header, rsip::Header::ContentLength(_)));
    message
}
