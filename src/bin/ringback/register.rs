//! `ringback register`: does this account register, and if not, why not?

use crate::account::{AccountOptions, Accounts};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::output::{Output, OutputOptions};
use crate::probe::ProbeOptions;
use crate::progress::Progress;
use futures_util::StreamExt;
use ringback::campaign::inventory::Entry;
use ringback::check::{Account, BoxedCheck, Check, Lookup, Outcome, Pace, Probe, Register, Verdict};
use ringback::report::Row;
use std::collections::HashMap;

/// Does this account register, and if not, why not?
///
/// Queries the bindings, binds one of its own, refreshes it, looks again, removes its own and no other.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    account: AccountOptions,
    #[command(flatten)]
    check: CheckOptions,
    #[command(flatten)]
    pace: PaceOptions,
    #[command(flatten)]
    probe: ProbeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Check")]
struct CheckOptions {
    /// Expiry to ask for, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = seconds)]
    expires: u32,
    /// Only query the bindings: bind nothing. Passes when the registrar answers, also where nobody is bound.
    #[arg(long, conflicts_with = "expires")]
    query_only: bool,
    /// Bind also where other devices are registered, at a quiet hour: a registrar that keeps one binding for an account drops that of the
    /// device. Without it such an account is asked for its bindings only: it passes when the login is accepted (exit status 0), its own binding
    /// is not tried, and the table says so.
    #[arg(long, conflicts_with = "query_only")]
    beside_live_devices: bool,
    /// Only ask whether a device is registered now: bind nothing. Fails where nobody is bound; the devices are listed, also in a table.
    #[arg(long, conflicts_with_all = ["query_only", "expires", "beside_live_devices"])]
    lookup: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Many accounts")]
struct PaceOptions {
    /// Checks that begin in a second; 0 for no limit. [default: 50]
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    rate: Option<f64>,
    /// Checks that run at once. [default: 64]
    #[arg(long, value_name = "N", value_parser = concurrency)]
    concurrency: Option<usize>,
}

impl PaceOptions {
    fn pace(&self) -> Pace {
        let default = Pace::default();
        Pace {
            concurrency: self.concurrency.unwrap_or(default.concurrency),
            per_second: self.rate.map_or(default.per_second, |rate| Some(rate).filter(|rate| *rate > 0.0)),
        }
    }
    fn is_given(&self) -> bool {
        self.rate.is_some() || self.concurrency.is_some()
    }
}

const EXAMPLES: &str = "\
Examples:
  ringback register sip:alice@pbx.example.com                 asks for the password
  ringback register alice@pbx.example.com --password-file pw.txt --transport tcp --ladder
  ringback register 101@customer.example --registrar sip:192.0.2.10:5060 --password-env PW --query-only
  ringback register --accounts accounts.toml                  every account of the file, in a table
  ringback register --accounts accounts.toml alice            one of them, with its steps
  ringback register --accounts accounts.csv alice bob --json  two of them, for a program

An account file:
  [[account]]
  name = \"alice\"
  aor = \"sip:alice@pbx.example.com\"
  password_env = \"ALICE_PW\"        # or password = \"...\", or password_file = \"path\"

Exit status: 0 all register (an account beside whose live devices nothing was bound: its login is accepted), 1 one does not, 2 wrong usage,
3 inconclusive or not run.
Ctrl-C ends in order: running checks remove what they bound, and the results so far are shown (exit status 1 or 3). A second one quits at once (130).";

pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let accounts = arguments.account.accounts()?;
    let alone = arguments.account.names_one();
    if matches!(accounts, Accounts::One(_)) && arguments.pace.is_given() {
        return Err(Failure::usage("--rate and --concurrency are for many accounts (--accounts FILE)"));
    }
    arguments.probe.opens(match &accounts {
        Accounts::One(account) => vec![account.next_hop()],
        Accounts::Many(entries) => {
            entries.iter().filter_map(|e| Some(e.account.as_ref().ok()?.next_hop())).collect()
        }
    })?;
    let mut output = arguments.output.open()?;
    let probe = arguments.probe.probe().await?;
    let stopper = probe.clone();
    let interrupt = Interrupt::watch(move |by| stopper.stop_by(by));
    let (CheckOptions { expires, query_only, beside_live_devices, lookup }, timeout) =
        (arguments.check, arguments.probe.timeout);
    let question = move |account: &Account| {
        if lookup {
            let check = Lookup::new(account);
            return timeout.map_or(check.clone(), |limit| check.timeout(limit)).boxed();
        }
        let check = Register::new(account)
            .expires(expires)
            .query_only(query_only)
            .beside_live_devices(beside_live_devices);
        timeout.map_or(check.clone(), |limit| check.timeout(limit)).boxed()
    };
    let verdict = match accounts {
        Accounts::One(account) => {
            let outcome = probe.check(question(&account)).await;
            output.one(&outcome);
            outcome.verdict
        }
        Accounts::Many(entries) => {
            many(&probe, entries, question, (arguments.pace.pace(), alone), &mut output).await
        }
    };
    probe.endpoint().close().await;
    let complete = output.finish();
    Ok(match Exit::from(verdict) {
        Exit::Passed if !complete || interrupt.is_set() => Exit::Open,
        exit => exit,
    })
}

