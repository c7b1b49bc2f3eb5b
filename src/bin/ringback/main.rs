//! Proves, from the command line, whether SIP endpoints register, route DTMF and transfer calls, and says in plain words why not.

#![forbid(unsafe_code)]

mod account;
mod asking;
mod call;
mod clean;
mod demo;
mod dial;
mod dtmf;
mod embedded;
mod ends;
mod exit;
mod fork;
mod hold;
mod interrupt;
mod licenses;
mod notes;
mod output;
mod probe;
mod progress;
mod reachable;
mod register;
mod sim;
mod transfer;

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};
use exit::{Exit, Failure};
use output::tell;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Proves, with evidence, whether SIP endpoints register, route DTMF and transfer calls, and says in plain words why not.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, after_help = EXAMPLES, max_term_width = 110)]
// With a heading of their own they follow what a command has itself.
#[command(disable_help_flag = true, disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Log what happens to standard error; twice for more. RINGBACK_LOG=ringback=debug does the same. Never shows secrets.
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = GENERAL)]
    verbose: u8,
    /// Print help: -h the short one, --help all of it.
    #[arg(short, long, global = true, action = ArgAction::Help, help_heading = GENERAL)]
    help: Option<bool>,
    /// Print the version.
    #[arg(short = 'V', long, global = true, action = ArgAction::Version, help_heading = GENERAL)]
    version: Option<bool>,
}

// The purpose of each is written at its arguments: a text here would hide the longer one there.
#[derive(Debug, Subcommand)]
enum Command {
    Register(Box<register::Arguments>),
    Reachable(reachable::Arguments),
    Call(Box<call::Arguments>),
    Dtmf(Box<dtmf::Arguments>),
    Hold(Box<hold::HoldArguments>),
    Cancel(Box<hold::CancelArguments>),
    Transfer(Box<transfer::Arguments>),
    Fork(Box<fork::Arguments>),
    Clean(clean::Arguments),
    Sim(sim::Arguments),
    Demo(demo::Arguments),
    Licenses(licenses::Arguments),
}

const GENERAL: &str = "General";

const EXAMPLES: &str = "\
Examples:
  ringback demo
      See what verdicts look like; needs nothing but this program.
  ringback register sip:alice@pbx.example.com
      Ask for the password, then check: query, bind, refresh, remove.
  PW=secret ringback register alice@pbx.example.com --password-env PW --json
      One JSON object on standard output, for scripts.
  ringback register --accounts accounts.toml --rate 20
      Every account of a file, 20 begun a second.
  ringback reachable sip:pbx.example.com:5060 --transport tcp
      One OPTIONS; any final answer means alive.
  ringback call --accounts accounts.toml alice bob
      A call between two accounts: does each hear the other?
  ringback clean --accounts accounts.toml
      Remove the bindings and calls that killed runs left, and nothing else.
  ringback sim --user alice:secret --user bob:secret:A01
      A registrar to try against; bob's password is refused.

Words in reports:
  rrd, srd, sdd    registration request, session request and session disconnect delay (RFC 6076)
  (D06), [busy]    an id of the failure catalogue (ringback sim --faults); the stable code of a finding

Exit status:
  0  every verdict is pass        2  wrong usage, nothing was asked
  1  something failed             3  inconclusive, not run, or interrupted (1 wins over 3)
  130  ended at once by a second signal";

fn main() -> ExitCode {
    // Wrong usage ends here with status 2, --help with 0.
    let arguments =
        Arguments::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit());
    log(arguments.verbose, matches!(arguments.command, Command::Sim(_)));
    // Calls, connections and accounts by the thousand need a socket each.
    ringback::transport::raise_descriptor_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&format!("error: cannot start: {error}"));
            return Exit::Open.into();
        }
    };
    let result: Result<Exit, Failure> = runtime.block_on(async {
        match arguments.command {
            Command::Register(arguments) => register::run(*arguments).await,
            Command::Reachable(arguments) => reachable::run(arguments).await,
            Command::Call(arguments) => call::run(*arguments).await,
            Command::Dtmf(arguments) => dtmf::run(*arguments).await,
            Command::Hold(arguments) => hold::hold(*arguments).await,
            Command::Cancel(arguments) => hold::cancel(*arguments).await,
            Command::Transfer(arguments) => transfer::run(*arguments).await,
            Command::Fork(arguments) => fork::run(*arguments).await,
            Command::Clean(arguments) => clean::run(arguments).await,
            Command::Sim(arguments) => sim::run(arguments).await,
            Command::Demo(arguments) => demo::run(arguments).await,
            Command::Licenses(arguments) => Ok(licenses::run(&arguments)),
        }
    });
    // A name that is still being looked up must not keep the program from ending.
    runtime.shutdown_background();
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => failure.exit().into(),
    }
}

/// The command line: a value that begins with a minus is a value, so that it is told what is wrong with it.
fn command() -> clap::Command {
    Arguments::command().mut_subcommands(|command| {
        command.mut_args(|argument| {
            let takes_value = argument.get_action().takes_values() && !argument.is_positional();
            let argument = if takes_value { argument.allow_negative_numbers(true) } else { argument };
            default_apart(argument)
        })
    })
}

/// A default that a help text ends with stands where clap writes those that it knows: behind the short help, and below the long one.
fn default_apart(argument: clap::Arg) -> clap::Arg {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string);
    let default = help.as_deref().and_then(|help| help.rsplit_once(" [default"));
    let Some((what, default)) = default.filter(|(_, default)| default.ends_with(']')) else {
        return argument;
    };
    let what = what.trim_end_matches('.');
    argument.help(format!("{what} [default{default}")).long_help(format!("{what}\n\n[default{default}"))
}

fn log(verbose: u8, is_sim: bool) {
    let level = match verbose {
        // What a fault of the embedded network does to a phone is told to who runs it.
        0 if is_sim => "error,ringback::sim=warn",
        0 => "error",
        1 => "ringback=info",
        2 => "ringback=debug",
        _ => "ringback=trace",
    };
    let filter = match std::env::var("RINGBACK_LOG") {
        Ok(filter) if verbose == 0 => EnvFilter::try_new(&filter).unwrap_or_else(|error| {
            tell(&format!("warning: RINGBACK_LOG is not understood: {error}"));
            EnvFilter::new(level)
        }),
        _ => EnvFilter::new(level),
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| output::Log).init();
}
