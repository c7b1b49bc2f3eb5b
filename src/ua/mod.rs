//! What outlives a transaction: registrations and capability queries, as machines without I/O.

pub mod options;
pub mod registration;
