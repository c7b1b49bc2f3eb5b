//! Asterisk, which most of the field runs, as it comes: what we say of it is held against what it says itself.

mod calls;
mod cancels;
mod digits;
mod forks;
mod holds;
mod registers;
mod transfers;

use crate::peer::asterisk::Asterisk;
use crate::ringback::{Outcome, within};
use std::time::Duration;

/// Asks about users of this Asterisk; afterwards nothing of it may be left there.
#[track_caller]
fn ask(asterisk: &Asterisk, args: &[&str]) -> Outcome {
    let outcome = ask_beside(asterisk, args);
    assert!(asterisk.idle(), "calls or contacts are left\n{outcome}");
    outcome
}

/// The same while other calls are up.
#[track_caller]
fn ask_beside(asterisk: &Asterisk, args: &[&str]) -> Outcome {
    ask_with(asterisk.accounts(), args)
}

/// Asks about accounts of this file.
#[track_caller]
fn ask_with(accounts: &str, args: &[&str]) -> Outcome {
    let mut all = vec![args[0], "--accounts", accounts, "--bind", "127.0.0.1", "--json"];
    all.extend(&args[1..]);
    let ran = within(Duration::from_secs(90), "a password of nobody", &all);
    let outcome = ran.outcome();
    let status = match outcome.verdict() {
        "pass" => 0,
        "fail" => 1,
        _ => 3,
    };
    assert_eq!(ran.status, status, "{outcome}\n{}", ran.stderr);
    outcome
}

/// A verdict, and all that is found: severity, side and code.
#[track_caller]
fn says(outcome: &Outcome, verdict: &str, found: &[&str]) {
    // Whether two hang up within the same moment is chance, and how soon a busy Asterisk passes a BYE on.
    let chance = ["info peer bye-crossed", "warning peer bye-late"];
    let blamed: Vec<String> =
        outcome.blamed().into_iter().filter(|blamed| !chance.contains(&blamed.as_str())).collect();
    assert_eq!(
        (outcome.verdict(), blamed),
        (verdict, found.iter().map(|&s| s.into()).collect()),
        "{outcome}"
    );
}

/// Asterisk did these things in this order.
#[track_caller]
fn did(asterisk: &Asterisk, all: &[&str]) {
    assert!(asterisk.logged(all), "not all of {all:#?} stand in its log\n{}", asterisk.log());
}
