//! What every question about calls has on the command line, and how it is asked.

use crate::ends::{EndOptions, Ends};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::output::{OutputOptions, tell};
use crate::probe::ProbeOptions;
use ringback::check::{Account, Check, Fact, Outcome};
use ringback::sim::LabBuilder;
use std::io::IsTerminal;

/// Nobody shall take this verdict for one about a platform of theirs.
const EMBEDDED: &str =
    "Asked: the embedded network of this program, not your platform; use --accounts FILE for yours.";

/// Accounts, our own address, and the form of the output.
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
    /// The accounts of these roles and names for the check of this name. One that cannot be used is an outcome like any other.
    pub(crate) async fn open(&self, check: &'static str, named: &[(&str, &str)]) -> Result<Ends, Failure> {
        self.open_with(check, named, Ok).await
    }

    /// The same, with an embedded network that is set up further.
    pub(crate) async fn open_with(
        &self,
        check: &'static str,
        named: &[(&str, &str)],
        more: impl FnOnce(LabBuilder) -> Result<LabBuilder, Failure>,
    ) -> Result<Ends, Failure> {
        let unusable = match self.ends.open_with(named, more).await {
            Err(Failure::NotRun(unusable)) => unusable,
            opened => return opened,
        };
        let why = format!("account \"{}\": {}", unusable.name, unusable.why);
        let mut outcome = Outcome::not_run(check, &*unusable.aor, why, unusable.advice);
        outcome.accounts.push(unusable.name);
        let mut output = self.output.open()?;
        output.one(&outcome);
        output.finish();
        Err(Failure::Shown(Exit::Open))
    }

    /// Asks one question about calls of these accounts: shows what comes, also when it is interrupted, and closes everything.
    pub(crate) async fn ask(&self, check: impl Check, ends: Ends) -> Result<Exit, Failure> {
        self.ends.has_ports_for(check.name(), check.legs())?;
        self.probe.opens(ends.accounts.iter().map(Account::next_hop))?;
        let mut output = self.output.open()?;
        for hidden in self.ends.not_shown(check.name()) {
            tell(&format!("note: {hidden}"));
        }
        let probe = self.probe.for_calls(self.ends.rtp_ports(), ends.is_embedded()).await?;
        let stopper = probe.clone();
        let interrupt = Interrupt::watch(move |by| stopper.stop_by(by));
        if std::io::stderr().is_terminal() {
            // A call takes some seconds, in which nothing else is to be seen.
            tell(&format!("{}: {} ... (Ctrl-C hangs up)", check.name(), check.subject()));
        }
        let embedded = ends.is_embedded();
        if embedded {
            output.people(&format!("{EMBEDDED}\n\n"));
        }
        let mut outcome = match self.probe.timeout {
            Some(limit) => probe.check_within(limit, check).await,
            None => probe.check(check).await,
        };
        if embedded {
            outcome.facts.push(Fact::new("network", "embedded"));
        }
        output.one(&outcome);
        if embedded {
            output.people(&format!("\n{EMBEDDED}\n"));
        }
        probe.endpoint().close().await;
        ends.close().await;
        let complete = output.finish();
        Ok(match Exit::from(outcome.verdict) {
            Exit::Passed if !complete || interrupt.is_set() => Exit::Open,
            exit => exit,
        })
    }
}
