//! Account files: tables, JSON lines, interruption.

use crate::program::{Sim, command, finish, ringback, signal};
use ringback::message::Transport;
use ringback::sim::{Lab, User};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::Duration;

/// A file of accounts at `sim`, name = user, password = user + "pw"; `extra` stands at its end.
fn file(folder: &tempfile::TempDir, sim: &Sim, users: &[&str], extra: &str) -> PathBuf {
    let mut text = String::new();
    for user in users {
        text += &format!(
            "[[account]]\nname = \"{user}\"\naor = \"{}\"\npassword = \"{user}pw\"\n",
            sim.aor(user)
        );
    }
    let path = folder.path().join("accounts.toml");
    std::fs::write(&path, text + extra).unwrap();
    path
}

#[test]
fn a_file_gives_a_table_in_its_order_with_counts() {
    let sim = Sim::start(&["alice:alicepw", "bob:bobpw:A01", "carol:carolpw"]);
    let folder = tempfile::tempdir().unwrap();
    let extra = "[[account]]\nname = \"dave\"\naor = \"sip:dave@lab.example\"\npassword_env = \"RINGBACK_TEST_NOT_SET\"\n";
    let path = file(&folder, &sim, &["carol", "bob", "alice"], extra);
    let ran = ringback(&["register", "--accounts", path.to_str().unwrap()]);
    assert_eq!(ran.status, 1, "{ran}");
    let cells: Vec<(&str, &str)> = ran
        .stdout
        .lines()
        .filter_map(|line| Some((line.split_whitespace().next()?, line.split_whitespace().nth(1)?)))
        .collect();
    let wanted = [("carol", "pass"), ("bob", "fail"), ("alice", "pass"), ("dave", "not-run")];
    let found: Vec<_> =
        cells.into_iter().filter(|(name, _)| wanted.iter().any(|(wanted, _)| wanted == name)).collect();
    assert_eq!(found, wanted, "{ran}");
    assert!(ran.stdout.contains("4 checked: 2 pass, 1 fail, 0 inconclusive, 1 not run"), "{ran}");
    // So few say nothing of a rate.
    assert!(ran.stdout.contains("3 asked in ") && !ran.stdout.contains(" a second"), "{ran}");
    assert!(ran.stdout.contains("(password_env), is not set"), "{ran}");
}

#[test]
fn names_select_accounts_and_json_gives_a_line_each() {
    let sim = Sim::start(&["alice:alicepw", "bob:bobpw:A01", "carol:carolpw"]);
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &sim, &["alice", "bob", "carol"], "");
    let ran = ringback(&[
        "register",
        "--accounts",
        path.to_str().unwrap(),
        "carol",
        "alice",
        "--json",
        "--rate",
        "0",
    ]);
    assert_eq!(ran.status, 0, "{ran}");
    let mut names: Vec<String> = ran
        .stdout
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].as_str().unwrap().to_owned()
        })
        .collect();
    names.sort();
    assert_eq!(names, ["alice", "carol"], "{ran}");
    assert!(ran.stderr.contains("2 checked: 2 pass"), "{ran}");
    let ran = ringback(&["register", "--accounts", path.to_str().unwrap(), "carlo"]);
    assert!(ran.status == 2 && ran.stderr.contains("did you mean \"carol\"?"), "{ran}");
}

#[test]
fn everything_that_is_wrong_in_a_file_is_told_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts.toml");
    std::fs::write(
        &path,
        "[[account]]\nnmae = \"alice\"\naor = \"sip:alice\"\n[[account]]\nname = \"bob\"\n",
    )
    .unwrap();
    let ran = ringback(&["register", "--accounts", path.to_str().unwrap()]);
    let place = |line: &str| format!("{}:{line}", path.display());
    assert!(ran.status == 2 && ran.stdout.is_empty(), "{ran}");
    for line in
        ["2:1: unknown key; did you mean `name`?", "3:7: `aor` cannot be used: ", "4: `aor` is missing"]
    {
        assert!(ran.stderr.contains(&place(line)), "{line}: {ran}");
    }
}

