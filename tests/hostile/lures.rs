//! One platform that tries it all at once, against each command of the binary: REFER in the dialog and out of it, calls of others, media of
//! strangers, secrets and control characters in every header. The verdict stays as it is, all outputs are clean, and what was tried is named.

use crate::commands::PASSWORD;
use crate::fork::same_transaction;
use crate::outputs::{Ran, accounts, finish, start};
use crate::platform::{Core, Platform};
use crate::stranger::{Stranger, request};
use crate::tally::Tally;
use crate::text::{Text, address, uri, user};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const NUMBER: &str = "<sip:+19005550000@pbx.example.com>";
/// Secrets of another device, told by where they stand.
const PLANTED: [&str; 6] = ["HUSH1", "HUSH2", "HUSH3", "HUSH4", "HUSH5", "HUSH6"];
const DEVICE: &str = "<sip:alice:HUSH1@192.0.2.5;pn-prid=HUSH2;token=HUSH3;auth=HUSH4;key=HUSH5?Authorization=HUSH6>;expires=60";
/// Colours, a bell, the other way of writing, a line end that is none.
const ACTING: &str = "\u{1b}[31mred\u{7}\u{202e}\u{9b}\u{2028}\u{200b}";

/// The commands, and what has to be found in the outcome of each.
const CALLS: [(&[&str], &[&str]); 6] = [
    (&["call", "alice", "bob", "--listen", "1"], &["refer-unasked", "foreign-call", "foreign-media"]),
    (&["dtmf", "alice", "bob", "--digits", "12", "--method", "info"], &["refer-unasked", "foreign-call"]),
    (&["hold", "alice", "bob", "--for", "1"], &["refer-unasked", "foreign-call", "foreign-media"]),
    (&["cancel", "alice", "bob"], &["refer-unasked", "foreign-call"]),
    (&["fork", "alice", "600", "bob", "carol", "--trials", "answer"], &["refer-unasked", "foreign-call"]),
    (&["transfer", "alice", "bob", "carol"], &["refer-unasked", "foreign-call"]),
];
const OTHERS: [&[&str]; 3] =
    [&["register", "alice", "--beside-live-devices"], &["register", "alice", "--lookup"], &["reachable"]];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| -> String {
        let value =
            three.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        (0..=three.len()).map(|at| char::from(LETTERS[(value >> (18 - 6 * at) & 63) as usize])).collect()
    };
    bytes.chunks(3).map(group).collect()
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn parted(text: &str, by: &str) -> String {
    text.chars().map(String::from).collect::<Vec<_>>().join(by)
}

/// All that is a secret by its value: the password, the hashes behind the digests, the digests that were sent.
fn secrets(requests: &[Text]) -> Vec<String> {
    let hash = |name: &str| hex(&Sha256::digest(format!("{name}:pbx.example.com:{PASSWORD}")));
    // Of the accounts that take part.
    let takes_part = |name: &&str| requests.iter().any(|request| user(uri(request.value("From"))) == *name);
    let mut secrets: Vec<String> =
        ["alice", "bob", "carol"].into_iter().filter(takes_part).map(hash).collect();
    secrets.extend((!secrets.is_empty()).then(|| PASSWORD.to_owned()));
    for request in requests {
        for name in ["Authorization", "Proxy-Authorization"] {
            let response =
                request.value(name).split("response=\"").nth(1).and_then(|rest| rest.split('"').next());
            secrets.extend(response.map(str::to_owned));
        }
    }
    secrets.dedup();
    secrets
}

/// The ways in which a peer may write a secret so that somebody can read it again.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let forms = [
        secret.to_owned(),
        secret.to_uppercase(),
        hex(bytes),
        hex(bytes).to_uppercase(),
        base64(bytes),
        escaped(secret),
        parted(secret, " "),
        parted(secret, "\u{ad}"),
    ];
    forms.into_iter().collect()
}

/// Writes the secrets of those who were heard last into every header that a report may show.
fn plant(text: &mut Text, requests: &[Text]) {
    // One form of each in each message: all of them together are no datagram any more.
    let number = text.headers.len() + text.start.len() + requests.len();
    let said: Vec<String> = secrets(&requests[requests.len().saturating_sub(3)..])
        .iter()
        .map(|secret| forms(secret)[number % 8].clone())
        .collect();
    let said = said.join(" ; ");
    text.set("Warning", format!("399 pbx \"{said}\""));
    text.set("Server", format!("{said} {ACTING}"));
    text.set("X-Error", format!("{said} {ACTING}"));
    text.set("Subject", said.as_str());
    if uri(text.value("From")).contains("alice") {
        text.set("P-Asserted-Identity", format!("\"{said}\" <sip:alice@pbx.example.com>"));
    }
    if text.status().is_some() {
        text.set("Reason", format!("SIP;cause=200;text=\"{said}\""));
        text.start += &format!(" {said} {ACTING}");
    }
}

