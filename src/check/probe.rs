//! The probe: an endpoint of our own that asks questions.

use super::ask::{PartyConfig, Setting};
use super::interrupted::StoppedBy;
use super::journal::Journal;
use super::masked::Secrets;
use super::notebook::Whose;
use super::restraint::{Courtesy, Restraint};
use super::run::Run;
use super::wrapped::Within;
use super::yields;
use super::{Check, Finding, Name, Outcome, Progress, Severity, Side, Transcript, Verdict, Watched};
use crate::endpoint::agent::AgentConfig;
use crate::endpoint::{self, Endpoint};
use crate::error::{Argument, Error, Problem};
use crate::message::Transport;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Settings of a probe.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProbeConfig {
    /// Sockets, timers and limits.
    pub endpoint: endpoint::Config,
    /// `User-Agent` of every request.
    pub user_agent: String,
    /// Time for one check where neither the check says it; default 40 s.
    pub time_limit: Duration,
    /// Time that an interrupted check has to remove what it left at the peer; default 5 s.
    pub grace: Duration,
    /// Rules for holding back.
    pub courtesy: Courtesy,
    /// Ports for the media of calls, RTP at even ones; `None`, the default, lets the system choose. (For signalling, each end of a call that
    /// is ours has a socket of its own, at the addresses above with a port that the system chooses.)
    pub rtp_ports: Option<RangeInclusive<u16>>,
    /// Journal of what is open at peers, so that it can be removed after the program was killed; default none.
    pub journal: Option<Arc<Journal>>,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        ProbeConfig {
            endpoint: endpoint::Config::default(),
            user_agent: concat!("ringback/", env!("CARGO_PKG_VERSION")).to_owned(),
            time_limit: Duration::from_secs(40),
            grace: Duration::from_secs(5),
            courtesy: Courtesy::default(),
            rtp_ports: None,
            journal: None,
        }
    }
}

impl ProbeConfig {
    /// Adds a local address: `udp:127.0.0.1:0`, `tcp:[::1]:5070` or an address alone for UDP; port 0 lets the system choose.
    ///
    /// # Errors
    /// [`Error::Usage`] when it is no address.
    pub fn bind(mut self, address: &str) -> Result<ProbeConfig, Error> {
        let (transport, rest) = match address.split_once(':') {
            Some((t, rest)) if t.eq_ignore_ascii_case("udp") => (Transport::Udp, rest),
            Some((t, rest)) if t.eq_ignore_ascii_case("tcp") => (Transport::Tcp, rest),
            _ => (Transport::Udp, address),
        };
        let ip = |text: &str| {
            text.trim_matches(['[', ']']).parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 0))
        };
        let local = rest.parse::<SocketAddr>().ok().or_else(|| ip(rest)).ok_or_else(|| {
            let write = "write it as udp:127.0.0.1:0, tcp:[::1]:5070 or 192.0.2.1";
            Error::usage(Argument::LocalAddress, address, Problem::malformed("it is no address", write))
        })?;
        match transport {
            Transport::Tcp => self.endpoint.tcp.push(local),
            _ => self.endpoint.udp.push(local),
        }
        Ok(self)
    }
}

impl ProbeConfig {
    /// Legs of calls that [`ProbeConfig::rtp_ports`] has room for at once; `None` where the system chooses.
    pub fn room_for_legs(&self) -> Option<usize> {
        let range = self.rtp_ports.as_ref()?;
        let first = u32::from(*range.start()).next_multiple_of(2);
        Some(((u32::from(*range.end()) + 1).saturating_sub(first) / 2) as usize)
    }

    fn parties(&self) -> PartyConfig {
        let mut endpoint = self.endpoint.clone();
        endpoint.udp.iter_mut().for_each(|local| local.set_port(0));
        // A phone that is called by TCP is called over the connection that it has opened.
        endpoint.tcp.iter_mut().for_each(|local| local.set_port(0));
        endpoint.user_agent.clone_from(&self.user_agent);
        let mut agent = AgentConfig::default();
        agent.rtp_ports.clone_from(&self.rtp_ports);
        PartyConfig { endpoint, agent }
    }
}

