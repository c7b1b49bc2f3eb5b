//! Pure functions of outcomes: text, tables, JSON lines, ladders, captures. Nothing here reads a clock, a file or a socket,
//! and nothing here lets a secret out: messages pass [`redact`](crate::message::redact) first.
//!
//! One outcome prints itself: `println!("{outcome}")`. What it rests on, and how many look on one page:
//! ```
//! use ringback::check::Outcome;
//! use ringback::report::{Row, ladder, table};
//! let outcome = Outcome::not_run("register", "sip:bob@lab.example", "no password is given", "add one");
//! print!("{}", ladder(&outcome.transcript));
//! let page = table([Row::of("bob", &outcome)], false);
//! assert!(page.ends_with("1 checked: 0 pass, 0 fail, 0 inconclusive, 1 not run\n"));
//! ```

mod ladder;
mod once;
mod table;
#[cfg(test)]
mod tests;

#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "pcap")]
pub mod pcap;

/// A text of a peer or a file as it may be shown: characters that act on a terminal, break lines or have no width come out escaped
/// (`\u{202e}`).
pub fn shown(text: &str) -> String {
    crate::check::Printable(text).to_string()
}

pub use ladder::{LadderOptions, ladder, ladder_with};
pub use table::{Row, Tally, rows, table};
