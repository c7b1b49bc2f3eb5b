//! By what name a REFER names the target.

use crate::error::{Argument, Error, Problem};
use crate::syntax::{Scheme, Uri};
use std::fmt;
use std::str::FromStr;

/// Form in which the Refer-To names the target.
///
/// ```
/// use ringback::check::ReferTo;
/// assert_eq!("203".parse::<ReferTo>()?, ReferTo::Number("203".to_owned()));
/// assert_eq!("tel:+15550103".parse::<ReferTo>()?, ReferTo::Uri("tel:+15550103".to_owned()));
/// assert!("sip:carol@pbx?Replaces=x".parse::<ReferTo>().is_err());
/// # Ok::<(), ringback::error::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ReferTo {
    /// By its address of record.
    #[default]
    Aor,
    /// By this number in its own domain: what people dial, e.g. an extension.
    Number(String),
    /// By this URI as it is, e.g. `tel:+15550103` (RFC 3966).
    Uri(String),
}

impl ReferTo {
    /// The URI; `aor` is the target's address of record.
    pub(super) fn uri(&self, aor: &str) -> String {
        match self {
            ReferTo::Aor => aor.to_owned(),
            ReferTo::Uri(uri) => uri.clone(),
            ReferTo::Number(number) => {
                let domain = aor.rsplit_once('@').map_or(aor, |(_, domain)| domain);
                // `#` may not stand in a URI as it is (RFC 3261 sec. 25.1).
                format!("sip:{}@{domain}", number.replace('#', "%23"))
            }
        }
    }

    /// The URI by which the transferor calls the target itself: what is no SIP URI cannot be called.
    pub(super) fn dialled(&self, aor: &str) -> String {
        if self.is_sip() { self.uri(aor) } else { aor.to_owned() }
    }

    pub(super) fn is_sip(&self) -> bool {
        match self {
            ReferTo::Uri(uri) => {
                Uri::parse(uri.as_bytes()).is_ok_and(|uri| matches!(uri.scheme(), Scheme::Sip | Scheme::Sips))
            }
            _ => true,
        }
    }
}

impl FromStr for ReferTo {
    type Err = Error;

    /// `aor`, a number, or a URI without headers.
    fn from_str(text: &str) -> Result<ReferTo, Error> {
        let wrong = |why| {
            let write = "write aor, a number (203) or a URI without headers (tel:+15550103)";
            Err(Error::usage(Argument::ReferTo, text.escape_default(), Problem::malformed(why, write)))
        };
        if text.eq_ignore_ascii_case("aor") {
            return Ok(ReferTo::Aor);
        }
        if text.contains(':') {
            return match Uri::parse(text.as_bytes()) {
                Ok(uri) if uri.headers().is_empty() => Ok(ReferTo::Uri(text.to_owned())),
                Ok(_) => wrong("it has headers (\"?\")"),
                Err(_) => wrong("it is no URI"),
            };
        }
        let is_number = |b: u8| b.is_ascii_alphanumeric() || b"+*#-_.".contains(&b);
        if text.is_empty() || !text.bytes().all(is_number) {
            return wrong("it is neither a number nor a URI");
        }
        Ok(ReferTo::Number(text.to_owned()))
    }
}

impl fmt::Display for ReferTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReferTo::Aor => f.pad("aor"),
            ReferTo::Number(text) | ReferTo::Uri(text) => f.pad(text),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_stand_in_the_targets_domain_and_uris_as_they_are() {
        let cases = [
            ("aor", "sip:carol@pbx.example", true),
            ("203", "sip:203@pbx.example", true),
            ("*8#", "sip:*8%23@pbx.example", true),
            ("tel:+15550103", "tel:+15550103", false),
            ("sips:carol@elsewhere.example;x=1", "sips:carol@elsewhere.example;x=1", true),
        ];
        for (text, uri, is_sip) in cases {
            let form: ReferTo = text.parse().unwrap();
            assert_eq!((form.uri("sip:carol@pbx.example").as_str(), form.is_sip()), (uri, is_sip), "{text}");
            assert_eq!(form.to_string(), text);
        }
        assert_eq!(ReferTo::Uri("tel:203".into()).dialled("sip:carol@x"), "sip:carol@x");
        for text in ["", "2 3", "a@b", "sip:x@y?a=b", "sip:", "203\r\nX: y"] {
            assert!(text.parse::<ReferTo>().is_err(), "{text:?}");
        }
    }
}
