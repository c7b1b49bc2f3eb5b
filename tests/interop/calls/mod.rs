//! Calls with telephones and networks of others.

mod baresip;
mod checked;
mod lossy;
mod lossy_signalling;
pub(crate) mod phone;
mod proxied;
mod sipp_called;
mod sipp_calls;
mod sipp_dialog;
mod sipp_media;
mod sipp_odd;
mod wire;
