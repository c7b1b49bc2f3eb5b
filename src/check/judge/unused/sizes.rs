//! Sizes of requests over UDP: paths drop datagrams that are too large for them.

use super::LARGE;
use crate::transport::{Direction, Record, RecordEvent};

/// Sizes of requests over UDP: of the one that was sent last, and the largest of those that were answered.
pub(in crate::check) fn sizes(records: &[Record]) -> (usize, usize) {
    let branch = |bytes: &bytes::Bytes| crate::message::branch_of(bytes).map(<[u8]>::to_vec);
    let mut sent: Vec<(Vec<u8>, usize, bool)> = Vec::new();
    for record in records {
        let RecordEvent::Message { direction, bytes, retransmission } = &record.event else { continue };
        let Some(branch) = branch(bytes) else { continue };
        match direction {
            Direction::Sent if *retransmission == 0 && !bytes.starts_with(b"SIP/") => {
                sent.push((branch, bytes.len(), false));
            }
            Direction::Received => {
                sent.iter_mut()
                    .filter(|(ours, ..)| *ours == branch)
                    .for_each(|(_, _, answered)| *answered = true);
            }
            Direction::Sent => {}
        }
    }
    let last = sent.iter().rfind(|(_, _, answered)| !answered).map_or(0, |(_, size, _)| *size);
    let answered = sent.iter().filter(|(_, _, answered)| *answered).map(|(_, size, _)| *size).max();
    (last, answered.unwrap_or_default())
}

/// A request of this size got no answer, and smaller ones did: the path drops it.
pub(in crate::check) fn is_dropped_for_its_size((last, answered): (usize, usize)) -> bool {
    last > LARGE && answered > 0 && answered < last
}
