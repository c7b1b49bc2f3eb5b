//! How a probe asks: different checks in one stream, time from outside, branches that stop alone, steps as they happen, names looked up by
//! whom the embedder says; in virtual time.
#![allow(clippy::unwrap_used)]

use futures_util::StreamExt;
use ringback::check::{
    Account, BoxedCheck, Call, Cancel, Check, Dtmf, Hold, Pace, Probe, ProbeConfig, Progress, Reachable,
    Register, Run, Side, Transfer, Verdict,
};
use ringback::message::Transport;
use ringback::sim::{Lab, User};
use ringback::transport::{BoxFuture, Resolve, ResolveErrorKind};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

async fn lab() -> Lab {
    let users = ["alice", "bob", "carol"].map(|name| User::new(name, "pw"));
    Lab::in_memory([5; 32]).users(users).start().await.unwrap()
}

fn account(lab: &Lab, name: &str) -> Account {
    lab.account(name, Transport::Udp).unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_account_as_two_parties_is_not_asked_and_not_judged() {
    let lab = lab().await;
    let probe = lab.probe().await.unwrap();
    let (alice, bob) = (account(&lab, "alice"), account(&lab, "bob"));
    // Under another name it is the same account.
    let again = alice.clone().named("desk");
    let checks = [
        Call::between(&alice, &again).boxed(),
        Hold::between(&alice, &alice).boxed(),
        Cancel::between(&again, &alice).boxed(),
        Dtmf::between(&alice, &again).boxed(),
        Transfer::attended(&alice, &bob, &again).boxed(),
        Transfer::blind(&alice, &alice, &bob).boxed(),
    ];
    for check in checks {
        let outcome = probe.check(check).await;
        assert_eq!(outcome.verdict, Verdict::NotRun, "{outcome}");
        let finding = &outcome.findings[0];
        assert!(finding.code == "account-given-twice" && finding.side == Side::Setup, "{outcome}");
        assert!(outcome.summary.contains("is given twice, as "), "{outcome}");
        assert_eq!(outcome.messages(), 0, "nothing is sent:\n{outcome}");
    }
    // Who does not take part in the call may be named twice elsewhere: a call to its own number is a question of its own.
    let own = probe.check(Call::to(&alice, alice.aor()).unwrap()).await;
    assert!(own.finding("account-given-twice").is_none(), "{own}");
}

/// Waits this long, unless it is stopped.
struct Sleeps(Duration);

impl Check for Sleeps {
    fn name(&self) -> &'static str {
        "sleeps"
    }

    fn subject(&self) -> String {
        format!("{:?}", self.0)
    }

    async fn run(&self, run: &mut Run) {
        run.skip("before", "it is tired");
        let step = run.begin("sleep");
        let began = run.now();
        while run.interrupted().is_none() && run.now() - began < self.0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let verdict = if run.interrupted().is_some() { Verdict::Inconclusive } else { Verdict::Pass };
        run.end(step, verdict, "woke up");
    }
}

#[tokio::test(start_paused = true)]
async fn different_checks_run_as_one_stream() {
    let lab = lab().await;
    let (alice, bob) = (account(&lab, "alice"), account(&lab, "bob"));
    let checks: Vec<BoxedCheck> = vec![
        Register::new(&account(&lab, "carol")).boxed(),
        Call::between(&alice, &bob).boxed(),
        Hold::between(&alice, &bob).boxed(),
        Cancel::between(&alice, &bob).boxed(),
        Reachable::new(&lab.uri(Transport::Udp).unwrap()).unwrap().boxed().boxed(),
    ];
    assert!(format!("{:?}", checks[0]).contains("register"), "{:?}", checks[0]);
    let probe = lab.probe().await.unwrap();
    let pace = Pace { concurrency: 1, per_second: None };
    let outcomes: Vec<_> = probe.check_many(checks, pace).collect().await;
    let names: Vec<&str> = outcomes.iter().map(|outcome| &*outcome.check).collect();
    assert_eq!(names, ["register", "call", "hold", "cancel", "reachable"]);
    for outcome in &outcomes {
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    }
    assert_eq!(outcomes[1].accounts, [alice.name(), bob.name()]);
    assert_eq!(outcomes[0].account(), Some(account(&lab, "carol").name()));
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_check_can_be_said_from_outside() {
    let lab = lab().await;
    let probe = lab.probe().await.unwrap();
    let long = Sleeps(Duration::from_secs(30));
    let outcome = probe.check_within(Duration::from_secs(2), long).await;
    assert_eq!(outcome.verdict, Verdict::Inconclusive, "{outcome}");
    assert!(outcome.took < Duration::from_secs(3), "{:?}", outcome.took);
    // The probe's own 40 s cut it where nobody says more.
    let outcome = probe.check_within(Duration::from_secs(90), Sleeps(Duration::from_secs(60)).boxed()).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    assert_eq!(probe.check(Sleeps(Duration::from_secs(60))).await.verdict, Verdict::Inconclusive);
}

#[tokio::test(start_paused = true)]
async fn one_stream_is_stopped_and_the_others_go_on() {
    let lab = lab().await;
    let probe = lab.probe().await.unwrap();
    let wave = probe.branch();
    let pace = Pace { concurrency: 2, per_second: None };
    let checks = || (0..3).map(|_| Sleeps(Duration::from_secs(5)));
    let (stopped, others, ()) = tokio::join!(
        wave.check_many(checks(), pace).collect::<Vec<_>>(),
        probe.check_many(checks(), pace).collect::<Vec<_>>(),
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            wave.stop();
        }
    );
    let verdicts: Vec<Verdict> = stopped.iter().map(|outcome| outcome.verdict).collect();
    assert_eq!(verdicts, [Verdict::Inconclusive, Verdict::Inconclusive, Verdict::NotRun]);
    assert!(others.iter().all(|outcome| outcome.verdict == Verdict::Pass));
    assert!(wave.is_stopped() && !probe.is_stopped());

    let next = probe.branch();
    probe.stop();
    assert!(next.is_stopped(), "the end of a probe is the end of its branches");
    assert_eq!(next.check(Sleeps(Duration::ZERO)).await.verdict, Verdict::NotRun);
}

