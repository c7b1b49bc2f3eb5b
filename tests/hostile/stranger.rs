//! Another host: it hears what is sent to it, challenges it, and shouts.

use crate::text::{Text, tag};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is played to a request of a method that comes here.
pub(crate) type Plays = fn(&Text) -> Option<(u16, String)>;

pub(crate) struct Stranger {
    pub(crate) address: SocketAddr,
    pub(crate) socket: UdpSocket,
    heard: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

impl Stranger {
    /// Only listens.
    pub(crate) fn start() -> Stranger {
        Stranger::playing(|_| None)
    }

    /// Answers with these statuses and header lines.
    pub(crate) fn playing(plays: Plays) -> Stranger {
        let socket = UdpSocket::bind("127.0.0.2:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let (heard, stop) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let (copy, kept, stopped) = (socket.try_clone().unwrap(), Arc::clone(&heard), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_535];
            while !stopped.load(Relaxed) {
                let Ok((length, from)) = copy.recv_from(&mut buffer) else { continue };
                let bytes = &buffer[..length];
                kept.lock().unwrap().push(String::from_utf8_lossy(bytes).into_owned());
                let Some(request) =
                    Text::parse(bytes).filter(|text| text.status().is_none() && !text.is("ACK"))
                else {
                    continue;
                };
                if let Some((status, lines)) = plays(&request) {
                    let mut answer = Text::response(&request, status, "Stranger", "s").lines(&lines);
                    let via = answer.value("Via").replace(";rport", &format!(";rport={}", from.port()));
                    answer.set("Via", via);
                    let _ = copy.send_to(&answer.bytes(), from);
                }
            }
        });
        Stranger { address: socket.local_addr().unwrap(), socket, heard, stop }
    }

    /// All that came here, messages and media.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Messages of a method that came here.
    pub(crate) fn got(&self, method: &str) -> usize {
        self.heard().iter().filter(|text| text.starts_with(&format!("{method} "))).count()
    }
}

/// A request from here outside of any dialog.
pub(crate) fn request(method: &str, uri: &str, from: &str, at: SocketAddr, number: usize) -> Text {
    let from = if tag(from).is_some() { from.to_owned() } else { format!("{from};tag=s{number}") };
    Text::request(method, uri)
        .with("Via", format!("SIP/2.0/UDP {at};branch=z9hG4bKs{number}x{};rport", at.port()))
        .with("Max-Forwards", "70")
        .with("From", from)
        .with("To", format!("<{uri}>"))
        .with("Call-ID", format!("stranger-{number}-{}", at.port()))
        .with("CSeq", format!("1 {method}"))
        .with("Contact", format!("<sip:stranger@{at}>"))
}
