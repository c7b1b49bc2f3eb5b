//! Many accounts: where they come from.

#[cfg(feature = "accounts")]
pub mod inventory;
