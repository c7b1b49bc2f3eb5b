//! The data of an outcome beside findings and steps, where a check has more to tell programs.

use super::{DtmfResult, ForkResult, HoldResult, RegisterResult, TransferResult};
use crate::check::Name;

/// The result of a check, by kind of check.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Details {
    /// Results of digits, for each method in the order in which they were sent.
    Dtmf(Vec<DtmfResult>),
    /// The result of a transfer.
    Transfer(Box<TransferResult>),
    /// The result of a check of forking.
    Fork(Box<ForkResult>),
    /// The result of a hold.
    Hold(Box<HoldResult>),
    /// The bindings.
    Register(RegisterResult),
    /// The result of an embedder's own check.
    Other(Other),
}

/// The result of an embedder's own check, in a form that only the embedder knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Other {
    /// Names the form, e.g. `acme.voicemail/1`.
    pub name: Name,
    /// The data as text, e.g. JSON. Reports write it as it is: no secrets.
    pub text: String,
}

impl Other {
    /// Data with the name of its form.
    pub fn new(name: impl Into<Name>, text: impl Into<String>) -> Other {
        Other { name: name.into(), text: text.into() }
    }
}

impl From<DtmfResult> for Details {
    fn from(result: DtmfResult) -> Details {
        Details::Dtmf(vec![result])
    }
}

impl From<Vec<DtmfResult>> for Details {
    fn from(results: Vec<DtmfResult>) -> Details {
        Details::Dtmf(results)
    }
}

impl From<TransferResult> for Details {
    fn from(result: TransferResult) -> Details {
        Details::Transfer(Box::new(result))
    }
}

impl From<ForkResult> for Details {
    fn from(result: ForkResult) -> Details {
        Details::Fork(Box::new(result))
    }
}

impl From<HoldResult> for Details {
    fn from(result: HoldResult) -> Details {
        Details::Hold(Box::new(result))
    }
}

impl From<RegisterResult> for Details {
    fn from(result: RegisterResult) -> Details {
        Details::Register(result)
    }
}

impl From<Other> for Details {
    fn from(other: Other) -> Details {
        Details::Other(other)
    }
}
