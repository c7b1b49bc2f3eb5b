//! Where the password of an account comes from.

use super::Unusable;
use super::bounded;
use super::field::{Field, Raw};
use super::problem::Problems;
use std::env::VarError;
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
    let password = match &sources {
        // Where columns are swapped, either name is the password: shown is only what no password looks like.
        [Some(variable), ..] => env(&variable.text).map(Secret::new).map_err(|error| {
            let what = match error {
                VarError::NotPresent => "is not set",
                VarError::NotUnicode(_) => "does not hold UTF-8",
            };
            let line = variable.line;
            Unusable {
                why: match looks_like_variable(&variable.text) {
                    true => format!("the environment variable {} (password_env in line {line}) {what}", &*variable.text),
                    false => {
                        format!("the environment variable with the password, named in line {line} (password_env), {what}")
                    }
                },
                advice: "set it and check again".to_owned(),
            }
        }),
        [_, Some(file), _] => from_file(&folder.join(file.text.as_str())).map_err(|error| {
            let line = file.line;
            Unusable {
                why: format!(
                    "the password file named in line {line} (password_file) cannot be used: {error}"
                ),
                advice: "see that it is there and can be read, and check again".to_owned(),
            }
        }),
        [_, _, Some(password)] => Ok(password.text.clone()),
        [None, None, None] => Err(Unusable {
            why: "no password is given".into(),
            advice: format!(
                "add password_env, password_file or password to the account of line {}",
                raw.line
            ),
        }),
    }?;
    // Where it comes from elsewhere nobody meant it to be empty, and asking with it costs a failed login.
    match sources.iter().take(2).flatten().next().filter(|_| password.is_empty()) {
        None => Ok(password),
        Some(value) => Err(Unusable {
            why: format!("the password is empty where line {} takes it from", value.line),
            advice: "set it there (password_env, password_file), and check again".to_owned(),
        }),
    }
}

/// `ALICE_PW`, `CPW`: capitals as variables have them, with a part that says so.
fn looks_like_variable(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_uppercase())
        && bytes.all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && ["PW", "PASS", "PASSWORD", "SECRET"].iter().any(|end| text.ends_with(end))
}

/// The first line of a file, for everybody who takes a password from one.
///
/// # Errors
/// What kept it from being read; more than 4,096 bytes; text that is not UTF-8; a pipe that does not end in five seconds.
pub fn from_file(path: &Path) -> std::io::Result<Secret> {
    let bytes = bounded::read(path, MAX_LENGTH)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| std::io::Error::other("it does not hold UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(Secret::new(text.lines().next().unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_password_looks_like_is_named() {
        for name in ["ALICE_PW", "CPW", "SIP_PASSWORD", "PBX2_SECRET"] {
            assert!(looks_like_variable(name), "{name}");
        }
        for password in ["", "pw", "Secret", "HUNTER2", "A1B2C3", "TOP-SECRET", "4PW", "ALICE_PW "] {
            assert!(!looks_like_variable(password), "{password}");
        }
    }
}
