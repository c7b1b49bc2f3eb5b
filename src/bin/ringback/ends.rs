//! Whose calls: accounts of a file by their names, or users of the embedded network.

use crate::account::transport;
use crate::exit::Failure;
use ringback::campaign::inventory::Inventory;
use ringback::check::Account;
use ringback::message::Transport;
use ringback::sim::{Ivr, Lab, LabBuilder, User};
use std::ops::RangeInclusive;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Accounts")]
pub(crate) struct EndOptions {
    /// The accounts' file (TOML, or CSV by its ending; see ringback register --help); without it the embedded network is used.
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// A fault of the embedded network by its id in the failure catalogue, e.g. D04; may be repeated (see ringback sim --faults).
    #[arg(long, value_name = "ID", conflicts_with = "accounts")]
    fault: Vec<String>,
    /// By which transport, where no account file says it; default: udp.
    #[arg(long, value_parser = transport, value_name = "udp|tcp", conflicts_with = "accounts")]
    transport: Option<Transport>,
    /// Ports for the media of calls, e.g. 10000-10100: RTP at even ones, RTCP at the next; default: the system's choice.
    #[arg(long, value_name = "FIRST-LAST", value_parser = ports)]
    rtp_ports: Option<RangeInclusive<u16>>,
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

    /// The names of the file's accounts.
    pub(crate) fn names(&self) -> Result<Vec<String>, Failure> {
        let Some(path) = &self.accounts else { return Ok(Vec::new()) };
        let inventory = Inventory::from_path(path).map_err(Failure::usage)?;
        Ok(inventory.entries.into_iter().map(|entry| entry.name).collect())
    }

    pub(crate) fn rtp_ports(&self) -> Option<RangeInclusive<u16>> {
        self.rtp_ports.clone()
    }

    /// The accounts of these names.
    ///
    /// On the embedded network a `menu` (number, digits) rings the last of them.
    pub(crate) async fn open(&self, names: &[&str], menu: Option<(&str, &str)>) -> Result<Ends, Failure> {
        self.open_with(names, |lab| {
            let (Some((number, digits)), Some(last)) = (menu, names.last()) else { return Ok(lab) };
            let mut ivr = Ivr::new(number).option(digits, *last)?;
            for fault in &self.fault {
                ivr = ivr.fault(fault)?;
            }
            Ok(lab.ivr(ivr))
        })
        .await
    }

    /// The same, with an embedded network that is set up further. Its accounts have the numbers 201, 202, ... in their order.
    pub(crate) async fn open_with(
        &self,
        names: &[&str],
        more: impl FnOnce(LabBuilder) -> Result<LabBuilder, Failure>,
    ) -> Result<Ends, Failure> {
        match &self.accounts {
            Some(path) => {
                let inventory = Inventory::from_path(path).map_err(Failure::usage)?;
                let mut accounts = Vec::new();
                for name in names {
                    let wanted = [(*name).to_owned()];
                    let found = inventory.clone().select(&wanted)?.entries.into_iter().next();
                    let entry =
                        found.ok_or_else(|| Failure::usage(format!("there is no account \"{name}\"")))?;
                    let unusable = |why: String| Failure::usage(format!("account \"{name}\": {why}"));
                    accounts.push(entry.account.map_err(|problem| unusable(problem.why))?);
                }
                Ok(Ends { accounts, lab: None })
            }
            None => self.lab(names, more(Lab::builder())?).await,
        }
    }

    async fn lab(&self, names: &[&str], mut lab: LabBuilder) -> Result<Ends, Failure> {
        for (number, name) in names.iter().enumerate() {
            if names.iter().take(number).any(|before| before == name) {
                return Err(Failure::usage(format!(
                    "\"{name}\" stands there twice; two accounts are needed"
                )));
            }
            let mut user = User::new(*name, format!("{name}-secret")).extension((201 + number).to_string());
            for fault in &self.fault {
                user = user.fault(fault)?;
            }
            lab = lab.user(user);
        }
        let lab = lab.start().await?;
        let transport = self.transport.unwrap_or(Transport::Udp);
        let accounts = names.iter().map(|name| lab.account(name, transport)).collect::<Result<_, _>>()?;
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