async fn many(
    probe: &Probe,
    entries: Vec<Entry>,
    question: impl Fn(&Account) -> BoxedCheck + Send + 'static,
    (pace, alone): (Pace, bool),
    output: &mut Output,
) -> Verdict {
    let mut progress = Progress::new(entries.len() as u64);
    let mut sheet = Sheet::new(&entries);
    let mut checks = Vec::with_capacity(entries.len());
    for entry in entries {
        match entry.account {
            Ok(account) => checks.push(question(&account)),
            Err(unusable) => {
                let outcome = Outcome::not_run("register", &entry.aor, unusable.why, unusable.advice);
                progress.add(outcome.verdict);
                output.one_of_many(&entry.name, &outcome, alone);
                sheet.fill(&entry.name, outcome);
            }
        }
    }
    let mut unasked = 0_u64;
    let mut outcomes = std::pin::pin!(probe.check_many(checks, pace));
    while let Some(outcome) = outcomes.next().await {
        progress.add(outcome.verdict);
        unasked += u64::from(outcome.finding("withheld-retry-after").is_some());
        let name = sheet.name_of(&outcome);
        output.one_of_many(&name, &outcome, alone);
        sheet.fill(&name, outcome);
        if output.is_closed() {
            // Nobody reads on: what is bound is still removed.
            probe.stop_by("standard output, which is closed or cannot be written");
        }
    }
    let (tally, closing) = progress.finish();
    // One account that was named has been shown with its steps.
    if !alone {
        output.table(sheet.rows(), &closing);
    }
    if unasked > 0 {
        output.people(&format!(
            "{unasked} left unasked because the registrar asked for a pause (Retry-After): ask them again after it, at a smaller --rate\n"
        ));
    }
    tally.verdict()
}

/// The lines of the table, in the order of the file.
struct Sheet {
    lines: Vec<Line>,
    by_name: HashMap<String, usize>,
    /// Accounts of one AOR, for outcomes that do not say their name.
    by_aor: HashMap<String, Vec<usize>>,
}

struct Line {
    name: String,
    /// Verdict, why, advice, and whether by the login alone: the evidence of thousands of accounts is not kept.
    seen: Option<(Verdict, String, Option<String>, bool)>,
}

impl Sheet {
    fn new(entries: &[Entry]) -> Sheet {
        let mut by_aor: HashMap<String, Vec<usize>> = HashMap::new();
        for (i, account) in
            entries.iter().enumerate().filter_map(|(i, entry)| Some((i, entry.account.as_ref().ok()?)))
        {
            by_aor.entry(account.aor().to_owned()).or_default().push(i);
        }
        Sheet {
            lines: entries.iter().map(|entry| Line { name: entry.name.clone(), seen: None }).collect(),
            by_name: entries.iter().enumerate().map(|(i, entry)| (entry.name.clone(), i)).collect(),
            by_aor,
        }
    }

    fn name_of(&self, outcome: &Outcome) -> String {
        if let Some(name) = outcome.account() {
            return name.to_owned();
        }
        let candidates = self.by_aor.get(&outcome.subject).map(Vec::as_slice).unwrap_or_default();
        let line = candidates.iter().map(|i| &self.lines[*i]).find(|line| line.seen.is_none());
        line.map_or_else(|| outcome.subject.clone(), |line| line.name.clone())
    }

    fn fill(&mut self, name: &str, outcome: Outcome) {
        if let Some(line) = self.by_name.get(name).and_then(|i| self.lines.get_mut(*i)) {
            let Row { advice, by_login_only, .. } = Row::of(name, &outcome);
            let advice = advice.map(str::to_owned);
            line.seen = Some((outcome.verdict, outcome.summary, advice, by_login_only));
        }
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.lines.iter().filter_map(|line| {
            let (verdict, why, advice, by_login_only) = line.seen.as_ref()?;
            let (verdict, by_login_only) = (*verdict, *by_login_only);
            Some(Row { name: &line.name, verdict, why, advice: advice.as_deref(), by_login_only })
        })
    }
}

fn seconds(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|seconds| *seconds > 0).ok_or_else(|| "write a number of seconds from 1".into())
}

fn rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate: &f64| rate.is_finite() && (0.0..=1e6).contains(rate))
        .ok_or_else(|| "write a number from 0 to 1000000".into())
}

fn concurrency(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|n| (1..=100_000).contains(n))
        .ok_or_else(|| "write a number from 1 to 100000".into())
}
