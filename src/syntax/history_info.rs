//! History-Info (RFC 7044): every target that a request had on its way.
use super::class::clamped_u32;
use super::{HeaderName, NameAddr, SyntaxError};
use std::borrow::Cow;

/// One entry: a target, and how it came from another.
#[derive(Debug, Clone, Copy)]
pub struct HistoryInfo<'a> {
    /// The target; the headers of its URI say why it was left, and whether to hide it.
    pub address: NameAddr<'a>,
}

/// How a target came from an earlier entry (RFC 7044 sec. 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetFrom<'a> {
    /// `rc`: the user changed nothing, another contact of the same was tried. Holds the index of the entry before.
    Retarget(&'a [u8]),
    /// `mp`: mapped to another user, as a diversion does. Holds the index of the entry before.
    Mapped(&'a [u8]),
    /// `np`: no change. Holds the index of the entry before.
    Unchanged(&'a [u8]),
}

impl<'a> HistoryInfo<'a> {
    /// Parses the first value of `text` (a comma list); also the bytes that follow the comma.
    ///
    /// # Errors
    /// Text that does not begin with an address.
    ///
    /// ```
    /// use ringback::syntax::{HistoryInfo, TargetFrom};
    /// let (entry, _) = HistoryInfo::parse_first(b"<sip:bob@192.0.2.4?Reason=SIP%3Bcause%3D302>;index=1.2;mp=1")?;
    /// assert_eq!(entry.levels().collect::<Vec<_>>(), [1, 2]);
    /// assert_eq!(entry.target_from(), Some(TargetFrom::Mapped(b"1")));
    /// assert_eq!(entry.reason().as_deref(), Some(&b"SIP;cause=302"[..]));
    /// # Ok::<(), ringback::syntax::SyntaxError>(())
    /// ```
    pub fn parse_first(text: &'a [u8]) -> Result<(HistoryInfo<'a>, &'a [u8]), SyntaxError> {
        NameAddr::parse_first(text).map(|(address, rest)| (HistoryInfo { address }, rest))
    }
    fn raw(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.address.params().get(name).and_then(|p| p.value)
    }
    /// `index`, as it came: `1.1.2`. Mandatory (RFC 7044 sec. 5), yet missing in some.
    pub fn index(&self) -> Option<&'a [u8]> {
        self.raw(b"index")
    }
    /// The numbers of the index, outermost first; none when a level is no number. Clamped to `u32::MAX`.
    pub fn levels(&self) -> impl Iterator<Item = u32> + use<'a> {
        let levels = || self.index().unwrap_or_default().split(|&b| b == b'.');
        let are_numbers = levels().all(|level| clamped_u32(level).is_some());
        levels().filter(move |_| are_numbers).filter_map(clamped_u32)
    }
    /// How this target came from an earlier one; `None` for the first, and where nothing is said.
    pub fn target_from(&self) -> Option<TargetFrom<'a>> {
        let retarget = self.raw(b"rc").map(TargetFrom::Retarget);
        retarget
            .or_else(|| self.raw(b"mp").map(TargetFrom::Mapped))
            .or_else(|| self.raw(b"np").map(TargetFrom::Unchanged))
    }
    /// The Reason in the URI's headers, without escapes: why this target was left; for [`Reason::parse_first`](super::Reason::parse_first).
    pub fn reason(&self) -> Option<Cow<'a, [u8]>> {
        self.address.uri().header_field(HeaderName::Reason)
    }
    /// The Privacy in the URI's headers, without escapes.
    pub fn privacy(&self) -> Option<Cow<'a, [u8]>> {
        self.address.uri().header_field(HeaderName::Privacy)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::syntax::Reason;

    #[test]
    fn reads_a_history() {
        let mut text: &[u8] = b"<sip:bob@example.com?Privacy=history&Reason=SIP%3Bcause%3D302%3Btext%3D%22Moved%22>;index=1;foo=bar,\r\n <sip:bob@home>;index=1.1;rc=1, <sip:c@h>;index=1.2;mp=1,<sip:c@h>;index=1.2.x;np=1.2,<sip:d@h>";
        let mut all = Vec::new();
        while !text.is_empty() {
            let (entry, rest) = HistoryInfo::parse_first(text).unwrap();
            all.push(entry);
            text = rest;
        }
        let from: Vec<_> = all.iter().map(HistoryInfo::target_from).collect();
        use TargetFrom::{Mapped, Retarget, Unchanged};
        assert_eq!(from, [None, Some(Retarget(b"1")), Some(Mapped(b"1")), Some(Unchanged(b"1.2")), None]);
        let levels: Vec<Vec<u32>> = all.iter().map(|entry| entry.levels().collect()).collect();
        assert_eq!(levels, [vec![1], vec![1, 1], vec![1, 2], vec![], vec![]]);
        assert_eq!((all[3].index(), all[4].index()), (Some(&b"1.2.x"[..]), None));
        let reason = all[0].reason().unwrap();
        let reason = Reason::parse_first(&reason).unwrap().0;
        assert_eq!((reason.cause(), reason.text().as_deref()), (Some(302), Some(&b"Moved"[..])));
        assert_eq!((all[0].privacy().as_deref(), all[1].reason()), (Some(&b"history"[..]), None));
    }
}
