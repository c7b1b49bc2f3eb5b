//! How a request, with everything that was needed to get it answered, ended.

use super::trust::Distrust;

/// Why a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// A 2xx.
    Accepted,
    /// A final response that ends it: not a challenge, not a 423 that can be obeyed, see the status of the answer.
    Refused,
    /// A correct answer to a challenge was refused again; `stale` when the bound for new challenges that say stale was reached.
    CredentialsRefused {
        /// Each refusal said `stale=true`.
        stale: bool,
    },
    /// The server refused a reused nonce without `stale=true`; a fresh answer was then accepted (`recovered`) or refused.
    NonceRefusedWithoutStale {
        /// What came of a fresh answer.
        recovered: bool,
    },
    /// 401 or 407 without a challenge.
    NoChallenge,
    /// Challenges, but none that we can answer.
    NoSupportedChallenge,
    /// Challenges that could be answered, and were not: they are none of the account's registrar or proxies, or weaker than before.
    NotTrusted(Distrust),
    /// A 423 without (or with a useless) Min-Expires, or a second one after obeying.
    IntervalTooBrief {
        /// The 423 had no usable Min-Expires.
        without_min_expires: bool,
    },
    /// `max_requests` is reached.
    TooManyRequests,
    /// The response could not be used: what was wrong.
    BadResponse(String),
    /// No final response in time.
    Timeout,
    /// Not sent, or the connection was lost.
    TransportFailed,
    /// The configuration gives no request that could be sent: what is wrong with it.
    BadConfig(String),
    /// Not begun: too many commands were waiting.
    Busy,
}
