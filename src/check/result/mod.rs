//! The results of checks, as data for programs: no logic, and no check is named.

mod details;
mod dtmf;
mod fork;
mod hold;
mod register;
mod transfer;

pub use details::{Details, Other};
pub use dtmf::DtmfResult;
pub use fork::{ForkReleased, ForkResult, ForkRung, ForkTrial, ForkTrialResult, RingOrder, SecondCall};
pub use hold::{HeardOnHold, HoldResult};
pub use register::{Bound, RegisterResult};
pub use transfer::{Heard, Identity, Sees, Shown, TransferKind, TransferResult};
