//! What the builder takes and writes. Lines of the input are `name:value`; the first is the Request-URI, what follows an empty one the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringback::message::{Builder, Message};
use ringback::syntax::{Limits, Method};

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|&b| b == b'\n');
    let mut builder = Builder::request(Method::Options, lines.next().unwrap_or_default());
    let mut headers = Vec::new();
    let mut body = Vec::new();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            body = lines.collect::<Vec<_>>().join(&b'\n');
            break;
        }
        let mut parts = line.splitn(2, |&b| b == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { continue };
        let Ok(name) = std::str::from_utf8(name) else { continue };
        builder = builder.header_named(name, value);
        headers.push((name, value));
    }
    let Ok(built) = builder.body("text/plain", &body).build() else { return };
    let again = Message::parse(built.bytes().clone(), &Limits::default()).expect("what was built parses");
    assert_eq!(again.headers().count(), headers.len() + 2);
    for (header, (name, value)) in again.headers().zip(headers) {
        assert_eq!((header.raw_name, header.value), (name.as_bytes(), value.trim_ascii()));
    }
    assert_eq!(again.body(), body);
    assert_eq!(again.as_bytes(), built.as_bytes());
    if let Ok(response) = Builder::response(&again, 200, "OK", Some("tag")).build() {
        assert_eq!(response.vias().count(), again.vias().count());
    }
});
