//! Whose calls: accounts of a file by their names, or users of the embedded network.

use crate::account::{read, transport};
use crate::embedded;
use crate::exit::{self, Failure};
use ringback::campaign::inventory::{Inventory, Unusable};
use ringback::check::{Account, ProbeConfig};
use ringback::message::Transport;
use ringback::report::shown;
use ringback::sim::{Fault, Lab, LabBuilder, User};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::OnceLock;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct EndOptions {
    /// The accounts' file (TOML, or CSV by its ending; see ringback register --help). Without it the embedded network is asked: its accounts
    /// are alice, bob, carol, dan, erin, frank, grace and heidi with the numbers 201 to 208; *43 is an echo, *60 an announcement, and the
    /// menu at 700 rings alice for 1, bob for 2, and so on.
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// A fault of the embedded network by its id in the failure catalogue, e.g. D04; may be repeated (see ringback sim --faults).
    #[arg(long, value_name = "ID", conflicts_with = "accounts", value_parser = fault)]
    fault: Vec<Fault>,
    /// The transport, where no account file says it. [default: udp]
    #[arg(long, value_parser = transport, value_name = "udp|tcp", conflicts_with = "accounts")]
    transport: Option<Transport>,
    /// Ports for the media of calls, e.g. 10000-10100: two for each leg that is up at once (call, dtmf, hold, cancel: 4; transfer: 6 to 12;
    /// fork: more). [default: the system's choice]
    #[arg(long, value_name = "FIRST-LAST", value_parser = ports)]
    rtp_ports: Option<RangeInclusive<u16>>,
    #[arg(skip)]
    read: OnceLock<Inventory>,
}

/// The accounts, and the network that they live in when it is ours.
pub(crate) struct Ends {
    pub(crate) accounts: Vec<Account>,
    lab: Option<Lab>,
}

impl EndOptions {
    /// Is the embedded network asked?
    pub(crate) fn embedded(&self) -> bool {
        self.accounts.is_none()
    }

    /// By which transport, when it was said.
    pub(crate) fn transport(&self) -> Option<Transport> {
        self.transport
    }

    /// Was a fault of the embedded network asked for?
    pub(crate) fn has_fault(&self) -> bool {
        !self.fault.is_empty()
    }

    /// The file's accounts. It is read once: it may be a pipe.
    pub(crate) fn inventory(&self) -> Result<Option<&Inventory>, Failure> {
        let Some(path) = &self.accounts else { return Ok(None) };
        if let Some(inventory) = self.read.get() {
            return Ok(Some(inventory));
        }
        let inventory = read(path)?;
        Ok(Some(self.read.get_or_init(|| inventory)))
    }

