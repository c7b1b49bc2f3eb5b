//! The endpoint over real sockets on loopback, and over a network in memory in virtual time.
#![allow(clippy::unwrap_used)]

mod agent;
mod bad_input;
mod credentials;
mod exchange;
mod invite;
mod limits;
mod lost;
mod media;
mod replies;
mod size;
mod support;
#[cfg(feature = "sim")]
mod transfers;
#[cfg(feature = "sim")]
mod virtual_time;
