//! A telephone network in one process: a registrar with switchable faults, and a network in memory and in virtual time.

mod memory;

pub use memory::{ClosedPort, Link, MemoryHost, MemoryNetwork, MemoryStats, Nat};
