//! A request that answers challenges: what REGISTER, OPTIONS and every other request need to get past 401 and 407
//! (RFC 3261 sec. 22).
//!
//! Its owner writes the request and its CSeq; [`Challenged`] adds Authorization and Proxy-Authorization, reads the response, and says
//! whether the request is to be sent again.
//!
//! # When it stops
//! * A 401 or 407 without a challenge, or with none that we can answer: at once.
//! * One whose challenges are not to be answered (see [`trust`](super::trust)): at once. Of requests that go to the account's registrar, that
//!   is a realm that took a stronger answer before.
//! * A fresh answer refused without `stale=true`: at once; the password is not tried again.
//! * A fresh answer refused with `stale=true`: at the [`MAX_STALE`]th time in one exchange.
//! * A reused nonce refused: with `stale=true` that is how nonces end, and costs nothing; without, one fresh answer is given.
//! * The owner's limit for requests.
//!
//! Challenges of several realms, and of proxy and server in one exchange, are all answered, and the credentials of all of them go with
//! every later request; at most [`MAX_SPACES`] are kept, the oldest go first.
//!
//! ```
//! use ringback::auth::Credentials;
//! use ringback::message::{Builder, Ids, Message};
//! use ringback::syntax::{HeaderName, Limits, Method};
//! use ringback::ua::challenged::{Challenged, Next};
//!
//! let mut ids = Ids::from_seed([7; 32]);
//! let mut challenged = Challenged::new(Some(Credentials::new("alice", "secret")), 6);
//! let uri = b"sip:lab.example";
//! let request = Builder::request(Method::Message, uri);
//! challenged.authorize(request.clone(), Method::Message, uri, b"")?; // send it: no answer is known yet
//!
//! let refusal = "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"lab\", nonce=\"n\"\r\n\r\n";
//! let refusal = Message::parse(refusal.into(), &Limits::default())?;
//! assert_eq!(challenged.handle_challenge(&refusal, &mut ids), Next::Again);
//! let again = challenged.authorize(request, Method::Message, uri, b"")?.build()?;
//! assert!(again.header(HeaderName::Authorization).is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::End;
use super::response::text;
use super::trust::{Distrust, Realms};
use crate::auth::{
    AnswerError, Charset, Credentials, DigestChallenge, DigestSession, Picked, Unsupported, strongest,
};
use crate::message::{Builder, Ids, Message};
use crate::syntax::{AuthParams, HeaderName, Method, Param};

/// Refusals with `stale=true` of answers to challenges of the same exchange, before it ends.
pub const MAX_STALE: u32 = 3;
/// Protection spaces (proxy or not, and realm) whose nonces are kept.
pub const MAX_SPACES: usize = 8;
/// Bytes that are kept of a header that cannot be read.
const UNREADABLE_KEPT: usize = 200;
/// Challenges that are reported for one exchange; further ones are read, but not listed.
pub const MAX_OFFERED: usize = 64;

/// A challenge as it was offered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offered {
    /// From Proxy-Authenticate (else WWW-Authenticate).
    pub proxy: bool,
    /// `Digest`, or what else; `unreadable` where the text was no challenge.
    pub scheme: String,
    /// The realm; empty when there was none.
    pub realm: String,
    /// The algorithm as it came; `None` when not written (which means MD5).
    pub algorithm: Option<String>,
    /// The qop list as it came.
    pub qop: Option<String>,
    /// `stale=true`.
    pub stale: bool,
    /// This is the one that was answered.
    pub answered: bool,
    /// It could have been answered, and was not: why.
    pub refused: Option<Distrust>,
    /// Why it cannot be answered.
    pub problem: Option<Unsupported>,
    /// The header as it came, where it could not be read.
    pub unreadable: Option<String>,
}

/// What to do about a response.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Send the request again, with the next CSeq; [`Challenged::authorize`] has answers now.
    Again,
    /// Challenged, and it ends so.
    End(End),
}

/// Credentials, the nonces in use, and what one exchange (a command, until its last response) has seen so far.
#[derive(Debug)]
pub struct Challenged {
    credentials: Option<Credentials>,
    spaces: Vec<Space>,
    max_requests: u32,
    requests: u32,
    stale_refusals: u32,
    nonce_refused: bool,
    sent_reused_nonce: bool,
    offered: Vec<Offered>,
    /// Those before were looked at by `take_refused`.
    told: usize,
    realms: Realms,
    /// ISO-8859-1 was tried, after UTF-8 was refused.
    latin1_tried: bool,
}

