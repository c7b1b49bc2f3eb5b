//! Diversion (RFC 5806): who sent a call on, and why.
use super::class::clamped_u32;
use super::{NameAddr, SyntaxError};
use std::borrow::Cow;

/// One diversion; the topmost is the latest.
#[derive(Debug, Clone, Copy)]
pub struct Diversion<'a> {
    /// Who diverted.
    pub address: NameAddr<'a>,
}

impl<'a> Diversion<'a> {
    /// Parses the first value of `text` (a comma list); also the bytes that follow the comma.
    ///
    /// # Errors
    /// Text that does not begin with an address.
    ///
    /// ```
    /// use ringback::syntax::Diversion;
    /// let (diversion, _) = Diversion::parse_first(b"<sip:1001@example.com>;reason=no-answer;counter=1")?;
    /// assert_eq!(diversion.reason().as_deref(), Some(&b"no-answer"[..]));
    /// # Ok::<(), ringback::syntax::SyntaxError>(())
    /// ```
    pub fn parse_first(text: &'a [u8]) -> Result<(Diversion<'a>, &'a [u8]), SyntaxError> {
        NameAddr::parse_first(text).map(|(address, rest)| (Diversion { address }, rest))
    }
    /// `reason` without quotes: `unknown`, `user-busy`, `no-answer`, `unavailable`, `unconditional`, `time-of-day`, `do-not-disturb`, `deflection`,
    /// `follow-me`, `out-of-service`, `away` or another token.
    pub fn reason(&self) -> Option<Cow<'a, [u8]>> {
        self.address.param(b"reason")
    }
    /// `counter`: how often this party diverted the call; 1 where none is written (RFC 5806 sec. 4), `None` for what is no number.
    /// Clamped to `u32::MAX`.
    pub fn counter(&self) -> Option<u32> {
        self.address.param(b"counter").map_or(Some(1), |text| clamped_u32(&text))
    }
    /// `limit`: how often the call may be diverted. Clamped to `u32::MAX`.
    pub fn limit(&self) -> Option<u32> {
        clamped_u32(&self.address.param(b"limit")?)
    }
    /// `privacy` without quotes: `full`, `name`, `uri`, `off` or another token.
    pub fn privacy(&self) -> Option<Cow<'a, [u8]>> {
        self.address.param(b"privacy")
    }
    /// `screen`: has somebody checked the address? `None` when it is not said, or neither `yes` nor `no`.
    pub fn is_screened(&self) -> Option<bool> {
        self.address.yes_or_no(b"screen")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_a_list_with_every_parameter() {
        let text = b"\"Al\" <tel:+1>;reason=\"user-busy\" ; counter=3;limit=5;privacy=\"off\";screen=YES, <sip:b@h>;counter=x;screen=?";
        let (first, rest) = Diversion::parse_first(text).unwrap();
        assert_eq!(
            (first.reason().as_deref(), first.privacy().as_deref()),
            (Some(&b"user-busy"[..]), Some(&b"off"[..]))
        );
        assert_eq!((first.counter(), first.limit(), first.is_screened()), (Some(3), Some(5), Some(true)));
        let (second, rest) = Diversion::parse_first(rest).unwrap();
        assert_eq!((second.reason(), second.counter(), second.is_screened()), (None, None, None));
        assert!(rest.is_empty());
        assert_eq!(Diversion::parse_first(b"sip:a@b").unwrap().0.counter(), Some(1));
        assert!(Diversion::parse_first(b";reason=x").is_err());
    }
}
