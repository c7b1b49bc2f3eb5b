//! RTP, telephone events, tones and their detection, stream statistics, and the comparison of digits sent with digits received. Knows no SIP.
//!
//! | module | what it knows |
//! |---|---|
//! | [`rtp`], [`rtcp`] | packets and reports, read and written |
//! | [`g711`] | A-law and mu-law |
//! | [`digit`] | the sixteen digits and the strings in which they are asked for |
//! | [`tone`], [`goertzel`] | tones made, and how much of a tone is in a block |
//! | [`dtmf_detector`] | digits in the audio |
//! | [`party_tone`] | who hears whom |
//! | [`telephone_event`] | RFC 4733, both machines |
//! | [`stats`] | loss, order, jitter, gaps |
//! | [`stream`] | all of it together: one stream of a call |
//! | [`dtmf`] | what was sent against what arrived: the defects and their names |
//!
//! Everything is bounded, nothing reads a clock: time is an argument, sources and sequence numbers come from
//! [`Ids`](crate::message::Ids). Sound is linear, 16 bits, 8,000 samples a second.
//!
//! ```
//! use ringback::media::digit::Digit;
//! use ringback::media::dtmf_detector::DtmfDetector;
//! use ringback::media::g711::Law;
//! use ringback::media::tone::Tone;
//!
//! let mut sound = Vec::new();
//! for digit in "159#".chars().filter_map(Digit::from_char) {
//!     Tone::digit(digit).write(800, &mut sound);
//!     sound.resize(sound.len() + 800, 0);
//! }
//! let (mut detector, mut heard) = (DtmfDetector::new(), Vec::new());
//! for packet in sound.chunks(160) {
//!     let through: Vec<i16> = packet.iter().map(|&sample| Law::Mu.decode(Law::Mu.encode(sample))).collect();
//!     detector.feed(&through, &mut heard);
//! }
//! let digits: String = heard.iter().map(|heard| heard.digit.character()).collect();
//! assert_eq!(digits, "159#");
//! ```

pub mod digit;
pub mod dtmf;
pub mod dtmf_detector;
pub mod g711;
pub mod goertzel;
pub mod noise;
pub mod party_tone;
pub mod rtcp;
pub mod rtp;
pub mod stats;
pub mod stream;
pub mod telephone_event;
pub mod tone;
#[cfg(feature = "wav")]
pub mod wav;
