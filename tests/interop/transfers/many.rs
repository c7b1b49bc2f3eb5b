//! Many transfers at once over real sockets, in this process and in that of the embedded network.

use crate::peer::Peer;
use futures_util::StreamExt;
use ringback::check::{
    Account, Outcome, Pace, Probe, ProbeConfig, Transfer, TransferKind, TransferTarget, Verdict,
};
use std::fs;
use std::time::{Duration, Instant};

const AT_ONCE: usize = 50;
/// Three accounts each.
const USERS: usize = 3 * AT_ONCE;
const KINDS: [TransferKind; 3] = [TransferKind::Blind, TransferKind::Attended, TransferKind::SemiAttended];

/// `ringback sim` with these users, and its port.
fn sim(names: &[String]) -> (Peer, u16) {
    let port = crate::peer::port::free();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let bind = format!("127.0.0.1:{port}");
    let ready = || fs::read_to_string(&log).is_ok_and(|log| log.contains(&format!("sip:{bind} answers")));
    let mut args = vec!["sim".to_owned(), "--bind".to_owned(), bind.clone()];
    for name in names {
        args.extend(["--user".to_owned(), format!("{name}:{name}-pw")]);
    }
    let program = (env!("CARGO_BIN_EXE_ringback"), "this package");
    (Peer::start(program, args, dir, ready).expect("the embedded network starts"), port)
}

/// What a transfer came to, without what differs from one to the next: names, times, and whether the target was asked first.
fn told(outcome: &Outcome) -> String {
    // The other process relays the media of fifty calls: on a busy machine its packets are late, and that is told of it.
    let late = ["stream-changed", "stream-stalled", "lossy-path"];
    let codes = outcome.findings.iter().map(|finding| &*finding.code);
    let codes: Vec<&str> = codes.filter(|code| !late.contains(code)).collect();
    let steps = outcome.steps.iter().filter(|step| step.name != "consult");
    let steps: Vec<String> = steps.map(|step| format!("{}:{}", step.name, step.verdict)).collect();
    let result = outcome.transfer().unwrap_or_else(|| panic!("{outcome}"));
    let fate = result.transferee.replace(|c: char| c.is_ascii_digit(), "");
    let (after, last) = (result.after, result.notified.last());
    format!("{} {codes:?} {steps:?} {after:?} {} {last:?} {fate}", outcome.verdict, result.legs_left)
}

/// The number of the transfer in the subject: `sip:user27@lab.example moves ...` is the tenth.
fn number(outcome: &Outcome) -> usize {
    let digits = outcome.subject.trim_start_matches("sip:user").split('@').next().unwrap();
    digits.parse::<usize>().unwrap() / 3
}

/// Some targets refuse; where the transfer is attended the PBX joins calls that are up, and nobody is asked.
fn is_busy(number: usize) -> bool {
    matches!(number % 9, 6 | 8)
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_end_as_each_alone() {
    let names: Vec<String> = (0..USERS).map(|n| format!("user{n}")).collect();
    let (mut sim, port) = sim(&names);
    let account = |name: &String| {
        let account = Account::new(&format!("sip:{name}@lab.example"), format!("{name}-pw")).unwrap();
        account.registrar(&format!("sip:127.0.0.1:{port}")).unwrap().named(name)
    };
    let accounts: Vec<Account> = names.iter().map(account).collect();
    let check = |(number, three): (usize, &[Account])| {
        let check = Transfer::new(&three[0], &three[1], &three[2], KINDS[number % KINDS.len()]);
        if is_busy(number) { check.target(TransferTarget::Refuses(486)) } else { check }
    };
    let checks: Vec<Transfer> = accounts.chunks(3).enumerate().map(check).collect();
    let mut config = ProbeConfig::default();
    config.endpoint.udp = vec!["127.0.0.1:0".parse().unwrap()];
    let probe = Probe::with(config).await.unwrap();

    let (answered, busy) = (probe.check(checks[0].clone()).await, probe.check(checks[8].clone()).await);
    assert_eq!((answered.verdict, busy.verdict), (Verdict::Pass, Verdict::Pass), "{answered}\n{busy}");
    let alone = [told(&answered), told(&busy)];

    let began = Instant::now();
    let pace = Pace { concurrency: AT_ONCE, per_second: Some(25.0) };
    let (mut left, mut done): (Vec<usize>, usize) = ((0..AT_ONCE).collect(), 0);
    // A machine that has other things to do as well says so of itself, and is asked again; nobody else is ever blamed for it.
    for _ in 0..3 {
        let again: Vec<Transfer> = left.iter().map(|number| checks[*number].clone()).collect();
        let outcomes: Vec<Outcome> = probe.check_many(again, pace).collect().await;
        let mut seen: Vec<usize> = outcomes.iter().map(number).collect();
        seen.sort_unstable();
        assert_eq!(seen, left);
        left.clear();
        for outcome in &outcomes {
            let number = number(outcome);
            if outcome.finding("probe-limit").is_some() {
                assert_eq!(outcome.verdict, Verdict::Inconclusive, "{outcome}");
                left.push(number);
            } else {
                assert_eq!(told(outcome), alone[usize::from(is_busy(number))], "{outcome}");
                done += 1;
            }
        }
        left.sort_unstable();
        if left.is_empty() {
            break;
        }
        eprintln!("{} are asked again: this machine was too busy", left.len());
    }
    assert_eq!((done, left.len()), (AT_ONCE, 0));
    // One takes eight seconds, most of them listening.
    assert!(began.elapsed() < Duration::from_secs(90), "{:?}", began.elapsed());
    sim.stop();
}
