//! What every question about calls has on the command line, and how it is asked.

use crate::ends::{EndOptions, Ends};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::output::{OutputOptions, tell};
use crate::probe::ProbeOptions;
use ringback::check::{Check, Run};
use std::io::IsTerminal;
use std::time::Duration;

/// Whose calls, from which address, and where goes what is seen.
#[derive(Debug, clap::Args)]
pub(crate) struct Asking {
    #[command(flatten)]
    pub(crate) ends: EndOptions,
    #[command(flatten)]
    probe: ProbeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl Asking {
    /// Asks one question about calls of these accounts: shows what comes, also when it is interrupted, and closes everything.
    pub(crate) async fn ask(&self, check: impl Check, ends: Ends) -> Result<Exit, Failure> {
        let mut output = self.output.open()?;
        let probe = self.probe.for_calls(self.ends.rtp_ports(), ends.is_embedded()).await?;
        let stopper = probe.clone();
        let interrupt = Interrupt::watch(move || stopper.stop());
        if std::io::stderr().is_terminal() {
            // A call takes some seconds, in which nothing else is to be seen.
            tell(&format!("{}: {} ... (Ctrl-C hangs up)", check.name(), check.subject()));
        }
        let outcome = probe.check(Limited { check, limit: self.probe.timeout }).await;
        output.one(&outcome);
        probe.endpoint().close().await;
        ends.close().await;
        let complete = output.finish();
        Ok(match Exit::from(outcome.verdict) {
            Exit::Passed if !complete || interrupt.is_set() => Exit::Open,
            exit => exit,
        })
    }
}

/// A check with the time that --timeout gives it.
struct Limited<C> {
    check: C,
    limit: Option<Duration>,
}

impl<C: Check> Check for Limited<C> {
    fn name(&self) -> &'static str {
        self.check.name()
    }

    fn subject(&self) -> String {
        self.check.subject()
    }

    fn time_limit(&self) -> Option<Duration> {
        self.limit.or_else(|| self.check.time_limit())
    }

    async fn run(&self, run: &mut Run) {
        self.check.run(run).await;
    }
}
