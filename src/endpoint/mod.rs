//! The single loop that joins packets, deadlines and commands, and the handles that the floors above hold.
//!
//! [`Endpoint::bind`] starts one task. It owns the sockets and the [transaction layer](crate::transaction); each turn of it
//! handles a bounded number of commands, packets of every socket, and deadlines, so that none of them keeps out the others.
//! [`Endpoint`], [`Recorder`], [`ClientTransaction`] and [`Incoming`] are handles on it.
//!
//! Two endpoints, of which one asks what the other can:
//! ```
//! use ringback::endpoint::{ClientEvent, Config, Endpoint};
//! use ringback::message::{Builder, Transport};
//! use ringback::syntax::{HeaderName, Method};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let on_loopback = || {
//!     let mut config = Config::default();
//!     config.udp = vec!["127.0.0.1:0".parse().unwrap()];
//!     config
//! };
//! // Whoever drops `Incoming` wants no requests: the endpoint answers OPTIONS by itself.
//! let (asked, _) = Endpoint::bind(on_loopback()).await?;
//! let (asking, _) = Endpoint::bind(on_loopback()).await?;
//!
//! let (_, remote) = asked.local_addrs()[0];
//! let flow = asking.flow(Transport::Udp, remote).await?;
//! let recorder = asking.recorder();
//! let mut ids = asking.ids();
//! let request = Builder::request(Method::Options, format!("sip:{remote}"))
//!     .header(HeaderName::MaxForwards, "70")
//!     .header(HeaderName::From, format!("<sip:probe@{}>;tag={}", flow.local, ids.tag()))
//!     .header(HeaderName::To, format!("<sip:{remote}>"))
//!     .header(HeaderName::CallId, ids.call_id())
//!     .header(HeaderName::CSeq, "1 OPTIONS")
//!     .build()?;
//! let mut transaction = recorder.request(request, flow).await?;
//! let Some(ClientEvent::Final(response)) = transaction.next().await else { panic!("no answer") };
//! assert_eq!(response.message.status(), Some(200));
//! assert_eq!(recorder.records().len(), 2);
//! # Ok(())
//! # }
//! ```

pub mod agent;
mod automatic;
mod bind;
mod client;
mod command;
mod config;
mod connections;
mod driver;
mod event;
mod handle;
mod incoming;
mod input;
mod log;
mod mailbox;
mod opening;
mod output;
mod oversize;
mod recorder;
mod remotes;
mod reply;
mod sockets;
mod switch;

pub use bind::bind_anywhere;
pub use client::ClientTransaction;
pub use config::{Config, Stats};
pub use event::{ClientEvent, Received};
pub use handle::Endpoint;
pub use incoming::{Incoming, IncomingEvent, IncomingRequest};
pub(crate) use log::FirstDropped;
pub use recorder::Recorder;
pub use switch::{Switch, SwitchOutcome};
