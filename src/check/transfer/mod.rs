//! Is a call transferred, and who hears whom afterwards?
//!
//! A 202 says that a REFER was understood, a NOTIFY what somebody believes. The proof is in the audio: each party sends a tone of its own and
//! listens for those of all others, before and after.

mod code;
mod consult;
mod course;
mod ending;
mod gather;
mod identity;
mod keys;
mod new_call;
mod options;
mod park;
mod refer;
mod refer_to;
mod target;

use super::scene::{CallOptions, call_options, perform};
use super::yields;
use super::{Account, Check, Run, TransferKind, TransferResult};
use code::Dialled;
use std::time::Duration;

pub use code::FeatureCode;
pub use refer_to::ReferTo;
pub use target::TransferTarget;

/// Is a call transferred, and who hears whom afterwards?
///
/// `a` calls `b`; the transferor (`a`, or `b` with [`Transfer::by_callee`]) moves the other one to `c`.
/// It passes when the transferee and the target hear each other, the
/// transferor is released, no leg is left, and the transferor was told the truth. Told that the target has answered the transferor hangs up
/// (RFC 5589 sec. 6.1), and what is left then is judged; who else answers for the target is told as that.
///
/// A REFER that comes too early for the peer (491) is sent once more after the time of RFC 3261 sec. 14.1, or its Retry-After; one that names the
/// target by another URI than `sip:` and is refused for it is sent once more with the address of record. What the parties were shown of each
/// other is in [`TransferResult::identity`].
#[doc = include_str!("yields.md")]
#[derive(Debug, Clone)]
pub struct Transfer {
    pub(super) a: Account,
    pub(super) b: Account,
    pub(super) c: Account,
    pub(super) kind: TransferKind,
    pub(super) by_callee: bool,
    pub(super) target: TransferTarget,
    pub(super) asked: TransferTarget,
    pub(super) refer_to: ReferTo,
    pub(super) early_replaces: bool,
    pub(super) hang_up_early: bool,
    pub(super) at_once: bool,
    keys: Option<Dialled>,
    /// Target as it was written, and its Request-URI.
    slot: Option<(String, String)>,
    options: CallOptions,
}

call_options!(Transfer, a);

impl Check for Transfer {
    fn name(&self) -> &'static str {
        "transfer"
    }

    fn accounts(&self) -> Vec<String> {
        [&self.a, &self.b, &self.c].map(|party| party.name().to_owned()).into()
    }

    fn subject(&self) -> String {
        let (transferor, transferee, target) = self.roles();
        let accounts = [&self.a, &self.b, &self.c];
        if let Some((place, _)) = &self.slot {
            let [transferor, transferee, target] =
                [transferor, transferee, target].map(|party| accounts[party].aor());
            return format!("{transferor} parks {transferee} at {place} for {target}");
        }
        format!(
            "{} moves {} to {}",
            accounts[transferor].aor(),
            accounts[transferee].aor(),
            accounts[target].aor()
        )
    }

    fn time_limit(&self) -> Option<Duration> {
        let pressing = self.keys.as_ref().map_or(Duration::ZERO, Dialled::time);
        let usual = self.options.wait * 4 + pressing + Duration::from_secs(40);
        Some(self.options.time_limit.unwrap_or(usual))
    }

    fn legs(&self) -> usize {
        let replaces = self.kind == TransferKind::Attended || self.early_replaces;
        match (&self.keys, &self.slot) {
            (Some(_), _) => 3,
            // The call with the target is there when the transferee makes one that takes it over.
            (None, None) if replaces => 6,
            // The transferee calls beside its first call.
            (None, _) => 4,
        }
    }

    fn yields(&self) -> &'static [&'static str] {
        &[include_str!("yields.md"), yields::ANY, yields::REGISTRATION, yields::CALL, yields::MEDIA]
    }

    async fn run(&self, run: &mut Run) {
        perform(self, run).await;
    }
}
