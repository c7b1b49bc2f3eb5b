//! Payload types of voice that were agreed on, and packets of others.

use std::time::{Duration, Instant};

/// Time for which packets may still come as they were agreed on before: they were on their way, or are of another early dialog.
const SWITCHING: Duration = Duration::from_secs(1);
/// Payload types that are told apart.
pub const MAX_PAYLOAD_TYPES: usize = 8;

/// What may come, and how much of something else did.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    /// Nothing is known where it is empty.
    agreed: Vec<u8>,
    /// What was agreed on until then.
    before: Option<(Vec<u8>, Instant)>,
    others: Vec<(u8, u64)>,
}

impl Payloads {
    pub(super) fn new(agreed: &[u8]) -> Payloads {
        Payloads { agreed: agreed.to_vec(), ..Payloads::default() }
    }
    /// From now on these may come.
    pub(super) fn agree(&mut self, now: Instant, agreed: Vec<u8>) {
        if agreed != self.agreed {
            self.before = Some((std::mem::replace(&mut self.agreed, agreed), now));
        }
    }
    /// Takes the payload type of a packet of voice.
    pub(super) fn take(&mut self, now: Instant, payload_type: u8) {
        let was_agreed = |(before, until): &(Vec<u8>, Instant)| {
            now.saturating_duration_since(*until) < SWITCHING
                && (before.is_empty() || before.contains(&payload_type))
        };
        let is_agreed = self.agreed.is_empty() || self.agreed.contains(&payload_type);
        if is_agreed || self.before.as_ref().is_some_and(was_agreed) {
            return;
        }
        if let Some((_, packets)) = self.others.iter_mut().find(|(other, _)| *other == payload_type) {
            *packets += 1;
        } else if self.others.len() < MAX_PAYLOAD_TYPES {
            self.others.push((payload_type, 1));
        }
    }
    /// Payload types that were not agreed on, with the packets of each.
    pub(super) fn others(&self) -> &[(u8, u64)] {
        &self.others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_agreed_on_is_counted_and_what_was_on_its_way_is_not() {
        let (start, mut payloads) = (Instant::now(), Payloads::new(&[8]));
        let at = |ms| start + Duration::from_millis(ms);
        payloads.take(at(0), 8);
        assert_eq!(payloads.others(), []);
        payloads.take(at(20), 0);
        payloads.take(at(40), 0);
        payloads.take(at(60), 18);
        assert_eq!(payloads.others(), [(0, 2), (18, 1)]);
        payloads.agree(at(80), vec![0]);
        payloads.take(at(900), 8);
        assert_eq!(payloads.others(), [(0, 2), (18, 1)], "it was on its way");
        payloads.take(at(1_100), 8);
        payloads.take(at(1_100), 0);
        assert_eq!(payloads.others(), [(0, 2), (18, 1), (8, 1)]);
        // The same again is no other agreement.
        payloads.agree(at(1_200), vec![0]);
        payloads.take(at(1_300), 8);
        assert_eq!(payloads.others().last(), Some(&(8, 2)));
    }

    #[test]
    fn where_nothing_is_known_all_may_come_and_there_is_a_limit() {
        let (start, mut unknown) = (Instant::now(), Payloads::default());
        unknown.take(start, 0);
        assert_eq!(unknown.others(), []);
        let mut payloads = Payloads::new(&[8]);
        (20..120).for_each(|other| payloads.take(start, other));
        assert_eq!(payloads.others().len(), MAX_PAYLOAD_TYPES);
    }
}
