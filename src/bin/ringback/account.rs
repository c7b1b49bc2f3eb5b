//! Which account: on the command line, or many in a file.

use crate::exit::Failure;
use crate::output;
use ringback::campaign::inventory::{Entry, Inventory, Secret, password_exposure, password_from_file};
use ringback::check::{Account, Destination};
use ringback::message::Transport;
use ringback::report::shown;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Options of an account on the command line beside its address.
#[derive(Debug, clap::Args)]
pub(crate) struct DetailOptions {
    /// Take the password from this environment variable.
    #[arg(long, value_name = "VAR", group = "password_source", help_heading = "Account")]
    password_env: Option<String>,
    /// Take the password from the first line of this file.
    #[arg(long, value_name = "FILE", group = "password_source", help_heading = "Account")]
    password_file: Option<PathBuf>,
    /// The password itself; for labs only: others on this host can see it in the list of processes.
    #[arg(long, value_name = "PASSWORD", group = "password_source", help_heading = "Account")]
    password: Option<Typed>,
    /// User name for digest. [default: the user of the AOR]
    #[arg(long, value_name = "USER", help_heading = "Account")]
    auth_user: Option<String>,
    /// Where REGISTER is sent, e.g. sip:192.0.2.1:5060;transport=tcp. [default: the domain of the AOR]
    #[arg(long, value_name = "URI", help_heading = "Account")]
    registrar: Option<String>,
    /// A proxy that every request goes to first, e.g. sip:proxy.example.com;lr.
    #[arg(long, value_name = "URI", help_heading = "Account")]
    outbound_proxy: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AccountOptions {
    /// Address of record, e.g. sip:alice@pbx.example.com; with --accounts: names of its accounts, all when none is given.
    #[arg(value_name = "AOR")]
    targets: Vec<String>,
    #[command(flatten)]
    details: DetailOptions,
    /// The transport where the URIs leave it open. [default: udp]
    #[arg(long, value_parser = transport, value_name = "udp|tcp", help_heading = "Account")]
    transport: Option<Transport>,
    /// The accounts of a file (TOML, or CSV by its ending): name, aor, auth_user, password or password_env or
    /// password_file, registrar, outbound_proxy, transport.
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Many accounts",
        conflicts_with_all = ["password_source", "auth_user", "registrar", "outbound_proxy", "transport"]
    )]
    accounts: Option<PathBuf>,
}

/// A password of the command line: wiped, and not shown.
#[derive(Clone)]
struct Typed(Secret);

impl std::str::FromStr for Typed {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Typed, Self::Err> {
        Ok(Typed(Secret::new(text.to_owned())))
    }
}

impl std::fmt::Debug for Typed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("redacted")
    }
}

/// Reads an account file, and says what it warns of.
pub(crate) fn read(path: &std::path::Path) -> Result<Inventory, Failure> {
    let inventory = Inventory::from_path(path).map_err(Failure::usage)?;
    inventory.warnings.iter().for_each(|what| output::tell(&format!("warning: {what}")));
    Ok(inventory)
}

/// Accounts by their names and addresses.
pub(crate) struct Asked {
    names: Vec<String>,
    aors: Vec<String>,
}

impl Asked {
    /// Is this account among them?
    pub(crate) fn has(&self, name: &str, aor: &str) -> bool {
        self.aors.iter().any(|known| known == aor) || self.names.iter().any(|known| known == name)
    }
}

/// The accounts that the command line names.
pub(crate) enum Accounts {
    One(Box<Account>),
    Many(Vec<Entry>),
}

impl AccountOptions {
    /// Was an account or a file named?
    pub(crate) fn is_given(&self) -> bool {
        !self.targets.is_empty() || self.accounts.is_some()
    }

    /// What to do where what is left was made at another registrar than the one that is named now.
    pub(crate) fn where_it_was(&self) -> &'static str {
        match self.accounts {
            Some(_) => "use an account file whose registrar (or outbound_proxy) is the one that the run had",
            None => "give --registrar or --outbound-proxy as the run had it",
        }
    }

    /// The accounts that are named, where nothing is asked of them; `None` for all. No password is needed.
    ///
    /// # Errors
    /// Those of the file, and options that have no effect then.
    pub(crate) fn asked(&self) -> Result<Option<Asked>, Failure> {
        if self.details.is_given() || self.transport.is_some() {
            return Err(Failure::usage(
                "nothing is asked of an account here: leave its password, user, servers and transport out, or name it (without --list) to have removed what is left",
            ));
        }
        let inventory = match &self.accounts {
            None if self.targets.is_empty() => return Ok(None),
            None => {
                let account = |aor: &String| Ok::<_, Failure>(Account::new(aor, "")?.aor().to_owned());
                let aors = self.targets.iter().map(account).collect::<Result<_, _>>()?;
                return Ok(Some(Asked { names: Vec::new(), aors }));
            }
            Some(path) => read(path)?,
        };
        let entries = inventory.select(&self.targets)?.entries;
        let (names, aors) = entries.into_iter().map(|entry| (entry.name, entry.aor)).unzip();
        Ok(Some(Asked { names, aors }))
    }

    /// Is one account asked alone, by its name or address?
    pub(crate) fn names_one(&self) -> bool {
        self.targets.len() == 1
    }

    pub(crate) fn accounts(&self) -> Result<Accounts, Failure> {
        if let Some(path) = &self.accounts {
            let inventory = read(path)?;
            let entries = inventory.select(&self.targets)?.entries;
            entries.iter().filter_map(|entry| entry.account.as_ref().ok()).for_each(output::hide);
            return Ok(Accounts::Many(entries));
        }
        match self.targets.as_slice() {
            [name] if name.is_empty() => {
                Err(Failure::usage("the address of record is empty: write sip:alice@pbx.example.com"))
            }
            [name] if !name.contains(['@', ':']) => Err(Failure::usage(format!(
                "\"{0}\" has no \"@\": write sip:{0}@DOMAIN, or give --accounts FILE and the name of one of its accounts",
                shown(name)
            ))),
            [aor] => {
                self.details.account(aor, self.transport).map(|account| Accounts::One(Box::new(account)))
            }
            [] => Err(Failure::usage(
                "an account is missing: give an address of record (sip:alice@pbx.example.com) or a file (--accounts FILE)",
            )),
            _ => Err(Failure::usage(
                "one address of record at a time; for many, write them into a file (--accounts FILE)",
            )),
        }
    }
}

