//! Do digits arrive, by which way, and what happens to them on it?
//!
//! `cargo run --example dtmf [FAULT]`, on the embedded network, whose second account has a fault of the failure catalogue. Exit status: 0
//! all digits arrive (without FAULT: the doubled digits of D04 are found), 1 they do not, 3 inconclusive or not run.

use ringback::check::{Dtmf, Verdict};
use ringback::message::Transport;
use ringback::sim::{Lab, User};
use ringback::{Error, Probe};
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let fault = std::env::args().nth(1).unwrap_or_else(|| "D04".to_owned());
    let lab = Lab::builder()
        .user(User::new("alice", "alicepw"))
        .user(User::new("bob", "bobpw").fault(&fault)?)
        .start()
        .await?;
    let (alice, bob) = (lab.account("alice", Transport::Udp)?, lab.account("bob", Transport::Udp)?);
    let probe = Probe::bind("udp:127.0.0.1:0").await?;
    let outcome = probe.check(Dtmf::between(&alice, &bob).digits("1159#")?).await;
    println!("{outcome}");
    for result in outcome.dtmf() {
        println!(
            "{}: {}",
            result.step,
            if result.defects.is_empty() { "good".to_owned() } else { result.defects.join(", ") }
        );
    }
    lab.shutdown().await;
    Ok(match outcome.verdict {
        // The fault that this example brings along is found, as it should be.
        Verdict::Fail if std::env::args().nth(1).is_none() => ExitCode::SUCCESS,
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::from(1),
        _ => ExitCode::from(3),
    })
}
