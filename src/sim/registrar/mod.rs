//! The registrar as a machine without I/O (RFC 3261 sec. 10.3), with the faults of its users.
//!
//! It takes requests with the time at which they came and gives answers, in order; the same seed and the same inputs give the same
//! answers. What needs the wire (silence, cut answers, closed connections) is an output that its owner carries out.
//!
//! ```
//! use ringback::sim::User;
//! use ringback::sim::registrar::{Config, Registrar};
//! use std::time::Instant;
//!
//! let mut registrar = Registrar::new(Config::default(), [7; 32]);
//! registrar.set_user(Instant::now(), User::new("alice", "alicepw"));
//! assert_eq!(registrar.bindings(Instant::now(), "alice"), []);
//! assert!(registrar.poll_output().is_none());
//! ```

mod admit;
mod answer;
mod bindings;
mod config;
mod gate;
mod nonces;
mod path;
mod seen;
#[cfg(test)]
mod tests;

pub(super) use admit::Admission;
pub use bindings::Binding;
pub use config::Config;
pub(super) use path::Passage;
pub use seen::Seen;

use super::User;
use super::fault::{Brief, Kind};
use crate::message::{Flow, Ids, Message};
use crate::syntax::{HeaderName, Host, Method, Uri, unescape};
use bindings::{Bindings, Rules, Wish};
use gate::{Asker, Pass};
use nonces::Nonces;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most banned addresses and doomed connections that are remembered.
const MAX_FLOWS: usize = 16_384;

/// The expiry, in seconds, up to which `R02:second` asks for more.
const MOST_RAISED: u32 = 7_200;
/// Registrations of one user that get expires=0 (`R05:zero`) before it is told to wait.
const MOST_ZEROS: u32 = 50;

/// What comes in.
#[derive(Debug)]
pub enum Input {
    /// A request.
    Request {
        /// The owner's name for it; comes back with the answer.
        token: u64,
        /// The request, with `received`/`rport` filled in.
        message: Message,
        /// Where it came from.
        flow: Flow,
    },
    /// A connection is gone.
    Closed(Flow),
}

/// What goes out, in order.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Answer a request.
    Respond {
        /// Which request.
        token: u64,
        /// The response.
        response: Message,
        /// How it goes out.
        delivery: Delivery,
    },
    /// Leave a request without an answer.
    Ignore {
        /// Which request.
        token: u64,
    },
    /// Close a connection.
    Close(Flow),
    /// Close a connection after this time without a message in either direction.
    CloseWhenIdle {
        /// Which one.
        flow: Flow,
        /// The time.
        time: Duration,
    },
}

/// How a response goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// By its transaction, as RFC 3261 sec. 18.2.2 and RFC 3581 say.
    Proper,
    /// Only its first half, once: a retransmitted request gets nothing more.
    Truncated,
    /// Once too, to the source's address and the port in the Via (to this port instead, when there is one), without a filled-in `rport`.
    ToVia {
        /// Another port than the Via's.
        port: Option<u16>,
    },
}

#[derive(Debug)]
struct Account {
    user: User,
    bindings: Bindings,
    /// 200s that were given, for `B01`.
    accepted: u32,
    /// 200s with expires=0 that were given, for `R05:zero`.
    zeros: u32,
    /// 423s with a minimum over the one before, for `R02:second`; from 0 again once one is accepted.
    raised: u32,
}

/// The registrar.
///
/// ```
/// use ringback::sim::User;
/// use ringback::sim::registrar::{Config, Registrar};
/// use std::time::Instant;
/// let mut registrar = Registrar::new(Config::default(), [1; 32]);
/// let now = Instant::now();
/// registrar.set_user(now, User::new("alice", "alicepw"));
/// assert!(registrar.bindings(now, "alice").is_empty());
/// assert!(registrar.poll_output().is_none());
/// ```
#[derive(Debug)]
pub struct Registrar {
    config: Config,
    accounts: BTreeMap<String, Account>,
    nonces: Nonces,
    ids: Ids,
    /// Makes To tags of answers of which nothing is kept.
    tag_secret: [u8; 32],
    seen: VecDeque<Seen>,
    banned: BTreeSet<(IpAddr, Option<String>)>,
    /// Connections whose next request is lost.
    doomed: BTreeSet<FlowKey>,
    outputs: VecDeque<Output>,
}

type FlowKey = (std::net::SocketAddr, std::net::SocketAddr);

/// What a request is answered with, before it is written down.
enum Reply {
    Message { response: Message, delivery: Delivery, then_close: bool },
    Silence,
    Close,
}

impl Reply {
    fn proper(response: Message) -> Reply {
        Reply::Message { response, delivery: Delivery::Proper, then_close: false }
    }
}

