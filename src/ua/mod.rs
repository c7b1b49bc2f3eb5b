//! What outlives a transaction: registrations and capability queries, as machines without I/O.

pub mod challenged;
mod end;
pub mod options;
pub mod registration;
mod response;

pub use end::End;
