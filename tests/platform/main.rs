//! Situations that a platform brings about: what the reader is told of each by every question, in virtual time against a scripted platform.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod audio;
mod beside;
mod described;
mod dialled;
mod ended_early;
mod forks;
mod given_up;
mod healthy;
mod late;
mod media;
mod new_call;
mod not_rung;
mod own_ends;
#[path = "../support/platform/mod.rs"]
#[allow(dead_code, unused_imports)]
mod platform;
mod redirects;
mod refused_here;
mod requests;
mod rewritten;
mod setup;
mod transfers;
mod unasked;
mod whole_call;