/// An endpoint that checks others; cheap to clone.
///
/// Dropping the last clone closes its sockets. A check that is dropped while it runs still removes what it left at the peer.
#[derive(Debug, Clone)]
pub struct Probe {
    inner: Arc<Inner>,
    stop: CancellationToken,
    stopped_by: Arc<StoppedBy>,
}

#[derive(Debug)]
struct Inner {
    endpoint: Endpoint,
    config: ProbeConfig,
    restraint: Arc<Restraint>,
}

impl Probe {
    /// A probe on one local address: `udp:127.0.0.1:0`, `tcp:...`, or an address alone.
    ///
    /// # Errors
    /// [`Error::Usage`] when `address` is none, [`Error::Bind`] when it cannot be had.
    pub async fn bind(address: &str) -> Result<Probe, Error> {
        Probe::with(ProbeConfig::default().bind(address)?).await
    }

    /// A probe from a configuration; without any address it binds UDP on all IPv4 and, where the system has it, IPv6 interfaces.
    ///
    /// # Errors
    /// [`Error::Bind`].
    pub async fn with(config: ProbeConfig) -> Result<Probe, Error> {
        let (endpoint, _incoming) = endpoint::bind_anywhere(config.endpoint.clone()).await?;
        let restraint = Arc::new(Restraint::new(config.courtesy.clone()));
        let inner = Arc::new(Inner { endpoint, config, restraint });
        Ok(Probe { inner, stop: CancellationToken::new(), stopped_by: Arc::default() })
    }

    /// Asks one question.
    ///
    /// The check runs in a task of its own: when the returned future is dropped, the check is told to stop and cleans up.
    pub async fn check<C: Check>(&self, check: C) -> Outcome {
        self.check_telling(check, None).await
    }

    /// Asks one question that has this time, cleaning up not counted, whatever the check itself says.
    pub async fn check_within<C: Check>(&self, limit: Duration, check: C) -> Outcome {
        self.check(Within { check, limit }).await
    }

    /// Asks one question, and tells its steps as they begin and end; the last item is the outcome. Nothing is asked until the stream is polled.
    ///
    /// Dropping the stream tells the check to stop and to clean up. Of steps that nobody reads the first 256 are kept.
    pub fn watch<C: Check>(&self, check: C) -> Watched {
        let probe = self.clone();
        Watched::new(|steps| async move { probe.check_telling(check, Some(steps)).await })
    }

    /// The same, and tells the steps as they begin and end.
    pub(super) async fn check_telling<C: Check>(
        &self,
        check: C,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Outcome {
        let whose = Whose::of(&check);
        if self.is_stopped() {
            return not_run(whose, "the probe was stopped before this check began");
        }
        if let Some(room) = self.inner.config.room_for_legs().filter(|room| *room < check.legs()) {
            return too_few_ports(whose, room, check.legs());
        }
        let stop = self.stop.child_token();
        let setting = Setting {
            endpoint: self.inner.endpoint.clone(),
            parties: self.inner.config.parties(),
            user_agent: self.inner.config.user_agent.clone(),
            restraint: Arc::clone(&self.inner.restraint),
            journal: self.inner.config.journal.clone(),
            stop: stop.clone(),
            stopped_by: Arc::clone(&self.stopped_by),
            time_limit: check.time_limit().unwrap_or(self.inner.config.time_limit),
            grace: self.inner.config.grace,
        };
        let whose_of_task = whose.clone();
        let task = tokio::spawn(async move {
            let mut run = Run::new(setting, whose_of_task, progress);
            check.run(&mut run).await;
            let outcome = run.finish();
            if cfg!(debug_assertions) {
                holds_what_is_listed(&outcome, check.yields());
            }
            outcome
        });
        let _stop_when_dropped = stop.drop_guard();
        match task.await {
            Ok(outcome) => outcome,
            Err(error) => broken(whose, &error),
        }
    }

    /// The same probe (sockets, configuration, restraint) with a [`Probe::stop`] of its own: it ends only what was asked through the branch, e.g.
    /// one stream of checks among several. Stopping this probe ends its branches too.
    ///
    /// ```no_run
    /// use ringback::{Account, Probe, Register};
    ///
    /// # async fn example(alice: Account, bob: Account) -> Result<(), ringback::Error> {
    /// let probe = Probe::bind("udp:127.0.0.1:0").await?;
    /// let wave = probe.branch();
    /// let (first, stopping) = (wave.check(Register::new(&alice)), async { wave.stop() });
    /// let (given_up, ()) = tokio::join!(first, stopping);
    /// let asked = probe.check(Register::new(&bob)).await; // the probe itself goes on
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn branch(&self) -> Probe {
        Probe {
            inner: Arc::clone(&self.inner),
            stop: self.stop.child_token(),
            stopped_by: Arc::new(self.stopped_by.branch()),
        }
    }

    /// Tells running checks to clean up and end, and checks that have not begun to end as [`Verdict::NotRun`].
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Like [`Probe::stop`]; outcomes then say who or what it was: "stopped by Ctrl-C during the step .." for `stop_by("Ctrl-C")`.
    pub fn stop_by(&self, whom: impl Into<Name>) {
        self.stopped_by.set(whom.into());
        self.stop();
    }

    /// Was [`Probe::stop`] called, on this one or on the one that it is a branch of?
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The endpoint under it: local addresses, counters.
    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    pub(super) fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }
}

