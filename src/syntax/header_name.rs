//! Header field names as one-byte ids.

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

impl HeaderName {
    /// The id of a name as it stands on the wire: any case, long or compact form.
    pub fn from_bytes(name: &[u8]) -> HeaderName {
        let _ = name;
        todo!()
    }
}
