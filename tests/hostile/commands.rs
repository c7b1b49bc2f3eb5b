//! Every command of this program, as a question of the library.

use crate::platform::{DOMAIN, Platform};
use futures_util::future::join_all;
use ringback::check::{
    Account, Call, Cancel, Dtmf, DtmfMethod, Fork, ForkTrial, Hold, Lookup, Outcome, Probe, Reachable,
    Register, Transfer, TransferKind,
};
use std::time::Duration;

pub(crate) const PASSWORD: &str = "Zq9kVt7pLwXy42mN";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Register,
    Reachable,
    Lookup,
    Call,
    Dtmf,
    Hold,
    Cancel,
    Fork,
    Transfer,
}

pub(crate) const ALL: [Command; 9] = [
    Command::Register,
    Command::Reachable,
    Command::Lookup,
    Command::Call,
    Command::Dtmf,
    Command::Hold,
    Command::Cancel,
    Command::Fork,
    Command::Transfer,
];

/// Those about calls.
pub(crate) const CALLS: [Command; 6] =
    [Command::Call, Command::Dtmf, Command::Hold, Command::Cancel, Command::Fork, Command::Transfer];

pub(crate) fn account(name: &str, platform: &Platform) -> Account {
    let account = Account::new(&format!("sip:{name}@{DOMAIN}"), PASSWORD).unwrap();
    account.named(name).registrar(&format!("sip:{};transport=udp", platform.address)).unwrap()
}

impl Command {
    /// Asks it of this platform; redirections are followed as far as they may be where `follow` says so.
    pub(crate) async fn ask(self, platform: &Platform, follow: bool) -> Outcome {
        let probe = Probe::bind("udp:127.0.0.1:0").await.unwrap();
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| account(name, platform));
        let short = Duration::from_millis(400);
        let outcome = match self {
            Command::Register => probe.check(Register::new(&alice)).await,
            Command::Lookup => probe.check(Lookup::new(&alice)).await,
            Command::Reachable => {
                probe
                    .check(Reachable::new(&format!("sip:{}", platform.address)).unwrap().account(&alice))
                    .await
            }
            Command::Call => {
                let call = Call::between(&alice, &bob).listen(short).ring(short);
                probe.check(call.register_caller(true).follow_redirects(follow)).await
            }
            Command::Dtmf => {
                let dtmf = Dtmf::between(&alice, &bob).digits("12").unwrap().method(DtmfMethod::Info);
                probe.check(dtmf.register_caller(true).follow_redirects(follow)).await
            }
            Command::Hold => {
                let hold = Hold::between(&alice, &bob).time(short);
                probe.check(hold.register_caller(true).follow_redirects(follow)).await
            }
            Command::Cancel => {
                let cancel = Cancel::between(&alice, &bob).ring(short);
                probe.check(cancel.register_caller(true).follow_redirects(follow)).await
            }
            Command::Fork => {
                let fork = Fork::group(&alice, "600", [&bob, &carol]).unwrap().trials([ForkTrial::Answer]);
                probe.check(fork.register_caller(true).follow_redirects(follow)).await
            }
            Command::Transfer => {
                let transfer = Transfer::new(&alice, &bob, &carol, TransferKind::Blind);
                probe.check(transfer.register_caller(true).follow_redirects(follow)).await
            }
        };
        probe.endpoint().close().await;
        outcome
    }
}

/// Asks these commands at once, each of a platform of its own.
pub(crate) async fn each<'a>(
    commands: &[Command],
    platforms: &'a [Platform],
    follow: bool,
) -> Vec<(Command, &'a Platform, Outcome)> {
    let asked = commands
        .iter()
        .zip(platforms)
        .map(async |(command, platform)| (*command, platform, command.ask(platform, follow).await));
    join_all(asked).await
}

/// The codes of its findings.
pub(crate) fn codes(outcome: &Outcome) -> Vec<&str> {
    outcome.findings.iter().map(|finding| &*finding.code).collect()
}
