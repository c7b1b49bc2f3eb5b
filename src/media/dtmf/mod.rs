//! What was sent and what arrived, compared: each defect of a DTMF path gets its name.
//!
//! ```
//! use ringback::media::digit::Digit;
//! use ringback::media::dtmf::{By, Defect, Expected, Observation, DtmfMethod, judge};
//! use std::time::{Duration, Instant};
//!
//! let start = Instant::now();
//! let digits: Vec<Digit> = "12".chars().filter_map(Digit::from_char).collect();
//! let expected = Expected::new(DtmfMethod::Rfc4733, digits.clone(), Duration::from_millis(100));
//! // Both digits arrive, and each also leaks as tones in the audio (failure D04).
//! let mut observed = Vec::new();
//! for (n, digit) in digits.into_iter().enumerate() {
//!     let at = start + Duration::from_millis(200 * n as u64);
//!     observed.push(Observation::new(DtmfMethod::Rfc4733, digit, at, Some(Duration::from_millis(100))));
//!     observed.push(Observation::new(DtmfMethod::InBand, digit, at, Some(Duration::from_millis(90))));
//! }
//! let judged = judge(&expected, &observed);
//! assert_eq!(judged.received, "12");
//! assert_eq!(judged.defects, [Defect::Doubled { position: 0, by: By::InBand }, Defect::Doubled { position: 1, by: By::InBand }]);
//! ```

mod align;
mod around;
mod defect;
mod expected;
mod judge;
mod matches;
mod method;
mod observation;
mod rows;

pub use around::{Around, Window};
pub use defect::{By, Defect};
pub use expected::Expected;
pub use judge::{Comparison, DigitResult, judge};
pub use method::DtmfMethod;
pub use observation::{Observation, Rtp};

#[cfg(test)]
mod tests;
