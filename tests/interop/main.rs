//! ringback against programs that we did not write: Kamailio, SIPp, baresip, tshark.
//!
//! Not part of a plain `cargo test`, because these programs must be installed; `.ci/run` does that, then runs
//! `cargo test --all-features --test interop`. A program that is missing is a failed test, never a skipped one.
#![allow(clippy::unwrap_used, clippy::panic)]

mod capture;
mod hostile;
mod lab;
mod peer;
mod registrar;
mod ringback;
