//! What every check finds on the embedded network comes back from its JSON line as it was, but for the transcript.
#![cfg(feature = "json")]
#![allow(clippy::unwrap_used)]

use ringback::check::{
    Account, Call, Cancel, Check, Details, Dtmf, Fork, Hold, Other, Outcome, Probe, Reachable, Register, Run,
    Transfer, Verdict,
};
use ringback::message::Transport;
use ringback::report::json;
use ringback::sim::{Lab, User};

struct Scene {
    lab: Lab,
    probe: Probe,
}

impl Scene {
    async fn new(faults: &[&str]) -> Scene {
        let mut builder = Lab::in_memory([3; 32]).group("600", ["bob", "carol"]).music_on_hold();
        for name in ["alice", "bob", "carol"] {
            let user = faults.iter().fold(User::new(name, "pw"), |user, fault| user.fault(fault).unwrap());
            builder = builder.user(user);
        }
        let lab = builder.start().await.unwrap();
        let probe = lab.probe().await.unwrap();
        Scene { lab, probe }
    }

    fn account(&self, name: &str) -> Account {
        self.lab.account(name, Transport::Udp).unwrap()
    }

    /// Asks, writes it down, reads it back, and compares.
    async fn ask(&self, check: impl Check) -> Outcome {
        let outcome = self.probe.check(check).await;
        let line = json::line(&outcome);
        let back = json::read(&line).unwrap_or_else(|error| panic!("{error}\n{line}"));
        assert_eq!(json::line(&back), line);
        assert_eq!(back.check, outcome.check);
        assert_eq!(back.accounts, outcome.accounts);
        assert_eq!((back.verdict, &back.summary), (outcome.verdict, &outcome.summary));
        assert_eq!(back.findings, outcome.findings);
        assert_eq!(back.facts, outcome.facts);
        assert_eq!(back.messages(), outcome.messages());
        assert_eq!(back.steps.len(), outcome.steps.len());
        assert_eq!(format!("{:?}", back.transfer()), format!("{:?}", whole(&outcome).transfer()));
        assert_eq!(back.fork().is_some(), outcome.fork().is_some());
        assert_eq!(back.hold(), outcome.hold());
        for (read, seen) in back.dtmf().iter().zip(outcome.dtmf()) {
            let defects = |judged: &Option<ringback::media::dtmf::Comparison>| {
                judged.as_ref().map(|judged| (judged.defects.clone(), judged.received.clone(), judged.way))
            };
            assert_eq!(defects(&read.judged), defects(&seen.judged));
            assert_eq!(read.observed.len(), seen.observed.len());
        }
        // People read the same of both, but for what is finer than a microsecond.
        assert_eq!(back.to_string(), json::read(&json::line(&back)).unwrap().to_string());
        outcome
    }
}

/// The same outcome with its times in whole microseconds, which is what lines keep.
fn whole(outcome: &Outcome) -> Outcome {
    let micro = |time: &mut std::time::Duration| {
        *time = std::time::Duration::from_micros(u64::try_from(time.as_micros()).unwrap());
    };
    let mut outcome = outcome.clone();
    if let Some(Details::Transfer(result)) = &mut outcome.details {
        let times = [&mut result.took, &mut result.answered_after, &mut result.told_after];
        times.into_iter().flatten().for_each(micro);
    }
    outcome
}

#[tokio::test(start_paused = true)]
async fn the_outcome_of_every_check_is_read_back() {
    for faults in [&[][..], &["D04"][..], &["A13"][..]] {
        let scene = Scene::new(faults).await;
        let registers = faults != ["A13"];
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| scene.account(name));
        let register = scene.ask(Register::new(&alice)).await;
        assert_eq!(register.verdict == Verdict::Pass, registers, "{register}");
        scene.ask(Reachable::new(&scene.lab.uri(Transport::Udp).unwrap()).unwrap()).await;
        scene.ask(Call::between(&alice, &bob)).await;
        scene.ask(Call::to(&alice, "600").unwrap()).await;
        scene.ask(Cancel::between(&alice, &bob)).await;
        let hold = scene.ask(Hold::between(&alice, &bob)).await;
        assert_eq!(hold.hold().is_some(), registers, "{hold}");
        let dtmf = Dtmf::between(&alice, &bob).digits("12#").unwrap();
        let dtmf = scene.ask(dtmf).await;
        assert_eq!(dtmf.dtmf().is_empty(), !registers, "{dtmf}");
        assert_eq!(dtmf.accounts, [alice.name(), bob.name()]);
        let transfer = scene.ask(Transfer::attended(&alice, &bob, &carol)).await;
        assert!(transfer.transfer().is_some() || !registers, "{transfer}");
        let fork = scene.ask(Fork::group(&alice, "600", [&bob, &carol]).unwrap()).await;
        assert!(fork.fork().is_some() || !registers, "{fork}");
    }
}

/// A check of an embedder, with data of its own.
struct Own;

impl Check for Own {
    fn name(&self) -> &'static str {
        "own"
    }

    fn subject(&self) -> String {
        "everything".into()
    }

    async fn run(&self, run: &mut Run) {
        let step = run.begin("look");
        run.end(step, Verdict::Pass, "seen");
        run.attach(Other::new("acme.look/1", r#"{"seen":3}"#));
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_embedders_check_attaches_is_read_back() {
    let scene = Scene::new(&[]).await;
    let outcome = scene.ask(Own).await;
    let line = json::line(&outcome);
    assert!(line.contains(r#""other":{"name":"acme.look/1","text":"{\"seen\":3}"}"#), "{line}");
    assert_eq!(json::read(&line).unwrap().details, outcome.details);
}
