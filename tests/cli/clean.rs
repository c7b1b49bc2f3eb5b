//! What a run leaves that was killed, and `ringback clean`, which removes that and nothing else.

use crate::program::{Ran, Sim, command, finish, signal};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

/// Notes, accounts and runs of one test.
struct Stage {
    sim: Sim,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Stage {
        let (sim, folder) = (Sim::start(&["alice:alicepw", "bob:bobpw"]), tempfile::tempdir().unwrap());
        let account = |name: &str| {
            format!("[[account]]\nname = \"{name}\"\naor = \"{}\"\npassword = \"{name}pw\"\n", sim.aor(name))
        };
        std::fs::write(folder.path().join("accounts.toml"), account("alice") + &account("bob")).unwrap();
        Stage { sim, folder }
    }

    fn start(&self, state: &str, arguments: &[&str]) -> Child {
        let accounts = self.folder.path().join("accounts.toml");
        let mut command = command(arguments);
        command.arg("--accounts").arg(accounts).env("XDG_STATE_HOME", self.folder.path().join(state));
        command.spawn().unwrap()
    }

    fn run(&self, state: &str, arguments: &[&str]) -> Ran {
        finish(self.start(state, arguments))
    }

    /// A call that is up, with the notes of it.
    fn call(&self, state: &str, more: &[&str]) -> Child {
        let child = self.start(state, &[&["call", "alice", "bob", "--listen", "30"], more].concat());
        let until = Instant::now() + Duration::from_secs(20);
        // Caller and callee both know by then how the call is ended.
        let is_up = |line: &&str| line.contains(" bye=BYE") && !line.contains(" cancel=");
        while self.notes(state).lines().filter(is_up).count() < 2 {
            assert!(Instant::now() < until, "no call came up: {}", self.notes(state));
            std::thread::sleep(Duration::from_millis(50));
        }
        child
    }

    /// All notes of a state folder.
    fn notes(&self, state: &str) -> String {
        let folder = self.folder.path().join(state).join("ringback");
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect()
    }

    /// Devices of bob.
    fn devices(&self) -> usize {
        let ran = self.run("lookup", &["register", "bob", "--lookup", "--json"]);
        let line: serde_json::Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
        line["register"]["bindings"].as_array().unwrap_or_else(|| panic!("{ran}")).len()
    }
}

fn kill(mut child: Child) {
    signal(&child, "KILL");
    child.wait().unwrap();
}

#[test]
fn what_a_killed_run_left_is_removed_and_no_other_binding() {
    let stage = Stage::new();
    kill(stage.call("one", &[]));
    // Who left it is told so, and nobody else.
    let is_own = |state| {
        let ran = stage.run(state, &["call", "alice", "bob"]);
        assert_eq!(ran.status, 3, "{ran}");
        let words = ["left by an earlier run", "ringback clean"].map(|words| ran.stdout.contains(words));
        assert_eq!(words[0], words[1], "{ran}");
        words[0]
    };
    assert_eq!((is_own("one"), is_own("three")), (true, false));
    // Nor is a phone there for who only looks.
    let looked = stage.run("one", &["register", "bob", "--lookup"]);
    assert_eq!(looked.status, 3, "{looked}");
    assert!(looked.stdout.contains("left-by-a-run") && looked.stdout.contains("ringback clean"), "{looked}");
    assert_eq!(stage.run("three", &["register", "bob", "--lookup"]).status, 0);
    // Somebody else's device, as far as the first run knows.
    let other = stage.call("two", &["--beside-live-devices"]);
    assert_eq!(stage.devices(), 2);
    for secret in ["alicepw", "bobpw", "uthorization", "response="] {
        assert!(!stage.notes("one").contains(secret), "{secret}: {}", stage.notes("one"));
    }

    let listed = stage.run("one", &["clean", "--list"]);
    assert_eq!(listed.status, 3, "{listed}");
    let count = |ran: &Ran, what: &str| ran.stdout.lines().filter(|line| line.starts_with(what)).count();
    assert_eq!((count(&listed, "binding of bob"), count(&listed, "call of ")), (1, 2), "{listed}");

    let cleaned = stage.run("one", &["clean"]);
    assert_eq!(cleaned.status, 0, "{cleaned}");
    assert!(cleaned.stdout.contains("the binding was removed"), "{cleaned}");
    assert!(cleaned.stdout.contains("the call was ended"), "{cleaned}");
    assert!(!cleaned.stdout.contains("FAIL") && !cleaned.stdout.contains("INCONCLUSIVE"), "{cleaned}");
    assert_eq!(stage.devices(), 1, "the other device is still there");
    assert!(stage.notes("one").is_empty(), "{}", stage.notes("one"));
    let again = stage.run("one", &["clean"]);
    assert_eq!((again.status, again.stdout.as_str()), (0, "nothing is left\n"), "{again}");

    // A run that goes on is left alone, and its call too.
    let running = stage.run("two", &["clean"]);
    assert_eq!(running.status, 0, "{running}");
    assert!(running.stdout.contains("1 run that still goes on: left alone"), "{running}");
    kill(other);
    let wrong = stage.folder.path().join("bob.csv");
    std::fs::write(&wrong, format!("name,aor,password\nbob,{},wrong\n", stage.sim.aor("bob"))).unwrap();
    let refused = clean_with(&stage, "two", &wrong);
    assert_eq!(refused.status, 1, "what failed wins over what was not tried: {refused}");
    assert!(refused.stdout.contains("its account is not given"), "alice is not in the file: {refused}");
    assert_eq!(stage.devices(), 1, "a wrong password removes nothing");
    let cleaned = stage.run("two", &["clean"]);
    assert_eq!(cleaned.status, 0, "{cleaned}");
    assert_eq!(stage.devices(), 0);
}

