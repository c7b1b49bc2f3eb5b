//! Event and Subscription-State (RFC 6665 sec. 8.2).
use super::class::{Scan, TOKEN, clamped_u32};
use super::{Params, SyntaxError};

/// A token with parameters and nothing behind it.
pub(super) fn token_and_params(text: &[u8]) -> Result<(&[u8], Params<'_>), SyntaxError> {
    let mut scan = Scan::new(text);
    scan.lws();
    let token = scan.some(TOKEN)?;
    let params = Params::scan(&mut scan)?;
    scan.lws();
    if scan.is_done() { Ok((token, params)) } else { Err(scan.unexpected()) }
}

/// An event package; also one value of Allow-Events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The package with its templates, e.g. `refer` or `presence.winfo`.
    pub package: &'a [u8],
    /// Parameters.
    pub params: Params<'a>,
}

impl<'a> Event<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that is no event.
    pub fn parse(text: &'a [u8]) -> Result<Event<'a>, SyntaxError> {
        token_and_params(text).map(|(package, params)| Event { package, params })
    }
    /// `id`, which tells subscriptions of one dialog apart.
    pub fn id(&self) -> Option<&'a [u8]> {
        self.params.get(b"id").and_then(|p| p.value)
    }
}

/// The state of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionState<'a> {
    /// `active`, `pending`, `terminated` or another token, as it came.
    pub state: &'a [u8],
    /// Parameters.
    pub params: Params<'a>,
}

impl<'a> SubscriptionState<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that is no subscription state.
    pub fn parse(text: &'a [u8]) -> Result<SubscriptionState<'a>, SyntaxError> {
        token_and_params(text).map(|(state, params)| SubscriptionState { state, params })
    }
    /// Is the subscription over?
    pub fn is_terminated(&self) -> bool {
        self.state.eq_ignore_ascii_case(b"terminated")
    }
    /// `reason`, e.g. `noresource`.
    pub fn reason(&self) -> Option<&'a [u8]> {
        self.params.get(b"reason").and_then(|p| p.value)
    }
    /// `expires` in seconds, clamped to `u32::MAX`.
    pub fn expires(&self) -> Option<u32> {
        self.params.get(b"expires").and_then(|p| clamped_u32(p.value?))
    }
    /// `retry-after` in seconds, clamped to `u32::MAX`.
    pub fn retry_after(&self) -> Option<u32> {
        self.params.get(b"retry-after").and_then(|p| clamped_u32(p.value?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_events_and_states() {
        let event = Event::parse(b"refer;id=4").unwrap();
        assert_eq!((event.package, event.id()), (&b"refer"[..], Some(&b"4"[..])));
        let state = SubscriptionState::parse(b"Terminated ;reason=noresource;retry-after=30").unwrap();
        assert!(state.is_terminated());
        assert_eq!(
            (state.reason(), state.retry_after(), state.expires()),
            (Some(&b"noresource"[..]), Some(30), None)
        );
        assert_eq!(SubscriptionState::parse(b"active;expires=60").unwrap().expires(), Some(60));
        for bad in ["", ";id=4", "refer;", "refer x", "refer, presence"] {
            assert!(Event::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