/// One protection space.
#[derive(Debug)]
struct Space {
    proxy: bool,
    session: DigestSession,
    /// Its challenge came in this exchange.
    fresh: bool,
    /// The last request carried an answer for it.
    sent: bool,
}

/// The headers of challenges, and the ones that answer them.
const HEADERS: [(HeaderName, bool); 2] =
    [(HeaderName::WwwAuthenticate, false), (HeaderName::ProxyAuthenticate, true)];

/// The headers of what a server says behind credentials that it took.
const HEADERS_OF_INFO: [(HeaderName, bool); 2] =
    [(HeaderName::AuthenticationInfo, false), (HeaderName::ProxyAuthenticationInfo, true)];

impl Challenged {
    /// Without credentials, challenges are reported and not answered. `max_requests` bounds one exchange.
    pub fn new(credentials: Option<Credentials>, max_requests: u32) -> Challenged {
        Challenged {
            credentials,
            spaces: Vec::new(),
            max_requests,
            requests: 0,
            stale_refusals: 0,
            nonce_refused: false,
            sent_reused_nonce: false,
            offered: Vec::new(),
            told: 0,
            realms: Realms::all(),
            latin1_tried: false,
        }
    }

    /// A new exchange begins; the nonces stay in use.
    pub fn begin(&mut self) {
        (self.requests, self.stale_refusals, self.nonce_refused) = (0, 0, false);
        self.offered.clear();
        self.told = 0;
        for space in &mut self.spaces {
            (space.fresh, space.sent) = (false, false);
        }
    }

    /// Requests of this exchange so far.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// May this exchange send one more request?
    pub fn may_send(&self) -> bool {
        self.requests < self.max_requests
    }

    /// The challenges of this exchange, in order.
    pub fn take_offered(&mut self) -> Vec<Offered> {
        std::mem::take(&mut self.offered)
    }

    /// Challenges that were not answered because they are not trusted, and not told before: realm, whether of a proxy, why.
    pub(super) fn take_refused(&mut self) -> Vec<(String, bool, Distrust)> {
        let all = self.offered.iter().skip(self.told);
        let refused = all.filter_map(|o| Some((o.realm.clone(), o.proxy, o.refused?))).collect();
        self.told = self.offered.len();
        refused
    }

    /// A nonce of an earlier exchange was refused without `stale=true` in this one.
    pub fn nonce_refused(&self) -> bool {
        self.nonce_refused
    }

    /// The last request carried an answer to a challenge of an earlier exchange, and none to one of this.
    pub fn sent_reused_nonce(&self) -> bool {
        self.sent_reused_nonce
    }

    /// Forgets all nonces: the next request goes without credentials.
    pub fn forget(&mut self) {
        self.spaces.clear();
    }

    /// Adds Authorization and Proxy-Authorization for every challenge known so far, nc counted up; counts the request.
    ///
    /// # Errors
    /// A user name or a Request-URI that cannot be written into them.
    pub fn authorize(
        &mut self,
        mut request: Builder,
        method: Method<'_>,
        uri: &[u8],
        body: &[u8],
    ) -> Result<Builder, AnswerError> {
        self.requests += 1;
        self.sent_reused_nonce = !self.spaces.is_empty() && self.spaces.iter().all(|s| !s.fresh);
        for space in &mut self.spaces {
            let value = space.session.authorize(method, uri, body)?;
            space.sent = true;
            let name = if space.proxy { HeaderName::ProxyAuthorization } else { HeaderName::Authorization };
            request = request.header(name, value);
        }
        Ok(request)
    }

    /// The whole request with answers to all challenges that are known; in words, why it cannot be written.
    pub(super) fn write(&mut self, request: Builder, method: Method<'_>) -> Result<Message, String> {
        let draft = request.clone().build().map_err(|e| e.to_string())?;
        let uri = draft.request_uri_bytes().unwrap_or_default();
        let request = self.authorize(request, method, uri, draft.body()).map_err(|e| e.to_string())?;
        request.build().map_err(|e| e.to_string())
    }

    /// A 401 or 407 came.
    pub fn handle_challenge(&mut self, response: &Message, ids: &mut Ids) -> Next {
        self.handle_challenge_from(response, ids, true)
    }

    /// The same; `is_home` says whether it came from the host that was asked, and nobody else is answered.
    pub(super) fn handle_challenge_from(&mut self, response: &Message, ids: &mut Ids, is_home: bool) -> Next {
        let mut realms = std::mem::replace(&mut self.realms, Realms::all());
        let next = self.handle_challenge_of(response, ids, &mut realms, is_home);
        self.realms = realms;
        next
    }