#[test]
fn an_interrupt_keeps_what_is_known() {
    // The first account never gets an answer, so that it has begun and is to be interrupted when the second has ended.
    let sim = Sim::start(&["alice:alicepw", "bob:bobpw:R15"]);
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &sim, &["bob", "alice"], "");
    let mut child = command(&["register", "--accounts", path.to_str().unwrap(), "--json"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    assert!(first.contains(r#""name":"alice""#) && first.contains(r#""verdict":"pass""#), "{first}");
    signal(&child, "INT");
    let reader = std::thread::spawn(move || lines.lines().map_while(Result::ok).collect::<Vec<_>>());
    let ran = finish(child);
    let rest = reader.join().unwrap();
    assert_eq!(ran.status, 3, "{ran}");
    assert!(ran.stderr.contains("stopping") && ran.stderr.contains("2 checked: 1 pass"), "{ran}");
    assert!(rest.len() == 1 && rest[0].contains(r#""name":"bob""#), "{rest:?}");
    assert!(rest[0].contains("stopped by Ctrl-C during the step "), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_in_full_run_leaves_no_binding_and_a_verdict_for_each_account() {
    const ACCOUNTS: usize = 400;
    let names: Vec<String> = (0..ACCOUNTS).map(|i| format!("u{i}")).collect();
    let lab = Lab::builder().users(names.iter().map(|name| User::new(name, "pw"))).start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts.csv");
    let registrar = lab.uri(Transport::Udp).unwrap();
    let lines = names.iter().map(|name| format!("{name},{},pw,{registrar}\n", lab.aor(name)));
    std::fs::write(&path, format!("name,aor,password,registrar\n{}", lines.collect::<String>())).unwrap();

    let arguments = ["register", "--accounts", path.to_str().unwrap(), "--json", "--rate", "0"];
    let child = command(&arguments).spawn().unwrap();
    let live = || names.iter().filter(|name| !lab.bindings(name).is_empty()).count();
    let bound = async {
        while live() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), bound).await.expect("nothing was ever bound");
    signal(&child, "TERM");
    let ran = tokio::task::spawn_blocking(move || finish(child)).await.unwrap();
    assert_eq!((ran.status, live()), (3, 0), "{ran}");
    assert_eq!(ran.stdout.lines().count(), ACCOUNTS, "{ran}");
    assert!(ran.stdout.contains(r#""verdict":"not-run""#), "{ran}");
    lab.shutdown().await;
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sim = Sim::start(&["alice:alicepw", "bob:bobpw"]);
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &sim, &["alice", "bob"], "");
    let start = || command(&["register", "--accounts", path.to_str().unwrap(), "--json"]).spawn().unwrap();
    let mut child = start();
    drop(child.stdout.take());
    let ran = finish(child);
    assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("error: standard output"), "{ran}");
    // Nobody reads standard error either: 101 would be a panic.
    let mut child = start();
    drop((child.stdout.take(), child.stderr.take()));
    let status = finish(child).status;
    assert!(status == 0 || status == 3, "{status}");
}

#[test]
fn how_many_a_pause_left_unasked_is_told() {
    let users = ["a", "b", "c", "d", "e", "f", "g"];
    let sim_users =
        users.map(|user| format!("{user}:{user}pw{}", if "abc".contains(user) { ":R14:60" } else { "" }));
    let sim = Sim::start(&sim_users.each_ref().map(String::as_str));
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &sim, &users, "");
    let ran = ringback(&["register", "--accounts", path.to_str().unwrap(), "--concurrency", "1"]);
    assert_eq!(ran.status, 3, "{ran}");
    assert!(ran.stdout.contains("7 checked: 0 pass, 0 fail, 3 inconclusive, 4 not run"), "{ran}");
    assert!(ran.stdout.contains("4 left unasked because the registrar asked for a pause"), "{ran}");
}
