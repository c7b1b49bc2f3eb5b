//! Notes of what checks have open at peers, kept in a file, so that it can be removed after the program was killed.
//!
//! A probe removes what it made: its bindings, its calls. One that is killed cannot. With [`ProbeConfig::journal`](super::ProbeConfig::journal)
//! each binding is noted before its REGISTER goes out, and each call before its INVITE or its 2xx does, and closed once it is gone.
//! [`Abandoned`] reads the notes of programs that are no more, and the check [`Clean`](super::Clean) removes what one of them says.
//!
//! A file holds addresses of record, Contact URIs and the BYEs of calls: no password, no digest response. It is created for its owner alone
//! (0600, its folder 0700), locked as long as the program lives, and removed when nothing is open. It outlives the program, and not the loss of
//! power: what is written is not forced to the disk.
//!
//! ```
//! use ringback::check::{Abandoned, Journal, ProbeConfig};
//! use std::sync::Arc;
//!
//! let folder = std::env::temp_dir().join("ringback-journal-example");
//! let mut config = ProbeConfig::default();
//! config.journal = Some(Arc::new(Journal::in_folder(&folder)));
//! // Later, perhaps in another program:
//! let found = Abandoned::in_folder(&folder)?;
//! assert!(found.files.is_empty(), "nothing was asked, so nothing was left");
//! # Ok::<(), std::io::Error>(())
//! ```

mod calls;
mod file;
mod left;
mod line;

pub(super) use calls::Calls;
pub use file::{Abandoned, AbandonedFile};
pub use left::{Left, LeftOpen};

use file::Written;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Notes of what is open; see the [module](self).
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<Written>,
    open: BTreeMap<u64, Left>,
    last: u64,
    /// It could not be written, and that was said.
    failed: bool,
}

impl Journal {
    /// In a file of its own in this folder. Nothing is created until there is something to note.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Journal {
        Journal { folder: folder.into(), state: Mutex::default() }
    }

    /// Path of its file.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bindings and calls that are open now, the oldest first.
    pub fn open(&self) -> Vec<Left> {
        self.state().open.values().cloned().collect()
    }

    /// What programs that are no more have left, as far as their notes in this folder can be read.
    pub(super) fn left_by_others(&self) -> Vec<Left> {
        let files = Abandoned::in_folder(&self.folder).map(|abandoned| abandoned.files).unwrap_or_default();
        files.iter().flat_map(AbandonedFile::left).map(|(_, left)| left.clone()).collect()
    }

    /// Notes that something is about to be open; gives its number.
    fn note(&self, left: Left) -> u64 {
        let mut state = self.state();
        state.last += 1;
        let id = state.last;
        state.write(&self.folder, &line::open(id, &left));
        state.open.insert(id, left);
        id
    }

    /// Notes that what ends it has changed.
    fn renote(&self, id: u64, left: Left) {
        let mut state = self.state();
        state.write(&self.folder, &line::open(id, &left));
        state.open.insert(id, left);
    }

    /// Notes that it is gone.
    fn close(&self, id: u64) {
        let mut state = self.state();
        if state.open.remove(&id).is_none() {
            return;
        }
        if state.open.is_empty() {
            // A file that says nothing is no file.
            if let Some(file) = state.file.take() {
                file.remove();
            }
        } else {
            state.write(&self.folder, &line::closed(id));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self, folder: &Path, line: &str) {
        let written = self.try_write(folder, line);
        if let Err(error) = written
            && !std::mem::replace(&mut self.failed, true)
        {
            tracing::warn!(folder = %folder.display(), %error, "no notes of what is open can be kept");
        }
    }

    fn try_write(&mut self, folder: &Path, line: &str) -> std::io::Result<()> {
        if self.file.as_ref().is_some_and(Written::is_long) {
            // Rewritten with the open entries; only then the long one goes.
            let mut fresh = Written::create(folder)?;
            for (id, left) in &self.open {
                fresh.append(&line::open(*id, left))?;
            }
            fresh.rebase();
            if let Some(long) = self.file.replace(fresh) {
                long.remove();
            }
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(Written::create(folder)?),
        };
        file.append(line)
    }
}

/// One thing that is open. It stays noted until it is [closed](Open::close): dropping it closes nothing.
#[derive(Debug)]
pub(super) struct Open {
    journal: Arc<Journal>,
    id: u64,
}

impl Open {
    pub(super) fn new(journal: &Arc<Journal>, left: Left) -> Open {
        Open { journal: Arc::clone(journal), id: journal.note(left) }
    }

    /// Notes that its end has changed, e.g. its expiry.
    pub(super) fn change(&self, left: Left) {
        self.journal.renote(self.id, left);
    }

    /// It is gone.
    pub(super) fn close(self) {
        self.journal.close(self.id);
    }
}

#[cfg(all(test, unix))]
mod tests;
