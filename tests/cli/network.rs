//! What the embedded network tells who runs it.

use crate::program::{command, finish, ringback, signal};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

#[test]
fn it_tells_of_each_request_and_enter_shows_who_is_registered() {
    let users = ["--user", "alice:alicepw", "--user", "bob:bobpw"];
    let arguments = [&["sim", "-v", "--bind", "127.0.0.1:0"][..], &users].concat();
    let mut sim = command(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(sim.stdout.take().unwrap());
    let mut first = String::new();
    output.read_line(&mut first).unwrap();
    assert!(first.contains("Enter shows"), "{first}");
    let address = first.split("sip:").nth(1).unwrap().split(' ').next().unwrap();
    let aor = format!("sip:alice@{address}");
    let right = ringback(&["register", &aor, "--password", "alicepw"]);
    assert_eq!(right.status, 0, "{right}");
    let wrong = ringback(&["register", &aor, "--password", "no"]);
    assert_eq!(wrong.status, 1, "{wrong}");
    sim.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    // The answer is on its way before the end is.
    std::thread::sleep(std::time::Duration::from_millis(300));
    signal(&sim, "INT");
    let ran = finish(sim);
    assert_eq!(ran.status, 0, "{ran}");
    for told in ["REGISTER of alice from 127.0.0.1", "over udp, ringback/", "answered 200", "wrong password"]
    {
        assert!(ran.stderr.contains(told), "{told:?} is not told\n{ran}");
    }
    assert!(ran.stderr.contains("nobody is registered\nno calls"), "{ran}");
    assert!(!ran.stderr.contains("alicepw"), "{ran}");
}
