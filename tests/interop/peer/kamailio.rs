//! Kamailio as registrar, by `kamailio.cfg`.

use super::{Peer, file, on_free_port, port};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A running Kamailio on UDP and TCP, 127.0.0.1 and ::1, all on one port.
#[derive(Debug)]
pub(crate) struct Kamailio {
    peer: Peer,
    port: u16,
    asked: AtomicU32,
}

/// A binding that Kamailio holds. What counts down or is counted is left out, so that two dumps can be compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Binding {
    pub(crate) user: String,
    pub(crate) contact: String,
    pub(crate) call_id: String,
    pub(crate) cseq: u64,
    pub(crate) user_agent: String,
    pub(crate) ruid: String,
}

impl Kamailio {
    /// Starts one with these definitions (see the top of `kamailio.cfg`), e.g. `ALGORITHM="SHA-256"`.
    pub(crate) fn start(definitions: &[&str]) -> Kamailio {
        on_free_port("kamailio", |port, dir| {
            let at = |name: &str| dir.path().join(name).display().to_string();
            let mut args: Vec<String> = ["-DD", "-E", "-m", "64", "-M", "4"].map(String::from).into();
            args.extend(["-f".into(), file("kamailio.cfg").display().to_string()]);
            args.extend(["-Y".into(), at(""), "-w".into(), at(""), "-P".into(), at("pid")]);
            args.extend(["-A".into(), format!("CTL_SOCKET=\"{}\"", at("ctl.sock"))]);
            for definition in definitions {
                args.extend(["-A".into(), (*definition).into()]);
            }
            for listen in ["udp:127.0.0.1", "tcp:127.0.0.1", "udp:[::1]", "tcp:[::1]"] {
                args.extend(["-l".into(), format!("{listen}:{port}")]);
            }
            let v4 = SocketAddr::from(([127, 0, 0, 1], port));
            let ready = || answers_options(v4);
            let peer = Peer::start(("kamailio", "kamailio"), args, dir, ready)?;
            Some(Kamailio { peer, port, asked: AtomicU32::new(0) })
        })
    }

    /// Its port, the same for all its transports and addresses.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Everything it printed.
    pub(crate) fn log(&self) -> String {
        self.peer.log()
    }

    /// Every binding that it holds, in a fixed order.
    pub(crate) fn bindings(&self) -> Vec<Binding> {
        let dump = self.call("ul.dump", json!([]));
        let mut found = Vec::new();
        for domain in list(&dump, "Domains") {
            for aor in list(&domain["Domain"], "AoRs") {
                let info = &aor["Info"];
                for contact in list(info, "Contacts") {
                    let contact = &contact["Contact"];
                    found.push(Binding {
                        user: text(info, "AoR"),
                        contact: text(contact, "Address"),
                        call_id: text(contact, "Call-ID"),
                        cseq: contact["CSeq"].as_u64().unwrap(),
                        user_agent: text(contact, "User-Agent"),
                        ruid: text(contact, "Ruid"),
                    });
                }
            }
        }
        found.sort();
        found
    }

    /// Puts a binding of somebody else there.
    pub(crate) fn add_binding(&self, user: &str, contact: &str) {
        self.call("ul.add", json!(["location", user, contact, 3600, 1.0, "0", 0, 0, 0]));
    }

    fn call(&self, method: &str, params: Value) -> Value {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let socket = UnixDatagram::bind(self.peer.dir().join(format!("ask-{number}.sock"))).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let request = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": number});
        socket.send_to(request.to_string().as_bytes(), self.peer.dir().join("ctl.sock")).unwrap();
        let mut buffer = vec![0; 262_144];
        let length = socket.recv(&mut buffer).unwrap();
        let answer: Value = serde_json::from_slice(&buffer[..length]).unwrap();
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

fn answers_options(remote: SocketAddr) -> bool {
    let request = format!(
        "OPTIONS sip:{remote} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKready\r\nMax-Forwards: 1\r\n\
         From: <sip:ready@{remote}>;tag=ready\r\nTo: <sip:{remote}>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    );
    port::ask(remote, request.as_bytes(), Duration::from_millis(200))
        .is_ok_and(|answer| answer.starts_with(b"SIP/2.0 200"))
}
