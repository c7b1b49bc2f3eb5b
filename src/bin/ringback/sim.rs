//! `ringback sim`: the embedded telephone network on loopback.

use crate::exit::{Exit, Failure};
use crate::interrupt;
use crate::output::{say, tell};
use ringback::message::Transport;
use ringback::sim::{Fault, Lab, User};
use std::collections::HashSet;
use std::net::SocketAddr;

/// Run the embedded telephone network until Ctrl-C.
///
/// A registrar that answers by UDP and TCP, with accounts that are healthy or have a fault of the failure catalogue.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Where it answers; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5060", value_parser = address)]
    bind: SocketAddr,
    /// An account, and what is wrong with it (several faults with commas between them). May be repeated.
    #[arg(long = "user", value_name = "NAME:PASSWORD[:FAULT]", value_parser = account)]
    users: Vec<SimAccount>,
    /// The domain that is served, and the realm.
    #[arg(long, value_name = "NAME", default_value = "lab.example")]
    domain: String,
    /// List every fault with what is seen of it, and end.
    #[arg(long)]
    faults: bool,
}

const EXAMPLES: &str = "\
Examples:
  ringback sim                                     alice is healthy, bob's password is refused
  ringback sim --bind 127.0.0.1:0 --user carol:pw:R01:600 --user dave:pw:A10,R18
  ringback sim --faults                            every fault, and what is seen of it";

/// An account of the network.
#[derive(Debug, Clone)]
struct SimAccount {
    name: String,
    password: String,
    faults: Vec<Fault>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    if arguments.faults {
        for (spelling, symptom) in Fault::list() {
            say(&format!("{spelling:<22}  {symptom}\n"));
        }
        return Ok(Exit::Passed);
    }
    let users = if arguments.users.is_empty() {
        ["alice:alicepw", "bob:bobpw:A01"]
            .into_iter()
            .map(account)
            .collect::<Result<_, _>>()
            .map_err(Failure::usage)?
    } else {
        arguments.users
    };
    let mut names = HashSet::new();
    if let Some(twice) = users.iter().find(|user| !names.insert(&user.name)) {
        return Err(Failure::usage(format!("--user: {} stands twice", twice.name)));
    }
    if !arguments.bind.ip().is_loopback() {
        tell(&format!(
            "warning: {} is no loopback address: everybody who reaches it can register",
            arguments.bind
        ));
    }
    let mut builder = Lab::builder().domain(&arguments.domain);
    builder = match arguments.bind {
        // The network itself looks for a port that is free for both transports.
        free if free.port() == 0 && free.is_ipv4() && free.ip().is_loopback() => builder,
        free if free.port() == 0 => {
            return Err(Failure::usage("--bind: port 0 goes with 127.0.0.1 only; name a port"));
        }
        address => builder.listen(address),
    };
    for user in &users {
        let healthy = User::new(&user.name, &user.password);
        builder = builder.user(user.faults.iter().fold(healthy, |user, fault| user.with_fault(*fault)));
    }
    let lab = builder.start().await?;
    // From here on a signal ends it in order, also while the lines below are written.
    let end = tokio::spawn(interrupt::signal());
    let address = lab.addr(Transport::Udp).unwrap_or(arguments.bind);
    say(&describe(address, &arguments.domain, &users));
    let _ = end.await;
    lab.shutdown().await;
    Ok(Exit::Passed)
}

fn describe(address: SocketAddr, domain: &str, users: &[SimAccount]) -> String {
    let mut text = format!("sip:{address} answers by UDP and TCP for {domain}; Ctrl-C ends it\n\n");
    let width = |of: fn(&SimAccount) -> &str, least: usize| {
        users.iter().map(|user| of(user).len()).max().unwrap_or(0).max(least)
    };
    let (names, passwords) = (width(|user| &user.name, 4), width(|user| &user.password, 8));
    text += &format!("{:<names$}  {:<passwords$}  FAULT\n", "USER", "PASSWORD");
    for user in users {
        let faults: Vec<String> =
            user.faults.iter().map(|fault| format!("{fault}: {}", fault.symptom())).collect();
        let line = format!("{:<names$}  {:<passwords$}  {}", user.name, user.password, faults.join("; "));
        text += &format!("{}\n", line.trim_end());
    }
    if let Some(first) = users.first() {
        let SimAccount { name, password, .. } = first;
        text += &format!(
            "\ntry: ringback register {name}@{domain} --registrar sip:{address} --password {password}\n"
        );
    }
    text
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an address and a port, e.g. 127.0.0.1:5060 or [::1]:5060".into())
}

fn account(text: &str) -> Result<SimAccount, String> {
    let mut parts = text.splitn(3, ':');
    let (Some(name), Some(password)) = (parts.next().filter(|name| !name.is_empty()), parts.next()) else {
        return Err("write NAME:PASSWORD or NAME:PASSWORD:FAULT, e.g. bob:secret:A01".into());
    };
    let faults = parts.next().into_iter().flat_map(|faults| faults.split(','));
    let faults = faults.map(|fault| fault.parse().map_err(|error: ringback::error::Error| error.to_string()));
    Ok(SimAccount { name: name.into(), password: password.into(), faults: faults.collect::<Result<_, _>>()? })
}