    /// An address leads out of the embedded network, where it would be taken for something else: it is refused there.
    pub(crate) fn within_reach(&self, dialled: &str) -> Result<(), Failure> {
        let is_sip = dialled.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sip:"));
        if !self.embedded() || !is_sip && !dialled.contains('@') {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "\"{}\" is an address, and without --accounts FILE the embedded network is asked, which has names and numbers only; give --accounts FILE",
            shown(dialled)
        )))
    }

    pub(crate) fn rtp_ports(&self) -> Option<RangeInclusive<u16>> {
        self.rtp_ports.clone()
    }

    /// The ports suffice for this number of legs of calls at once.
    pub(crate) fn has_ports_for(&self, check: &str, legs: usize) -> Result<(), Failure> {
        let mut config = ProbeConfig::default();
        config.rtp_ports.clone_from(&self.rtp_ports);
        let (Some(range), Some(room)) = (&self.rtp_ports, config.room_for_legs()) else { return Ok(()) };
        if room >= legs {
            return Ok(());
        }
        let (first, last) = (u32::from(*range.start()), u32::from(*range.end()));
        // From an even port on, two for each leg.
        let enough = first.next_multiple_of(2) + 2 * legs as u32 - 1;
        let example = match u16::try_from(enough) {
            Ok(enough) => format!("{}-{enough}", first.next_multiple_of(2)),
            Err(_) => format!("10000-{}", 9_999 + 2 * legs),
        };
        Err(Failure::usage(format!(
            "--rtp-ports {first}-{last} has room for {room} of the {legs} legs that \"{check}\" has up at once, two ports each; give at least {} ports, e.g. {example}",
            2 * legs
        )))
    }

    /// A sentence for each of the faults asked for that a check of this name cannot show.
    pub(crate) fn not_shown(&self, check: &str) -> Vec<String> {
        let hidden = self.fault.iter().filter(|fault| !fault.shown_by().contains(&check));
        let told = hidden.map(|fault| {
            format!(
                "fault {fault} cannot be seen in \"{check}\": {}; it is for {}",
                fault.symptom(),
                fault.shown_by().join(", ")
            )
        });
        told.collect()
    }

    /// The accounts of these roles and names; an embedded network is set up further by `more`.
    pub(crate) async fn open_with(
        &self,
        named: &[(&str, &str)],
        more: impl FnOnce(LabBuilder) -> Result<LabBuilder, Failure>,
    ) -> Result<Ends, Failure> {
        match self.inventory()? {
            Some(inventory) => {
                let mut accounts: Vec<Account> = Vec::new();
                for (role, name) in named {
                    let entry = inventory.find(name)?;
                    let account = entry.account.clone().map_err(|problem| {
                        let (name, aor) = (entry.name.clone(), entry.aor.clone());
                        let Unusable { why, advice } = problem;
                        Failure::NotRun(Box::new(exit::Unusable { name, aor, why, advice }))
                    })?;
                    // Two names of one address are one account: its own call would come to it.
                    let before = accounts.iter().position(|before| before.has_same_aor(&account));
                    if let Some((before, _)) = before.and_then(|place| named.get(place)) {
                        return Err(given_twice(name, before, role));
                    }
                    accounts.push(account);
                }
                Ok(Ends { accounts, lab: None })
            }
            None => self.lab(named, more(Lab::builder())?).await,
        }
    }

    async fn lab(&self, named: &[(&str, &str)], lab: LabBuilder) -> Result<Ends, Failure> {
        for (place, (role, name)) in named.iter().enumerate() {
            self.within_reach(name)?;
            embedded::is_account(name)?;
            if let Some((before, _)) = named.iter().take(place).find(|(_, before)| before == name) {
                return Err(given_twice(name, before, role));
            }
        }
        let menu = embedded::menu(embedded::NAMES)?;
        let menu = self.fault.iter().fold(menu, |menu, fault| menu.with_fault(*fault));
        // The faults are those of who takes part.
        let users = embedded::NAMES.iter().enumerate().map(|(place, name)| {
            let user = User::new(*name, format!("{name}-secret")).extension(embedded::extension(place));
            let faults = self.fault.iter().filter(|_| named.iter().any(|(_, named)| named == name));
            faults.fold(user, |user, fault| user.with_fault(*fault))
        });
        let lab = lab.users(users).ivr(menu).start().await?;
        let transport = self.transport.unwrap_or(Transport::Udp);
        let accounts =
            named.iter().map(|(_, name)| lab.account(name, transport)).collect::<Result<_, _>>()?;
        Ok(Ends { accounts, lab: Some(lab) })
    }
}

impl Ends {
    /// Accounts that live elsewhere.
    pub(crate) fn of(accounts: Vec<Account>) -> Ends {
        Ends { accounts, lab: None }
    }

    /// Do they live in the embedded network?
    pub(crate) fn is_embedded(&self) -> bool {
        self.lab.is_some()
    }

    /// Ends the embedded network.
    pub(crate) async fn close(self) {
        if let Some(lab) = self.lab {
            lab.shutdown().await;
        }
    }
}

/// One account cannot be two parties: its own call would come to it.
pub(crate) fn given_twice(name: &str, role: &str, other: &str) -> Failure {
    let name = shown(name);
    let roles = if role == other { format!(" as {role}") } else { format!(", as {role} and as {other}") };
    Failure::usage(format!("\"{name}\" is given twice{roles}; name different accounts"))
}

fn fault(text: &str) -> Result<Fault, String> {
    exit::value(text)
}

/// `10000-10100`: at least one even port and the next.
fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let problem = "write it as 10000-10100, from 1024 to 65535, with at least one even port and the next";
    let (first, last) = text.split_once('-').ok_or(problem)?;
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port >= 1_024);
    match (port(first), port(last)) {
        (Some(first), Some(last)) if u32::from(first).next_multiple_of(2) < u32::from(last) => {
            Ok(first..=last)
        }
        _ => Err(problem.into()),
    }
}
