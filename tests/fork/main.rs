//! Several called as one through the embedded PBX, in virtual time: who rings, who wins, how the others are stopped, and each fault by name.
#![allow(clippy::unwrap_used)]

mod faults;
mod golden;
mod healthy;
#[path = "../support/meddler.rs"]
#[allow(dead_code)]
mod meddler;
mod platforms;
#[path = "../support/golden.rs"]
mod report;
mod scene;
#[path = "../support/seen.rs"]
mod seen;