fn key(flow: &Flow) -> FlowKey {
    (flow.local, flow.remote)
}

impl Registrar {
    /// A registrar without users.
    pub fn new(config: Config, seed: [u8; 32]) -> Registrar {
        Registrar {
            nonces: Nonces::new(config.max_nonces),
            config,
            accounts: BTreeMap::new(),
            ids: Ids::from_seed(seed),
            tag_secret: seed,
            seen: VecDeque::new(),
            banned: BTreeSet::new(),
            doomed: BTreeSet::new(),
            outputs: VecDeque::new(),
        }
    }
    /// Its set-up.
    pub fn config(&self) -> &Config {
        &self.config
    }
    /// Adds a user, or changes one: bindings that it holds stay, the user's [devices](User::device) are bound again.
    pub fn set_user(&mut self, now: Instant, user: User) {
        let mut devices = user.devices.clone();
        if devices.is_empty() && user.find(full_status).is_some() {
            // What fills the limit has to be somewhere.
            devices = answer::old_devices(&user.name);
        }
        let mut held: Vec<_> = devices.iter().map(|device| Binding::of_device(now, device)).collect();
        if let Some(old) = self.accounts.remove(&user.name) {
            held.extend(old.bindings.live(now).filter(|binding| binding.source.is_some()).cloned());
        }
        let account = Account { bindings: Bindings::new(held), user, accepted: 0, zeros: 0, raised: 0 };
        self.accounts.insert(account.user.name.clone(), account);
    }
    /// Takes a user and its bindings away; `false` when there is none.
    pub fn remove_user(&mut self, name: &str) -> bool {
        self.accounts.remove(name).is_some()
    }
    /// The users, by name.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.accounts.values().map(|account| &account.user)
    }
    /// The live bindings of a user.
    pub fn bindings(&self, now: Instant, name: &str) -> Vec<Binding> {
        self.accounts
            .get(name)
            .map(|account| account.bindings.live(now).cloned().collect())
            .unwrap_or_default()
    }
    /// The last requests, oldest first.
    pub fn seen(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter()
    }
    /// Lifts every ban of `B01`.
    pub fn unban(&mut self) {
        self.banned.clear();
        self.accounts.values_mut().for_each(|account| account.accepted = 0);
    }

    /// Something came in.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Closed(flow) => {
                self.doomed.remove(&key(&flow));
            }
            Input::Request { message, .. } if message.method() == Some(Method::Ack) => {}
            Input::Request { token, message, flow } => {
                let name = user_of(&message);
                let reply = self.reply(now, &name, &message, &flow);
                self.remember(now, name, &message, &flow, &reply);
                match reply {
                    Reply::Message { response, delivery, then_close } => {
                        self.outputs.push_back(Output::Respond { token, response, delivery });
                        if then_close && flow.transport.is_reliable() {
                            self.outputs.push_back(Output::Close(flow));
                        }
                    }
                    Reply::Silence => self.outputs.push_back(Output::Ignore { token }),
                    Reply::Close => {
                        self.outputs.push_back(Output::Ignore { token });
                        self.outputs.push_back(Output::Close(flow));
                    }
                }
            }
        }
    }

    /// The next thing to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn reply(&mut self, now: Instant, name: &str, request: &Message, flow: &Flow) -> Reply {
        let sender = self.sender(name, request);
        self.watch(&sender, flow);
        let ip = flow.remote.ip();
        if self.banned.contains(&(ip, None)) || self.banned.contains(&(ip, Some(name.to_owned()))) {
            return Reply::Silence;
        }
        if self.doomed.remove(&key(flow)) {
            return Reply::Close;
        }
        if self.is_silent(&sender, flow) {
            return Reply::Silence;
        }
        if let Err(problem) = request.check_mandatory() {
            // Without Via, From, To, Call-ID and CSeq there may be nobody to tell.
            let response = self.response(request, 400, &format!("Bad Request ({problem})")).build();
            return response.map_or(Reply::Silence, Reply::proper);
        }
        let response = match request.method() {
            Some(Method::Register) => return self.register(now, name, request, flow),
            Some(Method::Options) => self.options(name, request),
            Some(Method::Cancel) => self.plain(request, 481, "Call/Transaction Does Not Exist"),
            Some(Method::Subscribe | Method::Publish) => self.bad_event(request),
            _ => self.not_allowed(request),
        };
        self.send(&sender, flow, response)
    }

    /// Whose request it is: of the user in From, where there is one, else in To (`name`).
    fn sender(&self, name: &str, request: &Message) -> String {
        let from = request.from().map(|from| text_of_user(from.uri())).unwrap_or_default();
        if self.accounts.contains_key(&from) { from } else { name.to_owned() }
    }

    fn register(&mut self, now: Instant, name: &str, request: &Message, flow: &Flow) -> Reply {
        if let Some(unsupported) = answer::unsupported(request) {
            return Reply::proper(self.bad_extension(request, &unsupported));
        }
        if !request.to().is_ok_and(|to| self.serves(&to.uri())) {
            return Reply::proper(self.plain(request, 403, "Domain Not Served"));
        }
        if !self.accounts.contains_key(name) {
            return Reply::proper(self.plain(request, 404, "Not Found"));
        }
        let response = self.judge(now, name, request, flow);
        self.deliver(name, flow, response)
    }

    /// The answer to a REGISTER of a user that exists.
    fn judge(&mut self, now: Instant, name: &str, request: &Message, flow: &Flow) -> Message {
        let Some(account) = self.accounts.get(name) else {
            return self.plain(request, 404, "Not Found");
        };
        let user = account.user.clone();
        if let Some(refusal) = self.refuse_unasked(&user, request) {
            return refusal;
        }
        let askers = if user.proxy { &[Asker::Front, Asker::Registrar][..] } else { &[Asker::Registrar] };
        match gate::judge(&self.config, &mut self.nonces, now, &user, request, askers) {
            Pass::In => {}
            Pass::BadForm => return self.plain(request, 400, "Bad qop"),
            Pass::Challenge { asker, stale } => return self.challenge(now, request, (&user, asker, stale)),
        }
        if user.has(Kind::ForbiddenAfterDigest) {
            return self.plain(request, 403, "Forbidden");
        }
        let wish = match Wish::of(request, self.config.default_expires) {
            Ok(wish) => wish,
            Err(denied) => return self.denied(now, &user, request, denied),
        };
        let rules = self.rules(now, &user);
        if let Some(asked) = wish.binds()
            && let Some(min_expires) = self.too_brief(&user, asked)
        {
            if user.has(Kind::TooBrief(Brief::AlwaysMore))
                && let Some(account) = self.accounts.get_mut(name)
            {
                account.raised = account.raised.saturating_add(1);
            }
            return self.interval_too_brief(request, min_expires);
        }
        if user.has(Kind::ZeroExpires) && wish.binds().is_some() {
            // A phone that takes it at its word registers again at once, and again.
            let Some(account) = self.accounts.get_mut(name) else {
                return self.plain(request, 404, "Not Found");
            };
            account.zeros = account.zeros.saturating_add(1);
            if account.zeros > MOST_ZEROS {
                tracing::warn!(
                    user = name,
                    "R05:zero: {MOST_ZEROS} registrations got expires=0; the phone is told to wait"
                );
                return self.pause(request);
            }
            return self.zero_granted(request);
        }
        let Some(account) = self.accounts.get_mut(name) else {
            return self.plain(request, 404, "Not Found");
        };
        if let Err(denied) = account.bindings.apply(now, &wish, &rules, request, *flow) {
            return self.denied(now, &user, request, denied);
        }
        if wish.binds().is_some() && account.raised > 0 {
            // A phone that obeys each minimum would go on for ever.
            tracing::warn!(
                user = name,
                "R02:second: Min-Expires was raised {}; from {MOST_RAISED} s on a registration is accepted",
                if account.raised == 1 { "once".to_owned() } else { format!("{} times", account.raised) }
            );
            account.raised = 0;
        }
        self.listed(now, &user, request, &wish)
    }

    fn rules(&self, now: Instant, user: &User) -> Rules {
        let raises = user.find(|kind| match kind {
            Kind::RaisesExpires(seconds) => Some(seconds),
            _ => None,
        });
        let replaces = user.has(Kind::Replaces);
        let mut max_contacts = user.max_contacts.unwrap_or(self.config.max_contacts);
        if user.find(full_status).is_some() {
            max_contacts = self.bindings(now, &user.name).iter().filter(|held| held.source.is_none()).count();
        }
        Rules {
            min_expires: raises.unwrap_or(1),
            max_expires: self.config.max_expires.max(raises.unwrap_or(1)),
            max_contacts: if replaces { 1 } else { max_contacts },
            remove_existing: replaces || user.remove_existing,
            keep_removed: user.has(Kind::KeepsRemoved { hidden: false })
                || user.has(Kind::KeepsRemoved { hidden: true }),
        }
    }

    /// The Min-Expires (perhaps none) of a 423, when `asked` gets one.
    fn too_brief(&self, user: &User, asked: u32) -> Option<Option<u32>> {
        let faulty = user.find(|kind| match kind {
            Kind::MinExpires(min) => Some((asked < min).then_some(Some(min))),
            Kind::TooBrief(Brief::None) => Some(Some(None)),
            // Not without end: a phone that obeys would ask for ever.
            Kind::TooBrief(Brief::AlwaysMore) => {
                Some((asked < MOST_RAISED).then_some(Some(asked.saturating_add(600))))
            }
            Kind::TooBrief(Brief::Useless) => Some(Some(Some(1))),
            Kind::RaisesExpires(_) => Some(None),
            _ => None,
        });
        let min = user.min_expires.unwrap_or(self.config.min_expires);
        faulty.unwrap_or((asked < min).then_some(Some(min)))
    }

    /// An answer to a REGISTER: it may be the last one that this address gets.
    fn deliver(&mut self, name: &str, flow: &Flow, response: Message) -> Reply {
        let accepted = response.status().is_some_and(is_accepting);
        if let Some(account) = self.accounts.get_mut(name).filter(|_| accepted) {
            let user = &account.user;
            account.accepted = account.accepted.saturating_add(1);
            let banned = user.find(|kind| match kind {
                Kind::Bans { after, everybody } if account.accepted >= after => Some(everybody),
                _ => None,
            });
            if let Some(everybody) = banned.filter(|_| self.banned.len() < MAX_FLOWS) {
                self.banned.insert((flow.remote.ip(), (!everybody).then(|| name.to_owned())));
            }
        }
        self.send(name, flow, response)
    }

    fn send(&mut self, name: &str, flow: &Flow, response: Message) -> Reply {
        let (delivery, then_close) = self.delivery(name, flow, response.status().unwrap_or_default());
        Reply::Message { response, delivery, then_close }
    }

    /// Is the address of record in a domain of ours?
    pub(super) fn serves(&self, aor: &Uri<'_>) -> bool {
        match aor.host() {
            Some(Host::Name(name)) => {
                let domains = &self.config.domains;
                domains.is_empty()
                    || domains.iter().any(|domain| name.eq_ignore_ascii_case(domain.as_bytes()))
            }
            Some(_) => self.config.serve_addresses,
            None => false,
        }
    }

    fn remember(&mut self, now: Instant, user: String, request: &Message, flow: &Flow, reply: &Reply) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.tell(&user, request, flow, reply);
        while self.seen.len() >= self.config.max_seen.max(1) {
            self.seen.pop_front();
        }
        let credentials = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
        self.seen.push_back(Seen {
            at: now,
            flow: *flow,
            method: request.method().map(|method| method.to_string()).unwrap_or_default(),
            user,
            user_agent: request.header(HeaderName::UserAgent).map(text),
            call_id: request.call_id().map(text).unwrap_or_default(),
            cseq: request.cseq().map(|cseq| cseq.number).unwrap_or_default(),
            with_credentials: credentials.iter().any(|name| request.header(*name).is_some()),
            size: request.as_bytes().len(),
            status: match reply {
                Reply::Message { response, .. } => response.status(),
                Reply::Silence | Reply::Close => None,
            },
        });
    }
}

