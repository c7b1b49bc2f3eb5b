//! Transfers through the embedded PBX, in virtual time: who hears whom, by each kind, whether the PBX carries REFER out or passes it on.
#![allow(clippy::unwrap_used, clippy::panic)]

mod faults;
mod forms;
mod healthy;
mod identity;
mod keys;
mod parking;
mod refusals;
mod scene;
#[path = "../support/seen.rs"]
mod seen;
mod stopped;
mod timing;
