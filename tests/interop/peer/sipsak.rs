//! sipsak as a client of another hand; it knows MD5 and UDP.

use std::process::{Command, Stdio};

/// Lets sipsak register a contact at 127.0.0.1; gives its exit status and what it printed.
pub(crate) fn register(port: u16, user: &str, password: &str, contact: &str, expires: u32) -> (i32, String) {
    let output = Command::new("sipsak")
        .args(["-vvv", "-i", "-U", "-s", &format!("sip:{user}@127.0.0.1:{}", port)])
        .args(["-u", user, "-a", password, "-C", contact, "-x", &expires.to_string()])
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("sipsak cannot be run (Debian package sipsak): {error}"));
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&printed).into_owned())
}
