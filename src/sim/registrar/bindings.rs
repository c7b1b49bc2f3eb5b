//! The bindings of one address of record, and the rules by which a REGISTER changes them (RFC 3261 sec. 10.3).
use crate::message::{FieldError, Flow, Message};
use crate::sim::Device;
use crate::syntax::{Contact, HeaderName, NameAddr, SyntaxError, Uri};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Most Contact values of one request.
const MAX_CONTACT_VALUES: usize = 64;

/// One binding, as the registrar holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Binding {
    /// The Contact URI as it came.
    pub contact: String,
    /// Time at which it ends.
    pub expires_at: Instant,
    /// Time at which it was bound first.
    pub since: Instant,
    /// REGISTERs that refreshed it.
    pub refreshes: u32,
    /// User-Agent of the request that bound it.
    pub user_agent: Option<String>,
    /// Where that request came from; `None` for a device that was there from the start.
    pub source: Option<Flow>,
    /// Call-ID of the last request.
    pub call_id: String,
    /// CSeq number of the last request.
    pub cseq: u32,
    /// q in thousandths.
    pub q_thousandths: Option<u16>,
    /// `+sip.instance` as it came, without quotes.
    pub instance: Option<String>,
    /// Path values of the last request.
    pub path: Vec<String>,
    /// All other Contact parameters as they came, each with its `;`.
    pub params: String,
    pub(super) reg_id: Option<String>,
    pub(super) temp_gruu: Option<String>,
}

impl Binding {
    pub(super) fn of_device(now: Instant, device: &Device) -> Binding {
        Binding {
            contact: device.contact.clone(),
            expires_at: now + Duration::from_secs(device.expires.into()),
            since: now,
            refreshes: 0,
            user_agent: device.user_agent.clone(),
            source: None,
            call_id: String::new(),
            cseq: 0,
            q_thousandths: None,
            instance: device.instance.as_ref().map(|urn| format!("<{urn}>")),
            path: Vec::new(),
            params: String::new(),
            reg_id: None,
            temp_gruu: None,
        }
    }
    /// Whole seconds that are left, rounded up.
    pub fn expires_in(&self, now: Instant) -> u32 {
        let left = self.expires_at.saturating_duration_since(now);
        u32::try_from(left.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
    }
    fn is(&self, change: &Change) -> bool {
        if self.instance.is_some() && self.instance == change.instance {
            return self.reg_id == change.reg_id;
        }
        match (Uri::parse(self.contact.as_bytes()), Uri::parse(change.contact.as_bytes())) {
            (Ok(held), Ok(given)) => held.is_equivalent(&given),
            _ => self.contact == change.contact,
        }
    }
}

/// What a request wants.
#[derive(Debug)]
pub(super) enum Wish {
    /// The list of bindings.
    Query,
    /// `Contact: *` with `Expires: 0`.
    RemoveAll,
    /// Bind, refresh or remove.
    Change(Vec<Change>),
}

/// One Contact value.
#[derive(Debug)]
pub(super) struct Change {
    contact: String,
    /// Asked for, in seconds; 0 removes.
    pub(super) expires: u32,
    q_thousandths: Option<u16>,
    instance: Option<String>,
    reg_id: Option<String>,
    params: String,
}

/// Why a request changes nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// A header cannot be read.
    Unreadable(String),
    /// `Contact: *` beside another Contact, or with another Expires than 0.
    Star,
    /// More Contact values than we look at.
    TooManyValues,
    /// CSeq is not higher than that of the last request with this Call-ID.
    OutOfOrder,
    /// More bindings than allowed.
    Full,
}

/// Text of a value for our own headers: line folds become blanks.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(['\r', '\n'], " ")
}

impl Wish {
    /// Reads what a request wants; `default_expires` where it names no time.
    pub(super) fn of(request: &Message, default_expires: u32) -> Result<Wish, Denied> {
        let asked = match request.seconds(HeaderName::Expires) {
            None => None,
            Some(Ok(seconds)) => Some(seconds),
            // RFC 3261 sec. 20.19: a bad Expires is taken as the default.
            Some(Err(_)) => Some(default_expires),
        };
        let (mut changes, mut star) = (Vec::new(), false);
        for contact in request.contacts() {
            if changes.len() >= MAX_CONTACT_VALUES {
                return Err(Denied::TooManyValues);
            }
            match contact.map_err(|error: FieldError| Denied::Unreadable(error.to_string()))? {
                Contact::Star => star = true,
                contact @ Contact::Addr(address) => {
                    let expires = contact.expires().or(asked).unwrap_or(default_expires);
                    changes.push(Change::of(&contact, &address, expires)?);
                }
            }
        }
        match (star, changes.is_empty()) {
            (true, true) if asked == Some(0) => Ok(Wish::RemoveAll),
            (true, _) => Err(Denied::Star),
            (false, true) => Ok(Wish::Query),
            (false, false) => Ok(Wish::Change(changes)),
        }
    }

    /// The shortest time asked for; `None` when nothing wants to be bound.
    pub(super) fn binds(&self) -> Option<u32> {
        match self {
            Wish::Change(changes) => changes.iter().map(|change| change.expires).filter(|e| *e > 0).min(),
            _ => None,
        }
    }
    /// Does it want something removed?
    pub(super) fn removes(&self) -> bool {
        match self {
            Wish::Query => false,
            Wish::RemoveAll => true,
            Wish::Change(changes) => changes.iter().any(|change| change.expires == 0),
        }
    }
}

