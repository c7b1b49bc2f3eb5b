//! Journals as files: one for each program that lives, locked by it.

use super::left::Left;
use super::line::{self, Line};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Ending of the name of a journal.
const ENDING: &str = "open";
/// Length in bytes after which a journal is rewritten with the entries that are still open.
const LONG: u64 = 1024 * 1024;
/// Largest journal that is read, in bytes.
const MAX_SIZE: u64 = 64 * 1024 * 1024;
/// Most journals of one folder that are read.
const MAX_FILES: usize = 1_024;
/// Names that are tried for a new one.
const MAX_NAMES: u32 = 10_000;

/// A journal that is being written.
#[derive(Debug)]
pub(super) struct Written {
    path: PathBuf,
    file: File,
    length: u64,
    /// With the entries of its last rewriting.
    base: u64,
}

impl Written {
    /// A new one. It gets its name once it is locked, so that nobody takes it for abandoned.
    pub(super) fn create(folder: &Path) -> Result<Written> {
        create_folder(folder)?;
        for number in 0..MAX_NAMES {
            let name = format!("{}-{number}", std::process::id());
            let (hidden, path) =
                (folder.join(format!(".{name}.new")), folder.join(format!("{name}.{ENDING}")));
            let file = match for_owner_alone().create_new(true).append(true).open(&hidden) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            // A link is refused where the name is taken, a rename would replace who has it.
            let named = file.lock().and_then(|()| std::fs::hard_link(&hidden, &path));
            let _ = std::fs::remove_file(&hidden);
            match named {
                Ok(()) => return Ok(Written { path, file, length: 0, base: 0 }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::other(format!("{MAX_NAMES} names are taken")))
    }

    /// One write for each line: what is in the file is whole lines, and at most a last one that is not.
    pub(super) fn append(&mut self, line: &str) -> Result<()> {
        self.length += line.len() as u64;
        self.file.write_all(line.as_bytes())
    }

    pub(super) fn is_long(&self) -> bool {
        self.length > LONG + 2 * self.base
    }

    pub(super) fn remove(self) {
        let _ = std::fs::remove_file(&self.path);
    }

    /// Takes the length of what it holds now as its least length.
    pub(super) fn rebase(&mut self) {
        self.base = self.length;
    }
}

/// Bindings and calls that ended programs have left; see [`Journal`](super::Journal).
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Abandoned {
    /// A file for each of them, in the order of their names.
    pub files: Vec<AbandonedFile>,
    /// Journals of programs that still run (or clean up): left alone.
    pub running: usize,
}

impl Abandoned {
    /// Reads the journals of a folder. A folder that is not there has none.
    ///
    /// # Errors
    /// An error that kept the folder or a file in it from being read.
    pub fn in_folder(folder: impl AsRef<Path>) -> Result<Abandoned> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Abandoned::default()),
            Err(error) => return Err(error),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let entry = entry?;
            // No link, no pipe, no folder: it was never ours.
            let is_file = entry.file_type()?.is_file();
            if is_file && entry.path().extension().is_some_and(|ending| ending == ENDING) {
                paths.push(entry.path());
            }
        }
        paths.sort();
        paths.truncate(MAX_FILES);
        let mut found = Abandoned::default();
        for path in paths {
            match AbandonedFile::take(path)? {
                Taken::Running => found.running += 1,
                Taken::Gone => {}
                Taken::Ours(file) => found.files.push(file),
            }
        }
        Ok(found)
    }
}

/// The journal of a program that is no more. As long as this value lives it is locked: nobody else removes the same.
#[derive(Debug)]
pub struct AbandonedFile {
    path: PathBuf,
    file: File,
    open: BTreeMap<u64, Left>,
    /// Whole lines that are none of ours.
    unread: usize,
}

enum Taken {
    /// Somebody has it locked.
    Running,
    /// It was removed meanwhile, or said nothing.
    Gone,
    Ours(AbandonedFile),
}

impl AbandonedFile {
    fn take(path: PathBuf) -> Result<Taken> {
        let file = match OpenOptions::new().read(true).append(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Taken::Gone),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Taken::Running),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut bytes = Vec::new();
        (&file).take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_SIZE {
            return Err(Error::other(format!("{} has more than {MAX_SIZE} bytes", path.display())));
        }
        let (mut open, mut unread) = (BTreeMap::new(), 0);
        // Behind the last line's end stands a line whose writer was killed: what it was about did not begin.
        let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
        for text in bytes[..whole].split(|byte| *byte == b'\n').filter(|text| !text.is_empty()) {
            match line::read(text) {
                Some(Line::Open(id, left)) => drop(open.insert(id, left)),
                Some(Line::Closed(id)) => drop(open.remove(&id)),
                None => unread += 1,
            }
        }
        // What has ended by itself is nothing to be removed.
        let now = SystemTime::now();
        open.retain(|_, left| !left.is_over(now));
        let mut taken = AbandonedFile { path, file, open, unread };
        if whole < bytes.len() {
            // So that the next line begins as one.
            taken.file.write_all(b"\n")?;
        }
        Ok(if taken.remove_if_done()? { Taken::Gone } else { Taken::Ours(taken) })
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Open bindings and calls with their numbers, the oldest first.
    pub fn left(&self) -> impl Iterator<Item = (u64, &Left)> {
        self.open.iter().map(|(id, left)| (*id, left))
    }

    /// Lines that are not understood: of a later version, perhaps. The file is then not removed.
    pub fn unread(&self) -> usize {
        self.unread
    }

    /// This one is gone. With the last the file is removed.
    ///
    /// # Errors
    /// An error that kept the file from being written or removed.
    pub fn done(&mut self, id: u64) -> Result<()> {
        if self.open.remove(&id).is_some() && !self.remove_if_done()? {
            self.file.write_all(line::closed(id).as_bytes())?;
        }
        Ok(())
    }

    fn remove_if_done(&self) -> Result<bool> {
        let is_done = self.open.is_empty() && self.unread == 0;
        match is_done.then(|| std::fs::remove_file(&self.path)) {
            Some(Err(error)) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(is_done),
        }
    }
}

fn create_folder(folder: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn for_owner_alone() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
