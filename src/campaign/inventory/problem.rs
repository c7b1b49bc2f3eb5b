//! What is wrong with an account file, all of it at once.

use super::MAX_FILE_SIZE;
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Most problems of one file that are told one by one; the rest is counted.
pub const MAX_PROBLEMS: usize = 20;

/// One thing that is wrong with an account file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// Where, counted from 1.
    pub line: usize,
    /// Where in the line, in characters counted from 1; TOML only.
    pub column: Option<usize>,
    /// What, and what to do; without secrets.
    pub message: String,
}

/// Why an account file was not taken.
#[derive(Debug)]
#[non_exhaustive]
pub enum InventoryError {
    /// It cannot be read.
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    Content {
        /// Which file.
        path: PathBuf,
        /// What, in the order of the file, at most [`MAX_PROBLEMS`].
        problems: Vec<Problem>,
        /// How many more there are.
        more: usize,
    },
}

impl fmt::Display for InventoryError {
    /// `path:line:column: message`, a line for each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InventoryError::Read { path, source } => {
                write!(f, "{}: cannot be read: {source}", path.display())
            }
            InventoryError::Content { path, problems, more } => {
                for (i, problem) in problems.iter().enumerate() {
                    let end = if i == 0 { "" } else { "\n" };
                    write!(f, "{end}{}:{}", path.display(), problem.line)?;
                    if let Some(column) = problem.column {
                        write!(f, ":{column}")?;
                    }
                    write!(f, ": {}", problem.message)?;
                }
                if *more > 0 {
                    write!(f, "\n{}: {more} more problems", path.display())?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for InventoryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            InventoryError::Read { source, .. } => Some(source),
            InventoryError::Content { .. } => None,
        }
    }
}

/// The whole file, unless it is larger than [`MAX_FILE_SIZE`].
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, InventoryError> {
    super::bounded::read(path, MAX_FILE_SIZE)
        .map_err(|source| InventoryError::Read { path: path.to_owned(), source })
}

/// Collects problems, bounded.
#[derive(Default)]
pub(super) struct Problems {
    list: Vec<Problem>,
    count: usize,
}

impl Problems {
    pub(super) fn add(&mut self, line: usize, column: Option<usize>, message: String) {
        self.count += 1;
        // Readers find syntax first and meaning second, so the first ones in the file may come late.
        self.list.push(Problem { line, column, message });
        if self.list.len() > 4 * MAX_PROBLEMS {
            self.shorten();
        }
    }
    pub(super) fn count(&self) -> usize {
        self.count
    }
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
    fn shorten(&mut self) {
        self.list.sort_by_key(|problem| (problem.line, problem.column));
        self.list.truncate(MAX_PROBLEMS);
    }
    pub(super) fn finish(mut self, path: &Path) -> Result<(), InventoryError> {
        if self.is_empty() {
            return Ok(());
        }
        self.shorten();
        let more = self.count - self.list.len();
        Err(InventoryError::Content { path: path.to_owned(), problems: self.list, more })
    }
}