impl Change {
    fn of(contact: &Contact<'_>, address: &NameAddr<'_>, expires: u32) -> Result<Change, Denied> {
        let uri = text(address.uri().as_bytes());
        if Uri::parse(uri.as_bytes()).is_err() {
            return Err(Denied::Unreadable("Contact URI".into()));
        }
        let mut change = Change {
            contact: uri,
            expires,
            q_thousandths: contact.q_thousandths(),
            instance: None,
            reg_id: None,
            params: String::new(),
        };
        for param in address.params().iter() {
            let name = param.name.to_ascii_lowercase();
            match &*name {
                b"expires" | b"q" | b"pub-gruu" | b"temp-gruu" | b"user-agent" => continue,
                b"+sip.instance" => change.instance = Some(text(&param.unquoted())),
                b"reg-id" => change.reg_id = param.value.map(text),
                _ => {}
            }
            let value = param.value.map(|value| format!("={}", text(value))).unwrap_or_default();
            let _ = write!(change.params, ";{}{value}", text(param.name));
        }
        Ok(change)
    }
}

/// Limits that a change is held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) min_expires: u32,
    pub(super) max_expires: u32,
    pub(super) max_contacts: usize,
    pub(super) remove_existing: bool,
    /// A removal changes nothing.
    pub(super) keep_removed: bool,
}

/// The bindings of one address of record.
#[derive(Debug, Default)]
pub(super) struct Bindings(Vec<Binding>);

impl Bindings {
    pub(super) fn new(bindings: Vec<Binding>) -> Bindings {
        Bindings(bindings)
    }
    pub(super) fn forget_expired(&mut self, now: Instant) {
        self.0.retain(|binding| binding.expires_at > now);
    }
    pub(super) fn live(&self, now: Instant) -> impl Iterator<Item = &Binding> {
        self.0.iter().filter(move |binding| binding.expires_at > now)
    }

    /// Does what `wish` says, all of it or nothing (RFC 3261 sec. 10.3, step 7).
    pub(super) fn apply(
        &mut self,
        now: Instant,
        wish: &Wish,
        rules: &Rules,
        request: &Message,
        source: Flow,
    ) -> Result<(), Denied> {
        self.forget_expired(now);
        let call_id = text(request.call_id().map_err(unreadable)?);
        let cseq = request.cseq().map_err(unreadable)?.number;
        let in_order = |held: &Binding| held.call_id != call_id || cseq > held.cseq;
        let changes = match wish {
            Wish::Query => return Ok(()),
            Wish::RemoveAll if rules.keep_removed => return Ok(()),
            Wish::RemoveAll => {
                if !self.0.iter().all(in_order) {
                    return Err(Denied::OutOfOrder);
                }
                self.0.clear();
                return Ok(());
            }
            Wish::Change(changes) => changes,
        };
        let path = request.addresses(HeaderName::Path).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        let path: Vec<String> = path.iter().map(written).collect();
        let user_agent = request.header(HeaderName::UserAgent).map(text);
        let mut held = self.0.clone();
        let mut bound = Vec::new();
        for change in changes {
            let found = held.iter().position(|binding| binding.is(change));
            if found.is_some_and(|at| !in_order(&held[at])) {
                // The same value twice in one request is no disorder.
                if !bound.contains(&change.contact) {
                    return Err(Denied::OutOfOrder);
                }
            }
            let old = match found {
                Some(_) if change.expires == 0 && rules.keep_removed => continue,
                Some(at) => Some(held.remove(at)),
                None => None,
            };
            if change.expires == 0 {
                continue;
            }
            let granted = change.expires.clamp(rules.min_expires.min(rules.max_expires), rules.max_expires);
            bound.push(change.contact.clone());
            held.push(Binding {
                contact: change.contact.clone(),
                expires_at: now + Duration::from_secs(granted.into()),
                since: old.as_ref().map_or(now, |old| old.since),
                refreshes: old.as_ref().map_or(0, |old| old.refreshes.saturating_add(1)),
                user_agent: user_agent.clone(),
                source: Some(source),
                call_id: call_id.clone(),
                cseq,
                q_thousandths: change.q_thousandths,
                instance: change.instance.clone(),
                path: path.clone(),
                params: change.params.clone(),
                reg_id: change.reg_id.clone(),
                temp_gruu: None,
            });
        }
        let over = held.len().saturating_sub(rules.max_contacts.max(usize::from(rules.remove_existing)));
        if over > 0 && !bound.is_empty() {
            if !rules.remove_existing || bound.len() > rules.max_contacts {
                return Err(Denied::Full);
            }
            // What was bound last stands last.
            held.drain(..over);
        }
        self.0 = held;
        Ok(())
    }

    /// Gives each binding of an instance that this request touched a temporary GRUU (RFC 5627 sec. 5.1: a new one for each REGISTER).
    pub(super) fn name_gruus(&mut self, call_id: &[u8], mut fresh: impl FnMut() -> String) {
        let call_id = text(call_id);
        for binding in self.0.iter_mut().filter(|b| b.instance.is_some() && b.call_id == call_id) {
            binding.temp_gruu = Some(fresh());
        }
    }
}

fn unreadable(error: FieldError) -> Denied {
    Denied::Unreadable(error.to_string())
}

/// An address as one of our headers has it.
fn written(address: &NameAddr<'_>) -> String {
    format!("<{}>{}", text(address.uri().as_bytes()), text(address.params().as_bytes()))
}

impl From<SyntaxError> for Denied {
    fn from(error: SyntaxError) -> Denied {
        Denied::Unreadable(error.to_string())
    }
}
