//! The options that every question about calls has, in one place.

use super::Registering;
use std::time::Duration;

/// Options that every question about calls has.
#[derive(Debug, Clone)]
pub(in crate::check) struct CallOptions {
    /// The caller is registered as well.
    pub(in crate::check) register_caller: bool,
    /// Ends of ours are bound also beside devices that are live.
    pub(in crate::check) beside_live_devices: bool,
    /// Redirections to the hosts of the caller's account are followed.
    pub(in crate::check) follow_redirects: bool,
    /// Target that the caller dials, as it was written and as a Request-URI; `None` for the callee's address of record.
    pub(in crate::check) dialled: Option<(String, String)>,
    /// Time for a call to be answered.
    pub(in crate::check) wait: Duration,
    /// Time for the whole check.
    pub(in crate::check) time_limit: Option<Duration>,
}

impl CallOptions {
    /// With this time for a call to be answered.
    pub(in crate::check) fn waiting(wait: Duration) -> CallOptions {
        CallOptions {
            register_caller: false,
            beside_live_devices: false,
            follow_redirects: false,
            dialled: None,
            wait,
            time_limit: None,
        }
    }

    /// Is the caller registered?
    pub(in crate::check) fn caller(&self) -> Registering {
        Registering::wanted(self.register_caller, self.beside_live_devices)
    }

    /// Is who is called registered?
    pub(in crate::check) fn callee(&self) -> Registering {
        Registering::wanted(true, self.beside_live_devices)
    }

    /// The Request-URI of a call to `callee`, an address of record.
    pub(in crate::check) fn target<'a>(&'a self, callee: &'a str) -> &'a str {
        self.dialled.as_ref().map_or(callee, |(_, uri)| uri)
    }
}

/// The builder's methods for [`CallOptions`], of a question whose field `$caller` calls. `$wait` says what is waited for, and the default.
macro_rules! call_options {
    ($question:ident, $caller:ident) => {
        $crate::check::scene::call_options!(
            $question,
            $caller,
            "Time for a call to be answered. [default: 20 s]"
        );
    };
    ($question:ident, $caller:ident, $wait:literal) => {
        impl $question {
            /// Registers the caller as well, for the time of the check; needed by platforms that take calls of registered devices only.
            /// Default: no.
            #[must_use]
            pub fn register_caller(mut self, register: bool) -> $question {
                self.options.register_caller = register;
                self
            }

            /// Binds our ends also where other devices of their accounts are live. Without it nothing is bound beside them, and the check
            /// is not run: a registrar that keeps one binding for each account drops that of the device, which is then not reached until
            /// it registers again; one that keeps several rings the device as well. Default: no.
            #[must_use]
            pub fn beside_live_devices(mut self, beside: bool) -> $question {
                self.options.beside_live_devices = beside;
                self
            }

            /// Follows a redirection (3xx) of a call once, to its first Contact, where its host is the account's domain, registrar or outbound
            /// proxy; no other host is called, and none gets credentials. What is called then may be a device that is live, or a number
            /// that costs: each is told in a fact `dialled`. Without it a redirection is the final answer, and told with where it
            /// leads (RFC 3261 sec. 8.1.3.4). Default: no.
            #[must_use]
            pub fn follow_redirects(mut self, follow: bool) -> $question {
                self.options.follow_redirects = follow;
                self
            }

            /// Target that the caller dials to reach the callee, instead of the callee's address of record: a number of the platform, or a SIP URI.
            ///
            /// # Errors
            /// [`Error::Usage`](crate::error::Error::Usage) for what cannot be dialled.
            pub fn dial(mut self, target: &str) -> Result<$question, crate::error::Error> {
                let uri = crate::check::target::request_uri(target, self.$caller.domain())?;
                self.options.dialled = Some((target.to_owned(), uri));
                Ok(self)
            }

            #[doc = $wait]
            #[must_use]
            pub fn wait(mut self, time: std::time::Duration) -> $question {
                self.options.wait = time;
                self
            }

            /// Time for the whole check, cleaning up not counted; default: enough for everything that was asked.
            #[must_use]
            pub fn timeout(mut self, limit: std::time::Duration) -> $question {
                self.options.time_limit = Some(limit);
                self
            }
        }
    };
}

pub(in crate::check) use call_options;
