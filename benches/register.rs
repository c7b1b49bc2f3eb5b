//! CPU time per registration: the whole check (query, bind, refresh, query, remove, query) against the embedded registrar over loopback
//! UDP, each side on a thread of its own so that their CPU times can be told apart.
//!
//! `cargo bench --bench register [-- ACCOUNTS]`, number of accounts [default: 2,000].

use futures_util::StreamExt;
use ringback::check::{Account, MetricValue, Pace, Probe, Register, Verdict};
use ringback::message::Transport;
use ringback::sim::{Lab, User};
use std::sync::mpsc;
use std::time::{Duration, Instant};

fn main() {
    let number = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    // `cargo test --benches` only wants to see that it runs.
    let quick = std::env::args().any(|argument| argument == "--test");
    let accounts: usize = number.unwrap_or(if quick { 50 } else { 2_000 });

    let (address, address_of_lab) = mpsc::channel();
    let (done, until) = tokio::sync::oneshot::channel();
    let registrar = std::thread::spawn(move || {
        alone(async move {
            let users = (0..accounts).map(|i| User::new(format!("user{i}"), "secret"));
            let lab =
                users.fold(Lab::builder(), |lab, user| lab.user(user)).start().await.expect("the lab starts");
            address
                .send(lab.uri(Transport::Udp).expect("the lab listens"))
                .expect("somebody waits for the address");
            until.await.expect("the probe says when it is done");
            lab.shutdown().await;
        })
    });
    let uri = address_of_lab.recv().expect("the lab has an address");
    let began = Instant::now();
    let probe = std::thread::spawn(move || alone(probe(uri, accounts)));
    let ((passed, requests), probe_cpu) = probe.join().expect("the probe ends");
    let took = began.elapsed();
    done.send(()).expect("the lab waits");
    let ((), lab_cpu) = registrar.join().expect("the lab ends");

    assert_eq!(passed, accounts, "every account registers");
    let per = |time: Duration, of: u64| time.as_secs_f64() * 1e6 / of as f64;
    println!("{accounts} accounts, {requests} REGISTER requests in {:.2} s", took.as_secs_f64());
    println!("checks per second:            {:>10.0}", accounts as f64 / took.as_secs_f64());
    println!("probe CPU per check:          {:>10.1} us", per(probe_cpu, accounts as u64));
    println!("probe CPU per REGISTER:       {:>10.1} us", per(probe_cpu, requests));
    println!("registrar CPU per REGISTER:   {:>10.1} us", per(lab_cpu, requests));
}

async fn probe(registrar: String, accounts: usize) -> (usize, u64) {
    let probe = Probe::bind("udp:127.0.0.1:0").await.expect("a probe on loopback");
    let checks = (0..accounts).map(move |i| {
        let account = Account::new(&format!("sip:user{i}@lab.example"), "secret").expect("an AOR");
        Register::new(&account.registrar(&registrar).expect("a registrar"))
    });
    let outcomes = probe.check_many(checks, Pace { concurrency: 64, per_second: None });
    let count = |(passed, requests), outcome: ringback::check::Outcome| async move {
        let sent = outcome.metrics.iter().find(|m| m.name == "requests").map(|m| m.value);
        let sent = if let Some(MetricValue::Count(n)) = sent { n } else { 0 };
        (passed + usize::from(outcome.verdict == Verdict::Pass), requests + sent)
    };
    outcomes.fold((0, 0), count).await
}

/// Runs `work` on a runtime of this thread only, and says how much CPU time the thread took.
fn alone<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let before = thread_cpu();
    let value = runtime.block_on(work);
    (value, thread_cpu() - before)
}

/// CPU time of the calling thread, as Linux counts it.
fn thread_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")
        .expect("a Linux that counts CPU time by thread");
    let nanos = stat.split_whitespace().next().and_then(|n| n.parse().ok()).expect("nanoseconds first");
    Duration::from_nanos(nanos)
}
