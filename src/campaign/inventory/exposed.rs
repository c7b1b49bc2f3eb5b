//! Passwords that everybody on this host can read.

use super::bounded;
use super::field::{Field, Raw};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Password files that are looked at, each once.
const MOST_FILES: usize = 1_024;
/// Number of them that are named.
const NAMED: usize = 3;

/// What an account file says that is a secret, and where.
#[derive(Default)]
pub(super) struct Exposed {
    has_passwords: bool,
    files: BTreeSet<PathBuf>,
}

impl Exposed {
    pub(super) fn look(&mut self, raw: &Raw, folder: &Path) {
        self.has_passwords |= raw.get(Field::Password).is_some_and(|password| !password.text.is_empty());
        if let Some(file) = raw.get(Field::PasswordFile).filter(|_| self.files.len() < MOST_FILES) {
            self.files.insert(folder.join(file.text.as_str()));
        }
    }

    /// In whole sentences.
    pub(super) fn warnings(&self, path: &Path) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.has_passwords && bounded::is_exposed(path) {
            warnings.push(sentence(path));
        }
        let exposed: Vec<&PathBuf> = self.files.iter().filter(|file| bounded::is_exposed(file)).collect();
        warnings.extend(exposed.iter().take(NAMED).map(|file| sentence(file)));
        if exposed.len() > NAMED {
            let more = exposed.len() - NAMED;
            warnings.push(format!("{more} more password files can be read by every user of this host"));
        }
        warnings
    }
}

/// Why a file is no place for a password; `None` where it is.
///
/// Every user of this host can read it: its permissions and those of the folders on the way to it say so. Of pipes and devices nothing is said.
pub fn exposure(path: &Path) -> Option<String> {
    bounded::is_exposed(path).then(|| sentence(path))
}

fn sentence(path: &Path) -> String {
    let path = path.display();
    format!("{path} holds passwords and can be read by every user of this host; chmod 600 keeps them out")
}
