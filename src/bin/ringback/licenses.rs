//! `ringback licenses`: whose work is in this program, and under which terms.

use crate::exit::Exit;
use crate::output::say;

/// Show the licences of this program and of all that is built into it.
///
/// First the program's own, then every package with its licence, then the texts that have to go with them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

/// The program's own terms.
const OWN: &str = include_str!("../../../LICENSE");
/// Works of others; `tests/cli/licenses.rs` holds it against Cargo.lock, and writes it.
const OTHERS: &str = include_str!("notices.txt");

pub(crate) fn run(Arguments {}: &Arguments) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    let licence = env!("CARGO_PKG_LICENSE");
    say(&format!("ringback {version}: {licence}\n\n{OWN}\n{OTHERS}"));
    Exit::Passed
}
