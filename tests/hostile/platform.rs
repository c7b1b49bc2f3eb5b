//! A platform of raw messages on one UDP socket: a registrar with digest, and a stateless proxy that stays on the route. An attack is asked about all
//! that comes before the platform does what is right.

use crate::fork::Forks;
use crate::text::{self, Text, parameter, tag, uri, user};
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const DOMAIN: &str = "pbx.example.com";
pub(crate) const CHALLENGE: &str =
    r#"Digest realm="pbx.example.com", nonce="abc123", qop="auth", algorithm=SHA-256"#;

/// What an attack does with what came; true when it has dealt with it.
pub(crate) type Attack = Box<dyn FnMut(&mut Core, &mut Text, SocketAddr) -> bool + Send>;

/// What an attack makes of what goes out.
pub(crate) type Edit = Box<dyn FnMut(&mut Text, &[Text]) + Send>;

/// What the platform has and saw.
pub(crate) struct Core {
    pub(crate) socket: UdpSocket,
    pub(crate) address: SocketAddr,
    /// Contacts by user.
    pub(crate) bindings: BTreeMap<String, Vec<String>>,
    /// All requests that came, as they came.
    pub(crate) requests: Vec<Text>,
    /// Answered calls by Call-ID: did a BYE go through?
    pub(crate) calls: BTreeMap<String, bool>,
    /// Something for attacks to count with.
    pub(crate) count: usize,
    /// Changes all that goes out.
    pub(crate) edit: Option<Edit>,
    forks: Forks,
}

pub(crate) struct Platform {
    pub(crate) address: SocketAddr,
    pub(crate) core: Arc<Mutex<Core>>,
    stop: Arc<AtomicBool>,
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

impl Platform {
    pub(crate) fn start(mut attack: Attack) -> Platform {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let address = socket.local_addr().unwrap();
        let core = Core {
            socket: socket.try_clone().unwrap(),
            address,
            bindings: BTreeMap::new(),
            requests: Vec::new(),
            calls: BTreeMap::new(),
            count: 0,
            edit: None,
            forks: Forks::default(),
        };
        let (core, stop) = (Arc::new(Mutex::new(core)), Arc::<AtomicBool>::default());
        let (shared, stopped) = (Arc::clone(&core), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_535];
            while !stopped.load(Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                let Some(mut text) = Text::parse(&buffer[..length]) else { continue };
                let mut core = shared.lock().unwrap();
                if text.status().is_none() {
                    core.requests.push(text.clone());
                }
                if !attack(&mut core, &mut text, from) {
                    core.act(text, from);
                }
            }
        });
        Platform { address, core, stop }
    }
}

impl Core {
    /// What is right.
    pub(crate) fn act(&mut self, text: Text, from: SocketAddr) {
        if text.status().is_some() {
            return self.pass_back(text);
        }
        match text.method() {
            "REGISTER" => self.register(&text, from),
            "OPTIONS" => self.answer(&text, from, 200, "OK", ""),
            "ACK" if tag(text.value("To")) == Some("pbx") => {}
            "INVITE" if text.begins("INVITE") && text.get("Proxy-Authorization").is_none() => {
                self.answer(&text, from, 407, "Who Are You", &format!("Proxy-Authenticate: {CHALLENGE}"));
            }
            _ => self.pass_on(text, from),
        }
    }

    fn register(&mut self, text: &Text, from: SocketAddr) {
        if text.get("Authorization").is_none() {
            return self.answer(text, from, 401, "Who Are You", &format!("WWW-Authenticate: {CHALLENGE}"));
        }
        let lines = self.bind(text);
        self.answer(text, from, 200, "OK", &lines);
    }

    /// Binds what a REGISTER says; the Contact lines that are listed then.
    pub(crate) fn bind(&mut self, text: &Text) -> String {
        let bound = self.bindings.entry(user(uri(text.value("To"))).to_owned()).or_default();
        if let Some(contact) = text.get("Contact") {
            let one = uri(contact).to_owned();
            let expires = parameter(contact.split_once('>').map_or(contact, |(_, rest)| rest), "expires");
            bound.retain(|known| *known != one);
            if expires.or(text.get("Expires")) != Some("0") {
                bound.push(one);
            }
        }
        bound.iter().map(|uri| format!("Contact: <{uri}>;expires=300\n")).collect()
    }

