//! baresip as a phone that registers, calls and is called.

use super::{Peer, file, port};
use crate::eventually;
use ringback::message::Transport;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use tempfile::TempDir;

/// Whose phone it is: this user, whose password is the name with `pw` behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) user: &'a str,
    pub(crate) registrar: SocketAddr,
    pub(crate) transport: Transport,
}

impl Line<'_> {
    fn password(&self) -> String {
        format!("{}pw", self.user)
    }
}

/// A running baresip with one account.
#[derive(Debug)]
pub(crate) struct Baresip {
    peer: Peer,
}

impl Baresip {
    /// Starts one that registers every `expires` seconds.
    pub(crate) fn start(line: Line<'_>, expires: u32) -> Baresip {
        Baresip::launch(directory(), include_str!("../baresip.config"), line, expires)
    }

    /// One that also calls and is called: it sends the samples (16 bits, 8,000 a second) again and again, keeps what it hears in a file,
    /// and is driven over TCP.
    pub(crate) fn phone(line: Line<'_>, samples: &[i16]) -> Phone {
        let (dir, port) = (directory_with(samples), port::free());
        let at = dir.path().display();
        let config = format!(
            "{}module_app menu.so\nmodule_app ctrl_tcp.so\nmodule g711.so\nmodule aufile.so\nmodule aubridge.so\n\
             module sndfile.so\nsnd_path {at}\naudio_source aufile,{at}/tone.wav\naudio_player aubridge,out\n\
             audio_srate 8000\naudio_channels 1\ncall_max_calls 1\nctrl_tcp_listen 127.0.0.1:{port}\n",
            include_str!("../baresip.config")
        );
        Baresip::launch(dir, &config, line, 60).driven(port)
    }

    /// One of the current generation, which knows Replaces: `baresip_phone.py`, whose commands it takes.
    pub(crate) fn current(line: Line<'_>, samples: &[i16]) -> Phone {
        let (dir, port) = (directory_with(samples), port::free());
        let args = [
            file("baresip_phone.py").display().to_string(),
            line.user.to_owned(),
            line.password(),
            line.registrar.to_string(),
            line.transport.to_string(),
            port.to_string(),
        ];
        let log = dir.path().join("log");
        let ready = || fs::read_to_string(&log).is_ok_and(|log| log.contains("baresip is ready"));
        let peer = Peer::start((python(), "none: .ci/run installs baresip-python"), args, dir, ready)
            .unwrap_or_else(|| panic!("baresip-python did not start"));
        Baresip { peer }.driven(port)
    }

    fn driven(self, port: u16) -> Phone {
        let control = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let (reader, kept) = (control.try_clone().unwrap(), Arc::clone(&events));
        thread::spawn(move || read_events(BufReader::new(reader), &kept));
        Phone { baresip: self, control, events }
    }

    fn launch(dir: TempDir, config: &str, line: Line<'_>, expires: u32) -> Baresip {
        let Line { user, registrar, transport } = line;
        let password = line.password();
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

fn directory() -> TempDir {
    tempfile::Builder::new().prefix("ringback-baresip-").tempdir().unwrap()
}

/// With these samples to be sent.
fn directory_with(samples: &[i16]) -> TempDir {
    let dir = directory();
    fs::write(dir.path().join("tone.wav"), wav(samples)).unwrap();
    dir
}

/// A baresip that is driven over TCP (its module ctrl_tcp: JSON in netstrings).
#[derive(Debug)]
pub(crate) struct Phone {
    baresip: Baresip,
    control: TcpStream,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Phone {
    /// Gives a command of its menu, e.g. `accept` or `dial`.
    pub(crate) fn command(&self, command: &str, parameters: &str) {
        let text = json!({"command": command, "params": parameters}).to_string();
        (&self.control).write_all(format!("{}:{text},", text.len()).as_bytes()).unwrap();
    }

    /// The parameters of all events of this kind so far.
    pub(crate) fn events(&self, kind: &str) -> Vec<String> {
        let events = self.events.lock().unwrap();
        let of_kind = events.iter().filter(|event| event["type"] == kind);
        of_kind.map(|event| event["param"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until there are so many events of this kind.
    pub(crate) fn wait(&self, kind: &str, count: usize) -> Vec<String> {
        eventually(kind, || Some(self.events(kind)).filter(|seen| seen.len() >= count))
    }

    /// Waits until it has told as much of its call `number`: the parameters of all events of this kind in it.
    pub(crate) fn wait_in(&self, number: u64, kind: &str) -> Vec<String> {
        eventually(&format!("{kind} in call {number}"), || {
            let events = self.events.lock().unwrap();
            let fits = |event: &&Value| event["type"] == kind && event["call"] == number;
            let params = |event: &Value| event["param"].as_str().unwrap_or_default().to_owned();
            let seen: Vec<String> = events.iter().filter(fits).map(params).collect();
            Some(seen).filter(|seen| !seen.is_empty())
        })
    }

    /// What it has heard so far in its call `number`, of [`Baresip::current`].
    pub(crate) fn heard_in(&self, number: u64) -> Vec<i16> {
        let bytes = fs::read(self.baresip.peer.dir().join(format!("heard-{number}"))).unwrap_or_default();
        bytes.as_chunks().0.iter().map(|two| i16::from_le_bytes(*two)).collect()
    }

    /// What it heard in its last call, once it wrote that down.
    pub(crate) fn heard(&self) -> Vec<i16> {
        let name =
            |entry: fs::DirEntry| Some(entry.path()).filter(|p| p.to_string_lossy().ends_with("-dec.wav"));
        let files = fs::read_dir(self.baresip.peer.dir()).unwrap().filter_map(|entry| name(entry.unwrap()));
        let bytes = fs::read(files.max().expect("baresip keeps what it hears")).unwrap();
        bytes.get(44..).unwrap_or_default().as_chunks().0.iter().map(|two| i16::from_le_bytes(*two)).collect()
    }

    /// What it printed.
    pub(crate) fn log(&self) -> String {
        self.baresip.log()
    }
}

/// The interpreter that has baresip-python: that of the virtual environment beside the build, which `.ci/run` makes.
fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let build = Path::new(env!("CARGO_BIN_EXE_ringback")).ancestors().nth(2).unwrap();
        let own = build.join("peers/bin/python").display().to_string();
        for python in [own.as_str(), "python3"] {
            let asked = Command::new(python)
                .args(["-c", "import baresip"])
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if asked.is_ok_and(|status| status.success()) {
                return python.to_owned();
            }
        }
        panic!("no Python has baresip-python 0.5 (.ci/run makes an environment at {own})");
    })
}

/// Netstrings with an object each, until the connection ends.
fn read_events(mut reader: impl BufRead, events: &Mutex<Vec<Value>>) {
    loop {
        let mut length = Vec::new();
        if reader.read_until(b':', &mut length).unwrap_or(0) == 0 {
            return;
        }
        let length: usize = String::from_utf8_lossy(&length).trim_end_matches(':').parse().unwrap();
        let mut text = vec![0; length + 1];
        if reader.read_exact(&mut text).is_err() {
            return;
        }
        let event: Value = serde_json::from_slice(&text[..length]).unwrap();
        events.lock().unwrap().push(event);
    }
}

/// A file of 8,000 samples a second and one channel.
fn wav(samples: &[i16]) -> Vec<u8> {
    let length = 2 * samples.len() as u32;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + length).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(8_000u32.to_le_bytes());
    file.extend(16_000u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(length.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}
