//! ringback against programs that we did not write: Kamailio, Asterisk, SIPp, baresip, tshark.
//!
//! Not part of a plain `cargo test`, because these programs must be installed; `.ci/run` does that, then runs
//! `cargo test --all-features --test interop`. A program that is missing is a failed test, never a skipped one.
#![allow(clippy::unwrap_used, clippy::panic)]

mod asterisk;
mod calls;
mod capture;
mod checks;
mod cleaning;
mod device;
mod forks;
mod hostile;
mod lab;
mod peer;
mod registrar;
mod ringback;
mod transfers;

use std::thread;
use std::time::{Duration, Instant};

/// Asks again and again until there is an answer, for at most ten seconds. Tasks of the same runtime go on meanwhile.
fn eventually<T>(what: &str, ask: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(10);
    tokio::task::block_in_place(|| {
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(Instant::now() < until, "{what} did not come");
            thread::sleep(Duration::from_millis(50));
        }
    })
}
