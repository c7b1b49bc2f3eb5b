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

/// Letters without case; every other byte as it is, so that equal words are equal names.
#[inline(always)]
const fn fold(word: u64) -> u64 {
    word | (word & 0x4040_4040_4040_4040) >> 1
}

/// The first sixteen bytes of a name as two words without case; behind a shorter one its colon, which says where it ends, and zeros.
const fn words(name: &[u8]) -> (u64, u64) {
    let mut bytes = [0; 16];
    let mut at = 0;
    while at < name.len() && at < 16 {
        bytes[at] = name[at];
        at += 1;
    }
    if at < 16 {
        bytes[at] = b':';
    }
    let all = u128::from_le_bytes(bytes);
    (fold(all as u64), fold((all >> 64) as u64))
}

#[inline(always)]
const fn slot(words: (u64, u64)) -> usize {
    let mixed = (words.0 ^ words.1.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 55) as usize
}

/// The words of every name by its number.
const WORDS: [(u64, u64); 256] = {
    let mut all = [(0, 0); 256];
    let mut id = 0;
    while id < OTHER as usize {
        all[id] = words(NAMES[id].as_str().as_bytes());
        id += 1;
    }
    all
};

/// Open addressing over ids, made when this is compiled.
static TABLE: [u8; SLOTS] = {
    let mut table = [OTHER; SLOTS];
    let mut id = 0;
    while id < OTHER as usize {
        let name = NAMES[id].as_str().as_bytes();
        let mut at = slot(words(name));
        while table[at] != OTHER {
            at = (at + 1) % SLOTS;
        }
        table[at] = id as u8;
        id += 1;
    }
    table
};

/// Compact forms by their letter.
static LETTERS: [u8; 256] = {
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
        let words = words(name);
        let mut at = slot(words);
        loop {
            let id = TABLE[at];
            let known = HeaderName::from_number(id);
            // Words hold sixteen bytes; what is longer is compared to its end.
            let is_it =
                WORDS[usize::from(id)] == words && known.as_str().as_bytes().eq_ignore_ascii_case(name);
            if id == OTHER || is_it {
                return known;
            }
            at = (at + 1) % SLOTS;
        }
    }
    /// The number of the id and the length of the name in front of the first colon of a line, when it is a known name of at most fifteen
    /// letters with nothing between it and its colon. `line` is the text from the start of the line on.
    ///
    /// Two words are looked at as wholes: no byte of a name is looked at by itself.
    #[inline(always)]
    pub(crate) fn at_line_start(line: &[u8; 16]) -> Option<(u8, usize)> {
        const COLONS: u64 = 0x3a3a_3a3a_3a3a_3a3a;
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGHS: u64 = 0x8080_8080_8080_8080;
        let (Some(low), Some(high)) = (line.first_chunk(), line.last_chunk()) else { return None };
        let (low, high) = (u64::from_le_bytes(*low), u64::from_le_bytes(*high));
        // The lowest set bit marks the first colon; those above it may be wrong.
        let marks = |word: u64| {
            let zeros = word ^ COLONS;
            zeros.wrapping_sub(ONES) & !zeros & HIGHS
        };
        // Up to the colon and with it: else a name would be equal to itself with zeros behind it.
        let upto = |marks: u64| marks ^ marks.wrapping_sub(1);
        let (found, length) = match marks(low) {
            0 => match marks(high) {
                0 => return None,
                marks => {
                    let bits = marks.trailing_zeros();
                    ((fold(low), fold(high & upto(marks))), 8 + bits as usize / 8)
                }
            },
            marks => ((fold(low & upto(marks)), 0), marks.trailing_zeros() as usize / 8),
        };
        if length == 1 {
            let id = LETTERS[usize::from(low as u8)];
            return (id != OTHER).then_some((id, 1));
        }
        let mut at = slot(found);
        loop {
            let id = TABLE[at];
            if id == OTHER {
                return None;
            }
            if WORDS[usize::from(id)] == found {
                return Some((id, length));
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
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn knows_every_name_in_any_case_and_its_compact_form() {
        for (&id, &short) in NAMES.iter().zip(COMPACT).take(usize::from(OTHER)) {
            let name = id.as_str();
            assert_eq!(HeaderName::from_bytes(name.as_bytes()), id);
            assert_eq!(HeaderName::from_bytes(name.to_ascii_uppercase().as_bytes()), id);
            assert_eq!(HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()), id);
            assert_eq!(HeaderName::from_bytes(format!("{name}x").as_bytes()), HeaderName::Other);
            let line = |text: String| HeaderName::at_line_start(text.as_bytes().first_chunk().unwrap());
            let quick = (name.len() < 16).then_some((id as u8, name.len()));
            assert_eq!(line(format!("{}: \u{3b}:::::::::::::::", name.to_ascii_uppercase())), quick);
            assert_eq!(line(format!("{name} :               ")), None);
            assert_eq!(
                line(format!("{}:               ", name.replace('-', "\r"))),
                quick.filter(|_| !name.contains('-'))
            );
            for zeros in 1..4 {
                let longer = format!("{name}{}", "\0".repeat(zeros));
                assert_eq!(line(format!("{longer}:               ")), None, "{longer:?}");
                assert_eq!(HeaderName::from_bytes(longer.as_bytes()), HeaderName::Other, "{longer:?}");
            }
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
