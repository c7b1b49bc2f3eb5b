//! The three ways in which a digit travels.

use crate::error::{Argument, Error, Problem};
use std::fmt;
use std::str::FromStr;

/// How a digit travels. As text for people "RFC 4733", "in-band" or "SIP INFO"; [`DtmfMethod::as_str`] gives the name that options and JSON use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum DtmfMethod {
    /// Telephone events in RTP (RFC 4733).
    Rfc4733,
    /// Two tones in the audio (ITU-T Q.23).
    InBand,
    /// SIP INFO (RFC 6086) with a body of type `application/dtmf-relay` or `application/dtmf`.
    Info,
}

impl DtmfMethod {
    /// All, in the order in which a check tries them.
    pub const ALL: [DtmfMethod; 3] = [DtmfMethod::Rfc4733, DtmfMethod::Info, DtmfMethod::InBand];

    /// `rfc4733`, `inband`, `info`.
    pub const fn as_str(self) -> &'static str {
        match self {
            DtmfMethod::Rfc4733 => "rfc4733",
            DtmfMethod::InBand => "inband",
            DtmfMethod::Info => "info",
        }
    }
}

impl fmt::Display for DtmfMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            DtmfMethod::Rfc4733 => "RFC 4733",
            DtmfMethod::InBand => "in-band",
            DtmfMethod::Info => "SIP INFO",
        })
    }
}

impl FromStr for DtmfMethod {
    type Err = Error;

    /// Reads what [`DtmfMethod::as_str`] gives, in any case.
    fn from_str(text: &str) -> Result<DtmfMethod, Error> {
        DtmfMethod::ALL.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text)).ok_or_else(
            || {
                Error::usage(
                    Argument::Method,
                    text,
                    Problem::unknown(DtmfMethod::ALL.map(DtmfMethod::as_str)),
                )
            },
        )
    }
}
