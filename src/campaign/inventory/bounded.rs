//! Files that a user names, read so that nothing in their place can hurt: endless ones, directories, pipes that nobody writes.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Pauses that a file which is no regular one (a pipe, a terminal) gets to come to its end, and how long one is: five seconds in all.
const PAUSES: u32 = 500;
const PAUSE: Duration = Duration::from_millis(10);

/// All of a file, at most `max` bytes: what was read counts, not what the system says of its size.
///
/// # Errors
/// What kept it from being read; a directory; more than `max` bytes; a pipe that nobody wrote, or that did not end, in five seconds.
pub(super) fn read(path: &Path, max: u64) -> Result<Zeroizing<Vec<u8>>> {
    let metadata = std::fs::metadata(path)?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Err(Error::new(ErrorKind::IsADirectory, "it is a directory"));
    }
    // Nothing ever comes on this channel: waiting for it is a pause.
    let (_never, pause) = mpsc::sync_channel::<()>(1);
    let mut file = open(path, kind.is_file())?;
    // Mostly it has the size that it is said to have: then nothing is copied.
    let said = usize::try_from(metadata.len().min(max)).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(said));
    let mut chunk = Zeroizing::new([0; 8_192]);
    let mut pauses = 0;
    loop {
        let ended = match file.read(&mut *chunk) {
            // A pipe to which nobody has written yet looks as if it were at its end.
            Ok(0) => kind.is_file() || !bytes.is_empty(),
            Ok(length) => {
                append(&mut bytes, chunk.get(..length).unwrap_or_default());
                if bytes.len() as u64 > max {
                    return Err(Error::other(format!("it has more than {max} bytes; split it")));
                }
                continue;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => return Err(error),
        };
        if ended {
            return Ok(bytes);
        }
        if pauses == PAUSES {
            let seconds = (PAUSE * PAUSES).as_secs();
            let what = match bytes.is_empty() {
                true => {
                    format!("it is empty: it is no regular file, and nothing came from it in {seconds} s")
                }
                false => format!("it is no regular file, and did not end within {seconds} s"),
            };
            return Err(Error::new(ErrorKind::TimedOut, what));
        }
        pauses += 1;
        let _ = pause.recv_timeout(PAUSE);
    }
}

/// Grows without leaving a copy behind: a vector that grows by itself frees the old one as it is.
fn append(bytes: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
    let length = bytes.len() + more.len();
    if length > bytes.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(length.max(2 * bytes.capacity())));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(more);
}

/// May everybody on this host read this file, a regular one? Folders on the way to it count.
#[cfg(unix)]
pub(super) fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    let Ok(path) = path.canonicalize() else { return false };
    let on_the_way = || path.ancestors().skip(1).all(|folder| mode(folder) & 0o001 != 0);
    path.is_file() && mode(&path) & 0o004 != 0 && on_the_way()
}

#[cfg(not(unix))]
pub(super) fn is_exposed(_: &Path) -> bool {
    false
}

/// Opens it without waiting for somebody at the other end of a pipe.
#[cfg(target_os = "linux")]
fn open(path: &Path, is_file: bool) -> Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = if is_file { 0 } else { nix::libc::O_NONBLOCK };
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(not(target_os = "linux"))]
fn open(path: &Path, is_file: bool) -> Result<File> {
    match is_file {
        true => OpenOptions::new().read(true).open(path),
        false => Err(Error::other("it is no regular file")),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_no_file_ends_in_an_error_within_seconds() {
        let folder = std::env::temp_dir().join(format!("ringback-bounded-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let pipe = folder.join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(read(&pipe, 10).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(
            read(Path::new("/dev/zero"), 1_000).unwrap_err().to_string().contains("more than 1000 bytes")
        );
        assert_eq!(read(&folder, 10).unwrap_err().kind(), ErrorKind::IsADirectory);
        std::fs::write(folder.join("a"), "12345").unwrap();
        assert_eq!(**read(&folder.join("a"), 5).unwrap(), *b"12345");
        assert!(read(&folder.join("a"), 4).is_err());
        // A pipe with a writer is as good as a file: `--accounts <(decrypt accounts)`.
        let writer = format!("printf piped > {}", pipe.display());
        let mut writer = std::process::Command::new("sh").args(["-c", &writer]).spawn().unwrap();
        assert_eq!(**read(&pipe, 10).unwrap(), *b"piped");
        assert!(writer.wait().unwrap().success());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
