//! Account files, in TOML or CSV.
//!
//! ```toml
//! [[account]]
//! name = "alice"                                    # how the command line calls it; default: the AOR
//! aor = "sip:alice@lab.example"
//! auth_user = "alice"                               # default: the user of the AOR
//! password = "alicepw"                              # or password_env = "VAR", or password_file = "path"
//! registrar = "sip:127.0.0.1:5060;transport=udp"    # default: the domain of the AOR
//! outbound_proxy = "sip:127.0.0.1:5060;lr"          # default: none
//! transport = "udp"                                 # or "tcp"; where the URIs leave it open
//! ```
//! A CSV file has the same names in its first line, in any order, separated by `,` or `;`; an empty cell is as good as none.
//! A `password_file` holds the password in its first line; its path is relative to the account file.
//!
//! Other columns and keys (a site, a device, a wave) are kept with the account: [`Entry::more`]. Only a name that is nearly one of these is
//! taken for a slip and refused.
//!
//! An account whose password cannot be had does not keep the others from being checked: it stays in the inventory, with the
//! reason. Anything else that is wrong is reported with its place, and all of it together ([`MAX_PROBLEMS`]).
//!
//! ```
//! use ringback::campaign::inventory::{Format, Inventory};
//! let text = "name,aor,pasword\nalice,sip:alice@lab.example,secret\n";
//! let error = Inventory::parse(text.as_bytes(), Format::Csv, "accounts.csv").unwrap_err();
//! assert_eq!(error.to_string(), "accounts.csv:1: the name of column 3 is unknown; did you mean `password`?");
//! ```

mod bounded;
mod csv;
mod exposed;
mod field;
mod password;
mod problem;
#[cfg(test)]
mod tests;
mod toml;

pub use exposed::exposure as password_exposure;
pub use field::nearest;
pub use password::{Secret, from_file as password_from_file};
pub use problem::{InventoryError, MAX_PROBLEMS, Problem};

use crate::check::{Account, Printable};
use crate::error::{self, Argument, Error};
use crate::message::Transport;
use exposed::Exposed;
use field::{Field, Raw, Value};
use problem::Problems;
use std::collections::HashMap;
use std::path::Path;

/// Most accounts of one file.
pub const MAX_ACCOUNTS: usize = 1_000_000;
/// Largest file, in bytes.
pub const MAX_FILE_SIZE: u64 = 256 * 1024 * 1024;

/// How an account file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `[[account]]` tables.
    Toml,
    /// A line for each account.
    Csv,
}

/// The accounts of a file, in its order.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The accounts; no two have the same name.
    pub entries: Vec<Entry>,
    /// Names of columns and keys that are not known, in the order of their first appearance: what an inventory says of its accounts beside
    /// what is needed to check them.
    pub columns: Vec<String>,
    /// What is not as it should be and keeps no account from being checked, in whole sentences: passwords that everybody on this host can read.
    pub warnings: Vec<String>,
}

/// One account of a file.
#[derive(Debug, Clone)]
pub struct Entry {
    /// How it is called.
    pub name: String,
    /// Its address of record as it is written.
    pub aor: String,
    /// Where it stands, counted from 1.
    pub line: usize,
    /// The account, or why there is none to check.
    pub account: Result<Account, Unusable>,
    /// What its columns or keys say that are not known, each with its name; empty cells are left out.
    pub more: Vec<(String, String)>,
}

impl Entry {
    /// Cell of a column that is not known, e.g. `site`.
    ///
    /// ```
    /// use ringback::campaign::inventory::{Format, Inventory};
    /// let file = "aor,password,site\nsip:alice@lab.example,secret,Berlin\n";
    /// let inventory = Inventory::parse(file.as_bytes(), Format::Csv, "accounts.csv")?;
    /// assert_eq!(inventory.entries[0].get("site"), Some("Berlin"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get(&self, column: &str) -> Option<&str> {
        self.more.iter().find(|(name, _)| name == column).map(|(_, value)| value.as_str())
    }
}