impl Registrar {
    /// A line of the log for each request: who, with which program, and what came of it.
    fn tell(&self, user: &str, request: &Message, flow: &Flow, reply: &Reply) {
        let method = request.method().map(|method| method.to_string()).unwrap_or_default();
        let program = request.header(HeaderName::UserAgent).map(String::from_utf8_lossy).unwrap_or_default();
        let credentials = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
        let tried = credentials.iter().any(|name| request.header(*name).is_some());
        let came = match reply {
            Reply::Message { response, .. } => match response.status() {
                Some(401 | 407) if tried => "wrong password or an old nonce: challenged again".to_owned(),
                Some(401 | 407) => "challenged".to_owned(),
                status => format!("answered {}", status.unwrap_or_default()),
            },
            Reply::Silence => "not answered".to_owned(),
            Reply::Close => "not answered, the connection is closed".to_owned(),
        };
        tracing::info!(
            target: "ringback::sim",
            "{method} of {} from {} over {}, {}: {came}",
            user.escape_debug(), flow.remote, flow.transport, program.escape_debug()
        );
    }
}

/// The registrar, for its owner and the calls beside it.
pub(super) fn lock(registrar: &Mutex<Registrar>) -> MutexGuard<'_, Registrar> {
    registrar.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_accepting(status: u16) -> bool {
    (200..300).contains(&status)
}

fn full_status(kind: Kind) -> Option<u16> {
    match kind {
        Kind::Full { status } => Some(status),
        _ => None,
    }
}

/// The user part of To, without escapes; empty when there is none.
fn user_of(request: &Message) -> String {
    request.to().map(|to| text_of_user(to.uri())).unwrap_or_default()
}

/// The user part of a URI, without escapes; empty when there is none.
pub(super) fn text_of_user(uri: Uri<'_>) -> String {
    uri.user().map(|user| String::from_utf8_lossy(&unescape(user)).into_owned()).unwrap_or_default()
}
