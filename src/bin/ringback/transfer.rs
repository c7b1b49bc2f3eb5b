//! `ringback transfer`: is a call transferred, and who hears whom afterwards?

use crate::ends::{EndOptions, ask};
use crate::exit::{Exit, Failure};
use crate::output::OutputOptions;
use crate::probe::{ProbeOptions, duration};
use ringback::check::{Transfer, TransferKind, TransferTarget};
use std::time::Duration;

/// Is a call transferred, and who hears whom afterwards?
///
/// A calls B, and A moves B to C (--by callee: B moves A to C). Each party sends a tone of its own and listens for those of the others: it
/// passes when the right two hear each other, the third is released, no leg is left, and the transferor was told the truth.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The account that calls.
    #[arg(value_name = "A")]
    a: String,
    /// The account that is called.
    #[arg(value_name = "B")]
    b: String,
    /// The account that one of them is moved to.
    #[arg(value_name = "C")]
    c: String,
    /// How: blind, attended or semi-attended.
    #[arg(long, value_name = "KIND", default_value = "blind")]
    kind: TransferKind,
    /// Who transfers: caller or callee.
    #[arg(long, value_name = "END", default_value = "caller", value_parser = ["caller", "callee"])]
    by: String,
    /// What C does: answers, busy, or rings without an answer.
    #[arg(long, value_name = "WHAT", default_value = "answers", value_parser = ["answers", "busy", "rings"])]
    target: String,
    /// Time for each call to be answered, and for the transfer.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "20s")]
    wait: Duration,
    #[command(flatten)]
    ends: EndOptions,
    #[command(flatten)]
    probe: ProbeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

const EXAMPLES: &str = "\
Examples:
  ringback transfer alice bob carol --kind attended              on the embedded network
  ringback transfer alice bob carol --fault X19                  what it looks like when the wrong two are joined
  ringback transfer --accounts accounts.toml alice bob carol
  ringback transfer --accounts accounts.toml alice bob carol --kind attended --ladder
  ringback transfer --accounts accounts.toml alice bob carol --target busy --json

Exit status: 0 the right two hear each other, 1 they do not, 2 wrong usage, 3 inconclusive or not run.
Ctrl-C hangs up every call and removes what was bound.";

pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let names = [arguments.a.as_str(), &arguments.b, &arguments.c];
    let ends = arguments.ends.open(&names, None).await?;
    let [a, b, c] = ends.accounts.as_slice() else { return Err(Failure::usage("three accounts are needed")) };
    let mut check =
        Transfer::new(a, b, c, arguments.kind).wait(arguments.wait).target(match arguments.target.as_str() {
            "busy" => TransferTarget::Refuses(486),
            "rings" => TransferTarget::Rings,
            _ => TransferTarget::Answers,
        });
    if arguments.by == "callee" {
        check = check.by_callee();
    }
    if let Some(limit) = arguments.probe.timeout {
        check = check.timeout(limit);
    }
    ask(check, ends, &arguments.ends, &arguments.probe, &arguments.output).await
}
