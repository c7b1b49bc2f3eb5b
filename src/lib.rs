//! Proves, with evidence, whether SIP endpoints register, and says in plain words why not.
//!
//! # Map of the floors
//! A folder is a floor; a floor uses only the floors below it.
//!
//! | floor | what it knows |
//! |---|---|
//! | [`report`] | pure functions of outcomes: text, JSON lines, ladders, captures |
//! | [`campaign`] | many accounts |
//! | [`check`] | one file per question; [`Outcome`](check::Outcome) is the answer |
//! | `endpoint` | the single loop that joins packets, deadlines and commands |
//! | `transport` | UDP and TCP; the first floor that does I/O |
//! | [`ua`] | what outlives a transaction: registration, options |
//! | [`transaction`] | the four machines of RFC 3261 sec. 17 |
//! | [`auth`] | digest as a pure function |
//! | [`message`] | one `Bytes` and spans, typed on demand |
//! | [`syntax`] | the grammar over `&[u8]`, without allocation |
#![forbid(unsafe_code)]

pub mod error;

pub mod syntax;

pub mod auth;
pub mod message;

pub mod transaction;
pub mod ua;

pub mod transport;

pub mod endpoint;

pub mod check;

pub mod campaign;

pub mod report;

#[cfg(feature = "sim")]
pub mod sim;

// The README's example compiles with every `cargo test`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
