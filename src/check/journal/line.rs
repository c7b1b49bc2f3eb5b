//! The lines of a journal: `open NUMBER KIND name=value ..` and `closed NUMBER`, values percent-encoded.

use super::left::{Left, LeftOpen};
use crate::message::Message;
use crate::syntax::{HeaderName, Limits, Method};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

/// Content of a line.
#[derive(Debug)]
pub(super) enum Line {
    Open(u64, Left),
    Closed(u64),
}

pub(super) fn closed(id: u64) -> String {
    format!("closed {id}\n")
}

pub(super) fn open(id: u64, left: &Left) -> String {
    let kind = match &left.open {
        LeftOpen::Binding { .. } => "binding",
        LeftOpen::Call { .. } => "call",
    };
    let mut line = format!("open {id} {kind}");
    let mut say = |name: &str, value: &[u8]| {
        let _ = write!(line, " {name}=");
        for byte in value {
            match byte {
                b'!'..=b'~' if *byte != b'%' => line.push(char::from(*byte)),
                _ => {
                    let _ = write!(line, "%{byte:02X}");
                }
            }
        }
    };
    for (name, value) in [("account", &left.account), ("aor", &left.aor), ("server", &left.server)] {
        say(name, value.as_bytes());
    }
    match &left.open {
        LeftOpen::Binding { contact, instance } => {
            say("contact", contact.as_bytes());
            instance.iter().for_each(|instance| say("instance", instance.as_bytes()));
            let seconds = left.until.and_then(|until| until.duration_since(SystemTime::UNIX_EPOCH).ok());
            seconds.iter().for_each(|time| say("until", time.as_secs().to_string().as_bytes()));
        }
        LeftOpen::Call { call_id, bye, cancel } => {
            say("call-id", call_id.as_bytes());
            bye.iter().for_each(|bye| say("bye", bye.as_bytes()));
            cancel.iter().for_each(|cancel| say("cancel", cancel.as_bytes()));
        }
    }
    line.push('\n');
    line
}

/// Reads a line without its end; `None` for what is none of ours.
pub(super) fn read(line: &[u8]) -> Option<Line> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split(' ');
    let (verb, id) = (words.next()?, words.next()?.parse().ok()?);
    match verb {
        "closed" => words.next().is_none().then_some(Line::Closed(id)),
        "open" => {
            let kind = words.next()?;
            let mut values = BTreeMap::new();
            for word in words {
                let (name, value) = word.split_once('=')?;
                values.insert(name, decoded(value)?);
            }
            let mut text = |name: &str| String::from_utf8(values.remove(name)?).ok();
            let (account, aor, server) = (text("account")?, text("aor")?, text("server")?);
            let until = text("until").and_then(|seconds| seconds.parse().ok());
            let until =
                until.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
            let open = match kind {
                "binding" => LeftOpen::Binding { contact: text("contact")?, instance: text("instance") },
                "call" => LeftOpen::Call {
                    call_id: text("call-id")?,
                    bye: match values.remove("bye") {
                        Some(bytes) => Some(bye(bytes)?),
                        None => None,
                    },
                    cancel: match values.remove("cancel") {
                        Some(bytes) => Some(cancel(bytes)?),
                        None => None,
                    },
                },
                _ => return None,
            };
            Some(Line::Open(id, Left { account, aor, server, open, until }))
        }
        _ => None,
    }
}

/// Nothing but a BYE in a dialog, without credentials and body.
fn bye(bytes: Vec<u8>) -> Option<Message> {
    let message = Message::parse(bytes.into(), &Limits::default()).ok()?;
    let in_dialog = message.to().is_ok_and(|to| to.tag().is_some());
    let is_bare = [HeaderName::Authorization, HeaderName::ProxyAuthorization, HeaderName::Via]
        .into_iter()
        .all(|name| message.header(name).is_none());
    let is_bye = message.method() == Some(Method::Bye) && message.body().is_empty();
    Some(message).filter(|_| in_dialog && is_bare && is_bye)
}

/// Nothing but a CANCEL with the one Via of its INVITE, without credentials and body.
fn cancel(bytes: Vec<u8>) -> Option<Message> {
    let message = Message::parse(bytes.into(), &Limits::default()).ok()?;
    let has_credentials = [HeaderName::Authorization, HeaderName::ProxyAuthorization]
        .into_iter()
        .any(|name| message.header(name).is_some());
    let has_branch = message.top_via().is_ok_and(|via| via.branch().is_some());
    let is_cancel = message.method() == Some(Method::Cancel) && message.body().is_empty();
    Some(message).filter(|_| is_cancel && has_branch && !has_credentials)
}

fn decoded(value: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    Some(bytes)
}