#[tokio::test(start_paused = true)]
async fn the_steps_of_a_running_check_are_told_as_they_end() {
    let lab = lab().await;
    let probe = lab.probe().await.unwrap();
    let began = tokio::time::Instant::now();
    let mut watched = probe.watch(Sleeps(Duration::from_secs(3)));
    let Some(Progress::Ended(step)) = watched.next().await else { panic!("the step that is passed over") };
    assert_eq!((&*step.name, step.verdict), ("before", Verdict::NotRun));
    let Some(Progress::Began(name)) = watched.next().await else { panic!("a step begins") };
    assert_eq!((&*name, began.elapsed().as_secs()), ("sleep", 0), "while it runs");
    let Some(Progress::Ended(step)) = watched.next().await else { panic!("it ends") };
    assert_eq!((&*step.name, step.verdict, began.elapsed().as_secs()), ("sleep", Verdict::Pass, 3));
    let Some(Progress::Done(outcome)) = watched.next().await else { panic!("the outcome") };
    assert_eq!(outcome.steps.last(), Some(&step));
    assert!(watched.next().await.is_none() && watched.next().await.is_none());

    let told: Vec<_> = probe.watch(Register::new(&account(&lab, "alice"))).collect().await;
    let ended = told.iter().filter(|told| matches!(told, Progress::Ended(_))).count();
    let Some(Progress::Done(outcome)) = told.last() else { panic!("the outcome comes last") };
    assert_eq!(ended, outcome.steps.len());
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");

    // Who does not look any more stops it.
    let mut watched = probe.watch(Sleeps(Duration::from_secs(3_000)));
    watched.next().await;
    drop(watched);
}

#[derive(Debug)]
struct Table(IpAddr, AtomicUsize);

impl Resolve for Table {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveErrorKind>> {
        Box::pin(async move {
            self.1.fetch_add(1, Ordering::Relaxed);
            match name {
                "pbx.example.com" => Ok(vec![self.0, self.0]),
                "slow.example.com" => std::future::pending().await,
                _ => Err(ResolveErrorKind::NoAddress),
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn names_are_looked_up_by_whom_the_embedder_says() {
    let lab = lab().await;
    let (_, address) = lab.addrs()[0];
    let table = Arc::new(Table(address.ip(), AtomicUsize::new(0)));
    let mut config: ProbeConfig = lab.probe_config();
    config.endpoint.resolver = Some(table.clone());
    let probe = Probe::with(config).await.unwrap();
    let at = |host: &str| {
        let uri = format!("sip:{host}:{}", address.port());
        Account::new(&lab.aor("alice"), "pw").unwrap().registrar(&uri).unwrap()
    };
    let outcome = probe.check(Register::new(&at("pbx.example.com"))).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    assert!(table.1.load(Ordering::Relaxed) > 0);
    // The callers' ends look names up in the same way.
    let outcome = probe.check(Call::between(&at("pbx.example.com"), &account(&lab, "bob"))).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome}");
    for (host, why) in [("nowhere.example.com", "no address"), ("slow.example.com", "no answer in 10s")] {
        let outcome = probe.check(Register::new(&at(host))).await;
        assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
        assert!(outcome.findings[0].code == "name-not-found" && outcome.summary.contains(why), "{outcome}");
    }
    let before = table.1.load(Ordering::Relaxed);
    probe.check(Register::new(&account(&lab, "alice"))).await;
    assert_eq!(table.1.load(Ordering::Relaxed), before, "an address is no name");
}
