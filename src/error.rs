//! What *we* could not do: bind, resolve, read a configuration, accept an argument. Never a verdict.
//!
//! ```
//! use ringback::{Account, Error};
//! let error = Account::new("sip:al ice@example.com", "secret").unwrap_err();
//! assert!(matches!(error, Error::Usage { .. }));
//! assert!(error.to_string().contains("column 7"));
//! ```

use std::fmt;

/// Something that we could not do; a failed check is an [`Outcome`](crate::check::Outcome), not an `Error`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A local address could not be bound.
    #[error("cannot bind {address}: {source}")]
    Bind {
        /// What was asked for, e.g. `udp:127.0.0.1:5060`.
        address: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// An argument is not what it should be.
    #[error("{what}: {problem}")]
    Usage {
        /// Which argument, in the caller's words.
        what: String,
        /// What is wrong with it, where (column, line), and what to do.
        problem: String,
    },
    /// The endpoint was closed while it was still needed.
    #[error("the endpoint is closed")]
    Closed,
}

impl Error {
    /// A [`Error::Usage`] from anything that prints.
    pub fn usage(what: impl fmt::Display, problem: impl fmt::Display) -> Error {
        Error::Usage { what: what.to_string(), problem: problem.to_string() }
    }
}
