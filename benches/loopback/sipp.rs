//! SIPp as a client, by the scenarios in `benches/sipp`.

use super::{CONCURRENCY, Work};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Its version, where it is installed.
pub(super) fn version() -> Option<&'static str> {
    static VERSION: OnceLock<Option<String>> = OnceLock::new();
    let found = VERSION.get_or_init(|| {
        let output = Command::new("sipp").arg("-v").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(str::trim).find(|line| line.starts_with("SIPp")).map(str::to_owned)
    });
    found.as_deref()
}

/// What one run needs: a folder for what SIPp writes, and the users.
pub(super) struct Run {
    work: Work,
    count: usize,
    folder: tempfile::TempDir,
}

impl Run {
    pub(super) fn new(work: Work, count: usize) -> Run {
        let folder = tempfile::tempdir().expect("a folder");
        let users: String = (0..count)
            .map(|i| format!("user{i};[authentication username=user{i} password=secret]\n"))
            .collect();
        std::fs::write(folder.path().join("users.csv"), format!("SEQUENTIAL\n{users}")).expect("users");
        Run { work, count, folder }
    }

    /// As many calls at a time as ours, the next as soon as one ends, no calls kept after their end, and no more output than it has to
    /// have: the least that it can do.
    pub(super) fn command(&self, remote: SocketAddr) -> Command {
        let scenario = match self.work {
            Work::Register => "register.xml",
            Work::Options | Work::Check => "options.xml",
        };
        let scenario = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/sipp").join(scenario);
        let mut command = Command::new("sipp");
        command.current_dir(self.folder.path()).arg("-sf").arg(scenario);
        if self.work == Work::Register {
            // SIPp would answer for the address that it sends to, not for its Request-URI.
            command.args(["-inf", "users.csv", "-auth_uri", "lab.example"]);
        }
        let (count, users) = (self.count.to_string(), CONCURRENCY.to_string());
        command.args(["-m", &count, "-r", "1000000", "-l", &users]);
        command.args(["-deadcall_wait", "0", "-buff_size", "4194304", "-nostdin"]);
        command.args(["-i", "127.0.0.1", "-ci", "127.0.0.1"]).arg(remote.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}
