//! Session-Expires and Min-SE (RFC 4028 sec. 4, 5).
use super::class::{DIGIT, Scan, clamped_u32};
use super::{Params, SyntaxError};

/// Who refreshes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresher {
    /// The caller of the last transaction.
    Uac,
    /// The called side of the last transaction.
    Uas,
}

/// Time for which a session lives without a refresh; also Min-SE, which has no refresher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionExpires<'a> {
    /// Seconds, clamped to `u32::MAX`.
    pub seconds: u32,
    /// Parameters.
    pub params: Params<'a>,
}

impl<'a> SessionExpires<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Text that does not begin with a number.
    pub fn parse(text: &'a [u8]) -> Result<SessionExpires<'a>, SyntaxError> {
        let mut scan = Scan::new(text);
        scan.lws();
        let seconds = clamped_u32(scan.some(DIGIT)?).unwrap_or(u32::MAX);
        let params = Params::scan(&mut scan)?;
        scan.lws();
        if scan.is_done() { Ok(SessionExpires { seconds, params }) } else { Err(scan.unexpected()) }
    }
    /// `refresher`, when it is one of the two.
    pub fn refresher(&self) -> Option<Refresher> {
        match self.params.get(b"refresher")?.value? {
            v if v.eq_ignore_ascii_case(b"uac") => Some(Refresher::Uac),
            v if v.eq_ignore_ascii_case(b"uas") => Some(Refresher::Uas),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_seconds_and_refresher() {
        let value = SessionExpires::parse(b"1800;refresher=uac").unwrap();
        assert_eq!((value.seconds, value.refresher()), (1800, Some(Refresher::Uac)));
        assert_eq!(SessionExpires::parse(b"90").unwrap().refresher(), None);
        assert_eq!(SessionExpires::parse(b"99999999999").unwrap().seconds, u32::MAX);
        assert!(SessionExpires::parse(b"x").is_err() && SessionExpires::parse(b"1 2").is_err());
    }
}
