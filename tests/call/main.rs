//! The check `Call` over a network in memory and in virtual time.
#![allow(clippy::unwrap_used)]

mod announcement;
mod delivery;
mod golden;
mod one_end;
mod pbx;
mod refusals;
mod scene;
#[path = "../support/seen.rs"]
mod seen;
mod switch;
mod transfer;
mod two_ends;
