//! Programs that we did not write, started for one test each: an own run directory, ports that the system chose, stopped at the end.

pub(crate) mod asterisk;
pub(crate) mod baresip;
pub(crate) mod kamailio;
pub(crate) mod lossy;
pub(crate) mod pcap;
pub(crate) mod port;
pub(crate) mod relay;
pub(crate) mod scenario;
pub(crate) mod sipp;
pub(crate) mod sipsak;
pub(crate) mod tshark;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a peer may take until it answers.
const START: Duration = Duration::from_secs(15);
/// How long a peer may take to end after SIGTERM.
const STOP: Duration = Duration::from_secs(5);
/// After this a peer ends by itself, even when the test's process was killed.
const LIFE_SECONDS: &str = "300";
/// Starts with other ports, when somebody else took one in between.
const TRIES: u32 = 5;

/// A file of `tests/interop/`.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(name)
}

/// A running peer. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Peer {
    program: &'static str,
    child: Child,
    dir: TempDir,
}

impl Peer {
    /// Starts `program` (of Debian package `package`) in `dir`, and waits until `ready` says so.
    ///
    /// `None` when it ended before that: then somebody else holds its port, or its configuration is wrong (see its log).
    pub(crate) fn start<A: AsRef<OsStr>>(
        (program, package): (&'static str, &str),
        args: impl IntoIterator<Item = A>,
        dir: TempDir,
        ready: impl Fn() -> bool,
    ) -> Option<Peer> {
        let mut peer = Peer::launch((program, package), args, dir);
        let until = Instant::now() + START;
        loop {
            match peer.child.try_wait().unwrap() {
                Some(status) if status.code() == Some(127) => {
                    panic!("{program} is not installed (Debian package {package})")
                }
                Some(status) => {
                    eprintln!("{program} ended at once: {status}\n{}", peer.log());
                    return None;
                }
                None if ready() => return Some(peer),
                None if Instant::now() > until => {
                    panic!("{program} does not answer after {START:?}\n{}", peer.log())
                }
                None => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Starts `program` in `dir`, and waits for nothing.
    pub(crate) fn launch<A: AsRef<OsStr>>(
        (program, package): (&'static str, &str),
        args: impl IntoIterator<Item = A>,
        dir: TempDir,
    ) -> Peer {
        let log = File::create(dir.path().join("log")).unwrap();
        // `timeout` passes SIGTERM on to the program (once: baresip takes a second one for "do not un-register").
        let child = Command::new("timeout")
            .args(["--foreground", "-k", "5", LIFE_SECONDS, program])
            .args(args)
            .current_dir(dir.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} (Debian package {package}): {error}"));
        Peer { program, child, dir }
    }

    /// Waits until it ends by itself.
    pub(crate) fn ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + limit;
        loop {
            match self.child.try_wait().unwrap() {
                None if Instant::now() < until => thread::sleep(Duration::from_millis(10)),
                status => return status,
            }
        }
    }

    /// Everything it printed so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join("log")).unwrap_or_default()).into_owned()
    }

    /// Its run directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Asks it to end (SIGTERM), waits, and kills it when it does not; then what it has left behind: now and then a process of Kamailio
    /// outlives its main one, keeps the ports, and answers nothing.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let status = self.end();
        let group = format!("-{}", self.child.id());
        let _ = Command::new("sh").args(["-c", "kill -KILL -- \"$0\" 2>/dev/null", &group]).status();
        status
    }

    fn end(&mut self) -> ExitStatus {
        if let Some(status) = self.child.try_wait().unwrap() {
            return status;
        }
        let pid = self.child.id().to_string();
        let _ = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid]).status();
        let until = Instant::now() + STOP;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        self.child.wait().unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop();
        if thread::panicking() {
            eprintln!("---- log of {}\n{}", self.program, self.log());
        }
    }
}

/// Starts a peer on a fresh port, again on another when it could not have that one.
fn on_free_port<T>(name: &str, start: impl Fn(u16, TempDir) -> Option<T>) -> T {
    for _ in 0..TRIES {
        let dir = tempfile::Builder::new().prefix(&format!("ringback-{name}-")).tempdir().unwrap();
        if let Some(peer) = start(port::free(), dir) {
            return peer;
        }
    }
    panic!("{name} could not be started in {TRIES} tries")
}
