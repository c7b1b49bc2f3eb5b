//! An account: whom to register, where, and with what.

use crate::auth::Credentials;
use crate::error::Error;
use crate::message::Transport;

/// A password that is wiped from memory and never printed.
pub type Secret = zeroize::Zeroizing<String>;

/// An account of a registrar.
#[derive(Debug, Clone)]
pub struct Account {
    name: String,
    aor: String,
    credentials: Credentials,
    registrar: Option<String>,
    outbound_proxy: Option<String>,
    transport: Option<Transport>,
}

impl Account {
    /// An account by its address of record (`sip:user@domain`, the scheme may be left out) and password; the auth user is the AOR's user, the registrar its domain.
    ///
    /// # Errors
    /// [`Error::Usage`] with the column when `aor` is no SIP URI with a user.
    pub fn new(aor: &str, password: impl Into<String>) -> Result<Account, Error> {
        let _ = (aor, password.into());
        todo!()
    }
    /// Another user name for digest.
    #[must_use]
    pub fn auth_user(mut self, user: &str) -> Account {
        self.credentials = Credentials::new(user, self.credentials.password());
        self
    }
    /// How reports and command lines call it; the AOR unless told.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Account {
        self.name = name.into();
        self
    }
    /// Another registrar than the AOR's domain, e.g. `sip:127.0.0.1:5060;transport=tcp`.
    ///
    /// # Errors
    /// [`Error::Usage`] when it is no SIP URI.
    pub fn registrar(self, uri: &str) -> Result<Account, Error> {
        let _ = uri;
        todo!()
    }
    /// A proxy that every request goes to first, e.g. `sip:proxy.example.com;lr`.
    ///
    /// # Errors
    /// [`Error::Usage`] when it is no SIP URI.
    pub fn outbound_proxy(self, uri: &str) -> Result<Account, Error> {
        let _ = uri;
        todo!()
    }
    /// The transport, where URI and DNS leave it open; UDP unless told.
    #[must_use]
    pub fn transport(mut self, transport: Transport) -> Account {
        self.transport = Some(transport);
        self
    }
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Its address of record, with scheme.
    pub fn aor(&self) -> &str {
        &self.aor
    }
    pub(crate) fn parts(&self) -> (&Credentials, Option<&str>, Option<&str>, Option<Transport>) {
        (&self.credentials, self.registrar.as_deref(), self.outbound_proxy.as_deref(), self.transport)
    }
}
