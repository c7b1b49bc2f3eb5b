//! Pure functions of outcomes: text, tables, JSON lines, ladders, captures. Nothing here reads a clock, a file or a socket,
//! and nothing here lets a secret out: messages pass [`redact`](crate::message::redact) first.
//!
//! One outcome prints itself: `println!("{outcome}")`.

mod ladder;
mod table;
#[cfg(test)]
mod tests;

#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "pcap")]
pub mod pcap;

pub use ladder::{LadderOptions, ladder, ladder_with};
pub use table::{Row, Tally, rows, table};
