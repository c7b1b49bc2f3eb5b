//! What the platform does where a test says nothing else: registrations, calls, what is asked in calls.

use super::core::{Core, Incoming, Leg};
use super::media::{Player, Source, description};
use super::text::{self, Text};
use super::{DOMAIN, PLATFORM, ms};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::Instant;

/// Lines of a description that go on with a request or an answer that is passed on.
const CARRIED: [&str; 17] = [
    "Content-Type",
    "Accept",
    "Allow",
    "Event",
    "Expires",
    "Info-Package",
    "Min-SE",
    "Reason",
    "Recv-Info",
    "Refer-Sub",
    "Refer-To",
    "Referred-By",
    "Require",
    "Retry-After",
    "Subscription-State",
    "Supported",
    "Warning",
];
const CHALLENGE: &str = r#"Digest realm="pbx.example.com", nonce="abc123", qop="auth""#;

/// What is carried from one message to another.
pub(super) fn carried(from: &Text, mut to: Text) -> Text {
    for (name, value) in &from.headers {
        if CARRIED.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            to = to.with(name, value);
        }
    }
    to.body.clone_from(&from.body);
    to
}

impl Core {
    pub(super) fn act(&mut self, m: &Incoming) {
        match (m.method(), m.leg) {
            ("REGISTER", _) => self.register(m),
            ("ACK", leg) => self.acknowledged(m, leg),
            ("CANCEL", Some(leg)) => self.cancelled(m, leg),
            ("INVITE", None) if text::tag(m.value("To")).is_none() => self.invited(m),
            ("BYE", Some(_)) if self.challenges && m.get("Proxy-Authorization").is_none() => {
                self.respond(
                    m,
                    407,
                    "Proxy Authentication Required",
                    &format!("Proxy-Authenticate: {CHALLENGE}"),
                );
            }
            ("BYE", Some(leg)) if !self.legs[leg].over => self.ended(m, leg),
            ("REFER", Some(leg)) if self.carries_refer => self.refer(m, leg),
            ("PRACK", Some(_)) => self.respond(m, 200, "OK", ""),
            (_, Some(leg)) if !self.legs[leg].over => self.pass_on(m, leg),
            ("OPTIONS", None) => self.respond(m, 200, "OK", ""),
            _ => self.respond(m, 481, "Call/Transaction Does Not Exist", ""),
        }
    }

    fn register(&mut self, m: &Incoming) {
        if m.get("Authorization").is_none() {
            return self.respond(m, 401, "Unauthorized", &format!("WWW-Authenticate: {CHALLENGE}"));
        }
        let user = text::user(text::uri(m.value("To"))).to_owned();
        let one = self.one_binding;
        let bound = self.bindings.entry(user).or_default();
        if let Some(contact) = m.get("Contact") {
            let uri = text::uri(contact).to_owned();
            let expires =
                text::parameter(contact.rsplit_once('>').map_or(contact, |(_, rest)| rest), "expires");
            bound.retain(|known| *known != uri);
            if expires.or(m.get("Expires")) != Some("0") {
                if one {
                    bound.clear();
                }
                bound.push(uri);
            }
        }
        let lines: String = bound.iter().map(|uri| format!("Contact: <{uri}>;expires=300\n")).collect();
        self.respond(m, 200, "OK", &lines);
    }

    /// A leg for an INVITE that came.
    pub(crate) fn leg(&mut self, m: &Incoming) -> usize {
        let id = self.legs.len();
        let local_tag = self.fresh("pbx");
        let from = m.value("From");
        let sdp = if m.has_sdp() { m.body.clone() } else { String::new() };
        self.legs.push(Leg {
            user: text::user(text::uri(from)).to_owned(),
            number: text::user(m.uri()).to_owned(),
            call_id: m.call_id().to_owned(),
            local_tag,
            remote_tag: text::tag(from).unwrap_or_default().to_owned(),
            local: m.value("To").to_owned(),
            remote: without_tag(from),
            target: text::uri(m.value("Contact")).to_owned(),
            addr: m.from,
            at: m.at,
            cseq: 100,
            invite: Incoming { leg: Some(id), ..m.clone() },
            incoming: true,
            up: false,
            over: false,
            acknowledged: false,
            peer: None,
            called: Vec::new(),
            caller: None,
            sdp,
            answered: None,
            player: None,
        });
        self.relay(id);
        id
    }

