//! The platform's sockets, timers and transactions, such as they are: a request is answered once, a repeated one gets the same again.

use super::media::{Passing, Relay, moved, wanted};
use super::text::{self, Text};
use super::{DOMAIN, PLATFORM, ms};
use ringback::sim::MemoryNetwork;
use ringback::transport::{Datagrams, Network};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

pub(super) type Hook = Box<dyn FnMut(&mut Core, &Incoming) -> bool + Send>;
pub(super) type Edit = Box<dyn FnMut(&mut Text, &Outgoing) -> bool + Send>;
pub(super) type Hear = Box<dyn FnMut(Passing<'_>, &mut Vec<u8>) -> bool + Send>;
pub(super) type Then = Box<dyn FnMut(&mut Core, &Text) + Send>;
type Later = Box<dyn FnOnce(&mut Core) + Send>;
type Up = Arc<Mutex<dyn FnMut(&mut Core, usize, Option<usize>) + Send>>;
type Service = Arc<Mutex<dyn FnMut(&mut Core, usize) + Send>>;

/// A message that came.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) text: Text,
    pub(crate) from: SocketAddr,
    /// The platform's address that it came to.
    pub(crate) at: SocketAddr,
    /// The leg that it belongs to.
    pub(crate) leg: Option<usize>,
    /// Who sent it.
    pub(crate) user: String,
}

impl std::ops::Deref for Incoming {
    type Target = Text;
    fn deref(&self) -> &Text {
        &self.text
    }
}

/// Where a message goes.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) to: SocketAddr,
    pub(crate) leg: Option<usize>,
    /// Who gets it; empty outside of calls.
    pub(crate) user: String,
}

/// What passed.
pub(super) struct Logged {
    pub(super) sent: bool,
    pub(super) local: SocketAddr,
    pub(super) text: Text,
}

/// One end of a call.
pub(crate) struct Leg {
    /// Who is there.
    pub(crate) user: String,
    /// What was dialled.
    pub(crate) number: String,
    pub(crate) call_id: String,
    pub(crate) local_tag: String,
    pub(crate) remote_tag: String,
    /// From and To of our requests, without tags.
    pub(super) local: String,
    pub(super) remote: String,
    /// The Contact of the far end.
    pub(super) target: String,
    pub(super) addr: SocketAddr,
    pub(super) at: SocketAddr,
    pub(super) cseq: u32,
    /// The INVITE that began it, received or sent.
    pub(super) invite: Incoming,
    pub(super) incoming: bool,
    pub(crate) up: bool,
    pub(crate) over: bool,
    /// A caller's 2xx got its ACK.
    pub(super) acknowledged: bool,
    /// The other end.
    pub(crate) peer: Option<usize>,
    /// Of a caller: who is called for it.
    pub(crate) called: Vec<usize>,
    /// Of a callee: its caller.
    pub(super) caller: Option<usize>,
    /// What the far end described last.
    pub(crate) sdp: String,
    pub(super) answered: Option<Instant>,
    pub(super) player: Option<super::media::Player>,
}

impl Leg {
    /// The INVITE that began it.
    pub(crate) fn invite_of(&self) -> Incoming {
        self.invite.clone()
    }
}

/// A request of the platform that waits for its answer.
struct Pending {
    request: Text,
    local: SocketAddr,
    to: SocketAddr,
    leg: Option<usize>,
    then: Option<Then>,
    done: bool,
}

/// The running platform.
pub(crate) struct Core {
    network: MemoryNetwork,
    sip: BTreeMap<SocketAddr, Box<dyn Datagrams>>,
    pub(super) relays: Vec<Relay>,
    timers: BTreeMap<(Instant, u64), Later>,
    pending: BTreeMap<String, Pending>,
    /// Requests that came, and what was answered.
    answered: BTreeMap<String, Option<(Vec<u8>, SocketAddr, SocketAddr)>>,
    count: u64,
    pub(crate) legs: Vec<Leg>,
    pub(crate) bindings: BTreeMap<String, Vec<String>>,
    pub(super) hooks: Vec<Hook>,
    pub(super) edits: Vec<Edit>,
    pub(super) hear: Option<Hear>,
    pub(super) when_up: Vec<(Duration, Up)>,
    pub(super) services: BTreeMap<String, Service>,
    pub(super) one_binding: bool,
    pub(super) challenges: bool,
    pub(super) carries_refer: bool,
    pub(super) direct: bool,
    pub(super) log: Arc<Mutex<Vec<Logged>>>,
}

