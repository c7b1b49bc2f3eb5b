//! Account files in CSV: the first line names the columns.

use super::field::{Field, Raw, Value, is_misspelt, suggestion};
use super::problem::Problems;
use crate::check::Printable;

pub(super) fn read(bytes: &[u8], problems: &mut Problems) -> Vec<Raw> {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    // Spreadsheets of half the world write semicolons.
    let separator = if first.contains(&b';') && !first.contains(&b',') { b';' } else { b',' };
    let mut reader =
        ::csv::ReaderBuilder::new().delimiter(separator).flexible(true).has_headers(false).from_reader(bytes);
    let mut columns: Option<Vec<Column>> = None;
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
            None => {
                let named = header(&record, line, problems);
                if named.is_empty() {
                    return raws;
                }
                columns = Some(named);
            }
            Some(columns) => raws.extend(row(&record, line, columns, problems)),
        }
    }
}

/// What a column says.
enum Column {
    Known(Field),
    /// It is kept under its name.
    More(String),
}

fn header(record: &::csv::ByteRecord, line: usize, problems: &mut Problems) -> Vec<Column> {
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
            // Not its text: a password may stand there.
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

fn row(record: &::csv::ByteRecord, line: usize, columns: &[Column], problems: &mut Problems) -> Option<Raw> {
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
    for (value, column) in record.iter().zip(columns) {
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
            Column::Known(field) => raw.set(*field, Value { text: text.to_owned(), line, column: None }),
            Column::More(name) => raw.more.push((name.clone(), text.to_owned())),
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
