//! A registrar on loopback for real phones and own tests: alice is healthy, bob's challenge is SHA-256 only, carol's removal does nothing.
//!
//! `cargo run --example fake_pbx` asks it what it can, registers all three and ends; `-- --serve [ADDRESS:PORT]` goes on until it is
//! stopped and prints who is registered. Exit status: 0 all as it should be, 1 not so, 2 wrong usage.
use ringback::check::{Account, Probe, Reachable, Register, Verdict};
use ringback::message::Transport;
use ringback::sim::{Lab, User};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<ExitCode, ringback::error::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut lab = Lab::builder()
        .user(User::new("alice", "alicepw"))
        .user(User::new("bob", "bobpw").fault("A10")?)
        .user(User::new("carol", "carolpw").fault("R18")?);
    let address = arguments.get(1).map(|text| text.parse::<SocketAddr>());
    match (arguments.first().map(String::as_str), address) {
        (None | Some("--serve"), None) => {}
        (Some("--serve"), Some(Ok(address))) if address.ip().is_loopback() => lab = lab.listen(address),
        _ => {
            eprintln!("usage: fake_pbx [--serve [ADDRESS:PORT of loopback]]");
            return Ok(ExitCode::from(2));
        }
    }
    let lab = lab.start().await?;
    println!("listening at {} and {}", lab.uri(Transport::Udp)?, lab.uri(Transport::Tcp)?);
    for user in lab.users() {
        let faults: Vec<_> = user.faults().iter().map(|f| format!("{f}: {}", f.symptom())).collect();
        println!("  {}  password {}pw  {}", lab.aor(user.name()), user.name(), faults.join("; "));
    }

    let mut shown = String::new();
    while !arguments.is_empty() {
        let bindings = lab.users().into_iter().flat_map(|user| lab.bindings(user.name()));
        let now: Vec<_> =
            bindings.map(|b| format!("{} ({})", b.contact, b.user_agent.unwrap_or_default())).collect();
        if shown != now.join(", ") {
            shown = now.join(", ");
            println!("registered: {shown}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    let probe = Probe::bind("udp:127.0.0.1:0").await?;
    let mut verdicts = vec![probe.check(Reachable::new(&lab.uri(Transport::Udp)?)?).await.verdict];
    for name in ["alice", "bob", "carol"] {
        let account: Account = lab.account(name, Transport::Tcp)?;
        let outcome = probe.check(Register::new(&account)).await;
        println!("\n{outcome}");
        verdicts.push(outcome.verdict);
    }
    lab.shutdown().await;
    let expected = [Verdict::Pass, Verdict::Pass, Verdict::Pass, Verdict::Fail];
    Ok(if verdicts == expected { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
