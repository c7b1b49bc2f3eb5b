//! `ringback hold` and `ringback cancel`: what may happen to a call between two accounts besides talking.

use crate::asking::Asking;
use crate::dial::{DialOptions, dialled};
use crate::exit::{Exit, Failure, problem};
use crate::probe::duration;
use ringback::check::{Cancel, Check, Hold, hold_way};
use ringback::ua::call::Hold as How;
use std::time::Duration;

/// Two accounts, and where everything goes.
#[derive(Debug, clap::Args)]
struct PairOptions<const FOR: char> {
    /// The account that calls.
    #[arg(value_name = "A", help_heading = None::<&str>)]
    a: String,
    /// The account that is called.
    #[arg(value_name = "B", help_heading = None::<&str>)]
    b: String,
    #[command(flatten)]
    call: DialOptions<20, FOR>,
    #[command(flatten)]
    asking: Asking,
}

/// Can a call between two accounts be held and resumed?
///
/// A calls B; one of them holds, resumes, and each end says what it hears before, meanwhile and after.
#[derive(Debug, clap::Args)]
#[command(after_help = HOLD_EXAMPLES)]
pub(crate) struct HoldArguments {
    #[command(flatten)]
    hold: HoldOptions,
    #[command(flatten)]
    pair: PairOptions<'h'>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Hold")]
struct HoldOptions {
    /// The holder: caller or callee.
    #[arg(long, value_name = "END", default_value = "caller", value_parser = ["caller", "callee"])]
    by: String,
    /// In which way: sendonly, inactive, or zero (the address 0.0.0.0).
    #[arg(long, value_name = "WAY", default_value = "sendonly", value_parser = |way: &str| hold_way(way).map_err(problem))]
    how: How,
    /// Length of the hold; a minute and more shows platforms that end calls without media.
    #[arg(long = "for", value_name = "TIME", value_parser = duration, default_value = "3s")]
    time: Duration,
}

/// Does a phone that rings stop when the caller gives up, and is it told why?
///
/// A calls B, lets it ring, and cancels the call with the Reason "Call completed elsewhere", as platforms do when another phone has taken it.
#[derive(Debug, clap::Args)]
#[command(after_help = CANCEL_EXAMPLES)]
pub(crate) struct CancelArguments {
    #[command(flatten)]
    ring: RingOptions,
    #[command(flatten)]
    pair: PairOptions<'x'>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Cancel")]
struct RingOptions {
    /// Time that it rings before the caller gives up.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1s")]
    ring_for: Duration,
}

const HOLD_EXAMPLES: &str = "\
Examples:
  ringback hold alice bob                                 on the embedded network
  ringback hold alice bob --fault H03                     what a call looks like that stays silent after a hold
  ringback hold --accounts accounts.toml alice bob --by callee --for 70s --ladder

Exit status: 0 it can, 1 it cannot, 2 wrong usage, 3 inconclusive or not run.
Ctrl-C hangs up, removes what was bound, and shows the results so far. A second one quits at once (130).";

const CANCEL_EXAMPLES: &str = "\
Examples:
  ringback cancel alice bob                               on the embedded network
  ringback cancel alice bob --fault F03                   what a CANCEL looks like that has lost its reason
  ringback cancel --accounts accounts.toml alice bob --ladder

Exit status: 0 it stops (a reason that is lost is a warning), 1 it does not, 2 wrong usage, 3 inconclusive or not run.
Ctrl-C cancels the call, removes what was bound, and shows the results so far. A second one quits at once (130).";

pub(crate) async fn hold(arguments: HoldArguments) -> Result<Exit, Failure> {
    let HoldArguments { pair, hold: HoldOptions { by, how, time } } = arguments;
    of_pair("hold", pair, |a, b, call| {
        let check = dialled!(Hold::between(a, b).how(how).time(time), call);
        Ok(if by == "callee" { check.by_callee() } else { check })
    })
    .await
}

pub(crate) async fn cancel(arguments: CancelArguments) -> Result<Exit, Failure> {
    let CancelArguments { pair, ring: RingOptions { ring_for } } = arguments;
    of_pair("cancel", pair, |a, b, call| Ok(dialled!(Cancel::between(a, b).ring(ring_for), call))).await
}

async fn of_pair<C: Check, const FOR: char>(
    check: &'static str,
    pair: PairOptions<FOR>,
    question: impl FnOnce(&ringback::Account, &ringback::Account, &DialOptions<20, FOR>) -> Result<C, Failure>,
) -> Result<Exit, Failure> {
    pair.call.within_reach(&pair.asking.ends)?;
    let ends = pair.asking.open(check, &[("A", &pair.a), ("B", &pair.b)]).await?;
    let [from, to] = ends.accounts.as_slice() else { return Err(Failure::usage("two accounts are needed")) };
    let check = question(from, to, &pair.call)?;
    pair.asking.ask(check, ends).await
}
