//! The registration check against the embedded network: in memory, in virtual time, seeded.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod algorithms;
mod answers;
mod challenges;
mod cleaning;
mod devices;
mod elsewhere;
mod faults;
mod hostile;
mod ladders;
mod lists;
mod lookup;
mod manners;
mod meanwhile;
mod network;
mod odd_forms;
mod pauses;
mod probe_limit;
mod refusals;
mod rewritten;
mod scene;
mod scripted;
mod secrets;
#[path = "../support/seen.rs"]
mod seen;
mod shared;
mod sizes;
mod slowness;
mod strays;
mod streams;
mod unseen;
