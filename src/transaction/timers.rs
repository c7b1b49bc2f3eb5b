//! Timer values in whole milliseconds, as the machines count them.
use super::Config;
use std::time::{Duration, Instant};

/// A moment: milliseconds since the layer's first moment.
pub(super) type Tick = u64;

/// `now`, which need not be a whole millisecond.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Rounded down: what deadlines are compared with.
    pub(super) down: Tick,
    /// Rounded up: what intervals are counted from. So nothing comes early.
    pub(super) up: Tick,
}

impl Moment {
    /// `now`, counted from `epoch`; what lies before it counts as `epoch`.
    pub(super) fn new(epoch: Instant, now: Instant) -> Moment {
        let nanos = now.saturating_duration_since(epoch).as_nanos();
        let tick = |millis: u128| Tick::try_from(millis).unwrap_or(LONGEST).min(LONGEST);
        Moment { down: tick(nanos / 1_000_000), up: tick(nanos.div_ceil(1_000_000)) }
    }

    /// The deadline of an interval that begins now.
    pub(super) fn after(self, interval: u64) -> Tick {
        self.up.saturating_add(interval)
    }
}

/// A moment that never comes.
pub(super) const NEVER: Tick = Tick::MAX;

/// Upper bound of every configured value (about 34 years), so that sums never overflow.
const LONGEST: u64 = 1 << 40;

/// The configured values, between 1 ms and [`LONGEST`].
#[derive(Debug, Clone)]
pub(super) struct Timers {
    pub(super) t1: u64,
    pub(super) t2: u64,
    pub(super) t4: u64,
    pub(super) d: u64,
    /// 64*T1: timers B, F, H, J, L and M.
    pub(super) limit: u64,
    /// Longest stay of an INVITE transaction in Proceeding.
    pub(super) proceeding: u64,
    /// Time at which an INVITE that nobody answered gets a 100 (RFC 3261 sec. 17.2.1).
    pub(super) trying: u64,
    /// Time at which a client's timer E is reset to T2 for the first time (RFC 4320 sec. 4.1).
    pub(super) e_at_t2: u64,
}

impl Timers {
    pub(super) fn new(config: &Config) -> Timers {
        let t1 = millis(config.t1);
        let t2 = millis(config.t2);
        let mut interval = t1.min(t2);
        let mut e_at_t2 = interval;
        while interval.saturating_mul(2) < t2 {
            interval *= 2;
            e_at_t2 += interval;
        }
        Timers {
            t1,
            t2,
            t4: millis(config.t4),
            d: millis(config.d),
            limit: t1 * 64,
            proceeding: millis(config.proceeding),
            trying: 200,
            e_at_t2,
        }
    }

    /// T1, doubled this number of times.
    pub(super) fn doubled(&self, times: u32) -> u64 {
        1_u64.checked_shl(times).map_or(u64::MAX, |factor| self.t1.saturating_mul(factor))
    }
}

/// Whole milliseconds, rounded up, at least one: an interval of zero would send without end.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(LONGEST).clamp(1, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timers(t1: u64, t2: u64) -> Timers {
        Timers::new(&Config {
            t1: Duration::from_millis(t1),
            t2: Duration::from_millis(t2),
            ..Config::default()
        })
    }

    #[test]
    fn timer_e_reaches_t2_after_three_and_a_half_seconds_by_default() {
        // It fires at 500, 1,500 and 3,500 ms; at the last it is reset to 4 s.
        assert_eq!(timers(500, 4_000).e_at_t2, 3_500);
    }

    #[test]
    fn timer_e_reaches_t2_at_its_first_firing_when_t1_is_not_below_t2() {
        assert_eq!(timers(500, 500).e_at_t2, 500);
        assert_eq!(timers(500, 100).e_at_t2, 100);
    }

    #[test]
    fn no_duration_is_too_short_or_too_long() {
        let timers = Timers::new(&Config {
            t1: Duration::ZERO,
            t2: Duration::MAX,
            t4: Duration::from_nanos(1),
            ..Config::default()
        });
        assert_eq!((timers.t1, timers.t2, timers.t4, timers.limit), (1, LONGEST, 1, 64));
    }

    #[test]
    fn t1_is_doubled_without_overflow() {
        let timers = timers(500, 4_000);
        assert_eq!([0, 1, 6].map(|times| timers.doubled(times)), [500, 1_000, 32_000]);
        assert_eq!([63, 64, u32::MAX].map(|times| timers.doubled(times)), [u64::MAX; 3]);
    }
}
