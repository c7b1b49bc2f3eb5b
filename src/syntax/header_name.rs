//! Header field names as one-byte ids.

macro_rules! compact {
    () => {
        0
    };
    ($short:literal) => {
        $short.as_bytes()[0]
    };
}

macro_rules! header_names {
    ($($(#[$doc:meta])* $id:ident $name:literal $($short:literal)?),* $(,)?) => {
        /// A header field name; compact forms and letter case are the same name (RFC 3261 sec. 7.3.1, 7.3.3).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum HeaderName {
            $(#[doc = concat!("`", $name, "`.")] $id,)*
            /// A name that is not in the list; its bytes are kept in the message.
            Other,
        }
        impl HeaderName {
            /// The name as it is written, in its long form; empty for [`HeaderName::Other`].
            pub const fn as_str(self) -> &'static str {
                match self { $(HeaderName::$id => $name,)* HeaderName::Other => "" }
            }
        }
        /// Every name by its number.
        const NAMES: &[HeaderName] = &[$(HeaderName::$id,)* HeaderName::Other];
        /// Compact forms; 0 where there is none.
        const COMPACT: &[u8] = &[$(compact!($($short)?),)* 0];
    };
}

header_names! {
    Accept "Accept", AcceptContact "Accept-Contact" "a", AcceptEncoding "Accept-Encoding", AcceptLanguage "Accept-Language", AlertInfo "Alert-Info",
    Allow "Allow", AllowEvents "Allow-Events" "u", AuthenticationInfo "Authentication-Info", Authorization "Authorization", CallId "Call-ID" "i",
    CallInfo "Call-Info", Contact "Contact" "m", ContentDisposition "Content-Disposition", ContentEncoding "Content-Encoding" "e", ContentLanguage "Content-Language",
    ContentLength "Content-Length" "l", ContentType "Content-Type" "c", CSeq "CSeq", Date "Date", Diversion "Diversion", ErrorInfo "Error-Info",
    Event "Event" "o", Expires "Expires", FlowTimer "Flow-Timer", From "From" "f", HistoryInfo "History-Info", Identity "Identity" "y", InReplyTo "In-Reply-To", Join "Join",
    MaxForwards "Max-Forwards", MimeVersion "MIME-Version", MinExpires "Min-Expires", MinSe "Min-SE", Organization "Organization",
    PAccessNetworkInfo "P-Access-Network-Info", PAssertedIdentity "P-Asserted-Identity", PAssociatedUri "P-Associated-URI", Path "Path", PPreferredIdentity "P-Preferred-Identity",
    Priority "Priority", Privacy "Privacy", ProxyAuthenticate "Proxy-Authenticate", ProxyAuthenticationInfo "Proxy-Authentication-Info", ProxyAuthorization "Proxy-Authorization",
    ProxyRequire "Proxy-Require", RAck "RAck", Reason "Reason", RecordRoute "Record-Route", ReferredBy "Referred-By" "b", ReferSub "Refer-Sub",
    ReferTo "Refer-To" "r", RejectContact "Reject-Contact" "j", RemotePartyId "Remote-Party-ID", Replaces "Replaces", ReplyTo "Reply-To", RequestDisposition "Request-Disposition" "d",
    Require "Require", RetryAfter "Retry-After", Route "Route", RSeq "RSeq", Server "Server", ServiceRoute "Service-Route", SessionExpires "Session-Expires" "x",
    SipETag "SIP-ETag", SipIfMatch "SIP-If-Match", Subject "Subject" "s", SubscriptionState "Subscription-State", Supported "Supported" "k", TargetDialog "Target-Dialog",
    Timestamp "Timestamp", To "To" "t", Unsupported "Unsupported", UserAgent "User-Agent", Via "Via" "v", Warning "Warning", WwwAuthenticate "WWW-Authenticate",
}

const OTHER: u8 = HeaderName::Other as u8;
const SLOTS: usize = 512;

/// The first eight and the last eight bytes of a name, without case: they name it, up to 16 bytes, and tell all of the longer ones apart.
/// (`| 0x20` folds letters and leaves the other characters of a token apart.)
#[inline(always)]
const fn words(name: &[u8]) -> (u64, u64) {
    const FOLD: u64 = 0x2020_2020_2020_2020;
    if name.len() >= 8 {
        let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) else {
            return (0, 0);
        };
        return (u64::from_le_bytes(*first) | FOLD, u64::from_le_bytes(*last) | FOLD);
    }
    if name.len() >= 4 {
        let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) else {
            return (0, 0);
        };
        return (u32::from_le_bytes(*first) as u64 | FOLD, u32::from_le_bytes(*last) as u64 | FOLD);
    }
    match name {
        [a] => (*a as u64 | FOLD, 1),
        [a, b] => (*a as u64 | (*b as u64) << 8 | FOLD, 2),
        [a, b, c] => (*a as u64 | (*b as u64) << 8 | (*c as u64) << 16 | FOLD, 3),
        _ => (0, 0),
    }
}

