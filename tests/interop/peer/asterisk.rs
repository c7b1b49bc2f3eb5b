//! Asterisk as a PBX, by the configuration in `asterisk/etc`, in the chroot that `asterisk/install` makes.

use super::{Peer, TRIES, file, port};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long it may take until it has let go of what ended.
const SETTLE: Duration = Duration::from_secs(5);

/// The option that names the algorithms of a login.
const ALGORITHMS: &str = "supported_algorithms_uas";

/// Users of every Asterisk here: name, and templates of `pjsip.conf` for the user and, where it is not `devices`, for its devices.
const USERS: [(&str, &str); 16] = [
    ("alice", "rfc4733"),
    ("bob", "rfc4733"),
    ("carol", "rfc4733"),
    ("dan", "rfc4733"),
    ("devices", "rfc4733"),
    ("mailbox", "rfc4733"),
    ("unanswered", "rfc4733"),
    ("twice", "twice"),
    ("modern", "modern"),
    ("dora", "direct"),
    ("dirk", "direct"),
    ("kate", "keys"),
    ("kim", "keys"),
    ("keith", "keys"),
    ("kira", "keys_info"),
    ("kurt", "keys_inband"),
];

/// A running Asterisk on UDP and TCP of 127.0.0.1, both on one port.
#[derive(Debug)]
pub(crate) struct Asterisk {
    // Ends before its run directory goes.
    peer: Peer,
    port: u16,
    accounts: PathBuf,
}

/// A call as Asterisk has recorded it when it was over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CallRecord {
    pub(crate) from: String,
    pub(crate) to: String,
    /// The last application of the dial plan, e.g. `Dial` or `VoiceMail`.
    pub(crate) application: String,
    /// `ANSWERED`, `NO ANSWER`, `BUSY`, `FAILED` or `CONGESTION`.
    pub(crate) disposition: String,
}

impl Asterisk {
    /// Starts one.
    pub(crate) fn start() -> Asterisk {
        Asterisk::with_users(&[])
    }

    /// Starts one that knows these users (name and templates) besides the usual.
    pub(crate) fn with_users(more: &[(&str, &str)]) -> Asterisk {
        for _ in 0..TRIES {
            let dir = tempfile::Builder::new().prefix("ringback-").tempdir_in(root().join("srv")).unwrap();
            if let Some(asterisk) = Asterisk::try_start(port::free(), dir, more) {
                return asterisk;
            }
        }
        panic!("Asterisk could not be started in {TRIES} tries")
    }

    fn try_start(port: u16, dir: TempDir, more: &[(&str, &str)]) -> Option<Asterisk> {
        let inside = inside(dir.path());
        // Away from the ports that the system chooses. Others may use the same: Asterisk takes what is free.
        let first_rtp = 10_000 + port % 180 * 100;
        let replaced = [
            ("@DIR@", inside.clone()),
            ("@MODULES@", modules()),
            ("@PORT@", port.to_string()),
            ("@RTP_FIRST@", first_rtp.to_string()),
            ("@RTP_LAST@", (first_rtp + 399).to_string()),
        ];
        for entry in fs::read_dir(file("asterisk/etc")).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let text = replaced.iter().fold(text, |text, (name, value)| text.replace(name, value));
            fs::write(dir.path().join(path.file_name().unwrap()), text).unwrap();
        }
        let (mut users, mut accounts) = (String::new(), String::new());
        for (name, template) in USERS.iter().chain(more) {
            let registrar = format!("sip:127.0.0.1:{port}");
            write!(users, "{}", user(name, template)).unwrap();
            write!(accounts, "{}", account(name, &format!("{name}pw"), &registrar)).unwrap();
        }
        fs::write(dir.path().join("pjsip_users.conf"), users).unwrap();
        fs::write(dir.path().join("accounts.toml"), accounts).unwrap();
        for folder in ["spool", "cdr-csv"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let accounts = dir.path().join("accounts.toml");
        let conf = format!("{inside}/asterisk.conf");
        let chroot = root().display().to_string();
        let args = [chroot.as_str(), "asterisk", "-C", &conf, "-f"];
        let ready = || said(&ask(&conf, "core waitfullybooted")).contains("fully booted");
        let peer = Peer::start(("chroot", "coreutils"), args, dir, ready)?;
        // It also runs without its port, when somebody else took that meanwhile.
        let transports = said(&ask(&conf, "pjsip show transports"));
        let has_both = ["udp", "tcp"].iter().all(|name| transports.contains(&format!(" {name} ")));
        has_both.then_some(Asterisk { peer, port, accounts })
    }

    /// Its SIP port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The file of its users' accounts, reached by UDP.
    pub(crate) fn accounts(&self) -> &str {
        self.accounts.to_str().unwrap()
    }

