//! `ringback sim`: the embedded telephone network on loopback.

use crate::exit::{Exit, Failure};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) async fn run(_: Arguments) -> Result<Exit, Failure> {
    Ok(Exit::Open)
}