    /// A 401 or 407 came, of which only challenges of these realms are answered, and none when the request went to a foreign host.
    pub(super) fn handle_challenge_of(
        &mut self,
        response: &Message,
        ids: &mut Ids,
        realms: &mut Realms,
        is_home: bool,
    ) -> Next {
        let mut seen = 0;
        let mut chosen = Vec::new();
        for (header, proxy) in HEADERS {
            let (mut places, mut challenges) = (Vec::new(), Vec::new());
            for challenge in response.challenges(header) {
                seen += 1;
                let (offered, answerable) = match challenge {
                    Ok(challenge) => {
                        let picked = Picked::new(&challenge);
                        let answerable = DigestChallenge::from_picked(challenge.scheme, &picked);
                        (describe(challenge.scheme, &picked, proxy), answerable)
                    }
                    Err(_) => (unreadable(proxy, response.header(header)), Err(Unsupported::Scheme)),
                };
                let mut offered = offered;
                match answerable {
                    Ok(challenge) => {
                        places.push(self.offered.len());
                        challenges.push(challenge);
                    }
                    Err(problem) => offered.problem = Some(problem),
                }
                if self.offered.len() < MAX_OFFERED {
                    self.offered.push(offered);
                }
            }
            choose(proxy, places, challenges, &mut chosen);
        }
        if seen == 0 {
            self.forget();
            return Next::End(End::NoChallenge);
        }
        if self.credentials.is_none() {
            return Next::End(End::Refused);
        }
        if chosen.is_empty() {
            self.forget();
            return Next::End(End::NoSupportedChallenge);
        }
        let mut distrust = None;
        chosen.retain(|Chosen { offered, challenge, .. }| {
            let judged = if is_home { realms.judge(challenge) } else { Err(Distrust::Host) };
            if let (Some(offered), Err(why)) = (self.offered.get_mut(*offered), judged) {
                offered.refused = Some(why);
            }
            distrust = distrust.or(judged.err());
            judged.is_ok()
        });
        if let (true, Some(why)) = (chosen.is_empty(), distrust) {
            self.forget();
            return Next::End(End::NotTrusted(why));
        }
        if let Some(end) = self.refused(&chosen) {
            self.forget();
            return Next::End(end);
        }
        if !self.may_send() {
            return Next::End(End::TooManyRequests);
        }
        for Chosen { proxy, offered, challenge, .. } in chosen {
            if let Some(offered) = self.offered.get_mut(offered) {
                offered.answered = true;
            }
            realms.learn(&challenge);
            self.answer(proxy, challenge, ids.nonce());
        }
        Next::Again
    }

    /// Were answers refused, and is that the end?
    fn refused(&mut self, chosen: &[Chosen]) -> Option<End> {
        let mut stale_refused = false;
        for Chosen { proxy, challenge, stale, .. } in chosen {
            let Some(space) = self.spaces.iter().find(|s| s.sent && s.is(*proxy, challenge)) else {
                continue;
            };
            match (stale, space.fresh) {
                (true, true) => stale_refused = true,
                (true, false) => {}
                (false, false) => self.nonce_refused = true,
                (false, true) if self.nonce_refused => {
                    return Some(End::NonceRefusedWithoutStale { recovered: false });
                }
                (false, true) if self.turn_to_latin1(challenge) => {}
                (false, true) => return Some(End::CredentialsRefused { stale: false }),
            }
        }
        self.stale_refusals += u32::from(stale_refused);
        (self.stale_refusals >= MAX_STALE).then_some(End::CredentialsRefused { stale: true })
    }

    /// The password was refused as UTF-8: once, and where the challenge does not ask for UTF-8, it is tried as ISO-8859-1 (RFC 7616 sec. 4 says
    /// nothing of servers that do not say their charset; those of RFC 2617 had that one).
    fn turn_to_latin1(&mut self, challenge: &DigestChallenge) -> bool {
        let latin1 = self.credentials.as_ref().and_then(Credentials::in_latin1);
        let Some(latin1) = latin1.filter(|_| !self.latin1_tried && !challenge.wants_utf8()) else {
            return false;
        };
        (self.credentials, self.latin1_tried) = (Some(latin1), true);
        true
    }

    /// In which octets user name and password are hashed now.
    pub fn charset(&self) -> Charset {
        self.credentials.as_ref().map(Credentials::charset).unwrap_or_default()
    }

