//! The bindings of an account, for programs.

/// The bindings that a registrar listed for an account when it was asked first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RegisterResult {
    /// The bindings, in the registrar's order; `None` when it answers no queries.
    pub bindings: Option<Vec<Bound>>,
}

/// One binding (RFC 3261 sec. 10): a device at which calls to the account ring.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Bound {
    /// Its Contact URI, with passwords and tokens in it masked.
    pub contact: String,
    /// The User-Agent of the device, where the registrar shows it (`;user-agent=`, `;ua=`).
    #[cfg_attr(feature = "json", serde(default, skip_serializing_if = "Option::is_none"))]
    pub user_agent: Option<String>,
    /// Seconds until it expires.
    #[cfg_attr(feature = "json", serde(default, skip_serializing_if = "Option::is_none"))]
    pub expires_s: Option<u32>,
    /// Its preference among the account's bindings in thousandths (`;q=`, RFC 3261 sec. 20.10).
    #[cfg_attr(feature = "json", serde(default, skip_serializing_if = "Option::is_none"))]
    pub q_thousandths: Option<u16>,
    /// The device's URN (`+sip.instance`, RFC 5626 sec. 4.1).
    #[cfg_attr(feature = "json", serde(default, skip_serializing_if = "Option::is_none"))]
    pub instance: Option<String>,
}

impl RegisterResult {
    /// These bindings.
    pub fn of(bindings: Vec<Bound>) -> RegisterResult {
        RegisterResult { bindings: Some(bindings) }
    }
}

impl Bound {
    /// A binding of which only the Contact URI is known.
    pub fn new(contact: impl Into<String>) -> Bound {
        Bound { contact: contact.into(), ..Bound::default() }
    }
}