    fn invited(&mut self, m: &Incoming) {
        if self.challenges && m.get("Proxy-Authorization").is_none() {
            let lines = format!("Proxy-Authenticate: {CHALLENGE}");
            return self.respond(m, 407, "Proxy Authentication Required", &lines);
        }
        self.respond(m, 100, "Trying", "");
        let leg = self.leg(m);
        if let Some(replaces) = m.get("Replaces") {
            return self.replaced(leg, replaces);
        }
        self.route(leg);
    }

    /// Calls whom the caller wants.
    pub(crate) fn route(&mut self, leg: usize) {
        let number = self.legs[leg].number.clone();
        if let Some(service) = self.services.get(&number) {
            let service = Arc::clone(service);
            return (service.lock().unwrap())(self, leg);
        }
        match self.bindings.get(&number).cloned() {
            None => self.refuse(leg, 404, "Not Found"),
            Some(contacts) if contacts.is_empty() => self.refuse(leg, 480, "Temporarily Unavailable"),
            Some(contacts) => contacts.iter().for_each(|contact| {
                self.dial(leg, contact, "");
            }),
        }
    }

    /// Calls a contact for a caller, with these header lines besides; gives the callee's leg.
    pub(crate) fn dial(&mut self, caller: usize, contact: &str, lines: &str) -> usize {
        let sdp = self.legs[caller].sdp.clone();
        let leg = self.place(caller, contact);
        let mut text = Text::request("INVITE", "-").lines(lines);
        if let Some(referred) = self.legs[caller].invite.get("Referred-By") {
            text = text.with("Referred-By", referred);
        }
        if !sdp.is_empty() {
            text = text.sdp(self.moved(&sdp, leg));
        }
        self.legs[caller].called.push(leg);
        let then = Box::new(move |core: &mut Core, answer: &Text| core.callee_answers(leg, answer));
        self.request(leg, text, Some(then));
        // What CANCEL and a repeated answer are known by.
        if let Some(sent) = self.last_sent("INVITE", leg) {
            self.legs[leg].invite.text = sent;
        }
        leg
    }

    /// A call to a contact that no call of ours stands behind: from this address, with these header lines. What is answered gets its ACK.
    pub(crate) fn originate(&mut self, from: &str, contact: &str, lines: &str) -> usize {
        let mut fake = Text::request("INVITE", contact).with("From", format!("{from};tag=none"));
        fake = fake.with("To", Core::aor(text::user(contact))).with("Call-ID", self.fresh("none"));
        let at: SocketAddr = PLATFORM.parse().unwrap();
        let nobody = Incoming { text: fake, from: at, at, leg: None, user: String::new() };
        let caller = self.leg(&nobody);
        self.legs[caller].over = true;
        let leg = self.place(caller, contact);
        let sdp = description("", self.port_of(leg));
        let then = move |core: &mut Core, answer: &Text| {
            if answer.status().is_some_and(|status| (200..300).contains(&status)) {
                core.legs[leg].sdp.clone_from(&answer.body);
                core.legs[leg].up = true;
                core.acknowledge(leg, answer);
            }
        };
        self.request(leg, Text::request("INVITE", "-").lines(lines).sdp(sdp), Some(Box::new(then)));
        if let Some(sent) = self.last_sent("INVITE", leg) {
            self.legs[leg].invite.text = sent;
        }
        leg
    }

    fn last_sent(&self, method: &str, leg: usize) -> Option<Text> {
        let log = self.log.lock().unwrap();
        let call_id = &self.legs[leg].call_id;
        let is_it = |text: &Text| text.is(method) && text.call_id() == call_id;
        log.iter().rev().find(|one| one.sent && is_it(&one.text)).map(|one| one.text.clone())
    }

    /// A leg to a contact that is not called yet; its user is that of the contact.
    pub(crate) fn place(&mut self, caller: usize, contact: &str) -> usize {
        let id = self.legs.len();
        let (local_tag, call_id) = (self.fresh("pbx"), self.fresh("call"));
        let from = self.legs[caller].remote.clone();
        let number = self.legs[caller].number.clone();
        let invite = self.legs[caller].invite.clone();
        let at: SocketAddr = PLATFORM.parse().unwrap();
        let bound = self.bindings.iter().find(|(_, bound)| bound.iter().any(|known| known == contact));
        let user = bound.map_or_else(|| text::user(contact).to_owned(), |(name, _)| name.clone());
        self.legs.push(Leg {
            user,
            local: from,
            remote: format!("<sip:{number}@{DOMAIN}>"),
            number,
            call_id,
            local_tag,
            remote_tag: String::new(),
            target: contact.to_owned(),
            addr: text::address(contact).unwrap_or(at),
            at,
            cseq: 0,
            invite: Incoming { leg: Some(id), ..invite },
            incoming: false,
            up: false,
            over: false,
            acknowledged: false,
            peer: None,
            called: Vec::new(),
            caller: Some(caller),
            sdp: String::new(),
            answered: None,
            player: None,
        });
        self.relay(id);
        id
    }

