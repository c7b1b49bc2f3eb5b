//! Files that a run reads and writes: read once, bounded, warned of, and for their owner alone.

use crate::program::{Sim, command, finish, ringback};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn accounts(sim: &Sim) -> String {
    let account = |name: &str| {
        format!("[[account]]\nname = \"{name}\"\naor = \"{}\"\npassword = \"{name}pw\"\n", sim.aor(name))
    };
    account("alice") + &account("bob")
}

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn an_account_file_may_be_a_pipe_for_calls_too() {
    let (sim, folder) = (Sim::start(&["alice:alicepw", "bob:bobpw"]), tempfile::tempdir().unwrap());
    let pipe = folder.path().join("accounts.toml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut command = command(&["call", "alice", "bob", "--listen", "1", "--accounts"]);
    let child = command.arg(&pipe).spawn().unwrap();
    // What is written is there once: who reads it again gets nothing.
    std::fs::write(&pipe, accounts(&sim)).unwrap();
    let ran = finish(child);
    assert_eq!(ran.status, 0, "{ran}");
}

#[test]
fn what_is_no_file_is_told_and_what_everybody_can_read_is_warned_of() {
    let (sim, folder) = (Sim::start(&["alice:alicepw", "bob:bobpw"]), tempfile::tempdir().unwrap());
    let folder = folder.path();
    let (aor, directory) = (sim.aor("alice"), folder.to_str().unwrap());
    for (arguments, why) in [
        // An account file may be long: what is endless is read to its limit by the tests of the library, with a smaller one.
        (&["register", &aor, "--password-file", "/dev/zero"][..], "more than"),
        (&["register", &aor, "--password-file", directory], "it is a directory"),
        (&["register", "--accounts", directory], "it is a directory"),
    ] {
        let ran = ringback(arguments);
        assert!(ran.status == 2 && ran.stderr.contains(why), "{arguments:?}: {ran}");
    }
    let (file, secret) = (folder.join("accounts.toml"), folder.join("pw.txt"));
    std::fs::write(&file, accounts(&sim)).unwrap();
    std::fs::write(&secret, "\u{feff}alicepw\r\n").unwrap();
    allow(folder, 0o755);
    for (mode, warned) in [(0o644, true), (0o600, false)] {
        allow(&file, mode);
        allow(&secret, mode);
        for ran in [
            ringback(&["register", "--accounts", file.to_str().unwrap()]),
            ringback(&["register", &sim.aor("alice"), "--password-file", secret.to_str().unwrap()]),
        ] {
            assert_eq!(ran.status, 0, "{ran}");
            let told = ran.stderr.contains("can be read by every user of this host; chmod 600");
            assert_eq!(told, warned, "{mode:o}: {ran}");
        }
    }
}

#[test]
fn a_capture_is_for_its_owner_alone() {
    let (sim, folder) = (Sim::start(&["alice:alicepw"]), tempfile::tempdir().unwrap());
    let path = folder.path().join("run.pcap");
    let ran =
        ringback(&["register", &sim.aor("alice"), "--password", "alicepw", "--pcap", path.to_str().unwrap()]);
    assert_eq!(ran.status, 0, "{ran}");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
}