fn clean_with(stage: &Stage, state: &str, accounts: &Path) -> Ran {
    let mut command = command(&["clean", "--accounts"]);
    command.arg(accounts).env("XDG_STATE_HOME", stage.folder.path().join(state));
    finish(command.spawn().unwrap())
}

#[test]
fn what_nobody_knows_any_more_and_what_has_run_out_is_left_no_more() {
    let stage = Stage::new();
    kill(stage.call("one", &[]));
    let notes = stage.notes("one");
    assert!(notes.contains(" until="), "{notes}");
    let file = || {
        let folder = stage.folder.path().join("one/ringback");
        std::fs::read_dir(folder).unwrap().flatten().next().unwrap().path()
    };
    // A binding of an account that the registrar knows no more: until its time is over nobody can tell; one that was never confirmed is gone.
    let at = |line: &str| line.split(" until=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let binding = notes.lines().find(|line| line.contains(" until=")).unwrap();
    let zed = binding.replace("account=bob", "account=zed").replace("sip:bob@", "sip:zed@");
    let aor = stage.sim.aor("bob").replace("bob@", "zed@");
    let clean = |note: &str| {
        std::fs::write(file(), format!("{note}\n")).unwrap();
        let mut command = command(&["clean", &aor, "--password", "x"]);
        finish(command.env("XDG_STATE_HOME", stage.folder.path().join("one")).spawn().unwrap())
    };
    let cleaned = clean(&zed);
    assert_eq!(cleaned.status, 3, "{cleaned}");
    assert!(cleaned.stdout.contains("left-binding-unseen"), "{cleaned}");
    assert_eq!(stage.notes("one"), format!("{zed}\n"), "its note is kept");
    let cleaned = clean(&zed.replace(&format!(" until={}", at(&zed)), ""));
    assert_eq!(cleaned.status, 0, "{cleaned}");
    assert!(cleaned.stdout.contains("the binding was gone already"), "{cleaned}");
    assert!(stage.notes("one").is_empty(), "{}", stage.notes("one"));
    // One that has run out meanwhile.
    let path = stage.folder.path().join("one/ringback/1-0.open");
    std::fs::write(path, format!("{}\n", binding.replace(&format!("until={}", at(binding)), "until=1000")))
        .unwrap();
    let listed = stage.run("one", &["clean", "--list"]);
    assert_eq!((listed.status, listed.stdout.as_str()), (0, "nothing is left\n"), "{listed}");
}

#[test]
fn a_second_signal_ends_at_once_and_says_what_is_left() {
    let stage = Stage::new();
    let child = stage.call("one", &[]);
    // Nobody answers: what is asked to end does not.
    signal(&stage.sim.child, "STOP");
    signal(&child, "TERM");
    std::thread::sleep(Duration::from_millis(300));
    let asked = Instant::now();
    signal(&child, "TERM");
    let ran = finish(child);
    signal(&stage.sim.child, "CONT");
    assert_eq!(ran.status, 130, "{ran}");
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert!(ran.stderr.contains("stopped at once; 1 binding and 2 calls are left:"), "{ran}");
    assert!(ran.stderr.contains("\n  binding of bob (sip:bob@"), "{ran}");
    assert!(ran.stderr.contains("`ringback clean` removes them"), "{ran}");
    let cleaned = stage.run("one", &["clean"]);
    assert_eq!((cleaned.status, stage.devices()), (0, 0), "{cleaned}");
}

#[test]
fn a_run_that_ends_in_order_leaves_no_note() {
    let stage = Stage::new();
    let ran = stage.run("one", &["register", "alice", "bob"]);
    assert_eq!(ran.status, 0, "{ran}");
    let child = stage.call("one", &[]);
    signal(&child, "HUP");
    let ran = finish(child);
    assert_eq!(ran.status, 3, "{ran}");
    assert!(stage.notes("one").is_empty(), "{}", stage.notes("one"));
}
