//! A user of the embedded network: secret, challenges, numbers, limits, faults, and devices that are registered already.

use super::fault::{Fault, Kind};
use crate::auth::{Algorithm, Qop};
use crate::error::Error;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// A user of the [`Lab`](super::Lab) or of a [`Registrar`](super::registrar::Registrar).
///
/// ```
/// use ringback::auth::Algorithm;
/// use ringback::sim::{Device, User};
/// let alice = User::new("alice", "alicepw").algorithms([Algorithm::SHA_256, Algorithm::MD5]);
/// let bob = User::new("bob", "bobpw")
///     .device(Device::new("sip:bob@192.0.2.20:5060").user_agent("DeskPhone/3.1"))
///     .fault("B06")?;
/// assert_eq!(bob.name(), "bob");
/// assert!(!format!("{alice:?}").contains("alicepw"));
/// # Ok::<(), ringback::error::Error>(())
/// ```
#[derive(Clone)]
pub struct User {
    pub(super) name: String,
    pub(super) auth_user: Option<String>,
    pub(super) password: Zeroizing<String>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) name_algorithm: bool,
    pub(super) qop: Vec<Qop>,
    pub(super) opaque: Option<String>,
    pub(super) userhash: bool,
    pub(super) proxy: bool,
    pub(super) nonce_lifetime: Option<Duration>,
    pub(super) min_expires: Option<u32>,
    pub(super) max_contacts: Option<usize>,
    pub(super) remove_existing: bool,
    pub(super) devices: Vec<Device>,
    pub(super) faults: Vec<Fault>,
    pub(super) extensions: Vec<String>,
    pub(super) max_calls: Option<usize>,
    pub(super) trunk: bool,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("algorithms", &self.algorithms)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

