//! A description as it came, read liberally.

use super::{Limit, SdpError};
use sdp_types::{Media, Session};

/// Longest description that is read, in bytes.
pub const MAX_BYTES: usize = 65_535;
/// Most media sections of a description that is read.
pub const MAX_SECTIONS: usize = 16;

/// A session description (RFC 8866).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub(super) session: Session,
    other: Vec<String>,
}

impl Description {
    /// Reads a description.
    ///
    /// Lines may end with a line feed alone and in blanks. Text that is no UTF-8 is taken for Latin-1. Lines that no plan is made from
    /// (unknown ones, repeated ones, `i=`, `t=`, an unreadable `o=`) are set aside: [`Description::other_lines`].
    ///
    /// # Errors
    /// No `v=0`, a needed line that cannot be read, or more than the limits allow.
    pub fn parse(bytes: &[u8]) -> Result<Description, SdpError> {
        if bytes.len() > MAX_BYTES {
            return Err(SdpError::TooLarge(Limit::Bytes));
        }
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|&b| char::from(b)).collect(),
        };
        let (mut kept, mut other) = (String::with_capacity(text.len()), Vec::new());
        let (mut origin, mut name, mut connection, mut sections) = (false, false, false, 0);
        for line in text.split('\n').map(|line| line.trim_end_matches(is_blank)) {
            let Some((key, value)) = line.split_once('=').filter(|(key, _)| key.len() == 1) else {
                other.extend((!line.is_empty()).then(|| line.to_owned()));
                continue;
            };
            let in_media = sections > 0;
            let keep = match key {
                "v" => kept.is_empty(),
                "o" => !in_media && is_origin(value) && !std::mem::replace(&mut origin, true),
                "s" => !in_media && !std::mem::replace(&mut name, true),
                "c" => {
                    value.split_ascii_whitespace().count() == 3
                        && (in_media || !std::mem::replace(&mut connection, true))
                }
                "a" => !value.is_empty(),
                "m" => {
                    sections += 1;
                    true
                }
                _ => false,
            };
            match (keep, key) {
                (true, "m") => kept.push_str(&media_line(value)),
                (true, _) => kept.push_str(line),
                (false, _) => {
                    other.push(line.to_owned());
                    continue;
                }
            }
            kept.push('\n');
        }
        if sections > MAX_SECTIONS {
            return Err(SdpError::TooLarge(Limit::Sections));
        }
        let session = Session::parse(kept.as_bytes()).map_err(|e| SdpError::Syntax(e.to_string()))?;
        Ok(Description { session, other })
    }

    /// The version in `o=`, which counts up with every change.
    pub fn version(&self) -> u64 {
        self.session.origin.sess_version
    }

    /// The lines that were set aside, in order.
    pub fn other_lines(&self) -> &[String] {
        &self.other
    }

    /// The value of an attribute of a section, or else of the session; empty for a flag.
    pub(super) fn attribute<'a>(&'a self, media: &'a Media, name: &str) -> Option<&'a str> {
        let all = media.attributes.iter().chain(&self.session.attributes);
        let mut found = all.filter(|a| a.attribute.eq_ignore_ascii_case(name));
        found.next().map(|a| a.value.as_deref().unwrap_or_default().trim())
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, '\r' | ' ' | '\t' | '\0')
}

fn is_origin(value: &str) -> bool {
    let mut fields = value.split_ascii_whitespace();
    fields.nth(2).is_some_and(|version| version.parse::<u64>().is_ok()) && fields.count() == 3
}

/// With single blanks; and with a format where a refused section has none.
fn media_line(value: &str) -> String {
    let fields: Vec<&str> = value.split_ascii_whitespace().collect();
    let lacks_format = fields.len() == 3 && fields[1] == "0";
    format!("m={}{}", fields.join(" "), if lacks_format { " 0" } else { "" })
}