    /// What a callee's answer means for its caller.
    pub(crate) fn callee_answers(&mut self, leg: usize, answer: &Text) {
        let (status, phrase) = (answer.status().unwrap_or(0), answer.phrase().to_owned());
        let caller = self.legs[leg].caller.unwrap();
        if answer.has_sdp() {
            self.legs[leg].sdp.clone_from(&answer.body);
        }
        let is_decided = self.legs[caller].up || self.legs[caller].over;
        match status {
            101..=199 if !is_decided => {
                let sdp = answer.has_sdp().then(|| answer.body.clone());
                self.tell(caller, status, &phrase, sdp);
            }
            200..=299 if is_decided => {
                self.acknowledge(leg, answer);
                self.bye(leg, None);
            }
            200..=299 => {
                self.acknowledge(leg, answer);
                (self.legs[leg].up, self.legs[leg].answered) = (true, Some(Instant::now()));
                self.connect(caller, leg);
                self.tell(caller, status, &phrase, answer.has_sdp().then(|| answer.body.clone()));
                for other in self.legs[caller].called.clone() {
                    if other != leg {
                        self.cancel(other, Some(r#"SIP;cause=200;text="Call completed elsewhere""#));
                    }
                }
            }
            300.. => {
                self.legs[leg].over = true;
                let called = self.legs[caller].called.clone();
                if !is_decided && called.iter().all(|other| self.legs[*other].over) {
                    let invite = self.legs[caller].invite.clone();
                    self.legs[caller].over = true;
                    let tag = self.legs[caller].local_tag.clone();
                    let mut text = carried(answer, Text::response(&invite.text, status, &phrase, &tag));
                    text.without_body();
                    self.reply(&invite, text);
                }
            }
            _ => {}
        }
    }

    pub(super) fn acknowledge(&mut self, leg: usize, answer: &Text) {
        let number = answer.value("CSeq").split(' ').next().and_then(|number| number.parse().ok());
        self.ack(leg, None, number.unwrap_or(1));
    }

    /// Media and requests go from one leg to the other.
    pub(crate) fn connect(&mut self, one: usize, other: usize) {
        for leg in [one, other] {
            if let Some(before) = self.legs[leg].peer.filter(|before| *before != one && *before != other) {
                self.legs[before].peer = None;
            }
        }
        self.legs[one].peer = Some(other);
        self.legs[other].peer = Some(one);
    }

    /// An answer to the INVITE of a caller, with this description of somebody else.
    pub(crate) fn tell(&mut self, caller: usize, status: u16, phrase: &str, sdp: Option<String>) {
        let leg = &mut self.legs[caller];
        let (invite, tag) = (leg.invite.clone(), leg.local_tag.clone());
        if (200..300).contains(&status) {
            (leg.up, leg.answered) = (true, Some(Instant::now()));
        }
        let mut text = Text::response(&invite.text, status, phrase, &tag)
            .with("Contact", format!("<sip:pbx@{}>", leg.at));
        if let Some(sdp) = sdp {
            text = text.sdp(self.moved(&sdp, caller));
        }
        self.reply(&invite, text);
    }

    /// 180 to a caller.
    pub(crate) fn ring(&mut self, caller: usize) {
        self.tell(caller, 180, "Ringing", None);
    }

    /// 200 to a caller, who hears this.
    pub(crate) fn answer(&mut self, caller: usize, source: Source) {
        if self.legs[caller].over {
            return;
        }
        let sdp = description(&self.legs[caller].sdp, self.port_of(caller));
        self.tell(caller, 200, "OK", Some(sdp));
        self.play(caller, source);
    }

    /// Plays this to the far end of a leg, from now on.
    pub(crate) fn play(&mut self, leg: usize, source: Source) {
        let sdp = description(&self.legs[leg].sdp, self.port_of(leg));
        let is_mu = sdp.contains("m=audio") && sdp.contains(" RTP/AVP 0");
        let player = Player::new(source, if is_mu { 0 } else { 8 });
        let is_quiet = player.is_quiet() || player.is_echo();
        self.legs[leg].player = Some(player);
        if !is_quiet {
            self.next_packet(leg);
        }
    }

    fn next_packet(&mut self, leg: usize) {
        if self.legs[leg].over {
            return;
        }
        let packet = self.legs[leg].player.as_mut().and_then(Player::packet);
        if let Some(packet) = packet {
            self.send_media(leg, 0, &packet);
            self.after(ms(20), move |core| core.next_packet(leg));
        }
    }

    /// A refusal to a caller.
    pub(crate) fn refuse(&mut self, caller: usize, status: u16, phrase: &str) {
        self.legs[caller].over = true;
        self.tell(caller, status, phrase, None);
    }

    fn acknowledged(&mut self, m: &Incoming, leg: Option<usize>) {
        let Some(leg) = leg.filter(|leg| self.legs[*leg].up && !self.legs[*leg].acknowledged) else { return };
        self.legs[leg].acknowledged = true;
        if m.has_sdp() {
            self.legs[leg].sdp.clone_from(&m.body);
        }
        let peer = self.legs[leg].peer;
        for (after, event) in self.when_up.clone() {
            self.after(after, move |core| (event.lock().unwrap())(core, leg, peer));
        }
    }

    fn cancelled(&mut self, m: &Incoming, leg: usize) {
        self.respond(m, 200, "OK", "");
        if self.legs[leg].up || self.legs[leg].over {
            return;
        }
        self.refuse(leg, 487, "Request Terminated");
        let reason = m.get("Reason").map(str::to_owned);
        for called in self.legs[leg].called.clone() {
            self.cancel(called, reason.as_deref());
        }
    }

    fn ended(&mut self, m: &Incoming, leg: usize) {
        self.respond(m, 200, "OK", "");
        self.legs[leg].over = true;
        let reason = m.get("Reason").map(str::to_owned);
        if let Some(peer) = self.legs[leg].peer {
            self.bye(peer, reason.as_deref());
        }
    }

    /// Ends a leg by BYE.
    pub(crate) fn bye(&mut self, leg: usize, reason: Option<&str>) {
        if std::mem::replace(&mut self.legs[leg].over, true) {
            return;
        }
        let text = Text::request("BYE", "-");
        let text = match reason {
            Some(reason) => text.with("Reason", reason),
            None => text,
        };
        self.request(leg, text, None);
    }

    /// A request in a call goes to the other end, and what that says comes back.
    pub(crate) fn pass_on(&mut self, m: &Incoming, leg: usize) {
        if m.has_sdp() {
            self.legs[leg].sdp.clone_from(&m.body);
        }
        let Some(peer) = self.legs[leg].peer.filter(|peer| !self.legs[*peer].over) else {
            let mut text =
                Text::response(&m.text, 200, "OK", "").with("Contact", format!("<sip:pbx@{}>", m.at));
            if m.has_sdp() {
                text = text.sdp(description(&m.body, self.port_of(leg)));
            }
            return self.reply(m, text);
        };
        let mut text = carried(m, Text::request(m.method(), "-"));
        if m.has_sdp() {
            text.body = self.moved(&text.body, peer);
        }
        let asked = m.clone();
        let then = move |core: &mut Core, answer: &Text| core.pass_back(&asked, leg, peer, answer);
        self.request(peer, text, Some(Box::new(then)));
    }

    fn pass_back(&mut self, asked: &Incoming, leg: usize, peer: usize, answer: &Text) {
        let status = answer.status().unwrap_or(0);
        if status < 200 {
            return;
        }
        if answer.has_sdp() {
            self.legs[peer].sdp.clone_from(&answer.body);
        }
        if asked.method() == "INVITE" && status < 300 {
            self.acknowledge(peer, answer);
        }
        let response = Text::response(&asked.text, status, answer.phrase(), "");
        let mut text = carried(answer, response).with("Contact", format!("<sip:pbx@{}>", asked.at));
        if answer.has_sdp() {
            text.body = self.moved(&text.body, leg);
        }
        self.reply(asked, text);
    }
}

/// A From or To without its tag.
pub(super) fn without_tag(value: &str) -> String {
    match text::tag(value) {
        Some(tag) => value.replace(&format!(";tag={tag}"), ""),
        None => value.to_owned(),
    }
}
