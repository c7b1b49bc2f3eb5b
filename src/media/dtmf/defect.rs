//! The names of what can be wrong with digits.
use super::method::DtmfMethod;
use crate::media::digit::Digit;

/// By what a digit came a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum By {
    /// Its tones are in the audio as well (failure D04).
    InBand,
    /// A SIP INFO came as well (failure D04).
    Info,
    /// A telephone event came as well.
    Rfc4733,
    /// Its event began again under another timestamp (failure D05).
    Restart,
    /// It came twice by the same way, each a press of its own.
    Repeat,
}

/// What is wrong with a digit; positions count the sent digits from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "json",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "kind", rename_all = "kebab-case")
)]
pub enum Defect {
    /// None of the digits came by any way.
    NothingArrived,
    /// Sent one way, arrived another: legal, and reported.
    Converted {
        /// The way it was sent.
        from: DtmfMethod,
        /// The way it arrived.
        to: DtmfMethod,
    },
    /// It did not come.
    Lost {
        /// Which.
        position: usize,
    },
    /// It came as one with the equal digit before it (failure D06).
    Merged {
        /// Which.
        position: usize,
    },
    /// It came more than once.
    Doubled {
        /// Which.
        position: usize,
        /// By what.
        by: By,
    },
    /// It and the next came in the wrong order.
    Swapped {
        /// The first of the two.
        position: usize,
    },
    /// Another digit came in its place.
    Changed {
        /// Which.
        position: usize,
        /// What came.
        into: Digit,
    },
    /// A digit came that was never sent.
    Invented {
        /// Before which of the sent digits.
        before: usize,
        /// What came.
        digit: Digit,
    },
    /// An event came that is no digit (failure D19).
    NoDigit {
        /// Its code.
        event: u8,
    },
    /// It was shorter than 40 ms (failure D09).
    Shortened {
        /// Which.
        position: usize,
        /// Its length in milliseconds.
        milliseconds: u32,
    },
    /// It was quieter than -36 dBm0 (failure D09).
    TooQuiet {
        /// Which.
        position: usize,
    },
    /// Its event had no end packet (failure D08).
    NoEndPacket {
        /// Which.
        position: usize,
    },
    /// Its event had no marker on the first packet (failure D07).
    NoMarker {
        /// Which.
        position: usize,
    },
    /// Its event came with a payload type that was not asked for (failure D02).
    WrongPayloadType {
        /// Which.
        position: usize,
        /// What came.
        payload_type: u8,
    },
    /// Its duration ran on another clock (failure D03).
    WrongClockRate {
        /// Which.
        position: usize,
        /// The clock as it was measured.
        hz: u32,
    },
    /// Its event came from another source than the voice (failure D10).
    AnotherSsrc {
        /// Which.
        position: usize,
    },
    /// Its event came from another address than the voice.
    AnotherAddress {
        /// Which.
        position: usize,
    },
    /// Its event shares its RTP timestamp with that of another digit (RFC 4733 sec. 2.2.1), or begins before that one's end.
    SharedTimestamp {
        /// Which.
        position: usize,
    },
    /// It came long after it was sent.
    Late {
        /// Which.
        position: usize,
        /// Time from its sending to its arrival, in milliseconds.
        milliseconds: u32,
        /// Digits that were sent after it came before it.
        is_overtaken: bool,
    },
    /// Long times without a packet within its event (RFC 4733 sec. 2.5.1.2).
    SparseUpdates {
        /// Which.
        position: usize,
        /// The longest of them, in milliseconds.
        milliseconds: u32,
    },
    /// Its tones came in pieces, too close together for two presses.
    Broken {
        /// Which.
        position: usize,
        /// The time between two of the pieces, in milliseconds.
        milliseconds: u32,
    },
}

impl Defect {
    /// Whether it is only worth telling: the digits arrived, each for itself and in their order.
    pub fn is_legal(self) -> bool {
        matches!(
            self,
            Defect::Converted { .. }
                | Defect::SharedTimestamp { .. }
                | Defect::Late { is_overtaken: false, .. }
                | Defect::SparseUpdates { .. }
                | Defect::Broken { .. }
        )
    }
    /// The sent digit that it is about; `None` where it is about all of them, or about one that was never sent.
    pub fn position(self) -> Option<usize> {
        match self {
            Defect::NothingArrived
            | Defect::Converted { .. }
            | Defect::NoDigit { .. }
            | Defect::Invented { .. } => None,
            Defect::Lost { position }
            | Defect::Merged { position }
            | Defect::Doubled { position, .. }
            | Defect::Swapped { position }
            | Defect::Changed { position, .. }
            | Defect::Shortened { position, .. }
            | Defect::TooQuiet { position }
            | Defect::NoEndPacket { position }
            | Defect::NoMarker { position }
            | Defect::WrongPayloadType { position, .. }
            | Defect::WrongClockRate { position, .. }
            | Defect::AnotherSsrc { position }
            | Defect::AnotherAddress { position }
            | Defect::SharedTimestamp { position }
            | Defect::Late { position, .. }
            | Defect::SparseUpdates { position, .. }
            | Defect::Broken { position, .. } => Some(position),
        }
    }
    /// The digit at which it is told, counted from 1; what is about all of them comes first.
    pub(super) fn place(self) -> usize {
        match self {
            Defect::Invented { before, .. } => before + 1,
            defect => defect.position().map_or(0, |position| position + 1),
        }
    }
}