    fn answer(&mut self, proxy: bool, challenge: DigestChallenge, cnonce: String) {
        let Some(credentials) = &self.credentials else { return };
        match self.spaces.iter_mut().find(|s| s.is(proxy, &challenge)) {
            Some(space) => {
                space.session.renew(challenge, credentials, cnonce);
                (space.fresh, space.sent) = (true, false);
            }
            None => {
                if self.spaces.len() >= MAX_SPACES {
                    self.spaces.remove(0);
                }
                let session = DigestSession::new(challenge, credentials, cnonce);
                self.spaces.reserve_exact(1);
                self.spaces.push(Space { proxy, session, fresh: true, sent: false });
            }
        }
    }

    /// Does the response prove that the server knows the secret too (`rspauth`, RFC 7616 sec. 3.5)? `None` where it does not say, or not for
    /// which realm. To be asked before [`Challenged::handle_final`]; `uri` is the request's.
    pub(super) fn server_proved(&self, response: &Message, uri: &[u8]) -> Option<bool> {
        HEADERS_OF_INFO.into_iter().find_map(|(header, proxy)| {
            let info = AuthParams::parse(response.header(header)?).ok()?;
            let mut spaces = self.spaces.iter().filter(|s| s.sent && s.proxy == proxy);
            match (spaces.next(), spaces.next()) {
                (Some(space), None) => space.session.server_proved(&info, uri, response.body()),
                _ => None,
            }
        })
    }

    /// Any other final response came: takes the `nextnonce` of Authentication-Info and Proxy-Authentication-Info, and forgets the nonces
    /// when a reused one met a 400 or 403, as some servers answer a nonce that they do not know.
    pub fn handle_final(&mut self, response: &Message, ids: &mut Ids) {
        if matches!(response.status(), Some(400 | 403)) && self.sent_reused_nonce {
            return self.forget();
        }
        for (header, proxy) in HEADERS_OF_INFO {
            let Some(Ok(info)) = response.header(header).map(AuthParams::parse) else { continue };
            let mut spaces = self.spaces.iter_mut().filter(|s| s.sent && s.proxy == proxy);
            // The header names no realm: with two of a kind nobody knows which one it is for.
            if let (Some(space), None) = (spaces.next(), spaces.next()) {
                space.session.take_next_nonce(&info, ids.nonce());
            }
        }
    }
}

impl Space {
    fn is(&self, proxy: bool, challenge: &DigestChallenge) -> bool {
        self.proxy == proxy && self.session.challenge().realm() == challenge.realm()
    }
}

/// A challenge that will be answered.
struct Chosen {
    proxy: bool,
    /// Its place in the list of what was offered.
    offered: usize,
    challenge: DigestChallenge,
    /// Any challenge of its realm says stale.
    stale: bool,
}

/// Adds which of the challenges of one kind are answered; `places` are theirs in the list of what was offered.
fn choose(proxy: bool, places: Vec<usize>, challenges: Vec<DigestChallenge>, chosen: &mut Vec<Chosen>) {
    let is_stale = |index: usize| {
        let realm = challenges[index].realm();
        challenges.iter().any(|c| c.realm() == realm && c.stale())
    };
    let answered = strongest(&challenges).into_iter().take(MAX_SPACES / 2);
    let answered: Vec<(usize, bool)> = answered.map(|index| (index, is_stale(index))).collect();
    let mut answered = answered.into_iter().peekable();
    for (index, (challenge, offered)) in challenges.into_iter().zip(places).enumerate() {
        if let Some((_, stale)) = answered.next_if(|next| next.0 == index) {
            chosen.push(Chosen { proxy, offered, challenge, stale });
        }
    }
}

fn describe(scheme: &[u8], picked: &Picked<'_>, proxy: bool) -> Offered {
    let unquoted = |param: Option<Param<'_>>| param.map(|p| text(&p.unquoted()));
    let is_true = |param: Param<'_>| param.unquoted().trim_ascii().eq_ignore_ascii_case(b"true");
    Offered {
        proxy,
        scheme: text(scheme),
        realm: unquoted(picked.realm).unwrap_or_default(),
        algorithm: unquoted(picked.algorithm),
        qop: unquoted(picked.qop),
        stale: picked.stale.is_some_and(is_true),
        answered: false,
        refused: None,
        problem: None,
        unreadable: None,
    }
}

fn unreadable(proxy: bool, header: Option<&[u8]>) -> Offered {
    let header = header.unwrap_or_default();
    Offered {
        proxy,
        scheme: "unreadable".to_owned(),
        realm: String::new(),
        algorithm: None,
        qop: None,
        stale: false,
        answered: false,
        refused: None,
        problem: None,
        unreadable: Some(text(header.get(..UNREADABLE_KEPT).unwrap_or(header))),
    }
}
