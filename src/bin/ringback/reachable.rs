//! `ringback reachable`: does anything answer there?

use crate::account::{does_not_contradict, transport};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::output::OutputOptions;
use crate::probe::ProbeOptions;
use ringback::check::{Destination, Reachable};
use ringback::error::Argument;
use ringback::message::Transport;

/// Does anything answer there? Sends OPTIONS; any final answer means alive.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// URI to ask, e.g. sip:pbx.example.com:5060.
    #[arg(value_name = "URI")]
    uri: String,
    // Only to say what helps: many look for it here.
    #[arg(long, hide = true, value_name = "FILE", value_parser = no_accounts)]
    accounts: Option<std::convert::Infallible>,
    /// The transport where the URI leaves it open. [default: udp]
    #[arg(long, value_parser = transport, value_name = "udp|tcp")]
    transport: Option<Transport>,
    #[command(flatten)]
    probe: ProbeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

const EXAMPLES: &str = "\
Examples:
  ringback reachable sip:pbx.example.com
  ringback reachable 192.0.2.10:5060 --transport tcp --ladder

Exit status: 0 it answers, 1 it does not, 2 wrong usage, 3 inconclusive or interrupted.
Ctrl-C ends it in order, and shows what was seen so far. A second one quits at once (130).";

fn no_accounts(_: &str) -> Result<std::convert::Infallible, String> {
    Err("reachable asks one URI and needs no account; ringback register --accounts FILE asks those of a file"
        .into())
}

pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let mut check = Reachable::new(&arguments.uri)?;
    if let Some(transport) = arguments.transport {
        does_not_contradict(&Destination::parse(Argument::Address, &arguments.uri)?, transport)?;
        check = check.transport(transport);
    }
    if let Some(limit) = arguments.probe.timeout {
        check = check.timeout(limit);
    }
    arguments.probe.opens([check.destination().clone()])?;
    let mut output = arguments.output.open()?;
    let probe = arguments.probe.probe().await?;
    let stopper = probe.clone();
    let _interrupt = Interrupt::watch(move |by| stopper.stop_by(by));
    let outcome = probe.check(check).await;
    output.one(&outcome);
    probe.endpoint().close().await;
    let complete = output.finish();
    Ok(match Exit::from(outcome.verdict) {
        Exit::Passed if !complete => Exit::Open,
        exit => exit,
    })
}
