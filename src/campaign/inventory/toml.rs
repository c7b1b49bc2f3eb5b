//! Account files in TOML: a table `[[account]]` for each.

use super::field::{Field, Raw, Value, is_misspelt, suggestion};
use super::problem::Problems;
use ::toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

pub(super) fn read(bytes: &[u8], problems: &mut Problems, take: &mut dyn FnMut(Raw, &mut Problems)) {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            return problems.add(line, None, "not UTF-8; save the file as UTF-8".into());
        }
    };
    let mut before = 0;
    for part in parts(text) {
        let places = Places::of(part, before);
        before += places.starts.len() - 1;
        read_part(part, &places, problems, take);
    }
}

/// The accounts' tables one by one, so that the tree of a large file is never there as a whole. A text over several lines might hold what looks
/// like the beginning of a table: then the file is one part.
fn parts(text: &str) -> Vec<&str> {
    if text.contains("\"\"\"") || text.contains("'''") {
        return vec![text];
    }
    let begins = |line: &str| {
        let inner =
            line.trim_start().strip_prefix("[[").and_then(|rest| rest.trim_start().strip_prefix("account"));
        inner.is_some_and(|rest| rest.trim_start().starts_with("]]"))
    };
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    for line in text.split_inclusive('\n') {
        if begins(line) && at > start {
            parts.push(&text[start..at]);
            start = at;
        }
        at += line.len();
    }
    parts.push(&text[start..]);
    parts
}

/// What the parser says, in words that are not taken for credentials: what follows "basic" is, and is masked wherever it is shown.
fn said(message: &str) -> String {
    match message {
        "invalid basic string, expected `\"`" => {
            "the text in quotes is not closed on its line (it is not shown here)".to_owned()
        }
        "invalid literal string, expected `'`" => {
            "the text in single quotes is not closed on its line (it is not shown here)".to_owned()
        }
        other => {
            other.replace("basic string", "text in quotes").replace("literal string", "text in single quotes")
        }
    }
}

fn read_part(
    text: &str,
    places: &Places<'_>,
    problems: &mut Problems,
    take: &mut dyn FnMut(Raw, &mut Problems),
) {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let (line, column) = places.at(error.span().map_or(0, |span| span.start));
        // Only the message: the error's own Display shows the line, and the line may hold a password.
        problems.add(line, Some(column), format!("not valid TOML: {}", said(error.message())));
    }
    for (key, value) in document.into_inner() {
        let (line, column) = places.at(key.span().start);
        let tables = match (key.get_ref().as_ref(), value.into_inner()) {
            ("account", DeValue::Array(tables)) => tables,
            ("account", _) => {
                problems.add(
                    line,
                    Some(column),
                    "`account` is one table; write `[[account]]` with two brackets".into(),
                );
                continue;
            }
            (_, _) => {
                problems.add(line, Some(column), "unknown key; accounts are tables `[[account]]`".to_owned());
                continue;
            }
        };
        for table in tables {
            let (line, column) = places.at(table.span().start);
            match table.into_inner() {
                DeValue::Table(fields) => {
                    let raw = account(line, fields, places, problems);
                    take(raw, problems);
                }
                other => {
                    problems.add(line, Some(column), format!("an account is a table, not {}", kind(&other)));
                }
            }
        }
    }
}

fn account(line: usize, fields: DeTable<'_>, places: &Places<'_>, problems: &mut Problems) -> Raw {
    let mut raw = Raw::new(line);
    for (key, value) in fields {
        let name = key.get_ref().as_ref();
        let (line, column) = places.at(key.span().start);
        if is_misspelt(name) {
            problems.add(
                line,
                Some(column),
                // Not its text: a value may stand in its place.
                format!("unknown key; {}", suggestion(name)),
            );
            continue;
        }
        let Some(field) = Field::from_name(name) else {
            match plain(value.get_ref()) {
                Some(text) => raw.more.push((name.to_owned(), text)),
                None => problems.add(
                    line,
                    Some(column),
                    format!(
                        "this value is {}; an account keeps texts, numbers, booleans and dates",
                        kind(value.get_ref())
                    ),
                ),
            }
            continue;
        };
        let (line, column) = places.at(value.span().start);
        match value.into_inner() {
            // The parser's own copy, where it had to make one, is this one.
            DeValue::String(text) => {
                let text = Zeroizing::new(text.into_owned());
                raw.set(field, Value { text, line, column: Some(column) });
            }
            other => {
                problems.add(line, Some(column), format!("`{name}` is {}; write it in quotes", kind(&other)))
            }
        }
    }
    raw
}

/// A value as text, where it is one value.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(date) => Some(date.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// Lines and columns of byte offsets.
struct Places<'a> {
    text: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
    /// Lines of the file before this part.
    before: usize,
}

impl Places<'_> {
    fn of(text: &str, before: usize) -> Places<'_> {
        let ends = memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1);
        Places { text, starts: std::iter::once(0).chain(ends).collect(), before }
    }
    fn at(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let before = self.text.get(self.starts[line - 1]..offset).unwrap_or_default();
        (self.before + line, before.chars().count() + 1)
    }
}
