//! Runs the binary, bounded in time.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// No run of a test takes longer than this.
const LIMIT: Duration = Duration::from_secs(60);

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}\n--- stdout\n{}--- stderr\n{}", self.status, self.stdout, self.stderr)
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
    command.args(arguments).env_remove("RINGBACK_LOG");
    // Not among the notes of who runs the tests.
    command.env("XDG_STATE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn ringback(arguments: &[&str]) -> Ran {
    ringback_with(arguments, &[])
}

pub(crate) fn ringback_with(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    finish(command(arguments).envs(environment.iter().copied()).spawn().unwrap())
}

/// Waits for the end of a run and takes what it wrote.
pub(crate) fn finish(mut child: Child) -> Ran {
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = read(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = read(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let status = wait(&mut child);
    Ran { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// The exit status; a program that does not end is ended and fails the test.
fn wait(child: &mut Child) -> i32 {
    let until = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if Instant::now() > until {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the program did not end in {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal by its name.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// `ringback sim` on a port that the system chose; ended when dropped.
pub(crate) struct Sim {
    pub(crate) child: Child,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    output: BufReader<ChildStdout>,
    seen: String,
}

impl Sim {
    pub(crate) fn start(users: &[&str]) -> Sim {
        Sim::start_with(users, &[])
    }

    pub(crate) fn start_with(users: &[&str], more: &[&str]) -> Sim {
        let mut arguments = vec!["sim", "--bind", "127.0.0.1:0"];
        arguments.extend(more);
        for user in users {
            arguments.extend(["--user", user]);
        }
        let mut child = command(&arguments).stderr(Stdio::inherit()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut seen = String::new();
        output.read_line(&mut seen).unwrap();
        let address = seen
            .split_once("sip:")
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .unwrap_or_else(|| panic!("no address in {seen:?}"));
        Sim { address: address.to_owned(), child, output, seen }
    }

    pub(crate) fn aor(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.address)
    }

    /// Waits for its end; its exit status, and all that it wrote.
    pub(crate) fn wait(&mut self) -> (i32, String) {
        let status = wait(&mut self.child);
        self.output.read_to_string(&mut self.seen).unwrap();
        (status, self.seen.clone())
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
