//! `ringback clean`: removes what runs left that were killed, and nothing else.

use crate::account::{AccountOptions, Accounts};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::notes;
use crate::output::{Output, OutputOptions};
use crate::probe::ProbeOptions;
use ringback::campaign::inventory::Unusable;
use ringback::check::journal::AbandonedFile;
use ringback::check::{Abandoned, Account, Clean, Left, Outcome, Probe, Verdict};
use std::collections::HashMap;

/// Remove the bindings and calls that killed runs left at the platform, and nothing else.
///
/// Each run notes what it has open before it asks for it (files in ringback/ below XDG_STATE_HOME, which is ~/.local/state by default; readable by
/// you alone, without any secret) and closes the note when it is gone. What a killed run left is removed with the account's password:
/// a binding where the registrar lists it with the mark that only it has, a call by a BYE in its dialog (by a CANCEL while it rings). What a run could
/// not end itself is noted as well. Runs that still go on are left alone. Without an account it only says what is left.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    account: AccountOptions,
    /// Only say what is left: of the accounts that are named, else of all.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    probe: ProbeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

const EXAMPLES: &str = "\
Examples:
  ringback clean                                   what is left?
  ringback clean --accounts accounts.toml          remove it
  ringback clean sip:alice@pbx.example.com --password-env PW

Exit status: 0 nothing is left, 1 a removal failed, 2 wrong usage, 3 something is left that was not tried (its account is not named), or
could not be removed or told. 1 wins over 3.
Ctrl-C ends it in order; what is left then is kept in the notes. A second one quits at once (130).";

pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let folder = notes::folder()
        .ok_or_else(|| Failure::usage("neither XDG_STATE_HOME nor HOME is set: no notes are kept"))?;
    // Told also where nothing is left.
    let only_lists = arguments.list || !arguments.account.is_given();
    let asked = if only_lists { arguments.account.asked()? } else { None };
    let mut output = arguments.output.open()?;
    let abandoned = Abandoned::in_folder(&folder)
        .map_err(|error| Failure::usage(format!("{}: {error}", folder.display())))?;
    if abandoned.running > 0 {
        let running = abandoned.running;
        let (noun, verb) = if running == 1 { ("run", "goes") } else { ("runs", "go") };
        output.people(&format!("{running} {noun} that still {verb} on: left alone\n"));
    }
    for file in abandoned.files.iter().filter(|file| file.unread() > 0) {
        let (path, lines) = (file.path().display(), file.unread());
        output
            .people(&format!("{path}: {lines} lines are not understood (of another version of ringback?)\n"));
    }
    let unread = abandoned.files.iter().any(|file| file.unread() > 0);
    if abandoned.files.iter().all(|file| file.left().next().is_none()) {
        output.people("nothing is left\n");
        return Ok(if unread { Exit::Open } else { Exit::Passed });
    }
    if only_lists {
        let of_asked = |left: &Left| asked.as_ref().is_none_or(|asked| asked.has(&left.account, &left.aor));
        let all = abandoned.files.iter().flat_map(AbandonedFile::left).map(|(_, left)| left);
        let (shown, others): (Vec<_>, Vec<_>) = all.partition(|left| of_asked(left));
        shown.iter().for_each(|left| output.people(&format!("{left}\n")));
        output.people(&match (&asked, shown.len(), others.len()) {
            (None, ..) => {
                "name its account to have it removed: --accounts FILE, or its address of record\n".to_owned()
            }
            (Some(_), 0, 0) => String::new(),
            (Some(_), 0, others) => {
                format!("nothing is left of what was named; of other accounts: {others}\n")
            }
            (Some(_), _, 0) => "run it without --list to have it removed\n".to_owned(),
            (Some(_), _, others) => {
                format!("run it without --list to have it removed; of other accounts is left: {others}\n")
            }
        });
        return Ok(if shown.is_empty() && !unread { Exit::Passed } else { Exit::Open });
    }
    let advice = arguments.account.where_it_was();
    let accounts = Known::of(arguments.account.accounts()?);
    let probe = arguments.probe.probe().await?;
    let stopper = probe.clone();
    let interrupt = Interrupt::watch(move |by| stopper.stop_by(by));
    let mut exit = if unread { Exit::Open } else { Exit::Passed };
    for mut file in abandoned.files {
        exit = exit
            .and(clean(&probe, &mut file, (&accounts, advice), arguments.probe.timeout, &mut output).await?);
    }
    probe.endpoint().close().await;
    let complete = output.finish();
    Ok(if complete && !interrupt.is_set() { exit } else { exit.and(Exit::Open) })
}

/// Removes what one run left; the gravest of what came of it.
async fn clean(
    probe: &Probe,
    file: &mut AbandonedFile,
    (accounts, advice): (&Known, &str),
    timeout: Option<std::time::Duration>,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let left: Vec<_> = file.left().map(|(id, left)| (id, left.clone())).collect();
    let mut exit = Exit::Passed;
    for (id, left) in left {
        let check = accounts.find(&left.account, &left.aor).map(|account| Clean::new(account, &left));
        let outcome = match check {
            Some(Ok(check)) => probe.check(timeout.map_or(check.clone(), |limit| check.timeout(limit))).await,
            Some(Err(problem)) => not_run(&left.aor, problem.to_string(), advice),
            None => match accounts.unusable.get(&left.aor) {
                Some(Unusable { why, advice }) => not_run(&left.aor, format!("{left}: {why}"), advice),
                None => not_run(
                    &left.aor,
                    format!("{left}: its account is not given"),
                    "name its account, or a file that has it (--accounts FILE)",
                ),
            },
        };
        output.one(&outcome);
        exit = exit.and(outcome.verdict.into());
        // A removal that took another device's binding away has removed ours as well.
        let is_gone = outcome.verdict == Verdict::Pass || outcome.finding("binding-replaced").is_some();
        if is_gone && let Err(error) = file.done(id) {
            return Err(Failure::usage(format!("{}: {error}", file.path().display())));
        }
    }
    Ok(exit)
}

fn not_run(aor: &str, why: String, advice: &str) -> Outcome {
    Outcome::not_run("clean", aor, why, advice)
}

/// The accounts that are given: by their names, and by their addresses where a name has changed.
struct Known {
    by_name: HashMap<String, Account>,
    by_aor: HashMap<String, Account>,
    /// By their addresses: accounts of the file that cannot be used.
    unusable: HashMap<String, Unusable>,
}

impl Known {
    fn of(accounts: Accounts) -> Known {
        let mut known = Known { by_name: HashMap::new(), by_aor: HashMap::new(), unusable: HashMap::new() };
        let mut usable = Vec::new();
        match accounts {
            Accounts::One(account) => usable.push(*account),
            Accounts::Many(entries) => {
                for entry in entries {
                    match entry.account {
                        Ok(account) => usable.push(account),
                        Err(why) => drop(known.unusable.insert(entry.aor, why)),
                    }
                }
            }
        }
        for account in usable {
            known.by_name.insert(account.name().to_owned(), account.clone());
            known.by_aor.entry(account.aor().to_owned()).or_insert(account);
        }
        known
    }

    fn find(&self, name: &str, aor: &str) -> Option<&Account> {
        let named = self.by_name.get(name).filter(|account| account.aor() == aor);
        named.or_else(|| self.by_aor.get(aor))
    }
}