impl User {
    /// A user by the user part of its address of record and its password; challenged once, with MD5 and `qop="auth"`.
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> User {
        User {
            name: name.into(),
            auth_user: None,
            password: Zeroizing::new(password.into()),
            algorithms: vec![Algorithm::MD5],
            name_algorithm: true,
            qop: vec![Qop::Auth],
            opaque: None,
            userhash: false,
            proxy: false,
            nonce_lifetime: None,
            min_expires: None,
            max_contacts: None,
            remove_existing: false,
            devices: Vec::new(),
            faults: Vec::new(),
            extensions: Vec::new(),
            max_calls: None,
            trunk: false,
        }
    }
    /// The user part of its address of record.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Its faults.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
    /// Another name in digests than in the address of record.
    #[must_use]
    pub fn auth_user(mut self, name: impl Into<String>) -> User {
        self.auth_user = Some(name.into());
        self
    }
    /// The one algorithm that is offered.
    #[must_use]
    pub fn algorithm(self, algorithm: Algorithm) -> User {
        self.algorithms([algorithm])
    }
    /// All algorithms that are offered, one challenge each, in this order.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> User {
        self.algorithms = algorithms.into_iter().collect();
        self
    }
    /// Leaves `algorithm` out of MD5 challenges, where it may be left out.
    #[must_use]
    pub fn unnamed_algorithm(mut self) -> User {
        self.name_algorithm = false;
        self
    }
    /// What `qop` offers; empty leaves it out, as registrars of RFC 2069 do.
    #[must_use]
    pub fn qop(mut self, qop: impl IntoIterator<Item = Qop>) -> User {
        self.qop = qop.into_iter().collect();
        self
    }
    /// An opaque value in every challenge (no quotes, backslashes or line breaks).
    #[must_use]
    pub fn opaque(mut self, opaque: impl Into<String>) -> User {
        self.opaque = Some(opaque.into());
        self
    }
    /// Offers `userhash=true` (RFC 7616 sec. 3.4.4).
    #[must_use]
    pub fn userhash(mut self) -> User {
        self.userhash = true;
        self
    }
    /// A proxy with a realm of its own challenges first (407), with the same user name and password.
    #[must_use]
    pub fn behind_proxy(mut self) -> User {
        self.proxy = true;
        self
    }
    /// Time after which a nonce is stale. [default: the registrar's own]
    #[must_use]
    pub fn nonce_lifetime(mut self, lifetime: Duration) -> User {
        self.nonce_lifetime = Some(lifetime);
        self
    }
    /// Shortest expiry in seconds. [default: the registrar's own]
    #[must_use]
    pub fn min_expires(mut self, seconds: u32) -> User {
        self.min_expires = Some(seconds);
        self
    }
    /// Most bindings at once. [default: the registrar's own]
    #[must_use]
    pub fn max_contacts(mut self, contacts: usize) -> User {
        self.max_contacts = Some(contacts);
        self
    }
    /// Where a new contact would go over the limit, the oldest bindings go instead.
    #[must_use]
    pub fn remove_existing(mut self) -> User {
        self.remove_existing = true;
        self
    }
    /// A number under which the user is called, besides its name; may be several.
    #[must_use]
    pub fn extension(mut self, number: impl Into<String>) -> User {
        self.extensions.push(number.into());
        self
    }
    /// Most calls at once; who calls the user beyond it gets 486. [default: no limit]
    #[must_use]
    pub fn max_calls(mut self, calls: usize) -> User {
        self.max_calls = Some(calls);
        self
    }
    /// Its device is a PBX behind a trunk: the Request-URI of calls names the number that was called, not the user of its Contact.
    #[must_use]
    pub fn trunk(mut self) -> User {
        self.trunk = true;
        self
    }
    /// The numbers under which the user is called, its name not among them.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
    /// A device that is registered when the user is added.
    #[must_use]
    pub fn device(mut self, device: Device) -> User {
        self.devices.push(device);
        self
    }
    /// Switches a fault on, by its spelling (see [`Fault`]).
    ///
    /// # Errors
    /// [`Error::Usage`] for one that is not known.
    pub fn fault(self, spelling: &str) -> Result<User, Error> {
        Ok(self.with_fault(spelling.parse()?))
    }
    /// Switches a fault on.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> User {
        self.faults.push(fault);
        self
    }

    pub(super) fn has(&self, kind: Kind) -> bool {
        self.faults.iter().any(|fault| fault.kind == kind)
    }
    /// What the first fault gives that `pick` knows.
    pub(super) fn find<T>(&self, pick: impl Fn(Kind) -> Option<T>) -> Option<T> {
        self.faults.iter().find_map(|fault| pick(fault.kind))
    }
    pub(super) fn digest_name(&self) -> &str {
        self.auth_user.as_deref().unwrap_or(&self.name)
    }
    /// The challenges that are offered, the faults among them.
    pub(super) fn offered(&self) -> &[Algorithm] {
        self.find(|kind| match kind {
            Kind::StrongFirst => Some(&[Algorithm::SHA_256, Algorithm::MD5][..]),
            Kind::OnlySha256 => Some(&[Algorithm::SHA_256]),
            Kind::OnlySha512 => Some(&[Algorithm::SHA_512_256]),
            _ => None,
        })
        .unwrap_or(&self.algorithms)
    }
    pub(super) fn offered_qop(&self) -> &[Qop] {
        if self.has(Kind::SingleQop) { &[Qop::Auth, Qop::AuthInt] } else { &self.qop }
    }
}

/// A device that is registered before anybody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub(super) contact: String,
    pub(super) user_agent: Option<String>,
    pub(super) expires: u32,
    pub(super) instance: Option<String>,
}

impl Device {
    /// A device by its Contact URI (without `<>`), registered for one hour more.
    pub fn new(contact: impl Into<String>) -> Device {
        Device { contact: contact.into(), user_agent: None, expires: 3_600, instance: None }
    }
    /// Its User-Agent.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Device {
        self.user_agent = Some(user_agent.into());
        self
    }
    /// Seconds until its binding ends.
    #[must_use]
    pub fn expires(mut self, seconds: u32) -> Device {
        self.expires = seconds;
        self
    }
    /// Its `+sip.instance` (a URN without `<>`).
    #[must_use]
    pub fn instance(mut self, urn: impl Into<String>) -> Device {
        self.instance = Some(urn.into());
        self
    }
}
