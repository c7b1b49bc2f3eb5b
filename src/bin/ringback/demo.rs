//! `ringback demo`: what verdicts look like.

use crate::exit::{Exit, Failure};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) async fn run(_: Arguments) -> Result<Exit, Failure> {
    Ok(Exit::Open)
}
