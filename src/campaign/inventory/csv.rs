//! Account files in CSV: the first line names the columns.

use super::field::{Field, Raw, Value, is_misspelt, suggestion};
use super::problem::Problems;
use crate::check::Printable;
use zeroize::Zeroizing;

pub(super) fn read(bytes: &[u8], problems: &mut Problems, take: &mut dyn FnMut(Raw, &mut Problems)) {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    // Spreadsheets of half the world write semicolons.
    let separator = if first.contains(&b';') && !first.contains(&b',') { b';' } else { b',' };
    let mut records = Records::new(bytes, separator);
    let mut columns: Option<Vec<Column>> = None;
    while let Some((line, record)) = records.next() {
        match &columns {
            None => {
                let named = header(&record, line, problems);
                if named.is_empty() {
                    return;
                }
                columns = Some(named);
            }
            Some(columns) => {
                if let Some(raw) = row(&record, line, columns, problems) {
                    take(raw, problems);
                }
            }
        }
    }
}

/// The records of a file. What was read is wiped: no other buffer has it.
struct Records<'a> {
    reader: csv_core::Reader,
    rest: &'a [u8],
    lines: Lines<'a>,
    fields: Zeroizing<Vec<u8>>,
    ends: Vec<usize>,
}

/// The fields of a record.
struct Record<'a> {
    fields: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Records<'a> {
    fn new(bytes: &'a [u8], separator: u8) -> Records<'a> {
        let reader = csv_core::ReaderBuilder::new().delimiter(separator).build();
        let lines = Lines { bytes, offset: 0, line: 1 };
        let fields = Zeroizing::new(vec![0; 1_024]);
        Records { reader, rest: bytes, lines, fields, ends: vec![0; 64] }
    }

    /// The next one with its line.
    fn next(&mut self) -> Option<(usize, Record<'_>)> {
        let line = self.lines.at(self.lines.bytes.len() - self.rest.len());
        let (mut length, mut count) = (0, 0);
        loop {
            let (output, ends) = (self.fields.get_mut(length..)?, self.ends.get_mut(count..)?);
            let (result, read, written, ended) = self.reader.read_record(self.rest, output, ends);
            self.rest = self.rest.get(read..).unwrap_or_default();
            (length, count) = (length + written, count + ended);
            match result {
                // With nothing left to read the next round says that this is the end.
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::OutputFull => {
                    let mut larger = Zeroizing::new(vec![0; 2 * self.fields.len()]);
                    larger[..length].copy_from_slice(&self.fields[..length]);
                    self.fields = larger;
                }
                csv_core::ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                csv_core::ReadRecordResult::Record => {
                    let (fields, ends) = (self.fields.get(..length)?, self.ends.get(..count)?);
                    return Some((line, Record { fields, ends }));
                }
                csv_core::ReadRecordResult::End => return None,
            }
        }
    }
}

impl<'a> Record<'a> {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        let (fields, ends) = (self.fields, self.ends);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(ends).map(move |(start, end)| fields.get(start..*end).unwrap_or_default())
    }
}

/// What a column says.
enum Column {
    Known(Field),
    /// It is kept under its name.
    More(String),
}

fn header(record: &Record<'_>, line: usize, problems: &mut Problems) -> Vec<Column> {
    let names: Vec<String> =
        record.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
    if !names.iter().any(|name| name == Field::Aor.name()) && !names.iter().any(|name| is_misspelt(name)) {
        // The values of a first account may stand here, its password too: they are not repeated.
        let known = Field::ALL.map(Field::name).join(", ");
        problems.add(
            line,
            None,
            format!("the first line has to name the columns, `aor` among them; known are {known}"),
        );
        return Vec::new();
    }
    let mut columns: Vec<Column> = Vec::with_capacity(names.len());
    for (number, name) in names.iter().enumerate() {
        if names.iter().take(number).any(|before| before == name) {
            problems.add(line, None, format!("the column `{}` is given twice; keep one", Printable(name)));
        } else if is_misspelt(name) {
            // Not its text: a password may be in it.
            let number = number + 1;
            problems.add(line, None, format!("the name of column {number} is unknown; {}", suggestion(name)));
        }
        columns.push(match Field::from_name(name) {
            Some(field) => Column::Known(field),
            None => Column::More(name.clone()),
        });
    }
    columns
}

fn row(record: &Record<'_>, line: usize, columns: &[Column], problems: &mut Problems) -> Option<Raw> {
    if record.len() != columns.len() {
        let (has, wants) = (record.len(), columns.len());
        problems.add(
            line,
            None,
            format!("{has} values for {wants} columns; put a value that holds a separator in quotes"),
        );
        return None;
    }
    let mut raw = Raw::new(line);
    for (number, (value, column)) in record.iter().zip(columns).enumerate() {
        let name = match column {
            Column::Known(field) => field.name(),
            Column::More(name) => name,
        };
        let Ok(text) = std::str::from_utf8(value) else {
            let name = Printable(name);
            problems.add(line, None, format!("{name} is not UTF-8; save the file as UTF-8"));
            return None;
        };
        if text.contains(['\n', '\r']) {
            problems.add(
                line,
                None,
                format!("{} runs over more than one line; a closing quote is missing", Printable(name)),
            );
            return None;
        }
        match column {
            _ if text.is_empty() => {}
            Column::Known(field @ (Field::Registrar | Field::OutboundProxy)) if is_word(text) => {
                // Not its text, and it is asked of no name server: where columns are swapped, that is a password.
                let (name, number) = (field.name(), number + 1);
                problems.add(
                    line,
                    None,
                    format!("column {number} (`{name}`) is neither an address nor a host with a dot or a port; write HOST:PORT, and see that no other column stands in its place"),
                );
                return None;
            }
            Column::Known(field) => {
                raw.set(*field, Value { text: Zeroizing::new(text.to_owned()), line, column: None })
            }
            Column::More(name) => raw.more.push((name.clone(), text.to_owned())),
        }
    }
    Some(raw)
}

/// Is a server written as one word, with neither a dot nor a port?
fn is_word(text: &str) -> bool {
    let text = text.trim();
    let scheme = text.get(..5).filter(|start| start.eq_ignore_ascii_case("sips:"));
    let scheme = scheme.or_else(|| text.get(..4).filter(|start| start.eq_ignore_ascii_case("sip:")));
    let rest = text.get(scheme.map_or(0, str::len)..).unwrap_or_default();
    let host = rest.rsplit('@').next().unwrap_or_default().split([';', '?']).next().unwrap_or_default();
    !host.contains(['.', ':']) && !host.eq_ignore_ascii_case("localhost")
}

/// Line numbers of offsets that only grow. (The reader's own count is off by one for files with CRLF.)
struct Lines<'a> {
    bytes: &'a [u8],
    offset: usize,
    line: usize,
}

impl Lines<'_> {
    fn at(&mut self, offset: usize) -> usize {
        let mut offset = offset.clamp(self.offset, self.bytes.len());
        // A record is said to begin at the line ends before it.
        offset += self.bytes[offset..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.line += self.bytes[self.offset..offset].iter().filter(|byte| **byte == b'\n').count();
        self.offset = offset;
        self.line
    }
}
