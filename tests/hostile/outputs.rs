//! The binary, and all that it writes.

use crate::commands::PASSWORD;
use crate::platform::{DOMAIN, Platform};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// No run takes longer than this.
const LIMIT: Duration = Duration::from_secs(60);

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    /// Names and texts of the outputs.
    pub(crate) outputs: Vec<(&'static str, String)>,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "status {:?}", self.status)?;
        let shown = self.outputs.iter().filter(|(name, _)| *name != "capture" && *name != "notes");
        shown.into_iter().try_for_each(|(name, text)| writeln!(f, "--- {name}\n{text}"))
    }
}

impl Ran {
    pub(crate) fn of(&self, name: &str) -> &str {
        self.outputs.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
    }

    /// The JSON line.
    pub(crate) fn line(&self) -> serde_json::Value {
        let line = self.of("stdout").lines().next().unwrap_or_else(|| panic!("no line\n{self}"));
        serde_json::from_str(line).unwrap()
    }

    pub(crate) fn codes(&self) -> Vec<String> {
        let line = self.line();
        let findings = line["findings"].as_array().unwrap().clone();
        findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
    }
}

/// Writes the account file of alice, bob and carol.
pub(crate) fn accounts(platform: &Platform, folder: &Path) {
    let account = |name: &str| {
        format!(
            "[[account]]\nname = \"{name}\"\naor = \"sip:{name}@{DOMAIN}\"\npassword = \"{PASSWORD}\"\nregistrar = \"sip:{};transport=udp\"\n",
            platform.address
        )
    };
    std::fs::write(folder.join("accounts.toml"), ["alice", "bob", "carol"].map(account).concat()).unwrap();
}

/// A run that has begun, with its account file, notes and capture in this folder.
pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
    command.args(arguments).env_remove("RINGBACK_LOG").env("XDG_STATE_HOME", folder.join("state"));
    let file = |name: &str| std::fs::File::create(folder.join(name)).unwrap();
    command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
    command.spawn().unwrap()
}

/// Waits for its end and reads all that it wrote.
pub(crate) fn finish(folder: &Path, mut child: Child) -> Ran {
    let until = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("it did not end in {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let read = |name: &str| {
        String::from_utf8_lossy(&std::fs::read(folder.join(name)).unwrap_or_default()).into_owned()
    };
    let outputs = vec![
        ("stdout", read("stdout")),
        ("stderr", read("stderr")),
        ("capture", read("run.pcap")),
        ("notes", notes(folder)),
    ];
    Ran { status, outputs }
}

/// All notes of what is open.
pub(crate) fn notes(folder: &Path) -> String {
    let files = std::fs::read_dir(folder.join("state/ringback")).into_iter().flatten().flatten();
    files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect()
}

pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success());
}