/// A name that is in no list of the check is a defect of the check: see [`Check::yields`].
fn holds_what_is_listed(outcome: &Outcome, lists: &[&'static str]) {
    let unlisted = if lists.is_empty() { Vec::new() } else { yields::unlisted(outcome, lists) };
    assert!(
        unlisted.is_empty(),
        "the documentation of the check `{}` does not list {unlisted:?}",
        outcome.check
    );
}

fn without_evidence(whose: Whose, verdict: Verdict, finding: Finding) -> Outcome {
    let now = tokio::time::Instant::now().into_std();
    let seen = finding.seen.clone();
    let mut outcome =
        Outcome::new(whose.check, whose.subject, verdict, seen, Transcript::empty(now, SystemTime::now()));
    outcome.accounts = whose.accounts;
    outcome.findings.push(finding);
    Secrets::default().out_of(&mut outcome);
    outcome
}

impl Outcome {
    /// The outcome of a check that could not be asked because of its set-up, e.g. an account without a password.
    pub fn not_run(
        check: impl Into<Name>,
        subject: impl Into<String>,
        why: impl Into<String>,
        advice: impl Into<String>,
    ) -> Outcome {
        let finding = Finding::new("not-asked", Severity::Error, Side::Setup, why, advice);
        let whose =
            Whose { check: check.into(), accounts: Vec::new(), subject: subject.into(), least_time: None };
        without_evidence(whose, Verdict::NotRun, finding)
    }
}

fn too_few_ports(whose: Whose, room: usize, legs: usize) -> Outcome {
    let seen =
        format!("the RTP ports have room for {room} of the {legs} legs of this check that are up at once");
    let advice = format!("give {} ports, from an even one on (--rtp-ports)", 2 * legs);
    let finding = Finding::new("too-few-rtp-ports", Severity::Error, Side::Setup, seen, advice);
    without_evidence(whose, Verdict::NotRun, finding)
}

fn not_run(whose: Whose, why: &str) -> Outcome {
    let finding = Finding::new("stopped", Severity::Error, Side::Probe, why, "run it again to ask this one");
    without_evidence(whose, Verdict::NotRun, finding)
}

fn broken(whose: Whose, error: &tokio::task::JoinError) -> Outcome {
    let seen =
        if error.is_panic() { "the check itself broke off" } else { "the runtime ended before the check" };
    let finding = Finding::new(
        "probe-broken",
        Severity::Error,
        Side::Probe,
        seen,
        "a defect of the probe: report it with this line",
    );
    without_evidence(whose, Verdict::Inconclusive, finding)
}