enum Came {
    Sip(SocketAddr),
    Rtp(usize, usize),
}

impl Core {
    pub(super) fn new(network: MemoryNetwork) -> Core {
        let mut core = Core {
            network,
            sip: BTreeMap::new(),
            relays: Vec::new(),
            timers: BTreeMap::new(),
            pending: BTreeMap::new(),
            answered: BTreeMap::new(),
            count: 0,
            legs: Vec::new(),
            bindings: BTreeMap::new(),
            hooks: Vec::new(),
            edits: Vec::new(),
            hear: None,
            when_up: Vec::new(),
            services: BTreeMap::new(),
            one_binding: false,
            challenges: false,
            carries_refer: false,
            direct: false,
            log: Arc::default(),
        };
        core.listen(PLATFORM.parse().unwrap());
        core
    }

    /// Who calls, of a leg that was called for somebody.
    pub(crate) fn caller_of(&self, leg: usize) -> Option<usize> {
        self.legs[leg].caller
    }

    pub(crate) fn listen(&mut self, address: SocketAddr) {
        let socket = self.network.host([address.ip()]).bind_udp(address).unwrap();
        self.sip.insert(address, socket);
    }

    /// Something that nobody else has: for tags, branches and Call-IDs.
    pub(crate) fn fresh(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what}{}", self.count)
    }

    /// Does something later.
    pub(crate) fn after(&mut self, time: Duration, what: impl FnOnce(&mut Core) + Send + 'static) {
        self.count += 1;
        self.timers.insert((Instant::now() + time, self.count), Box::new(what));
    }

    /// Opens a pair of ports for the media of a leg.
    pub(super) fn relay(&mut self, leg: usize) {
        let port = 20_000 + 2 * self.relays.len() as u16;
        let ip = PLATFORM.parse::<SocketAddr>().unwrap().ip();
        let host = self.network.host([ip]);
        let sockets = [port, port + 1].map(|port| host.bind_udp(SocketAddr::new(ip, port)).unwrap());
        self.relays.push(Relay { sockets, leg });
    }

    /// Where a leg sends its media to.
    pub(crate) fn port_of(&self, leg: usize) -> SocketAddr {
        let relay = self.relays.iter().find(|relay| relay.leg == leg).unwrap();
        relay.sockets[0].local_addr().unwrap()
    }

    /// What this leg is told of a description of somebody else: media goes through the platform, or past it.
    pub(crate) fn moved(&self, sdp: &str, leg: usize) -> String {
        if self.direct { sdp.to_owned() } else { moved(sdp, self.port_of(leg)) }
    }

    fn transmit(&mut self, local: SocketAddr, outgoing: Outgoing, mut text: Text) -> Option<Vec<u8>> {
        let mut edits = std::mem::take(&mut self.edits);
        let goes = edits.iter_mut().all(|edit| edit(&mut text, &outgoing));
        self.edits = edits;
        if !goes {
            return None;
        }
        let bytes = text.bytes();
        self.sip.get(&local).expect("an address of ours").try_send(&bytes, outgoing.to).unwrap();
        self.log.lock().unwrap().push(Logged { sent: true, local, text });
        Some(bytes)
    }

    /// Sends a response.
    pub(crate) fn reply(&mut self, to: &Incoming, text: Text) {
        let outgoing = Outgoing { to: to.from, leg: to.leg, user: to.user.clone() };
        if let Some(bytes) = self.transmit(to.at, outgoing, text) {
            self.answered.insert(key(&to.text), Some((bytes, to.at, to.from)));
        }
    }

    /// Sends a response with these header lines.
    pub(crate) fn respond(&mut self, to: &Incoming, status: u16, phrase: &str, lines: &str) {
        let tag = match to.leg {
            Some(leg) => self.legs[leg].local_tag.clone(),
            None => self.fresh("tag"),
        };
        self.reply(to, Text::response(&to.text, status, phrase, &tag).lines(lines));
    }

    /// Sends a request that is whole but for its Via; what comes back goes to `then`.
    pub(crate) fn send(
        &mut self,
        local: SocketAddr,
        to: SocketAddr,
        leg: Option<usize>,
        mut text: Text,
        then: Option<Then>,
    ) {
        if text.get("Via").is_none() {
            let branch = self.fresh("z9hG4bKp");
            text.headers.insert(0, ("Via".into(), format!("SIP/2.0/UDP {local};branch={branch};rport")));
        }
        if text.get("Max-Forwards").is_none() {
            text.headers.insert(1, ("Max-Forwards".into(), "70".into()));
        }
        let user = leg.map(|leg| self.legs[leg].user.clone()).unwrap_or_default();
        if !text.is("ACK") && !text.is("CANCEL") {
            let waits = Pending { request: text.clone(), local, to, leg, then, done: false };
            self.pending.insert(key(&text), waits);
        }
        self.transmit(local, Outgoing { to, leg, user }, text);
    }

    /// A request of a stranger, or of anybody else outside of a call, from an address that the platform listens at.
    pub(crate) fn stray(&mut self, from: &str, to: SocketAddr, start: &str, lines: &str, body: &str) {
        let (method, uri) = start.split_once(' ').unwrap();
        let mut text = Text::request(method, uri).lines(lines);
        for (name, value) in [
            ("From", format!("<sip:stranger@{from}>;tag=s1")),
            ("To", format!("<{uri}>")),
            ("Call-ID", self.fresh("stray")),
            ("CSeq", format!("1 {method}")),
            ("Contact", format!("<sip:stranger@{from}>")),
        ] {
            if text.get(name).is_none() {
                text = text.with(name, value);
            }
        }
        let text = if body.is_empty() { text } else { text.sdp(body) };
        let then: Then = Box::new(|_, _| {});
        self.send(from.parse().unwrap(), to, None, text, Some(then));
    }

    /// A request in the dialog of a leg: `text` has what is special about it. ACK and CANCEL are sent by [`Core::ack`] and [`Core::cancel`].
    pub(crate) fn request(&mut self, leg: usize, text: Text, then: Option<Then>) {
        let one = &mut self.legs[leg];
        one.cseq += 1;
        let (cseq, local, to) = (one.cseq, one.at, one.addr);
        let text = self.in_dialog(leg, text, cseq);
        self.send(local, to, Some(leg), text, then);
    }

    fn in_dialog(&self, leg: usize, special: Text, cseq: u32) -> Text {
        let leg = &self.legs[leg];
        let method = special.method().to_owned();
        let to = match leg.remote_tag.as_str() {
            "" => leg.remote.clone(),
            tag => format!("{};tag={tag}", leg.remote),
        };
        let mut text = Text::request(&method, &leg.target)
            .with("From", format!("{};tag={}", leg.local, leg.local_tag))
            .with("To", to)
            .with("Call-ID", &leg.call_id)
            .with("CSeq", format!("{cseq} {method}"))
            .with("Contact", format!("<sip:{}>", leg.at));
        special.headers.into_iter().for_each(|(name, value)| text.set(&name, value));
        text.body = special.body;
        text
    }

    /// The ACK to the last 2xx of a leg, with this description where there is one.
    pub(crate) fn ack(&mut self, leg: usize, sdp: Option<String>, number: u32) {
        let mut text = self.in_dialog(leg, Text::request("ACK", "-"), number);
        if let Some(sdp) = sdp {
            text = text.sdp(sdp);
        }
        let (local, to) = (self.legs[leg].at, self.legs[leg].addr);
        self.send(local, to, Some(leg), text, None);
    }

    /// Gives a call of ours up that is not answered.
    pub(crate) fn cancel(&mut self, leg: usize, reason: Option<&str>) {
        let Some(waits) = self.pending.get(&key(&self.legs[leg].invite.text)) else { return };
        if waits.done {
            return;
        }
        let text = same_transaction(&waits.request, "CANCEL");
        let text = match reason {
            Some(reason) => text.with("Reason", reason),
            None => text,
        };
        let (local, to) = (waits.local, waits.to);
        self.send(local, to, Some(leg), text, None);
    }

    fn leg_of(&self, text: &Text) -> Option<usize> {
        let of = |leg: &Leg| {
            let is_of_call = leg.call_id == text.call_id();
            match text.method() {
                "CANCEL" => is_of_call && leg.incoming && leg.invite.text.branch() == text.branch(),
                _ => is_of_call && text::tag(text.value("To")) == Some(&leg.local_tag),
            }
        };
        self.legs.iter().position(of)
    }

    fn take(&mut self, at: SocketAddr, from: SocketAddr, bytes: &[u8]) {
        let Some(text) = Text::parse(bytes) else { return };
        self.log.lock().unwrap().push(Logged { sent: false, local: at, text: text.clone() });
        if text.status().is_some() {
            return self.take_response(at, from, text);
        }
        let key = key(&text);
        match self.answered.get(&key) {
            Some(Some((bytes, local, to))) if !text.is("ACK") => {
                self.sip[local].try_send(bytes, *to).unwrap();
                return;
            }
            Some(None) if !text.is("ACK") => return,
            _ => drop(self.answered.insert(key, None)),
        }
        let leg = self.leg_of(&text);
        let user = match leg {
            Some(leg) => self.legs[leg].user.clone(),
            None => text::user(text::uri(text.value("From"))).to_owned(),
        };
        let incoming = Incoming { text, from, at, leg, user };
        if !self.hooked(&incoming) {
            self.act(&incoming);
        }
    }

    fn hooked(&mut self, incoming: &Incoming) -> bool {
        let mut hooks = std::mem::take(&mut self.hooks);
        let done = hooks.iter_mut().any(|hook| hook(self, incoming));
        self.hooks = hooks;
        done
    }

    fn take_response(&mut self, at: SocketAddr, from: SocketAddr, text: Text) {
        let (key, status) = (key(&text), text.status().unwrap_or(0));
        let Some(waits) = self.pending.get_mut(&key) else { return };
        if waits.done {
            return;
        }
        waits.done = status >= 200;
        let (leg, mut then) = (waits.leg, waits.then.take());
        if text.method() == "INVITE" && status >= 300 {
            let mut ack = same_transaction(&waits.request, "ACK");
            ack.set("To", text.value("To"));
            let (local, to) = (waits.local, waits.to);
            self.send(local, to, leg, ack, None);
        }
        if let Some(leg) = leg {
            let one = &mut self.legs[leg];
            if let Some(tag) = text::tag(text.value("To")).filter(|_| one.remote_tag.is_empty()) {
                one.remote_tag = tag.to_owned();
            }
            if let Some(contact) = text.get("Contact").filter(|_| text.method() == "INVITE") {
                one.target = text::uri(contact).to_owned();
            }
        }
        let user = leg.map(|leg| self.legs[leg].user.clone()).unwrap_or_default();
        let incoming = Incoming { text, from, at, leg, user };
        if !self.hooked(&incoming)
            && let Some(then) = &mut then
        {
            then(self, &incoming.text);
        }
        if let Some(waits) = self.pending.get_mut(&key) {
            waits.then = then;
        }
    }

    fn pass_media(&mut self, relay: usize, kind: usize, mut bytes: Vec<u8>) {
        let leg = self.relays[relay].leg;
        let is_echo = self.legs[leg].player.as_ref().is_some_and(super::media::Player::is_echo);
        let Some(to) = self.legs[leg].peer.or(is_echo.then_some(leg)) else { return };
        if kind == 0 && !self.lets_hear(leg, to, &mut bytes) {
            return;
        }
        self.send_media(to, kind, &bytes);
    }

    fn lets_hear(&mut self, from: usize, to: usize, bytes: &mut Vec<u8>) -> bool {
        let Some(mut hear) = self.hear.take() else { return true };
        let answered = [from, to].into_iter().filter_map(|leg| self.legs[leg].answered).max();
        let since = answered.map_or(Duration::ZERO, |at| at.elapsed());
        let (from, to) = (&self.legs[from].user, &self.legs[to].user);
        let goes = hear(Passing { from, to, since }, bytes);
        self.hear = Some(hear);
        goes
    }

    /// Sends RTP (or, as kind 1, RTCP) to the far end of a leg.
    pub(crate) fn send_media(&self, leg: usize, kind: usize, bytes: &[u8]) {
        let Some(mut to) = wanted(&self.legs[leg].sdp) else { return };
        to.set_port(to.port() + kind as u16);
        let relay = self.relays.iter().find(|relay| relay.leg == leg).unwrap();
        relay.sockets[kind].try_send(bytes, to).unwrap();
    }

    /// Sends a datagram from an address that the platform listens at to the media port of the far end of a leg.
    pub(crate) fn stray_media(&self, from: SocketAddr, leg: usize, bytes: &[u8]) {
        let to = wanted(&self.legs[leg].sdp).unwrap();
        self.sip[&from].try_send(bytes, to).unwrap();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Came, SocketAddr, Vec<u8>)> {
        let mut buffer = [0; 65_535];
        for (local, socket) in &self.sip {
            if let Poll::Ready(Ok((length, from))) = socket.poll_recv(cx, &mut buffer) {
                return Poll::Ready((Came::Sip(*local), from, buffer[..length].to_vec()));
            }
        }
        for (number, relay) in self.relays.iter().enumerate() {
            for (kind, socket) in relay.sockets.iter().enumerate() {
                if let Poll::Ready(Ok((length, from))) = socket.poll_recv(cx, &mut buffer) {
                    return Poll::Ready((Came::Rtp(number, kind), from, buffer[..length].to_vec()));
                }
            }
        }
        Poll::Pending
    }

    /// The address of record of a user.
    pub(crate) fn aor(name: &str) -> String {
        format!("<sip:{name}@{DOMAIN}>")
    }
}

