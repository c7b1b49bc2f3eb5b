//! How a call is made: what every question about calls takes on the command line.

use crate::ends::EndOptions;
use crate::exit::Failure;
use crate::probe::duration;
use std::time::Duration;

/// Options of a call that has `WAIT_S` seconds to be answered by default; `FOR` is the first letter of the command.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Call")]
pub(crate) struct DialOptions<const WAIT_S: u64, const FOR: char> {
    /// Register A as well: some platforms take calls of registered devices only.
    #[arg(long)]
    pub(crate) register_caller: bool,
    /// Bind our ends also where other devices of their accounts are registered. Without it nothing is bound there, and no call is made
    /// (not run, exit status 3): a registrar that keeps one binding drops that of the device, others ring it as well. Who calls matters
    /// with --register-caller only.
    #[arg(long)]
    pub(crate) beside_live_devices: bool,
    /// Follow a redirection (3xx) once, to hosts of the account only. Who is called then may be a live device, or a number that costs;
    /// without it the redirection is the result, and nobody else is called.
    #[arg(long)]
    pub(crate) follow_redirects: bool,
    /// Dial this number or SIP URI to reach the other account, instead of its address of record.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) dial: Option<String>,
    #[arg(long, help = waits_for(FOR), visible_alias = "max-ring", value_name = "TIME", value_parser = duration, default_value = seconds(WAIT_S))]
    pub(crate) wait: Duration,
}

impl<const WAIT_S: u64, const FOR: char> DialOptions<WAIT_S, FOR> {
    /// Refuses numbers that cannot be reached from these accounts.
    pub(crate) fn within_reach(&self, ends: &EndOptions) -> Result<(), Failure> {
        self.dial.iter().try_for_each(|number| ends.within_reach(number))
    }
}

/// The purpose of `--wait`, by command.
const fn waits_for(command: char) -> &'static str {
    match command {
        'f' => "Time for all to be rung, and for an answer, before the call is given up",
        'd' => "Time for the call to be answered, and for the menu to ring the account",
        't' => "Time for each call to be answered, and for the transfer to come about",
        'x' => "Time for the callee to ring before the check is given up",
        _ => "Time for the call to be answered before it is given up",
    }
}

/// As it is written on a command line.
const fn seconds(wait_s: u64) -> &'static str {
    match wait_s {
        10 => "10s",
        20 => "20s",
        _ => "30s",
    }
}

/// A question that is asked with these options.
macro_rules! dialled {
    ($check:expr, $options:expr) => {{
        let check = $check.register_caller($options.register_caller).wait($options.wait);
        let check = check.beside_live_devices($options.beside_live_devices);
        let check = check.follow_redirects($options.follow_redirects);
        match &$options.dial {
            Some(number) => check.dial(number)?,
            None => check,
        }
    }};
}

pub(crate) use dialled;
