//! A telephone network in one process: a registrar and a PBX with switchable faults, and a network in memory and in virtual time.
//!
//! [`Lab`] is the whole of it: a registrar and a PBX that answer on loopback, on a [`MemoryHost`], or with a probe in one network in memory
//! ([`Lab::in_memory`]). Users get their faults by the id in the
//! failure catalogue (see [`Fault`]). Below it, [`registrar`] is the machine without I/O, [`pbx`] says what can be called, and
//! [`MemoryNetwork`] is the network in memory:
//! ```
//! use ringback::message::Transport;
//! use ringback::sim::{Lab, MemoryNetwork, User};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let network = MemoryNetwork::new([7; 32]);
//! let server = network.host(["192.0.2.1".parse()?]);
//! let lab = Lab::builder().user(User::new("alice", "alicepw").fault("R05")?).on(&server).start().await?;
//! assert_eq!(lab.uri(Transport::Tcp)?, "sip:192.0.2.1:5060;transport=tcp");
//! assert!(lab.bindings("alice").is_empty());
//! # Ok(()) }
//! ```

mod fault;
mod hosts;
mod lab;
mod memory;
pub mod pbx;
pub mod registrar;
mod serving;
mod user;
mod wire;

pub use fault::{Fault, FaultEntry};
pub use lab::{Lab, LabBuilder};
pub use memory::{ClosedPort, Link, MemoryHost, MemoryNetwork, MemoryStats, Nat};
pub use pbx::Ivr;
pub use user::{Device, User};
