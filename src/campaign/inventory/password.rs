//! Where the password of an account comes from.

use super::Unusable;
use super::field::{Field, Raw};
use super::problem::Problems;
use crate::check::Printable;
use std::env::VarError;
use std::io::Read;
use std::path::Path;

/// A password that is wiped from memory.
pub type Secret = zeroize::Zeroizing<String>;

/// Reads an environment variable.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Result<String, VarError>;

/// Largest password file that is read, in bytes.
const MAX_LENGTH: u64 = 4_096;

/// The password, or why there is none; a contradiction is a problem of the file.
pub(super) fn of(
    raw: &Raw,
    folder: &Path,
    env: Env<'_>,
    problems: &mut Problems,
) -> Result<Secret, Unusable> {
    let sources = [Field::PasswordEnv, Field::PasswordFile, Field::Password].map(|field| raw.get(field));
    // An empty cell of the column `password` says nothing when another source is there.
    let given = sources.iter().flatten().filter(|value| !value.text.is_empty()).count();
    if let (2.., Some(second)) = (given, sources.iter().flatten().nth(1)) {
        let message = "more than one of password, password_env and password_file; keep one".to_owned();
        problems.add(second.line, second.column, message);
    }
    match sources {
        [Some(variable), ..] => env(&variable.text).map(Secret::new).map_err(|error| {
            let name = Printable(&variable.text);
            let why = match error {
                VarError::NotPresent => {
                    format!("the environment variable {name} with the password is not set")
                }
                VarError::NotUnicode(_) => {
                    format!("the environment variable {name} with the password is not UTF-8")
                }
            };
            Unusable { why, advice: format!("set {name} and check again") }
        }),
        [_, Some(file), _] => from_file(&folder.join(&file.text)).map_err(|error| {
            let name = Printable(&file.text);
            let why = format!("the password file {name} cannot be used: {error}");
            Unusable { why, advice: format!("see that {name} is there and can be read, and check again") }
        }),
        [_, _, Some(password)] => Ok(Secret::new(password.text.clone())),
        [None, None, None] => Err(Unusable {
            why: "no password is given".into(),
            advice: format!(
                "add password_env, password_file or password to the account of line {}",
                raw.line
            ),
        }),
    }
}

/// The first line of a file, for everybody who takes a password from one.
///
/// # Errors
/// What kept it from being read; more than 4,096 bytes; text that is not UTF-8.
pub fn from_file(path: &Path) -> std::io::Result<Secret> {
    let mut text = Secret::new(String::with_capacity(256));
    std::fs::File::open(path)?.take(MAX_LENGTH + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_LENGTH {
        return Err(std::io::Error::other(format!("it has more than {MAX_LENGTH} bytes")));
    }
    Ok(Secret::new(text.lines().next().unwrap_or_default().to_owned()))
}
