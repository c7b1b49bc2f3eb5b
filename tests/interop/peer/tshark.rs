//! tshark as judge of captures that we wrote.

use std::path::Path;
use std::process::{Command, Stdio};

/// What tshark says about one frame.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Its dissectors, e.g. `raw:ip:udp:sip`.
    pub(crate) protocols: String,
    /// `REGISTER` for a request.
    pub(crate) method: String,
    /// `401` for a response.
    pub(crate) status: String,
    /// The digest response, as it stands in the capture.
    pub(crate) digest_response: String,
    /// What tshark objects to (malformed, wrong checksum, ...). What it only chats about, such as a SYN, is left out.
    pub(crate) complaints: String,
}

/// `PI_CHAT`: the expert severity of what is usual.
const CHAT: &str = "2097152";

/// Reads `capture`, taking `port` for SIP over UDP and TCP.
pub(crate) fn read(capture: &Path, port: u16) -> Vec<Frame> {
    const FIELDS: [&str; 7] = [
        "frame.protocols",
        "sip.Method",
        "sip.Status-Code",
        "sip.auth.digest.response",
        "_ws.malformed",
        "_ws.expert.severity",
        "_ws.expert.message",
    ];
    let stdout = run(capture, port, "", &FIELDS);
    let frame = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut next = || fields.next().unwrap();
        Frame {
            protocols: next(),
            method: next(),
            status: next(),
            digest_response: next(),
            complaints: {
                let (malformed, severities, messages) = (next(), next(), next());
                let serious = severities.split(',').any(|severity| !["", CHAT].contains(&severity));
                if serious { format!("{malformed} {messages}") } else { malformed }
            },
        }
    };
    stdout.lines().map(frame).collect()
}

/// The fields of the packets that fit a display filter. The SDP in the capture tells tshark which ports are RTP, and what the numbers mean.
pub(crate) fn fields(capture: &Path, port: u16, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let stdout = run(capture, port, filter, fields);
    stdout.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn run(capture: &Path, port: u16, filter: &str, fields: &[&str]) -> String {
    let output = Command::new("tshark")
        .args(["-n", "-r", &capture.display().to_string(), "-Y", filter])
        .args(["-T", "fields", "-E", "separator=\t", "-E", "occurrence=a"])
        .args([
            "-o",
            "ip.check_checksum:TRUE",
            "-o",
            "udp.check_checksum:TRUE",
            "-o",
            "tcp.check_checksum:TRUE",
        ])
        .args(["-d", &format!("udp.port=={port},sip"), "-d", &format!("tcp.port=={port},sip")])
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("tshark cannot be run (Debian package tshark): {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark: {}\n{stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
