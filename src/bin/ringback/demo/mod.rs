//! `ringback demo`: what verdicts look like.

mod digits;

use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::output::{colour, say};
use futures_util::StreamExt;
use ringback::campaign::inventory::{Format, Inventory};
use ringback::check::{Outcome, Pace, Probe, ProbeConfig, Register, Verdict};
use ringback::error::Error;
use ringback::message::Transport;
use ringback::report::{Row, table};
use ringback::sim::{Lab, User};
use std::collections::HashMap;
use std::time::Duration;

/// Start the embedded network with healthy and faulty accounts, check them, and show the verdicts.
///
/// Everything stays in this process and on 127.0.0.1.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT)]
pub(crate) struct Arguments {}

const EXIT: &str =
    "Exit status: 0 every verdict is the one that its fault should give, 1 one is not, 3 interrupted.";

/// An account of the demo, and what should come of it.
struct Case {
    user: &'static str,
    /// A fault of the failure catalogue; empty for a healthy account.
    fault: &'static str,
    transport: Transport,
    verdict: Verdict,
    /// The code of the finding that says why; empty when there is nothing to say.
    code: &'static str,
}

const fn case(
    user: &'static str,
    fault: &'static str,
    transport: Transport,
    verdict: Verdict,
    code: &'static str,
) -> Case {
    Case { user, fault, transport, verdict, code }
}

use Transport::{Tcp, Udp};
use Verdict::{Fail, Inconclusive, NotRun, Pass};

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("alice", "",    Udp, Pass,         ""),
    case("bruno", "A09", Tcp, Pass,         ""),
    case("carla", "R01", Udp, Pass,         "min-expires"),
    case("david", "A01", Udp, Fail,         "credentials-refused"),
    case("emma",  "A05", Udp, Fail,         "stale-loop"),
    case("felix", "A16", Udp, Fail,         "no-challenge"),
    case("gina",  "R05", Udp, Fail,         "no-expiry"),
    case("hugo",  "R06", Tcp, Fail,         "too-many-bindings"),
    case("ida",   "R12", Udp, Fail,         "unknown-user"),
    case("jonas", "R15", Udp, Fail,         "no-answer"),
    case("karla", "R18", Udp, Fail,         "binding-kept"),
    case("leo",   "B01", Udp, Inconclusive, "answers-stopped"),
    case("maria", "R14", Udp, Inconclusive, "overloaded"),
    case("nora",  "",    Udp, NotRun,       "not-asked"),
];

/// A pause that is asked for is granted to the whole registrar, and silence to one account means something else where others are answered:
/// these faults get a registrar of their own.
const APART: [&str; 3] = ["R14", "R15", "B01"];
/// The user whose password nobody knows.
const FORGETFUL: &str = "nora";
const VARIABLE: &str = "RINGBACK_DEMO_PASSWORD_OF_NORA";

/// Silence has to be waited for; all else takes milliseconds.
const TIME_LIMIT: Duration = Duration::from_secs(3);
const GRACE: Duration = Duration::from_secs(1);

impl Case {
    fn is_apart(&self) -> bool {
        APART.contains(&self.fault)
    }

    /// As `ringback sim --user` would have it, without the password.
    fn name(&self) -> String {
        if self.fault.is_empty() { self.user.to_owned() } else { format!("{}:{}", self.user, self.fault) }
    }

    fn user(&self) -> Result<User, Error> {
        let healthy = User::new(self.user, password(self.user));
        if self.fault.is_empty() { Ok(healthy) } else { healthy.fault(self.fault) }
    }

    /// Difference from the expected verdict.
    fn objection(&self, outcome: &Outcome) -> Option<String> {
        objection(&self.name(), (self.verdict, self.code), outcome)
    }
}

/// Difference from the expected verdict and code.
fn objection(name: &str, (verdict, code): (Verdict, &str), outcome: &Outcome) -> Option<String> {
    let has_code = code.is_empty() || outcome.finding(code).is_some();
    if outcome.verdict == verdict && has_code {
        return None;
    }
    let codes: Vec<&str> = outcome.findings.iter().map(|finding| &*finding.code).collect();
    Some(format!("{name}: expected {verdict} [{code}], got {} [{}]", outcome.verdict, codes.join(", ")))
}

fn password(user: &str) -> String {
    format!("{user}pw")
}