/// What a transaction is known by.
fn key(text: &Text) -> String {
    format!("{} {} {}", text.method(), text.branch(), text.call_id())
}

/// A CANCEL, or an ACK to a refusal.
fn same_transaction(request: &Text, method: &str) -> Text {
    let number = request.value("CSeq").split(' ').next().unwrap_or_default();
    let mut text = Text::request(method, request.uri());
    for name in ["Via", "Max-Forwards", "From", "To", "Call-ID"] {
        text = text.with(name, request.value(name));
    }
    text.with("CSeq", format!("{number} {method}"))
}

/// Runs it for as long as the test does.
pub(super) async fn serve(mut core: Core) {
    loop {
        let next = core.timers.first_key_value().map(|((at, _), _)| *at);
        if next.is_some_and(|at| at <= Instant::now()) {
            if let Some((_, what)) = core.timers.pop_first() {
                what(&mut core);
            }
            continue;
        }
        let end = next.unwrap_or_else(|| Instant::now() + ms(3_600_000));
        let came = tokio::time::timeout_at(end, std::future::poll_fn(|cx| core.poll(cx))).await;
        match came {
            Ok((Came::Sip(at), from, bytes)) => core.take(at, from, &bytes),
            Ok((Came::Rtp(relay, kind), _, bytes)) => core.pass_media(relay, kind, bytes),
            Err(_) => {}
        }
    }
}
