//! Proves, with evidence, whether SIP endpoints register, route DTMF and transfer calls, and says in plain words why not.
//!
//! ```no_run
//! use ringback::{Account, Probe, Register};
//!
//! # async fn example() -> Result<(), ringback::Error> {
//! let probe = Probe::bind("udp:127.0.0.1:0").await?;
//! let alice = Account::new("sip:alice@pbx.example.com", "secret")?;
//! let outcome = probe.check(Register::new(&alice)).await; // an Outcome, not a Result
//! println!("{outcome}"); // the verdict, what was seen, what to do
//! # Ok(())
//! # }
//! ```
//!
//! # What is asked
//! | check | question |
//! |---|---|
//! | [`Register`], [`Lookup`] | Does the account register? Is a device of it registered now, and which? |
//! | [`Dtmf`] | Do digits arrive by RFC 4733, SIP INFO and in-band, and does a menu route by them? |
//! | [`Transfer`] | Is a call transferred, by REFER, by keys or by a park orbit, and who hears whom afterwards? |
//! | [`Call`], [`Hold`], [`Cancel`], [`Fork`] | Does a call get through, is it held, given up, and rung at several phones as it should be? |
//! | [`Reachable`], [`Clean`] | Does anything answer there? What did a killed run leave? |
//!
//! # For embedders
//! - Many accounts at once come as a stream of outcomes ([`Probe::check_many`]), of different questions too ([`Check::boxed`]); one stream is stopped
//!   without the probe ([`Probe::branch`]), and the steps of a check are told as they end ([`Probe::watch`]).
//! - [`Outcome::register`] lists who is bound as data; [`Outcome::accounts`] names the accounts as the inventory does.
//! - The facts, metrics and codes of each check are listed in its documentation, and those that checks share in [`check::yields`].
//! - Account files keep the columns that are not known: `campaign::inventory` (feature `accounts`). Names are looked up by an own
//!   [`transport::Resolve`]. WAV files are read by `media::wav` (feature `wav`), and
//!   [`DtmfDetector::for_audio`](media::dtmf_detector::DtmfDetector::for_audio) refuses what is no telephone audio.
//! - An embedder's own question is a [`Check`] as well.
//!
//! # Map of the floors
//! A folder is a floor; a floor uses only the floors below it. Bytes travel up, commands travel down, and the two meet in the loop of
//! [`endpoint`].
//!
//! | floor | what it knows |
//! |---|---|
//! | `sim` | the embedded telephone network (feature `sim`) |
//! | [`report`] | pure functions of outcomes: text, JSON lines, ladders, captures |
//! | [`campaign`] | many accounts: where they come from |
//! | [`check`] | one file per question; [`Outcome`] is the answer |
//! | [`endpoint`] | the single loop that joins packets, deadlines and commands |
//! | [`transport`] | UDP and TCP; the first floor that does I/O |
//! | [`ua`] | what outlives a transaction: registration, options, dialog, call |
//! | [`transaction`] | the four machines of RFC 3261 sec. 17 |
//! | [`media`] | RTP, telephone-event, tones and their detection; knows no SIP |
//! | [`auth`] | digest as a pure function |
//! | [`sdp`] | offer and answer, to a media plan |
//! | [`message`] | one `Bytes` and spans, typed on demand |
//! | [`syntax`] | the grammar over `&[u8]`, without allocation |
//! | [`error`] | what *we* could not do; never a verdict |
//!
//! # The rule of time
//! Below [`transport`] nobody reads a clock or asks for chance: `now` is an argument, and branches, tags, Call-IDs and nonces come from a
//! source with a seed ([`message::Ids`]). Every machine there has the verbs `handle_input`, `handle_timeout`, `poll_output` and
//! `poll_timeout`. From [`transport`] up, time is tokio's: paused, the whole of it runs in virtual time.
//!
//! # Features
//! None is on by default. `sim`: the embedded network. `json`, `pcap`, `accounts`: JSON lines (written and read back), captures, account files.
//! `wav`: WAV files as telephone audio. `rsip`:
//! conversions. `cli`: the command `ringback`, with all of these but `rsip`.
#![forbid(unsafe_code)]

pub mod error;

pub mod syntax;

pub mod auth;
pub mod media;
pub mod message;
pub mod sdp;

pub mod transaction;
pub mod ua;

pub mod transport;

pub mod endpoint;

pub mod check;

pub mod campaign;

pub mod report;

#[cfg(feature = "sim")]
pub mod sim;

pub use check::{
    Account, BoxedCheck, Call, Cancel, Check, Clean, Details, Dtmf, Finding, Fork, Hold, Lookup, Outcome,
    Pace, Probe, ProbeConfig, Progress, Reachable, Register, Severity, Side, Step, Transfer, Verdict,
};
pub use error::Error;

// The README's example compiles with every `cargo test`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