/// Media from here to the port of this description.
fn speak(stranger: &Stranger, sdp: &str) {
    let port = sdp
        .split("m=audio ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .and_then(|port| port.parse().ok());
    let Some(port) = port else { return };
    for number in 0..100_u16 {
        let mut packet = vec![0x80, 8];
        packet.extend(number.to_be_bytes());
        packet.extend((u32::from(number) * 160).to_be_bytes());
        packet.extend(0xbad_u32.to_be_bytes());
        packet.extend([0x55; 160]);
        let _ = stranger.socket.send_to(&packet, SocketAddr::new([127, 0, 0, 1].into(), port));
    }
}

/// Calls of others, and REFERs that belong to no dialog, before a call of ours goes on.
fn call_first(core: &mut Core, stranger: &Stranger, caller: SocketAddr) {
    let bound: Vec<String> = core.bindings.values().flatten().cloned().collect();
    for contact in bound {
        let Some(end) = address(&contact) else { continue };
        core.count += 2;
        let real = request("INVITE", &contact, "<sip:ceo@pbx.example.com>", core.address, core.count);
        core.send(real, end);
        // To the binding of somebody else, who lived at this port before, as from the caller that is expected.
        if let Some((stale, _)) = contact.split_once(";rb=") {
            core.count += 1;
            let stale = format!("{stale};rb=0123456789abcdef");
            let old = request("INVITE", &stale, "<sip:alice@pbx.example.com>", core.address, core.count);
            core.send(old, end);
        }
        let scan =
            request("INVITE", "sip:100@127.0.0.1", "<sip:scan@127.0.0.2>", stranger.address, core.count);
        stranger.socket.send_to(&scan.bytes(), end).unwrap();
    }
    for end in
        core.bindings.values().flatten().filter_map(|uri| address(uri)).chain([caller]).collect::<Vec<_>>()
    {
        core.count += 1;
        let refer =
            request("REFER", "sip:x@127.0.0.1", "<sip:ceo@pbx.example.com>", core.address, core.count);
        core.send(refer.with("Refer-To", NUMBER).with("Referred-By", "<sip:ceo@pbx.example.com>"), end);
    }
    std::thread::sleep(Duration::from_millis(50));
}

/// What the called party of this answer sends into the call.
fn refer_in_dialog(core: &mut Core, answer: &Text) {
    let invite = core.requests.iter().rev().find(|m| m.begins("INVITE") && m.call_id() == answer.call_id());
    let Some(invite) = invite.cloned() else { return };
    core.count += 1;
    let contact = uri(invite.value("Contact")).to_owned();
    let mut refer = request("REFER", &contact, answer.value("To"), core.address, core.count);
    refer.set("To", invite.value("From"));
    refer.set("Call-ID", answer.call_id());
    // Before all numbers of the called party itself.
    refer.set("CSeq", "0 REFER");
    let named = "<sip:203;npdi;rn=+19005551234@pbx.example.com?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2&Route=%3Csip:127.0.0.2%3E>";
    core.send(refer.with("Refer-To", named), address(&contact).unwrap());
}

fn platform(stranger: &Arc<Stranger>) -> Platform {
    let stranger = Arc::clone(stranger);
    let platform = Platform::start(Box::new(move |core: &mut Core, text: &mut Text, from: SocketAddr| {
        let is_strangers = text.call_id().starts_with("stranger-");
        match (text.status(), text.method()) {
            (Some(status), method) if is_strangers => {
                if method == "INVITE" && status >= 300 {
                    let to = text.value("To").to_owned();
                    let ack = same_transaction(
                        &Text::request("INVITE", "sip:x@127.0.0.1").lines(&head(text)),
                        "ACK",
                        &to,
                    );
                    core.send(ack, from);
                } else if method == "INVITE" && status >= 200 {
                    // Nobody called it: one answer is one too many.
                    core.bindings.insert(format!("answered {}", text.call_id()), vec![text.start.clone()]);
                }
                true
            }
            (None, "INVITE") if text.begins("INVITE") && text.get("Proxy-Authorization").is_some() => {
                call_first(core, &stranger, from);
                false
            }
            (Some(200), "INVITE") => {
                refer_in_dialog(core, text);
                let invite = core.requests.iter().rev().find(|m| m.begins("INVITE")).map(|m| m.body.clone());
                speak(&stranger, &text.body);
                speak(&stranger, &invite.unwrap_or_default());
                false
            }
            _ => false,
        }
    }));
    platform.core.lock().unwrap().edit = Some(Box::new(plant));
    platform
}

/// The headers of an answer by which its request is known.
fn head(answer: &Text) -> String {
    let known = ["Via", "From", "To", "Call-ID", "CSeq"];
    known.map(|name| format!("{name}: {}\n", answer.value(name))).concat()
}

/// Secrets that stand in the outputs, and signs that act.
fn shown(ran: &Ran, requests: &[Text]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in &ran.outputs {
        let lower = text.to_lowercase();
        for secret in secrets(requests) {
            found.extend(
                forms(&secret)
                    .iter()
                    .filter(|form| lower.contains(&form.to_lowercase()))
                    .map(|form| format!("{form} in {name}")),
            );
        }
        found.extend(
            PLANTED
                .iter()
                .filter(|planted| text.contains(**planted))
                .map(|planted| format!("{planted} in {name}")),
        );
        let acts = |c: char| c.is_control() && c != '\n' || "\u{202e}\u{2028}\u{200b}\u{ad}".contains(c);
        if *name != "capture"
            && let Some(c) = text.chars().find(|c| acts(*c))
        {
            found.push(format!("{c:?} in {name}"));
        }
    }
    found
}

fn run(platform: &Platform, folder: &Path, command: &[&str]) -> Ran {
    accounts(platform, folder);
    let server = format!("sip:{}", platform.address);
    let (file, capture) = (folder.join("accounts.toml"), folder.join("run.pcap"));
    let (file, capture) = (file.display().to_string(), capture.display().to_string());
    let mut arguments = command.to_vec();
    if command == ["reachable"] {
        arguments.push(&server);
    } else {
        arguments.extend(["--accounts", &file]);
    }
    arguments.extend(["--json", "--ladder", "-v", "-v", "--pcap", &capture]);
    finish(folder, start(folder, &arguments))
}

fn is_clean(what: &str, platform: &Platform, stranger: &Stranger, ran: &Ran) {
    let mut tally = Tally::of(platform, &[stranger]);
    // The device of somebody else is there before and after.
    tally.bindings.retain(|uri| !uri.contains("192.0.2.5"));
    let requests = platform.core.lock().unwrap().requests.clone();
    assert!(!requests.is_empty(), "{what}: nothing was asked\n{ran}");
    tally.secrets = shown(ran, &requests);
    tally.is_nothing(what, ran);
}

#[test]
fn every_command_about_calls_is_led_nowhere_and_names_what_was_tried() {
    let runs = CALLS.map(|(command, named)| {
        std::thread::spawn(move || {
            let (stranger, folder) = (Arc::new(Stranger::start()), tempfile::tempdir().unwrap());
            let platform = platform(&stranger);
            let ran = run(&platform, folder.path(), command);
            is_clean(command[0], &platform, &stranger, &ran);
            assert_eq!(ran.line()["verdict"], "pass", "{command:?}\n{ran}");
            let codes = ran.codes();
            let missing: Vec<&&str> =
                named.iter().filter(|code| !codes.iter().any(|known| known == **code)).collect();
            assert!(missing.is_empty(), "{command:?}: {missing:?} not in {codes:?}\n{ran}");
            assert!(
                !stranger.heard().iter().any(|text| text.starts_with("SIP/2.0 2")),
                "a stranger's call was answered"
            );
        })
    });
    runs.into_iter().for_each(|run| run.join().unwrap());
}

#[test]
fn every_command_about_registrations_shows_no_secret_and_keeps_its_verdict() {
    let runs = OTHERS.map(|command| {
        std::thread::spawn(move || {
            let (stranger, folder) = (Arc::new(Stranger::start()), tempfile::tempdir().unwrap());
            let platform = platform(&stranger);
            let listed = DEVICE.trim_start_matches('<').split('>').next().unwrap().to_owned();
            platform.core.lock().unwrap().bindings.insert("alice".to_owned(), vec![listed]);
            let ran = run(&platform, folder.path(), command);
            is_clean(&format!("{command:?}"), &platform, &stranger, &ran);
            assert_eq!(ran.line()["verdict"], "pass", "{command:?}\n{ran}");
            let shows_device = command != ["reachable"];
            assert_eq!(ran.of("stdout").contains("192.0.2.5"), shows_device, "{command:?}\n{ran}");
        })
    });
    runs.into_iter().for_each(|run| run.join().unwrap());
}
