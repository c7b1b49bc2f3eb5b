//! `ringback dtmf`: do digits arrive, and as what?

use crate::asking::Asking;
use crate::dial::{DialOptions, dialled};
use crate::exit::{Exit, Failure};
use crate::probe::duration;
use ringback::check::{Dtmf, DtmfMethod};
use ringback::error::Problem;
use ringback::media::stream::Timing;
use std::time::Duration;

/// Do digits arrive, by which way, and what happens to them on it?
///
/// Calls B from A through the platform, sends digits by each method, and looks at B's end what arrived by every way at once. With --dial and
/// --expect-ring: calls a menu, gives it the digits, and waits for B to ring.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The account that calls.
    #[arg(value_name = "A")]
    a: String,
    /// The account that is called.
    #[arg(value_name = "B")]
    b: Option<String>,
    #[command(flatten)]
    sent: SentOptions,
    #[command(flatten)]
    call: DialOptions<20, 'd'>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Digits")]
struct SentOptions {
    /// Digits 0-9, *, #, A-D, and "," for a pause.
    #[arg(long, default_value = "0123456789*#ABCD")]
    digits: String,
    /// How they are sent: rfc4733, info, inband or all [default: all; for a menu rfc4733].
    #[arg(long, value_name = "METHOD", value_parser = method)]
    method: Option<Methods>,
    /// The account that the menu at --dial must ring.
    #[arg(long, value_name = "B", requires = "dial")]
    expect_ring: Option<String>,
    /// Length of a digit, 40 ms to a minute; receivers may miss shorter ones (ITU-T Q.24).
    #[arg(long, value_name = "TIME", value_parser = of_digits, default_value = "100ms")]
    on: Duration,
    /// Time between two digits, 40 ms to a minute.
    #[arg(long, value_name = "TIME", value_parser = of_digits, default_value = "100ms")]
    gap: Duration,
    /// Level of digits by RFC 4733 in dBm0 without its sign, 0 to 36; receivers may ignore weaker ones. [default: 10]
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    volume: Option<u8>,
    /// Time that the menu may speak before the first digit.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1s", requires = "expect_ring")]
    prompt: Duration,
}

const EXAMPLES: &str = "\
Examples:
  ringback dtmf alice bob                                       on the embedded network, by every method
  ringback dtmf alice bob --fault D04                           what a doubled digit looks like
  ringback dtmf alice --dial 700 --digits 2 --expect-ring bob   the menu of the embedded network, which rings bob for 2
  ringback dtmf --accounts accounts.toml alice bob --method rfc4733 --digits 159# --ladder
  ringback dtmf --accounts accounts.toml alice --dial 700 --digits 1,2# --expect-ring bob
      The menu at 700, given 1, a pause of a second, 2 and #, must ring bob.

Exit status: 0 all digits arrive, 1 they do not, 2 wrong usage, 3 inconclusive or not run.
Ctrl-C hangs up, removes what was bound, and shows the results so far. A second one quits at once (130).";

pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let b = match (&arguments.b, &arguments.sent.expect_ring) {
        (Some(b), None) => ("B", b.as_str()),
        (None, Some(b)) => ("--expect-ring", b.as_str()),
        (None, None) => {
            return Err(Failure::usage(match &arguments.call.dial {
                Some(_) => {
                    "--dial: who is behind this number? Name B, the account that is called; for a menu, add --expect-ring B"
                }
                None => {
                    "B is missing: name the account that is called; or, for a menu, --dial NUMBER --expect-ring B"
                }
            }));
        }
        (Some(_), Some(_)) => {
            return Err(Failure::usage(
                "B is the account that is called, or the one of --expect-ring: name one of them",
            ));
        }
    };
    arguments.call.within_reach(&arguments.asking.ends)?;
    let ends = arguments.asking.open("dtmf", &[("A", &arguments.a), b]).await?;
    let [from, to] = ends.accounts.as_slice() else { return Err(Failure::usage("two accounts are needed")) };
    let mut check = match (&arguments.sent.expect_ring, &arguments.call.dial) {
        (Some(_), Some(number)) => Dtmf::routing(from, number, to)?,
        _ => Dtmf::between(from, to),
    };
    check = dialled!(check, arguments.call).digits(&arguments.sent.digits)?.prompt(arguments.sent.prompt);
    if let Some(method) = arguments.sent.method {
        let only = method.only();
        if only.is_none() && arguments.sent.expect_ring.is_some() {
            let problem = "--method all: a menu is given its digits once; name rfc4733, info or inband";
            return Err(Failure::usage(problem));
        }
        if let (Some(method @ (DtmfMethod::Info | DtmfMethod::InBand)), Some(_)) =
            (only, arguments.sent.volume)
        {
            return Err(Failure::usage(format!(
                "--volume is the level of digits by RFC 4733, and --method {} sends none; leave one of them out",
                method.as_str()
            )));
        }
        check = check.method(only);
    }
    let timing = Timing {
        on: arguments.sent.on,
        gap: arguments.sent.gap,
        volume: arguments.sent.volume.unwrap_or(Timing::default().volume),
        ..Timing::default()
    };
    check = check.timing(timing);
    arguments.asking.ask(check, ends).await
}

/// The methods that --method names.
#[derive(Debug, Clone, Copy)]
enum Methods {
    All,
    Only(DtmfMethod),
}

impl Methods {
    fn only(self) -> Option<DtmfMethod> {
        match self {
            Methods::All => None,
            Methods::Only(method) => Some(method),
        }
    }
}

fn method(text: &str) -> Result<Methods, String> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(Methods::All);
    }
    let known = DtmfMethod::ALL.map(DtmfMethod::as_str).into_iter().chain(["all"]);
    text.parse::<DtmfMethod>().map(Methods::Only).map_err(|_| Problem::unknown(known).to_string())
}

/// The length of a digit or of the gap behind it, which every receiver has to take.
fn of_digits(text: &str) -> Result<Duration, String> {
    let bounds = Duration::from_millis(40)..=Duration::from_secs(60);
    let wrong = "write 40ms to 60s: receivers have to take 40 ms, and may miss what is shorter";
    duration(text).ok().filter(|time| bounds.contains(time)).ok_or_else(|| wrong.to_owned())
}

fn level(text: &str) -> Result<u8, String> {
    text.parse().ok().filter(|level| *level <= 36).ok_or_else(|| {
        "write a number from 0 to 36: receivers have to take -36 dBm0, and may ignore what is weaker".into()
    })
}