    /// A file with one account: this user with this password, reached by this transport.
    pub(crate) fn account(&self, name: &str, password: &str, transport: &str) -> String {
        let registrar = format!("sip:127.0.0.1:{};transport={transport}", self.port);
        let path = self.peer.dir().join(format!("account-{name}-{transport}.toml"));
        fs::write(&path, account(name, password, &registrar)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Whether it can offer SHA-256 beside MD5 (RFC 8760).
    pub(crate) fn knows_sha_256(&self) -> bool {
        knows(ALGORITHMS)
    }

    /// What it answers to a command.
    pub(crate) fn ask(&self, command: &str) -> String {
        said(&ask(&format!("{}/asterisk.conf", inside(self.peer.dir())), command))
    }

    /// Everything that it logged: notices, dial plan, digits, security.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.peer.dir().join("full")).unwrap()).into_owned()
    }

    /// Whether it logs each of these, in this order; it may be a little behind.
    pub(crate) fn logged(&self, all: &[&str]) -> bool {
        soon(|| {
            let log = self.log();
            let mut rest = log.as_str();
            all.iter().all(|wanted| {
                let found = rest.find(wanted);
                rest = found.map_or("", |at| &rest[at + wanted.len()..]);
                found.is_some()
            })
        })
    }

    /// Whether no call is left and nobody is registered.
    pub(crate) fn idle(&self) -> bool {
        soon(|| {
            self.ask("core show channels count").contains("0 active channels")
                && self.ask("pjsip show contacts").contains("No objects found")
        })
    }

    /// The calls that are over.
    pub(crate) fn records(&self) -> Vec<CallRecord> {
        let path = self.peer.dir().join("cdr-csv/Master.csv");
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).unwrap();
        let record = |row: csv::StringRecord| CallRecord {
            from: row[1].to_owned(),
            to: row[2].to_owned(),
            application: row[7].to_owned(),
            disposition: row[14].to_owned(),
        };
        reader.records().map(|row| record(row.unwrap())).collect()
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let since_start = log.find("Asterisk Ready").map_or(log.as_str(), |at| &log[at..]);
            eprintln!("---- what Asterisk logged\n{since_start}");
        }
    }
}

/// Asks again until it is so, for as long as Asterisk may take for it.
fn soon(ask: impl Fn() -> bool) -> bool {
    let until = Instant::now() + SETTLE;
    loop {
        match ask() {
            true => return true,
            false if Instant::now() > until => return false,
            false => thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn user(name: &str, template: &str) -> String {
    let login = format!("username = {name}\npassword = {name}pw\n");
    let (logins, more) = match template {
        "twice" => (format!("{name}, {name}-other"), format!("[{name}-other](other_login)\n{login}")),
        "modern" => (name.to_owned(), algorithms()),
        _ => (name.to_owned(), String::new()),
    };
    let (template, devices) = template.split_once(' ').unwrap_or((template, "devices"));
    format!(
        "[{name}]({template})\nauth = {logins}\naors = {name}\n[{name}]({devices})\n[{name}](login)\n{login}{more}"
    )
}

/// Two algorithms in one answer. Asterisk 16, which is what `install` falls back to, knows MD5 alone.
fn algorithms() -> String {
    if knows(ALGORITHMS) { format!("{ALGORITHMS} = SHA-256, MD5\n") } else { String::new() }
}

/// Whether a user's login has this option.
fn knows(option: &str) -> bool {
    let module = fs::read(root().join(modules().trim_start_matches('/')).join("res_pjsip.so")).unwrap();
    module.windows(option.len()).any(|bytes| bytes == option.as_bytes())
}

fn account(name: &str, password: &str, registrar: &str) -> String {
    format!(
        "[[account]]\nname = \"{name}\"\naor = \"sip:{name}@lab.example\"\npassword = \"{password}\"\nregistrar = \"{registrar}\"\n"
    )
}

/// The chroot beside the build, which `.ci/run` makes.
fn root() -> PathBuf {
    let build = Path::new(env!("CARGO_BIN_EXE_ringback")).ancestors().nth(2).unwrap();
    let root = build.join("peers/asterisk");
    let install = "tests/interop/asterisk/install";
    assert!(root.join("complete").exists(), "no Asterisk at {0}: {install} {0}", root.display());
    root
}

/// Where its modules are, as seen inside.
fn modules() -> String {
    let lib = root().join("usr/lib");
    let own = [lib.join("asterisk/modules")];
    let by_machine = fs::read_dir(&lib).unwrap().map(|entry| entry.unwrap().path().join("asterisk/modules"));
    let found = own.into_iter().chain(by_machine).find(|path| path.join("chan_pjsip.so").exists());
    inside(&found.expect("chan_pjsip.so is part of Debian's Asterisk"))
}

/// The path as seen inside of the chroot.
fn inside(path: &Path) -> String {
    format!("/{}", path.strip_prefix(root()).unwrap().display())
}

fn ask(conf: &str, command: &str) -> Output {
    Command::new("chroot")
        .arg(root())
        .args(["asterisk", "-C", conf, "-rx", command])
        .stdin(Stdio::null())
        .output()
        .expect("chroot is part of every Debian")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
