//! Account files in CSV: the first line names the columns.

use super::field::{Field, Raw, Value, suggestion};
use super::problem::Problems;
use crate::check::Printable;

pub(super) fn read(bytes: &[u8], problems: &mut Problems) -> Vec<Raw> {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    // Spreadsheets of half the world write semicolons.
    let separator = if first.contains(&b';') && !first.contains(&b',') { b';' } else { b',' };
    let mut reader =
        ::csv::ReaderBuilder::new().delimiter(separator).flexible(true).has_headers(false).from_reader(bytes);
    let mut columns: Option<Vec<Option<Field>>> = None;
    let mut raws = Vec::new();
    let mut lines = Lines { bytes, offset: 0, line: 1 };
    let mut record = ::csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return raws,
            Err(error) => {
                let line = error.position().map_or(lines.line, |position| lines.at(position.byte()));
                problems.add(line, None, format!("no CSV: {error}"));
                return raws;
            }
        }
        let line = record.position().map_or(lines.line, |position| lines.at(position.byte()));
        match &columns {
            None => columns = Some(header(&record, line, problems)),
            Some(columns) => raws.extend(row(&record, line, columns, problems)),
        }
    }
}

fn header(record: &::csv::ByteRecord, line: usize, problems: &mut Problems) -> Vec<Option<Field>> {
    let mut columns = Vec::with_capacity(record.len());
    for name in record {
        let name = String::from_utf8_lossy(name).trim().to_owned();
        let field = Field::from_name(&name);
        if field.is_none() {
            problems.add(line, None, format!("unknown column `{}`; {}", Printable(&name), suggestion(&name)));
        } else if columns.contains(&field) {
            problems.add(line, None, format!("the column `{name}` stands twice; keep one"));
        }
        columns.push(field);
    }
    columns
}

fn row(
    record: &::csv::ByteRecord,
    line: usize,
    columns: &[Option<Field>],
    problems: &mut Problems,
) -> Option<Raw> {
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
    for (value, field) in record.iter().zip(columns).filter_map(|(value, field)| Some((value, (*field)?))) {
        let Ok(text) = std::str::from_utf8(value) else {
            problems.add(line, None, format!("{} is not UTF-8; save the file as UTF-8", field.name()));
            return None;
        };
        if text.contains(['\n', '\r']) {
            problems.add(
                line,
                None,
                format!("{} runs over more than one line; a closing quote is missing", field.name()),
            );
            return None;
        }
        if !text.is_empty() {
            raw.set(field, Value { text: text.to_owned(), line, column: None });
        }
    }
    Some(raw)
}

/// Line numbers of offsets that only grow. (The reader's own count is off by one for files with CRLF.)
struct Lines<'a> {
    bytes: &'a [u8],
    offset: usize,
    line: usize,
}

impl Lines<'_> {
    fn at(&mut self, offset: u64) -> usize {
        let mut offset = usize::try_from(offset).unwrap_or(usize::MAX).clamp(self.offset, self.bytes.len());
        // A record is said to begin at the line ends before it.
        offset += self.bytes[offset..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.line += self.bytes[self.offset..offset].iter().filter(|byte| **byte == b'\n').count();
        self.offset = offset;
        self.line
    }
}