/// Why an account of a file cannot be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// What is missing, in one sentence.
    pub why: String,
    /// What to do, in one sentence.
    pub advice: String,
}

impl Inventory {
    /// Reads a file; `.csv` is CSV, anything else TOML.
    ///
    /// # Errors
    /// A file that cannot be read, and everything that is wrong in it.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Inventory, InventoryError> {
        let path = path.as_ref();
        let bytes = problem::read(path)?;
        let format = match path.extension() {
            Some(extension) if extension.eq_ignore_ascii_case("csv") => Format::Csv,
            _ => Format::Toml,
        };
        Inventory::parse(&bytes, format, path)
    }

    /// Reads a file that is in memory already; `path` is for messages and for finding password files.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub fn parse(bytes: &[u8], format: Format, path: impl AsRef<Path>) -> Result<Inventory, InventoryError> {
        Inventory::parse_with(bytes, format, path.as_ref(), &|name| std::env::var(name))
    }

    fn parse_with(
        bytes: &[u8],
        format: Format,
        path: &Path,
        env: password::Env<'_>,
    ) -> Result<Inventory, InventoryError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut problems = Problems::default();
        let folder = path.parent().unwrap_or(Path::new(""));
        // Room for all at once: a list that grows is there twice while it does.
        let room = match format {
            Format::Toml => memchr::memmem::find_iter(bytes, b"[[").count(),
            Format::Csv => memchr::memchr_iter(b'\n', bytes).count(),
        };
        let room = room.min(MAX_ACCOUNTS);
        let (mut names, mut columns) = (HashMap::with_capacity(room), Vec::<String>::new());
        let (mut entries, mut count) = (Vec::with_capacity(room), 0);
        let mut exposed = Exposed::default();
        // One account after the other: as they are written they take several times the room.
        let mut take = |raw: Raw, problems: &mut Problems| {
            count += 1;
            if count > MAX_ACCOUNTS {
                return;
            }
            for (name, _) in &raw.more {
                if !columns.contains(name) {
                    columns.push(name.clone());
                }
            }
            exposed.look(&raw, folder);
            entries.extend(entry(&raw, folder, env, &mut names, problems));
        };
        match format {
            Format::Toml => toml::read(bytes, &mut problems, &mut take),
            Format::Csv => csv::read(bytes, &mut problems, &mut take),
        }
        if count > MAX_ACCOUNTS {
            problems.add(1, None, format!("more than {MAX_ACCOUNTS} accounts; split the file"));
        } else if count == 0 && problems.is_empty() {
            let how = match format {
                Format::Toml => "each account begins with a line `[[account]]`",
                Format::Csv => "the first line names the columns, each other line is an account",
            };
            problems.add(1, None, format!("no account; {how}"));
        }
        let warnings = exposed.warnings(path);
        problems.finish(path).map(|()| Inventory { entries, columns, warnings })
    }

    /// Only the accounts of these names, in the order of the names; all of them when there is no name.
    ///
    /// # Errors
    /// [`Error::Usage`] for a name that is not there, with the nearest one that is.
    pub fn select<S: AsRef<str>>(self, names: &[S]) -> Result<Inventory, Error> {
        if names.is_empty() {
            return Ok(self);
        }
        let mut entries = Vec::with_capacity(names.len());
        for name in names.iter().map(AsRef::as_ref) {
            let entry = self.find(name)?;
            if entries.iter().any(|before: &Entry| before.name == entry.name) {
                return Err(Error::usage(Argument::Account, Printable(name), error::Problem::Twice));
            }
            entries.push(entry.clone());
        }
        Ok(Inventory { entries, columns: self.columns, warnings: self.warnings })
    }

    /// The account of this name, or of this address of record where no other account has it.
    ///
    /// # Errors
    /// [`Error::Usage`] for a name that is not there, with the nearest one that is, and for an address that several accounts have.
    pub fn find(&self, name: &str) -> Result<&Entry, Error> {
        if let Some(entry) = self.entries.iter().find(|entry| entry.name == name) {
            return Ok(entry);
        }
        let wrong = |why: String, instead: String| {
            Error::usage(Argument::Account, Printable(name), error::Problem::unusable(why, instead))
        };
        let account = |text: &str| Account::new(text, "").ok();
        if let Some(wanted) = Some(name).filter(|name| name.contains('@')).and_then(account) {
            let is_it = |entry: &&Entry| account(&entry.aor).is_some_and(|one| one.has_same_aor(&wanted));
            let mut found = self.entries.iter().filter(is_it);
            match (found.next(), found.next()) {
                (Some(entry), None) => return Ok(entry),
                (Some(first), Some(second)) => {
                    let [first, second] = [first, second].map(|entry| Printable(&entry.name));
                    let why =
                        format!("several accounts have this address, e.g. \"{first}\" and \"{second}\"");
                    return Err(wrong(why, "give a name".to_owned()));
                }
                (None, _) => {}
            }
        }
        let hint = match nearest(name, self.entries.iter().map(|entry| entry.name.as_str())) {
            Some(near) => format!("did you mean \"{}\"?", Printable(near)),
            None => "write it as the file does".to_owned(),
        };
        Err(wrong("no account of the file has this name".to_owned(), hint))
    }
}

