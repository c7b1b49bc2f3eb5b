//! baresip as a phone that registers.

use super::Peer;
use std::fs;
use std::net::SocketAddr;

/// A running baresip with one account.
#[derive(Debug)]
pub(crate) struct Baresip {
    peer: Peer,
}

impl Baresip {
    /// Starts one that registers `user` with `password` at `registrar` by `transport` (`udp` or `tcp`), every `expires` seconds.
    pub(crate) fn start(
        user: &str,
        password: &str,
        registrar: SocketAddr,
        transport: &str,
        expires: u32,
    ) -> Baresip {
        let dir = tempfile::Builder::new().prefix("ringback-baresip-").tempdir().unwrap();
        let config = include_str!("../baresip.config");
        fs::write(dir.path().join("config"), config).unwrap();
        fs::write(dir.path().join("contacts"), "").unwrap();
        let account =
            format!("<sip:{user}@{registrar};transport={transport}>;auth_pass={password};regint={expires}\n");
        fs::write(dir.path().join("accounts"), account).unwrap();
        let args = ["-f".to_owned(), dir.path().display().to_string()];
        let log = dir.path().join("log");
        let ready = || fs::read_to_string(&log).is_ok_and(|log| log.contains("baresip is ready"));
        let peer = Peer::start(("baresip", "baresip-core"), args, dir, ready)
            .unwrap_or_else(|| panic!("baresip did not start"));
        Baresip { peer }
    }

    /// What it printed: an answer to each of its REGISTERs, among others.
    pub(crate) fn log(&self) -> String {
        self.peer.log()
    }

    /// Lets it end as a user would: it un-registers first.
    pub(crate) fn quit(mut self) {
        self.peer.stop();
    }
}
