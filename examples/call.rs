//! Does a call get through, and does each end hear the other?
//!
//! `cargo run --example call [FAULT]`, on the embedded network; with a fault of the failure catalogue, e.g. N12:forward, its second
//! account has it. Exit status: 0 the call gets through, 1 it does not, 2 there is no such fault, 3 inconclusive or not run.
use ringback::check::{Call, Verdict};
use ringback::message::Transport;
use ringback::sim::{Lab, User};
use ringback::{Error, Probe};
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let mut bob = User::new("bob", "bobpw").extension("202");
    for fault in std::env::args().skip(1) {
        bob = bob.fault(&fault)?;
    }
    let lab = Lab::builder().user(User::new("alice", "alicepw")).user(bob).start().await?;
    let (alice, bob) = (lab.account("alice", Transport::Udp)?, lab.account("bob", Transport::Udp)?);
    let probe = Probe::bind("udp:127.0.0.1:0").await?;
    let outcome = probe.check(Call::between(&alice, &bob).dial("202")?).await;
    println!("{outcome}");
    println!("{}", ringback::report::ladder(&outcome.transcript));
    lab.shutdown().await;
    Ok(match outcome.verdict {
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::from(1),
        _ => ExitCode::from(3),
    })
}