/// One account out of its fields; `None` when a problem was reported.
fn entry(
    raw: &Raw,
    folder: &Path,
    env: password::Env<'_>,
    names: &mut HashMap<Box<str>, usize>,
    problems: &mut Problems,
) -> Option<Entry> {
    let Some(aor) = raw.get(Field::Aor) else {
        problems.add(
            raw.line,
            None,
            "`aor` is missing; say whom to register, e.g. sip:alice@example.com".to_owned(),
        );
        return None;
    };
    let before = problems.count();
    let name = raw.get(Field::Name).unwrap_or(aor);
    if let Some(first) = names.insert(name.text.as_str().into(), raw.line) {
        problems.add(
            name.line,
            name.column,
            format!("the name is taken by the account of line {first}; give each its own"),
        );
    }
    let password = password::of(raw, folder, env, problems);
    let secret = password.as_ref().map_or("", |secret| secret.as_str());
    let mut account =
        accept(Account::new(&aor.text, secret), Field::Aor, aor, problems)?.named(name.text.as_str());
    if let Some(user) = raw.get(Field::AuthUser) {
        account = account.auth_user(&user.text);
    }
    if let Some(uri) = raw.get(Field::Registrar) {
        account = accept(account.registrar(&uri.text), Field::Registrar, uri, problems)?;
    }
    if let Some(uri) = raw.get(Field::OutboundProxy) {
        account = accept(account.outbound_proxy(&uri.text), Field::OutboundProxy, uri, problems)?;
    }
    if let Some(value) = raw.get(Field::Transport) {
        match [Transport::Udp, Transport::Tcp]
            .into_iter()
            .find(|known| known.as_param().eq_ignore_ascii_case(&value.text))
        {
            Some(transport) => account = account.transport(transport),
            None => {
                problems.add(
                    value.line,
                    value.column,
                    "this transport is not known; write `udp` or `tcp`".to_owned(),
                );
            }
        }
    }
    let account = password.map(|_| account);
    let entry = Entry {
        name: name.text.as_str().to_owned(),
        aor: aor.text.as_str().to_owned(),
        line: raw.line,
        account,
        more: raw.more.as_slice().to_vec(),
    };
    (problems.count() == before).then_some(entry)
}

fn accept(
    result: Result<Account, Error>,
    field: Field,
    value: &Value,
    problems: &mut Problems,
) -> Option<Account> {
    let problem = match result {
        Ok(account) => return Some(account),
        Err(Error::Usage { problem, .. }) => problem.to_string(),
        Err(other) => other.to_string(),
    };
    problems.add(
        value.line,
        value.column,
        // Not its text: where columns are swapped, that is a password.
        format!("`{}` cannot be used: {problem}", field.name()),
    );
    None
}
