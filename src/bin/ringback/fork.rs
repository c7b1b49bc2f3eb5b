//! `ringback fork`: several accounts, or several devices of one, that are called as one.

use crate::asking::Asking;
use crate::dial::{DialOptions, dialled};
use crate::embedded;
use crate::exit::{Exit, Failure, value};
use ringback::check::{Fork, ForkTrial, MAX_FORK_ENDS, SecondCall};
use ringback::report::shown;

/// Several are called as one: who rings, who wins, and what becomes of the others?
///
/// A calls TARGET. With ENDS, TARGET is the number of a group, and the accounts ENDS are its members. Without, TARGET is one account, and
/// several devices of it are registered (--bindings). All of them are played here: each rings, and sends a tone of its own.
///
/// Four calls are made (--trials): one end answers, and the others have to get CANCEL with the Reason "Call completed elsewhere"; two answer
/// at once, and one of them has to stay; one refuses, and the others have to ring on; and while one is in a call a second call comes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The account that calls.
    #[arg(value_name = "A")]
    a: String,
    /// The callee: the number or SIP URI of a group, or without ENDS the account whose devices ring. The embedded network makes any free number a
    /// group of ENDS.
    #[arg(value_name = "TARGET")]
    target: String,
    /// The accounts that ring as one, two to six.
    #[arg(value_name = "ENDS")]
    ends_of_group: Vec<String>,
    #[command(flatten)]
    fork: ForkOptions,
    #[command(flatten)]
    call: DialOptions<10, 'f'>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Fork")]
struct ForkOptions {
    /// Number of devices of TARGET that are registered, 2 to 6, where no ENDS are named. [default: 2]
    #[arg(long, value_name = "NUMBER", conflicts_with = "ends_of_group")]
    bindings: Option<usize>,
    /// Trials, with commas between: answer, race, refuse, second-call.
    #[arg(
        long,
        value_name = "TRIALS",
        value_delimiter = ',',
        value_parser = value::<ForkTrial>,
        default_value = "answer,race,refuse,second-call"
    )]
    trials: Vec<ForkTrial>,
    /// Which end answers, by its number; where it does not ring then, the last that does.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    answers: usize,
    /// Status with which one refuses, 300 to 699. A 6xx may end the whole call, anything else may not. [default: 486]
    #[arg(long, value_name = "STATUS")]
    refuses_with: Option<u16>,
    /// Expected of a second call while one end is in a call: rings (call waiting), elsewhere (only the others ring), busy (refused), any.
    /// [default: rings]
    #[arg(long, value_name = "WHAT", value_parser = value::<SecondCall>)]
    second_call: Option<SecondCall>,
    /// The account that makes the second call. [default: A, which then has two]
    #[arg(long, value_name = "ACCOUNT")]
    second_caller: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  ringback fork alice 600 bob carol dan                   a group of three, on the embedded network
  ringback fork alice bob --bindings 3                    three devices of one account
  ringback fork alice 600 bob carol --fault F04 --trials race --ladder
      What it looks like when two answer at once and the second is left open.
  ringback fork --accounts accounts.toml alice 600 bob carol --second-call elsewhere
      The group of a real platform; who is in a call gets no second one.
  ringback fork --accounts accounts.toml alice bob --bindings 2 --json
      Do two devices of bob work as one? Who rang, won, was cancelled and why: in \"fork\".

Exit status: 0 all is as it should be, 1 something is not, 2 wrong usage, 3 inconclusive or not run.
Ctrl-C hangs up every call, and each end removes the binding that it made, and no other. A second one quits at once (130).";

pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let group = &arguments.ends_of_group;
    let is_group = !group.is_empty();
    // With a file, an address is the account that has it.
    if !is_group && arguments.target.contains(['@', ':']) && arguments.asking.ends.embedded() {
        return Err(Failure::usage(
            "a group needs its members: name the accounts that ring after its number",
        ));
    }
    arguments.asking.ends.within_reach(&arguments.target)?;
    arguments.call.within_reach(&arguments.asking.ends)?;
    if is_group && arguments.call.dial.is_some() {
        return Err(Failure::usage(
            "--dial is for the devices of one account; a group is called by TARGET, its number",
        ));
    }
    if is_group && !(2..=MAX_FORK_ENDS).contains(&group.len()) {
        return Err(Failure::usage(format!(
            "a group needs 2 to {MAX_FORK_ENDS} members, and {} named behind {}",
            if group.len() == 1 { "1 is".to_owned() } else { format!("{} are", group.len()) },
            shown(&arguments.target)
        )));
    }
    // A number without members is no account, unless the file says so.
    let is_number =
        |text: &str| text.chars().any(|c| c.is_ascii_digit()) && !text.contains(char::is_alphabetic);
    let is_account = |text: &str| match arguments.asking.ends.inventory() {
        Ok(Some(inventory)) => inventory.find(text).is_ok(),
        _ => embedded::account_at(text).is_some(),
    };
    if !is_group && is_number(&arguments.target) && !is_account(&arguments.target) {
        return Err(Failure::usage(format!(
            "\"{0}\" is a number: name the members of this group behind it, e.g. ringback fork {1} {0} bob carol",
            shown(&arguments.target),
            shown(&arguments.a)
        )));
    }
    if is_group && arguments.asking.ends.embedded() {
        embedded::is_free(&arguments.target)?;
    }
    let only_for = [
        (arguments.fork.second_call.is_some(), "--second-call", ForkTrial::SecondCall),
        (arguments.fork.second_caller.is_some(), "--second-caller", ForkTrial::SecondCall),
        (arguments.fork.refuses_with.is_some(), "--refuses-with", ForkTrial::Refuse),
    ];
    if let Some((_, option, trial)) =
        only_for.into_iter().find(|(given, _, trial)| *given && !arguments.fork.trials.contains(trial))
    {
        return Err(Failure::usage(format!("{option} is for the trial {trial}, which --trials leaves out")));
    }
    let most = if is_group { group.len() } else { arguments.fork.bindings.unwrap_or(2) };
    if !(1..=most.min(MAX_FORK_ENDS)).contains(&arguments.fork.answers) {
        return Err(Failure::usage(format!(
            "--answers {}: there are {most} ends; write 1 to {most}",
            arguments.fork.answers
        )));
    }
    let mut names = vec![("A", arguments.a.as_str())];
    if is_group {
        names.extend(group.iter().map(|name| ("one of ENDS", name.as_str())));
    } else {
        names.push(("TARGET", &arguments.target));
    }
    let rung = names.len();
    names.extend(arguments.fork.second_caller.as_deref().map(|name| ("--second-caller", name)));
    let number = arguments.target.clone();
    let members = group.clone();
    let ends = arguments
        .asking
        .open_with("fork", &names, |lab| Ok(if is_group { lab.group(number, members) } else { lab }))
        .await?;
    let (rung, second) = ends.accounts.split_at_checked(rung).unwrap_or((&ends.accounts, &[]));
    let [a, rung @ ..] = rung else { return Err(Failure::usage("an account has to call")) };
    let mut check = match rung {
        [account] if !is_group => Fork::bindings(a, account, arguments.fork.bindings.unwrap_or(2))?,
        rung => Fork::group(a, &arguments.target, rung)?,
    };
    check = check
        .trials(arguments.fork.trials)
        .answers(arguments.fork.answers - 1)
        .refuses_with(arguments.fork.refuses_with.unwrap_or(486))?
        .second_call(arguments.fork.second_call.unwrap_or(SecondCall::Rings));
    check = dialled!(check, arguments.call);
    if let Some(second) = second.first() {
        check = check.second_caller(second);
    }
    arguments.asking.ask(check, ends).await
}
