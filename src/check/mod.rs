//! One file per question; the answer is always an [`Outcome`].
//!
//! ```no_run
//! use ringback::check::{Account, Probe, Register};
//!
//! # async fn example() -> Result<(), ringback::error::Error> {
//! let probe = Probe::bind("udp:127.0.0.1:0").await?;
//! let alice = Account::new("sip:alice@pbx.example.com", "secret")?;
//! let outcome = probe.check(Register::new(&alice)).await;
//! println!("{outcome}");
//! # Ok(())
//! # }
//! ```

mod account;
mod address;
mod ask;
mod call;
mod cancel;
mod challenged;
mod clean;
mod destination;
mod display;
mod dtmf;
mod fork;
mod hold;
mod interrupted;
pub mod journal;
mod judge;
mod judged;
mod lookup;
mod many;
mod masked;
mod name;
mod named;
mod notebook;
mod outcome;
mod probe;
mod progress;
mod reachable;

mod register;
mod reply;
mod restraint;
mod result;
mod run;
mod scene;
mod step_verdict;
mod target;
mod transfer;
mod wrapped;
pub mod yields;

pub use crate::media::dtmf::DtmfMethod;
pub use account::Account;
pub use call::Call;
pub use cancel::Cancel;
pub use clean::Clean;
pub use destination::Destination;
pub(crate) use display::Printable;
#[cfg(feature = "json")]
pub(crate) use display::is_acting;
pub use dtmf::{Dtmf, MAX_KEYS};
pub use fork::{Fork, MAX_FORK_ENDS};
pub use hold::{Hold, hold_way};
pub use interrupted::Interrupted;
pub use journal::{Abandoned, Journal, Left};
pub use lookup::Lookup;
pub use many::Pace;
pub use name::Name;
pub use notebook::StepMark;
pub use outcome::{
    Fact, Finding, LeftOut, Metric, MetricValue, Outcome, Severity, Side, Step, Transcript, Verdict,
};
pub use probe::{Probe, ProbeConfig};
pub use progress::{Progress, Watched};
pub use reachable::Reachable;
pub use register::Register;
pub use reply::{Answered, Reply, Unreached};
pub use restraint::{Courtesy, Withheld};
pub use result::{
    Bound, Details, DtmfResult, ForkReleased, ForkResult, ForkRung, ForkTrial, ForkTrialResult, Heard,
    HeardOnHold, HoldResult, Identity, Other, RegisterResult, RingOrder, SecondCall, Sees, Shown,
    TransferKind, TransferResult,
};
pub use run::Run;
pub use transfer::{FeatureCode, ReferTo, Transfer, TransferTarget};
pub use wrapped::BoxedCheck;

use std::time::Duration;

/// A question about one subject. Embedders write their own as well: see the example `custom_check`.
pub trait Check: Send + Sync + 'static {
    /// A stable name, e.g. `register`.
    fn name(&self) -> &'static str;

    /// The subject: an AOR, a URI, a name.
    fn subject(&self) -> String;

    /// The accounts that it uses, as the inventory calls them: the one that is asked about, or the caller, first.
    fn accounts(&self) -> Vec<String> {
        Vec::new()
    }

    /// The time for the whole check, cleaning up not counted; the probe's default where this is `None`.
    fn time_limit(&self) -> Option<Duration> {
        None
    }

    /// The time that it takes at least, where all goes well, as far as its options say: who gives it less is told so. `None`, the default, where
    /// that is not known.
    fn least_time(&self) -> Option<Duration> {
        None
    }

    /// Most legs of calls that are up or ring at once on this side: each takes a pair of ports for its media. 0, the default, for a check
    /// without calls. With fewer pairs in [`ProbeConfig::rtp_ports`] it is not run.
    fn legs(&self) -> usize {
        0
    }

    /// Lists in Markdown of the names that its outcomes may hold, as in [`yields`]. In a build with debug assertions an outcome that holds another
    /// name than these is a defect of the check (`probe-broken`). Without lists, the default, it may hold any.
    fn yields(&self) -> &'static [&'static str] {
        &[]
    }

    /// Asks, and writes what it finds into `run`: the steps' verdicts make the outcome's.
    ///
    /// A check that leaves something behind at the peer (a binding, a call) removes it before it returns, also when it was
    /// interrupted: see [`Run::clean_up`].
    fn run(&self, run: &mut Run) -> impl Future<Output = ()> + Send;

    /// The check in a box: different checks of one type, which [`Probe::check_many`] takes as one stream.
    fn boxed(self) -> BoxedCheck
    where
        Self: Sized,
    {
        BoxedCheck::new(self)
    }
}
