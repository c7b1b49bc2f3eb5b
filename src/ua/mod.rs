//! What outlives a transaction: registrations, capability queries, dialogs and calls, as machines without I/O.
//!
//! ```
//! use ringback::message::Ids;
//! use ringback::ua::options::{Config, Input, Output, Query};
//! use std::time::Instant;
//!
//! let mut query = Query::new(Config::new("sip:lab.example", "sip:probe@192.0.2.1"), Ids::from_seed([7; 32]));
//! query.handle_input(Instant::now(), Input::Begin);
//! assert!(matches!(query.poll_output(), Some(Output::Send(request)) if request.is_request()));
//! ```

pub mod call;
pub mod challenged;
pub mod dialog;
mod end;
pub mod expected;
pub mod options;
pub mod registration;
mod response;
pub mod transfer;
pub mod trust;

pub use end::End;