async fn network(cases: impl Iterator<Item = &Case>) -> Result<Lab, Error> {
    let users = cases.map(Case::user).collect::<Result<Vec<_>, _>>()?;
    Lab::builder().users(users).start().await
}

/// The accounts as a user would write them down.
fn account_file(network: &Lab, apart: &HashMap<&str, Lab>) -> Result<String, Error> {
    let mut file = String::new();
    for case in CASES {
        let at = apart.get(case.fault).unwrap_or(network);
        let secret = match case.user {
            FORGETFUL => format!("password_env = \"{VARIABLE}\""),
            user => format!("password = \"{}\"", password(user)),
        };
        let (name, aor, registrar) = (case.name(), at.aor(case.user), at.uri(case.transport)?);
        file += &format!(
            "[[account]]\nname = \"{name}\"\naor = \"{aor}\"\n{secret}\nregistrar = \"{registrar}\"\n"
        );
    }
    Ok(file)
}

pub(crate) async fn run(_: Arguments) -> Result<Exit, Failure> {
    let healthy = network(CASES.iter().filter(|case| !case.is_apart())).await?;
    let mut apart = HashMap::new();
    for case in CASES.iter().filter(|case| case.is_apart()) {
        apart.insert(case.fault, network(std::iter::once(case)).await?);
    }
    let file = account_file(&healthy, &apart)?;
    let inventory = Inventory::parse(file.as_bytes(), Format::Toml, "demo").map_err(Failure::usage)?;

    let mut config = ProbeConfig::default().bind("udp:127.0.0.1:0")?;
    config.grace = GRACE;
    let probe = Probe::with(config).await?;
    let stopper = probe.clone();
    let interrupt = Interrupt::watch(move |by| stopper.stop_by(by));
    let server = healthy.addr(Udp).map(|address| address.to_string()).unwrap_or_default();
    say(&format!(
        "Checking {} accounts at the embedded network on {server}, in a few seconds ...\n\n",
        CASES.len()
    ));

    let mut outcomes = HashMap::new();
    let mut checks = Vec::new();
    for entry in &inventory.entries {
        match &entry.account {
            Ok(account) => {
                // One of them has devices, and is about them.
                checks.push(Register::new(account).beside_live_devices(true).timeout(TIME_LIMIT));
            }
            Err(no) => {
                let outcome = Outcome::not_run("register", &entry.aor, &no.why, &no.advice);
                outcomes.insert(outcome.subject.clone(), outcome);
            }
        }
    }
    let pace = Pace { per_second: None, ..Pace::default() };
    let registered = async {
        let mut coming = std::pin::pin!(probe.check_many(checks, pace));
        while let Some(outcome) = coming.next().await {
            outcomes.insert(outcome.subject.clone(), outcome);
        }
    };
    let ((), called) = tokio::join!(registered, digits::run(&probe));
    let called = called?;

    let names: Vec<String> = CASES.iter().map(Case::name).collect();
    let seen: Vec<(&Case, &str, &Outcome)> = CASES
        .iter()
        .zip(&names)
        .filter_map(|(case, name)| Some((case, name.as_str(), outcomes.get(&healthy.aor(case.user))?)))
        .collect();
    say(&table(seen.iter().map(|(_, name, outcome)| Row::of(name, outcome)), colour()));
    say("\nDigits in calls (caller, digits or menu, called):\n");
    say(&table(called.rows.iter().map(|(name, outcome)| Row::of(name, outcome)), colour()));
    let mut objections: Vec<String> =
        seen.iter().filter_map(|(case, _, outcome)| case.objection(outcome)).collect();
    if seen.len() < CASES.len() {
        objections.push(format!("{} accounts have no verdict", CASES.len() - seen.len()));
    }
    objections.extend(called.objections);
    probe.endpoint().close().await;
    for network in apart.into_values() {
        network.shutdown().await;
    }
    healthy.shutdown().await;
    if interrupt.is_set() {
        return Ok(Exit::Open);
    }
    say(&closing(&objections));
    Ok(if objections.is_empty() { Exit::Passed } else { Exit::Failed })
}

fn closing(objections: &[String]) -> String {
    if objections.is_empty() {
        return "\nEvery verdict is the one that its fault should give (faults: ringback sim --faults).\n\
                Next: ringback register --help\n"
            .to_owned();
    }
    format!("\nExpected something else:\n  {}\n", objections.join("\n  "))
}
