//! Transfers, with peers that we did not write at one end or between.

mod ours;
