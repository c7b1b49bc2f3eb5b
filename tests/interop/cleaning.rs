//! `ringback clean` after a run that was killed, at a registrar and a PBX that we did not write: what it left goes, and nothing else.

use crate::peer::asterisk::Asterisk;
use crate::peer::kamailio::Kamailio;
use crate::peer::sipsak;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn command(folder: &Path, accounts: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
    command.args(arguments).args(["--accounts", accounts, "--bind", "127.0.0.1"]);
    command.env("XDG_STATE_HOME", folder).env_remove("RINGBACK_LOG").stdin(Stdio::null());
    command
}

/// All notes of what is open.
fn notes(folder: &Path) -> String {
    let files = std::fs::read_dir(folder.join("ringback")).into_iter().flatten().flatten();
    files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect()
}

fn until(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A call between two accounts that are both registered, up and noted.
fn call(folder: &Path, accounts: &str, callee: &str) -> Child {
    let arguments = ["call", "alice", callee, "--register-caller", "--listen", "60"];
    let mut child = command(folder, accounts, &arguments);
    let child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Both ends know by then how the call is ended.
    until("no call came up", || notes(folder).matches(" bye=BYE").count() >= 2);
    child
}

fn clean(folder: &Path, accounts: &str) -> Output {
    let cleaned = command(folder, accounts, &["clean"]).output().unwrap();
    let said = String::from_utf8_lossy(&cleaned.stdout);
    assert!(cleaned.status.success(), "{said}");
    // A proxy passes the BYE on to the other end, which was killed as well, and says 408 when nothing comes from there.
    let is_ended =
        ["the call was ended", "the call was over already"].iter().any(|words| said.contains(words));
    assert!(said.contains("the binding was removed") && is_ended, "{said}");
    assert!(notes(folder).is_empty(), "{}", notes(folder));
    cleaned
}

#[test]
fn kamailio_loses_what_a_killed_run_left_and_nothing_else() {
    let (kamailio, folder) = (Kamailio::start(&[]), tempfile::tempdir().unwrap());
    let account = |name: &str| {
        format!(
            "[[account]]\nname = \"{name}\"\naor = \"sip:{name}@lab.example\"\npassword = \"{name}pw\"\nregistrar = \"sip:127.0.0.1:{}\"\n",
            kamailio.port()
        )
    };
    let accounts = folder.path().join("accounts.toml");
    std::fs::write(&accounts, account("alice") + &account("bob")).unwrap();
    let accounts = accounts.display().to_string();
    let mut child = call(folder.path(), &accounts, "bob");
    // Devices of others, which came meanwhile.
    for name in ["alice", "bob"] {
        kamailio.add_binding(name, &format!("sip:{name}@192.0.2.7:5060"));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(kamailio.bindings().len(), 4, "{:?}", kamailio.bindings());
    clean(folder.path(), &accounts);
    let left: Vec<String> = kamailio.bindings().into_iter().map(|binding| binding.contact).collect();
    assert_eq!(left, ["sip:alice@192.0.2.7:5060", "sip:bob@192.0.2.7:5060"]);
}

#[test]
fn asterisk_loses_what_a_killed_run_left_and_nothing_else() {
    let (asterisk, folder) = (Asterisk::start(), tempfile::tempdir().unwrap());
    let mut child = call(folder.path(), asterisk.accounts(), "devices");
    let (status, printed) =
        sipsak::register(asterisk.port(), "devices", "devicespw", "sip:devices@127.0.0.1:9", 600);
    assert_eq!(status, 0, "{printed}\n{}", asterisk.log());
    child.kill().unwrap();
    child.wait().unwrap();
    let contacts = || {
        let shown = asterisk.ask("pjsip show contacts");
        shown.lines().filter(|line| line.contains("/sip:")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(contacts().len(), 3, "{:?}", contacts());
    clean(folder.path(), asterisk.accounts());
    until("the call is still up", || asterisk.ask("core show channels count").contains("0 active channels"));
    let left = contacts();
    assert!(left.len() == 1 && left[0].contains("devices/sip:devices@127.0.0.1:9 "), "{left:?}");
}
