//! Requests per CPU second of the client over loopback UDP: ours, and SIPp with an equal scenario, against the same server.
//!
//! `cargo bench --bench loopback [-- COUNT]`, requests or registrations a run [default: 40,000]. The server is the embedded
//! registrar on a thread of this process; each client is a process of its own, and what it used is what the system says of it once it
//! has ended, user and system time, starting up included. Ours and SIPp take turns, and the least of the rounds counts. Without
//! SIPp there are only our figures.
//!
//! * `options`: OPTIONS, 200. Ours is a loop over transactions of an endpoint, each with its own recorder, Call-ID and record.
//! * `register`: REGISTER, 401, REGISTER with the digest, 200; each by another user. Ours is the machine of a registration over
//!   transactions.
//! * `check`: OPTIONS by the whole check [`Reachable`], with its transcript and outcome; SIPp does no more than before.
//!
//! Both hurry alike: 64 at a time, what is the same in all requests is printed once, and a worker lives as long as the run. A busy
//! machine makes both dearer, and ours more, so figures are only good beside SIPp's of the same run; instructions
//! (`benches/hold`) tell more of a change.
//!
//! To see where the time goes, start the server alone and any client under a profiler:
//! `loopback-* server COUNT` prints its address and runs until standard input ends, `loopback-* client WORK ADDRESS COUNT` is ours.
//!
//! The driver sends datagrams of one size to one remote with one call (UDP_SEGMENT). `sendmmsg` would not help: on loopback a
//! datagram of 420 bytes costs the sender 0.86 us by `sendto` and 0.81 us by `sendmmsg` of 32, because the way through the stack
//! counts, not the call. With UDP_SEGMENT that way is gone once: 0.59 us each of four, 0.46 us of eight, 0.35 us of 32. Reading
//! by `recvmmsg` would cost 0.25 us each, and 0.26 us one by one; what arrives as it was sent, in one piece, is read with one call
//! (UDP_GRO), and the sender need not cut it up. Both together took 19 % off a registration, 25 % off an OPTIONS.
//!
//! The allocator is the binary's; an embedder's may be another.

#[path = "loopback/client.rs"]
mod client;
#[path = "loopback/sipp.rs"]
mod sipp;

use mimalloc::MiMalloc;
use ringback::message::Transport;
use ringback::sim::{Lab, User, registrar};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// As the binary has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Requests or registrations under way at a time.
const CONCURRENCY: usize = 64;
/// How often each client runs.
const ROUNDS: usize = 3;

/// What the client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Options,
    Register,
    Check,
}

impl Work {
    const ALL: [Work; 3] = [Work::Options, Work::Register, Work::Check];

    fn name(self) -> &'static str {
        match self {
            Work::Options => "options",
            Work::Register => "register",
            Work::Check => "check",
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, work, remote, count] = &arguments[..]
        && first == "client"
    {
        let work = Work::ALL.into_iter().find(|w| w.name() == work).expect("a known work");
        let (remote, count) = (remote.parse().expect("an address"), count.parse().expect("a number"));
        return client::run(work, remote, count);
    }
    if let [first, count] = &arguments[..]
        && first == "server"
    {
        return serve(count.parse().expect("a number"));
    }
    let number = arguments.iter().find_map(|argument| argument.parse().ok());
    // `cargo test --benches` and the checks before a change only want to see that it runs.
    let quick = arguments.iter().any(|argument| argument == "--test" || argument == "--quick");
    let count: usize = number.unwrap_or(if quick { 500 } else { 40_000 });
    let rounds = if quick { 1 } else { ROUNDS };
    if let Some(version) = sipp::version() {
        println!("{version}");
    } else {
        println!("SIPp is not installed (Debian: sip-tester): only our own figures");
    }
    println!(
        "{count} each, {CONCURRENCY} at a time, the least of {rounds}; CPU is user and system time of the client's process\n"
    );
    println!("{:<10} {:<10} {:>9} {:>9} {:>13} {:>9}", "", "", "CPU s", "us each", "per CPU s", "seconds");
    for work in Work::ALL {
        let mut ours: Option<Spent> = None;
        let mut theirs: Option<Spent> = None;
        for _ in 0..rounds {
            keep_least(&mut ours, one(count, |remote| client::command(work, remote, count)));
            if sipp::version().is_some() {
                let run = sipp::Run::new(work, count);
                keep_least(&mut theirs, one(count, |remote| run.command(remote)));
            }
        }
        let row = |name: &str, spent: &Option<Spent>| {
            let Some(Spent { cpu, took }) = *spent else { return };
            let (cpu, took) = (cpu.as_secs_f64(), took.as_secs_f64());
            let each = cpu * 1e6 / count as f64;
            println!(
                "{:<10} {name:<10} {cpu:>9.2} {each:>9.1} {:>13.0} {took:>9.2}",
                work.name(),
                count as f64 / cpu
            );
        };
        row("ringback", &ours);
        row("SIPp", &theirs);
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            let ratio = theirs.cpu.as_secs_f64() / ours.cpu.as_secs_f64();
            let goal = if work == Work::Check { "" } else { "   goal: at least 2" };
            println!("{:<10} ringback per CPU second / SIPp's: {ratio:.2}{goal}\n", work.name());
        }
    }
}

/// What a client's process used.
#[derive(Debug, Clone, Copy)]
struct Spent {
    cpu: Duration,
    took: Duration,
}

fn keep_least(least: &mut Option<Spent>, spent: Spent) {
    if least.is_none_or(|before| spent.cpu < before.cpu) {
        *least = Some(spent);
    }
}

/// One client against a fresh server; it has to say that all went well.
fn one(users: usize, client: impl FnOnce(SocketAddr) -> Command) -> Spent {
    let server = Server::start(users);
    let mut command = client(server.address);
    let (before, began) = (children_cpu(), Instant::now());
    let status = command.status().expect("the client starts");
    let spent = Spent { cpu: children_cpu() - before, took: began.elapsed() };
    assert!(status.success(), "{command:?}: {status}");
    server.stop();
    spent
}

/// The server alone, until standard input ends: for clients under a profiler.
fn serve(users: usize) {
    let server = Server::start(users);
    println!("{}", server.address);
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    server.stop();
}

/// The embedded registrar, on a thread of its own.
struct Server {
    address: SocketAddr,
    done: tokio::sync::oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Server {
    fn start(users: usize) -> Server {
        let (address, address_of_lab) = mpsc::channel();
        let (done, until) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let mut config = registrar::Config::default();
                config.max_seen = 0;
                let users = (0..users).map(|i| User::new(format!("user{i}"), "secret"));
                let lab =
                    Lab::builder().registrar(config).users(users).start().await.expect("the lab starts");
                address.send(lab.addr(Transport::Udp).expect("it listens")).expect("somebody waits");
                let _ = until.await;
                lab.shutdown().await;
            });
        });
        Server { address: address_of_lab.recv().expect("the lab has an address"), done, thread }
    }

    fn stop(self) {
        let _ = self.done.send(());
        self.thread.join().expect("the lab ends");
    }
}

/// CPU time of the children that have ended (proc(5): cutime and cstime).
fn children_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a Linux");
    // Behind the name, which may hold spaces: the third field comes first.
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks = |field: usize| fields[field - 3].parse::<u64>().expect("a number");
    // USER_HZ has been 100 on all of Linux for long.
    Duration::from_millis((ticks(16) + ticks(17)) * 10)
}
