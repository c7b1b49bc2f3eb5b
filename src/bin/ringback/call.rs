//! `ringback call`: does a call get through?

use crate::account::DetailOptions;
use crate::asking::Asking;
use crate::dial::{DialOptions, dialled};
use crate::embedded;
use crate::ends::{Ends, given_twice};
use crate::exit::{Exit, Failure};
use crate::output::tell;
use crate::probe::duration;
use ringback::campaign::inventory::nearest;
use ringback::check::{Account, Call};
use ringback::media::wav;
use ringback::report::shown;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Does a call get through, and if not, why not?
///
/// With two accounts both ends are ours: B is registered for the time of the check, rings and answers; each end sends a tone and has to hear
/// the other's; then one hangs up, and the other has to see it. With a number or SIP URI only A is ours: is it reached, and who answers?
/// With --play: rings, plays a message after the answer, and hangs up.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The caller: the name of an account of the file, or an address of record (sip:alice@pbx.example.com).
    #[arg(value_name = "A")]
    a: String,
    /// The callee: the name of another account (both ends are ours), a number, a SIP or tel: URI.
    #[arg(value_name = "TARGET")]
    target: String,
    #[command(flatten)]
    call: CallOptions,
    #[command(flatten)]
    details: DetailOptions,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Call")]
struct CallOptions {
    #[command(flatten)]
    made: DialOptions<30, 'c'>,
    /// Time that the call stays up after the answer, and that both ends listen.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "3s", conflicts_with = "play")]
    listen: Duration,
    /// Play this WAV file after the answer, then hang up; at most 10 minutes. Any PCM or float, rate and number of channels.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dial", "ring_for", "hang_up_by"])]
    play: Option<PathBuf>,
    /// With --dial: the second account is a PBX behind a trunk, and the Request-URI of the call has to name the number.
    #[arg(long, requires = "dial")]
    expect_number: bool,
    /// Two accounts: time that the second rings before it answers. [default: 500ms]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    ring_for: Option<Duration>,
    /// Two accounts: who hangs up. [default: caller]
    #[arg(long, value_name = "WHO")]
    hang_up_by: Option<Side>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Side {
    Caller,
    Callee,
}

const EXAMPLES: &str = "\
Examples:
  ringback call alice bob                                     on the embedded network
  ringback call alice bob --fault N12:forward --ladder        what one-way audio looks like
  ringback call alice '*60'                                   the announcement of the embedded network: its tones are heard
  ringback call --accounts accounts.toml alice bob            two accounts of a file, both ends ours
  ringback call --accounts accounts.toml alice bob --dial +4930123456
      Does this number ring bob?
  ringback call --accounts accounts.toml alice '*43'          one end ours: who answers at *43?
  ringback call sip:alice@pbx.example.com '*43' --password-env PW --wait 10
  ringback call --accounts accounts.toml alice '*43' --play closed-today.wav --json
      An announcement: answered, busy, not answered or refused (the fact \"result\"), and how much was played.

Exit status: 0 the call gets through, 1 it does not, 2 wrong usage, 3 inconclusive or not run.
Ctrl-C cancels or hangs up, removes what was bound, and shows the results so far. A second one quits at once (130).";

pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    // Mistakes in the arguments are told before anything is started.
    let announcement = arguments.call.play.as_deref().map(sound).transpose()?;
    let ends = ends(&arguments).await?;
    let mut check = match ends.accounts.as_slice() {
        [a, b] => Call::between(a, b),
        [a] if is_own(a, &arguments.target) => return Err(given_twice(&arguments.target, "A", "TARGET")),
        [a] => Call::to(a, &arguments.target)?,
        _ => return Err(Failure::usage("one account or two are needed")),
    };
    let both = ends.accounts.len() == 2;
    let options = &arguments.call;
    let for_two = [
        (options.made.dial.is_some(), "--dial"),
        (options.ring_for.is_some(), "--ring-for"),
        (options.hang_up_by.is_some(), "--hang-up-by"),
    ];
    if let Some((_, option)) = for_two.iter().find(|(given, _)| *given && !both) {
        return Err(Failure::usage(format!(
            "{option} is for calls between two accounts; \"{}\" is a number",
            arguments.target
        )));
    }
    let rings = options.ring_for.unwrap_or(Duration::from_millis(500));
    if both && options.made.wait <= rings {
        return Err(Failure::usage(format!(
            "--wait {:?} is over before the callee answers, after {rings:?} (--ring-for); let it wait longer",
            options.made.wait
        )));
    }
    if !both && options.made.beside_live_devices && !options.made.register_caller {
        return Err(Failure::usage(
            "--beside-live-devices is about accounts that are bound, and in a call to a number none is; add --register-caller, or leave it out",
        ));
    }
    if options.expect_number {
        check = check.expect_number();
    }
    if let Some(time) = options.ring_for {
        check = check.ring(time);
    }
    if options.hang_up_by == Some(Side::Callee) {
        check = check.hang_up_by_callee();
    }
    if let Some(samples) = announcement {
        check = check.play(samples)?;
    }
    check = dialled!(check.listen(options.listen), options.made);
    arguments.asking.ask(check, ends).await
}

/// The meaning of the two arguments: one account, or two when both ends are ours.
async fn ends(arguments: &Arguments) -> Result<Ends, Failure> {
    let Arguments { a, target, details, .. } = arguments;
    let ends = &arguments.asking.ends;
    let is_address = a.contains('@');
    let two = [("A", a.as_str()), ("TARGET", target.as_str())];
    if details.is_given() && (!ends.embedded() || !is_address) {
        return Err(Failure::usage(
            "passwords, users and servers on the command line go with an address of record as A (sip:alice@pbx.example.com); an account file says its own",
        ));
    }
    if let Some(inventory) = ends.inventory()? {
        // An address is the account that has it, as everywhere.
        let both = inventory.find(target).is_ok();
        let known: Vec<String> = inventory.entries.iter().map(|entry| entry.name.clone()).collect();
        if !both && !is_dialled(target) {
            let near = nearest(target, known.iter().map(String::as_str));
            return Err(Failure::usage(format!(
                "\"{}\" is no account of the file and no number; {}write sip:{0}@domain to call a SIP user, or one of: {}",
                shown(target),
                near.map(|near| format!("did you mean \"{}\"? Else ", shown(near))).unwrap_or_default(),
                shortened(&known)
            )));
        }
        return arguments.asking.open("call", if both { &two } else { &two[..1] }).await;
    }
    if is_address {
        if ends.has_fault() {
            return Err(Failure::usage(
                "--fault is for the embedded network: give names instead of addresses",
            ));
        }
        let account = details.account(a, ends.transport())?;
        return Ok(Ends::of(vec![account]));
    }
    ends.within_reach(target)?;
    arguments.call.made.within_reach(ends)?;
    let opened = arguments.asking.open("call", if is_dialled(target) { &two[..1] } else { &two }).await?;
    if let Some(name) = embedded::account_at(number_of(target)) {
        let number = shown(target);
        tell(&if name == a {
            format!(
                "note: {number} is {name}'s own number, and {name} is who calls: call another account by its name (e.g. {}), or *43 or *60",
                if name == "bob" { "alice" } else { "bob" }
            )
        } else {
            format!(
                "note: {number} is {name}'s number, and no phone of {name} is registered: name {name} as TARGET, and this check plays it"
            )
        });
    }
    Ok(opened)
}

/// Is it the address of the account that calls?
fn is_own(a: &Account, target: &str) -> bool {
    target.contains('@') && Account::new(target, "").is_ok_and(|target| target.has_same_aor(a))
}

/// The number of a tel: URI, without its parameters; what is none as it is.
fn number_of(target: &str) -> &str {
    match target.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tel") => rest.split(';').next().unwrap_or(rest),
        _ => target,
    }
}

/// Is it a number or a URI, and not a name?
fn is_dialled(target: &str) -> bool {
    target.contains(['@', ':']) || target.chars().all(|c| !c.is_alphabetic())
}

/// Not a thousand names in one line.
fn shortened(names: &[String]) -> String {
    let first: Vec<String> = names.iter().take(10).map(|name| shown(name)).collect();
    let more = if names.len() > 10 { ", ..." } else { "" };
    format!("{}{more}", first.join(", "))
}

/// The announcement of a WAV file.
fn sound(path: &Path) -> Result<Vec<i16>, Failure> {
    let problem = |what: &dyn std::fmt::Display| Failure::usage(format!("--play {}: {what}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| problem(&error))?;
    wav::read(file).map_err(|error| problem(&error))
}