#[inline(always)]
const fn slot(words: (u64, u64), length: usize) -> usize {
    let mixed = (words.0 ^ words.1.rotate_left(29) ^ length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 55) as usize
}

/// Open addressing over ids, made when this is compiled.
const TABLE: [u8; SLOTS] = {
    let mut table = [OTHER; SLOTS];
    let mut id = 0;
    while id < OTHER as usize {
        let name = NAMES[id].as_str().as_bytes();
        let mut at = slot(words(name), name.len());
        while table[at] != OTHER {
            at = (at + 1) % SLOTS;
        }
        table[at] = id as u8;
        id += 1;
    }
    table
};

/// Compact forms by their letter.
const LETTERS: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut id = 0;
    while id < OTHER as usize {
        if COMPACT[id] != 0 {
            table[COMPACT[id] as usize] = id as u8;
            table[COMPACT[id].to_ascii_uppercase() as usize] = id as u8;
        }
        id += 1;
    }
    table
};

impl HeaderName {
    /// The id of a name as it stands on the wire: any case, long or compact form.
    #[inline]
    pub fn from_bytes(name: &[u8]) -> HeaderName {
        if let [letter] = name {
            return HeaderName::from_number(LETTERS[*letter as usize]);
        }
        let mut at = slot(words(name), name.len());
        loop {
            let id = HeaderName::from_number(TABLE[at]);
            if id == HeaderName::Other || id.as_str().as_bytes().eq_ignore_ascii_case(name) {
                return id;
            }
            at = (at + 1) % SLOTS;
        }
    }
    /// The id of a number, which is [`HeaderName::Other`] for numbers that stand for none.
    #[inline]
    pub(crate) fn from_number(number: u8) -> HeaderName {
        NAMES.get(number as usize).copied().unwrap_or(HeaderName::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_every_name_in_any_case_and_its_compact_form() {
        for (&id, &short) in NAMES.iter().zip(COMPACT).take(usize::from(OTHER)) {
            let name = id.as_str();
            assert_eq!(HeaderName::from_bytes(name.as_bytes()), id);
            assert_eq!(HeaderName::from_bytes(name.to_ascii_uppercase().as_bytes()), id);
            assert_eq!(HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()), id);
            assert_eq!(HeaderName::from_bytes(format!("{name}x").as_bytes()), HeaderName::Other);
            if short != 0 {
                assert_eq!(HeaderName::from_bytes(&[short]), id);
                assert_eq!(HeaderName::from_bytes(&[short.to_ascii_uppercase()]), id);
            }
        }
        for other in ["", "z", "X-Unknown", "C%6Fntact", "CSe", "P-Charging-Vector"] {
            assert_eq!(HeaderName::from_bytes(other.as_bytes()), HeaderName::Other);
        }
    }
}
