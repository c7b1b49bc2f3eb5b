//! Does this account register, and if not, why not?
//!
//! `cargo run --example register [AOR PASSWORD [REGISTRAR]]`; without arguments against the embedded network, where alice registers
//! and bob's password differs. Exit status: 0 pass, 1 fail, 2 wrong usage, 3 inconclusive or not run.
use futures_util::StreamExt;
use ringback::check::{Account, Pace, Probe, Register, Verdict};
use ringback::message::Transport;
use ringback::sim::{Lab, User};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> Result<ExitCode, ringback::error::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let lab = Lab::builder()
        .user(User::new("alice", "alicepw"))
        .user(User::new("bob", "bobpw").fault("A01")?)
        .start()
        .await?;
    let accounts = match arguments.as_slice() {
        [] => vec![lab.account("alice", Transport::Udp)?, lab.account("bob", Transport::Tcp)?],
        [aor, password] => vec![Account::new(aor, password)?],
        [aor, password, registrar] => vec![Account::new(aor, password)?.registrar(registrar)?],
        _ => {
            eprintln!("usage: register [AOR PASSWORD [REGISTRAR]]");
            return Ok(ExitCode::from(2));
        }
    };
    let of_ours = arguments.is_empty();

    let probe = Probe::bind("udp:127.0.0.1:0").await?;
    let checks: Vec<Register> = accounts.iter().map(Register::new).collect();
    let mut outcomes = std::pin::pin!(probe.check_many(checks, Pace::default()));
    let mut verdicts = Vec::new();
    while let Some(outcome) = outcomes.next().await {
        println!("{outcome}\n");
        verdicts.push(outcome.verdict);
    }
    lab.shutdown().await;
    verdicts.sort();
    Ok(match verdicts.as_slice() {
        [Verdict::Pass, Verdict::Fail] if of_ours => ExitCode::SUCCESS,
        all if all.iter().all(|v| *v == Verdict::Pass) => ExitCode::SUCCESS,
        all if all.contains(&Verdict::Fail) => ExitCode::from(1),
        _ => ExitCode::from(3),
    })
}
