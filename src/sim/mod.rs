//! A telephone network in one process: a registrar with switchable faults, and a network in memory and in virtual time.

mod fault;
mod memory;
pub mod registrar;
mod user;

pub use fault::Fault;
pub use memory::{ClosedPort, Link, MemoryHost, MemoryNetwork, MemoryStats, Nat};
pub use user::{Device, User};
