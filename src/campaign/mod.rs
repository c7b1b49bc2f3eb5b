//! Many accounts: where they come from.
//!
//! ```
//! # #[cfg(feature = "accounts")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use ringback::campaign::inventory::Inventory;
//! let file = std::env::temp_dir().join(format!("ringback-{}.csv", std::process::id()));
//! std::fs::write(&file, "name,aor,password\nalice,sip:alice@lab.example,secret\n")?;
//! let inventory = Inventory::from_path(&file)?;
//! assert_eq!(inventory.entries.len(), 1);
//! # std::fs::remove_file(&file)?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "accounts"))]
//! # fn main() {}
//! ```

#[cfg(feature = "accounts")]
pub mod inventory;