    /// Answers by itself.
    pub(crate) fn answer(&mut self, request: &Text, to: SocketAddr, status: u16, phrase: &str, lines: &str) {
        let text = Text::response(request, status, phrase, "pbx").lines(lines);
        self.send(seen_from(text, to), to);
    }

    pub(crate) fn send(&mut self, mut text: Text, to: SocketAddr) {
        if let Some(mut edit) = self.edit.take() {
            edit(&mut text, &self.requests);
            self.edit = Some(edit);
        }
        // Who has gone already hears nothing.
        let _ = self.socket.send_to(&text.bytes(), to);
    }

    pub(crate) fn is_ours(&self, request_uri: &str) -> bool {
        request_uri.contains(DOMAIN) || text::address(request_uri) == Some(self.address)
    }

    /// Where a request goes next: the Request-URIs of those who are called.
    fn targets(&self, request: &Text) -> Vec<String> {
        if !self.is_ours(request.uri()) {
            return vec![request.uri().to_owned()];
        }
        let of = |name: &str| self.bindings.get(name).cloned().unwrap_or_default();
        match user(request.uri()) {
            "600" => [of("bob"), of("carol")].concat(),
            name => of(name),
        }
    }

    pub(crate) fn pass_on(&mut self, mut text: Text, from: SocketAddr) {
        let mut targets = self.targets(&text);
        if targets.is_empty() {
            if !text.is("ACK") {
                self.answer(&text, from, 404, "Not Found", "");
            }
            return;
        }
        let branch = format!("z9hG4bKp{}", text.branch().trim_start_matches("z9hG4bK"));
        if text.is("BYE")
            && let Some(call) = self.calls.get_mut(text.call_id())
        {
            *call = true;
        }
        // In a dialog there is one, and so is the binding that a CANCEL is for where only one was called.
        if !text.begins("INVITE") && !text.is("CANCEL") {
            targets.truncate(1);
        }
        text = seen_from(text, from);
        text.remove("Route");
        text.remove("Proxy-Authorization");
        if text.begins("INVITE") {
            text.headers.insert(0, ("Record-Route".to_owned(), format!("<sip:{};lr>", self.address)));
        }
        let forked = (targets.len() > 1).then_some(targets.len());
        for (number, target) in targets.into_iter().enumerate() {
            let mut text = text.clone();
            let branch = forked.map_or(branch.clone(), |_| format!("{branch}.{number}"));
            text.start = format!("{} {target} SIP/2.0", text.method());
            text.headers
                .insert(0, ("Via".to_owned(), format!("SIP/2.0/UDP {};branch={branch}", self.address)));
            if let (Some(all), true) = (forked, text.is("INVITE")) {
                self.forks.called(&branch, all, text.clone());
            }
            if let Some(to) = text::address(&target) {
                self.send(text, to);
            }
        }
    }

    pub(crate) fn pass_back(&mut self, mut text: Text) {
        if !self.forks.lets_pass(&text, &self.socket) {
            return;
        }
        text.headers.remove(text.headers.iter().position(|(name, _)| name == "Via").unwrap());
        let via = text.value("Via").to_owned();
        let Some(port) = parameter(&via, "rport").and_then(|port| port.parse().ok()) else { return };
        if text.method() == "INVITE" && text.status().is_some_and(|status| (200..300).contains(&status)) {
            self.calls.entry(text.call_id().to_owned()).or_default();
        }
        let to = SocketAddr::new(self.address.ip(), port);
        self.send(text, to);
    }
}

/// Fills in `rport` and `received`.
fn seen_from(mut text: Text, from: SocketAddr) -> Text {
    let via = text.value("Via").replace(";rport", &format!(";rport={};received={}", from.port(), from.ip()));
    // Of an answer that is made again it is filled in already.
    if !text.value("Via").contains("rport=") {
        text.set("Via", via);
    }
    text
}
