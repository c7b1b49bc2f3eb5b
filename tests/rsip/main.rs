//! Conversions to and from rsip, and rsip as an oracle: what both read alike, and where it is known to differ.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod compare;
mod conversion;
mod defects;
mod difference;
mod generate;
mod known;

use bytes::Bytes;
use ringback::message::Message;
use ringback::syntax::Limits;

fn parse(text: impl AsRef<[u8]>) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_ref()), &Limits::default()).unwrap()
}

/// The messages of `tests/data/messages`, by file name.
fn messages() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/messages");
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .filter(|(name, _)| name.ends_with(".sip"))
        .collect();
    found.sort();
    assert!(found.len() >= 11, "{} messages in {folder}", found.len());
    found
}
