//! A stream gives the same messages however it is cut into reads. The first bytes say where it is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringback::message::{StreamDecoder, StreamItem};
use ringback::syntax::Limits;

/// What a stream held, keep-alives too, and whether it broke. With `ping` we sent a ping before it.
fn items<'a>(pieces: impl Iterator<Item = &'a [u8]>, ping: bool) -> (Vec<(char, Vec<u8>)>, bool) {
    let mut limits = Limits::default();
    limits.message_size = 2_048;
    let mut decoder = StreamDecoder::new(limits);
    if ping {
        decoder.ping_sent();
    }
    let mut found = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next() {
                Ok(Some(StreamItem::Message(message))) => found.push(('m', message.as_bytes().to_vec())),
                Ok(Some(StreamItem::Malformed { bytes, .. })) => found.push(('x', bytes.to_vec())),
                Ok(Some(StreamItem::Ping)) => found.push(('i', Vec::new())),
                Ok(Some(StreamItem::Pong)) => found.push(('o', Vec::new())),
                Ok(None) => break,
                Err(_) => return (found, true),
            }
        }
        assert!(decoder.pending().len() <= 2_048 + piece.len());
    }
    (found, false)
}

fuzz_target!(|data: &[u8]| {
    let Some((cuts, stream)) = data.split_at_checked(8) else { return };
    let ping = cuts[0] % 2 == 1;
    let whole = items(std::iter::once(stream), ping);
    assert!(whole.0.iter().filter(|(kind, _)| *kind == 'o').count() <= usize::from(ping));
    let mut rest = stream;
    let mut cut = 0;
    let pieces = std::iter::from_fn(|| {
        if rest.is_empty() {
            return None;
        }
        let length = (usize::from(cuts[cut % cuts.len()]) + 1).min(rest.len());
        cut += 1;
        let (piece, left) = rest.split_at(length);
        rest = left;
        Some(piece)
    });
    assert_eq!(items(pieces, ping), whole);
    assert_eq!(items(stream.chunks(1), ping), whole);
});
