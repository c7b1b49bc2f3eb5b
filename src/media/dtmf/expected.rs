//! What was sent, and what is known of the way that it went.

use super::around::Around;
use super::method::DtmfMethod;
use crate::media::digit::Digit;
use std::time::{Duration, Instant};

/// Above this loss a defect may be the path's and not the platform's.
pub(super) const LOSSY: f64 = 0.10;
/// How exactly the beginning of a tone is measured.
pub(super) const EXACT: Duration = Duration::from_millis(100);

/// What the far end should have seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// How the digits were sent.
    pub way: DtmfMethod,
    /// The digits in their order.
    pub digits: Vec<Digit>,
    /// Length of each of them.
    pub duration: Duration,
    /// When each of them began to be sent; empty where that is not known.
    pub sent_at: Vec<Instant>,
    /// The payload type that the far end asked for, where it did.
    pub payload_type: Option<u8>,
    /// The clock rate agreed on for telephone events.
    pub clock_rate_hz: u32,
    /// The voice around the digits, as the far end received it.
    pub around: Around,
    /// Digits that were sent before these and had not come when these began: they may still come.
    pub owed: Vec<Digit>,
}

impl Expected {
    /// Digits of one duration by one way at 8,000 Hz; nothing known of times, payload type and source, and no loss.
    pub fn new(way: DtmfMethod, digits: Vec<Digit>, duration: Duration) -> Expected {
        Expected {
            way,
            digits,
            duration,
            sent_at: Vec::new(),
            payload_type: None,
            clock_rate_hz: 8_000,
            around: Around::default(),
            owed: Vec::new(),
        }
    }
    /// Whether so much of the voice was lost that what is missing says nothing of the platform.
    pub(super) fn is_lossy(&self) -> bool {
        self.around.loss > LOSSY
    }
}
