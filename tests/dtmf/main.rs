//! Digits between two accounts of ours and through menus, on the embedded network, in virtual time: each fault gets the verdict and the
//! name that it deserves, and its look-alikes get theirs.
#![allow(clippy::unwrap_used)]

mod faults;
mod golden;
mod healthy;
mod manners;
#[path = "../support/meddler.rs"]
#[allow(dead_code)]
mod meddler;
mod menus;
mod platforms;
#[path = "../support/golden.rs"]
mod report;
mod scene;
#[path = "../support/seen.rs"]
mod seen;
