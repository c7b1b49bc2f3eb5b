//! What every question about calls has on the command line, and how it is asked.

use crate::ends::{EndOptions, Ends};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::output::{OutputOptions, tell};
use crate::probe::ProbeOptions;
use ringback::check::{Account, Check, Fact};
use std::io::IsTerminal;

/// Nobody shall take this verdict for one about a platform of theirs.
const EMBEDDED: &str = "Asked: the embedded network of this program, not a platform of yours; give --accounts FILE to ask that one.";

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
