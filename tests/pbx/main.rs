//! The PBX of the embedded network as devices at its ends see it, in virtual time: plain calls, numbers, menus, faults.
#![allow(clippy::unwrap_used)]

mod calls;
mod devices;
mod digit_faults;
mod groups;
mod keys;
mod media_faults;
mod menus;
mod numbers;
mod parking;
mod phone;
mod signalling_faults;
mod strangers;
mod sturdy;
mod transfer_faults;
mod transfers;
mod transport_faults;
