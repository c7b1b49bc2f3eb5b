//! Account files in TOML: a table `[[account]]` for each.

use super::field::{Field, Raw, Value, is_misspelt, suggestion};
use super::problem::Problems;
use ::toml::de::{DeTable, DeValue};

pub(super) fn read(bytes: &[u8], problems: &mut Problems) -> Vec<Raw> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            problems.add(line, None, "not UTF-8; save the file as UTF-8".into());
            return Vec::new();
        }
    };
    let places = Places::of(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let (line, column) = places.at(error.span().map_or(0, |span| span.start));
        // Only the message: the error's own Display shows the line, and the line may hold a password.
        problems.add(line, Some(column), format!("no TOML: {}", error.message()));
    }
    let mut raws = Vec::new();
    for (key, value) in document.get_ref() {
        let (line, column) = places.at(key.span().start);
        let tables = match (key.get_ref().as_ref(), value.get_ref()) {
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
        for table in tables.iter() {
            match table.get_ref() {
                DeValue::Table(fields) => {
                    raws.push(account(places.at(table.span().start).0, fields, &places, problems))
                }
                other => {
                    let (line, column) = places.at(table.span().start);
                    problems.add(line, Some(column), format!("an account is a table, not {}", kind(other)));
                }
            }
        }
    }
    raws
}

fn account(line: usize, fields: &DeTable<'_>, places: &Places<'_>, problems: &mut Problems) -> Raw {
    let mut raw = Raw::new(line);
    for (key, value) in fields.iter() {
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
        match value.get_ref() {
            DeValue::String(text) => {
                raw.set(field, Value { text: text.clone().into_owned(), line, column: Some(column) })
            }
            other => {
                problems.add(line, Some(column), format!("`{name}` is {}; write it in quotes", kind(other)))
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
}

impl Places<'_> {
    fn of(text: &str) -> Places<'_> {
        let ends = memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1);
        Places { text, starts: std::iter::once(0).chain(ends).collect() }
    }
    fn at(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let before = self.text.get(self.starts[line - 1]..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}
