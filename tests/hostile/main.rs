//! A hostile platform over sockets: it tries to have numbers dialled, passwords sent to strangers, secrets shown, verdicts changed, and bindings
//! and calls left behind, against every command. All of that is counted, and has to be nothing; and the verdict has to name the attack.
//!
//! One process has many attacks at once in it: each has a platform of its own at ports that the system chose, and strangers are other
//! addresses of 127.0.0.0/8, which only Linux has without being asked.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod challenges;
mod commands;
mod floods;
mod fork;
mod left;
mod lures;
mod outputs;
mod platform;
mod stranger;
mod tally;
#[path = "../support/platform/text.rs"]
#[allow(dead_code)]
mod text;