impl DetailOptions {
    /// Was any of them given?
    pub(crate) fn is_given(&self) -> bool {
        self.password_env.is_some()
            || self.password_file.is_some()
            || self.password.is_some()
            || self.auth_user.is_some()
            || self.registrar.is_some()
            || self.outbound_proxy.is_some()
    }

    /// The account of this address; asks for its password when no option says it.
    pub(crate) fn account(&self, aor: &str, transport: Option<Transport>) -> Result<Account, Failure> {
        // Without the password first, so that nobody is asked for one in vain.
        let finish = |password: &str| {
            let mut account = Account::new(aor, password)?;
            if let Some(user) = &self.auth_user {
                account = account.auth_user(user);
            }
            if let Some(uri) = &self.registrar {
                account = account.registrar(uri)?;
            }
            if let Some(uri) = &self.outbound_proxy {
                account = account.outbound_proxy(uri)?;
            }
            if let Some(transport) = transport {
                does_not_contradict(&account.next_hop(), transport)?;
                account = account.transport(transport);
            }
            Ok::<_, Failure>(account)
        };
        let name = finish("")?.aor().to_owned();
        let secret = self.secret(&name)?;
        let account = finish(&secret)?;
        output::hide(&account);
        Ok(account)
    }

    /// The password; an empty one is none, and would cost a failed login.
    fn secret(&self, aor: &str) -> Result<Secret, Failure> {
        let secret = self.given(aor)?;
        if !secret.is_empty() {
            return Ok(secret);
        }
        Err(Failure::usage(match (&self.password_env, &self.password_file) {
            (Some(variable), _) => {
                format!("--password-env{}: this environment variable is empty", named(variable))
            }
            (_, Some(path)) => format!("--password-file {}: its first line is empty", path.display()),
            _ if self.password.is_some() => "--password: it is empty".to_owned(),
            _ => format!("no password for {aor} was entered"),
        }))
    }

    fn given(&self, aor: &str) -> Result<Secret, Failure> {
        if let Some(password) = &self.password {
            return Ok(password.0.clone());
        }
        if let Some(variable) = &self.password_env {
            // The error's own words show the value.
            let problem = |error| {
                let why = match error {
                    std::env::VarError::NotPresent => "this environment variable is not set",
                    std::env::VarError::NotUnicode(_) => "its value is not UTF-8",
                };
                let or = if looks_like_variable(variable) {
                    ""
                } else {
                    "; give the name of a variable, not the password"
                };
                Failure::usage(format!("--password-env{}: {why}{or}", named(variable)))
            };
            return std::env::var(variable).map(Secret::new).map_err(problem);
        }
        if let Some(path) = &self.password_file {
            let problem = |error| Failure::usage(format!("--password-file {}: {error}", path.display()));
            password_exposure(path).into_iter().for_each(|what| output::tell(&format!("warning: {what}")));
            return password_from_file(path).map_err(problem);
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(format!(
                "no password for {aor}, and nobody here to ask: give --password-env VAR or --password-file FILE"
            )));
        }
        rpassword::prompt_password(format!("Password of {aor}: ")).map(Secret::new).map_err(|error| {
            Failure::usage(format!("cannot ask for the password: {error}; give --password-env VAR"))
        })
    }
}

/// `ALICE_PW`: anything else may be the password, typed in the place of the name of its variable, and is better not repeated.
fn looks_like_variable(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_uppercase())
        && bytes.all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && (text.contains('_') || ["PW", "PASS", "PASSWORD", "SECRET"].contains(&text))
}

/// The name of a variable behind its option, where it looks like one: some type the password in its place.
fn named(variable: &str) -> String {
    if looks_like_variable(variable) { format!(" {variable}") } else { String::new() }
}

pub(crate) fn transport(text: &str) -> Result<Transport, String> {
    let known = [Transport::Udp, Transport::Tcp];
    known
        .into_iter()
        .find(|known| known.as_param().eq_ignore_ascii_case(text))
        .ok_or_else(|| "write udp or tcp".into())
}

/// `--transport` is for what a URI leaves open.
pub(crate) fn does_not_contradict(hop: &Destination, asked: Transport) -> Result<(), Failure> {
    match hop.transport.filter(|said| *said != asked) {
        None => Ok(()),
        Some(said) => Err(Failure::usage(format!(
            "--transport {} contradicts the URI, which says ;transport={}; leave one of them out",
            asked.as_param(),
            said.as_param()
        ))),
    }
}
