//! Date (RFC 3261 sec. 20.17): RFC 1123 form, always GMT.
use super::SyntaxError;
use super::grammar::{Parsed, fixed, lws1, whole};
use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case};
use nom::combinator::{value, verify};
use nom::sequence::{preceded, terminated};

/// A point in time, to the second, in GMT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date {
    /// Year, four digits.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 60 (a leap second).
    pub second: u8,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn weekday(input: &[u8]) -> Parsed<'_, &[u8]> {
    let name = |day: &'static str| tag_no_case(day);
    alt((name("Mon"), name("Tue"), name("Wed"), name("Thu"), name("Fri"), name("Sat"), name("Sun")))
        .parse(input)
}

fn month(input: &[u8]) -> Parsed<'_, u8> {
    let name = |n: u8| value(n + 1, tag_no_case(MONTHS[usize::from(n)]));
    let first = alt((name(0), name(1), name(2), name(3), name(4), name(5)));
    let second = alt((name(6), name(7), name(8), name(9), name(10), name(11)));
    alt((first, second)).parse(input)
}

fn two<'a>(from: u16, to: u16) -> impl Parser<&'a [u8], Output = u8, Error = nom::error::Error<&'a [u8]>> {
    verify(fixed(2), move |n| (from..=to).contains(n)).map(|n| n as u8)
}

fn date(input: &[u8]) -> Parsed<'_, Date> {
    let day = preceded((weekday, tag(","), lws1), two(1, 31));
    let year = fixed(4);
    let time = (two(0, 23), preceded(tag(":"), two(0, 59)), preceded(tag(":"), two(0, 60)));
    let parts = (day, preceded(lws1, month), preceded(lws1, year), preceded(lws1, time));
    terminated(parts, (lws1, tag("GMT")))
        .map(|(day, month, year, (hour, minute, second))| Date { year, month, day, hour, minute, second })
        .parse(input)
}

impl Date {
    /// Parses the whole of `text`. The name of the day is not compared with the day.
    ///
    /// # Errors
    /// Another form, a number out of its range, or another zone than GMT.
    pub fn parse(text: &[u8]) -> Result<Date, SyntaxError> {
        whole(date, text)
    }

    /// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
    pub fn unix_seconds(&self) -> i64 {
        // Days from a civil date, the year begun in March so that the leap day is its last.
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let year = if month <= 2 { year - 1 } else { year };
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
        days * 86_400 + i64::from(self.hour) * 3_600 + i64::from(self.minute) * 60 + i64::from(self.second)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_gmt_and_nothing_else() {
        let date = Date::parse(b"Sat, 15 Oct 2005 04:44:56 GMT").unwrap();
        assert_eq!((date.year, date.month, date.day, date.second), (2005, 10, 15, 56));
        assert_eq!(date.unix_seconds(), 1_129_351_496);
        assert_eq!(Date::parse(b"Thu, 29 Feb 2024 00:00:00 GMT").unwrap().unix_seconds(), 1_709_164_800);
        assert_eq!(Date::parse(b"Thu, 01 Jan 1970 00:00:00 GMT").unwrap().unix_seconds(), 0);
        for bad in [
            "Fri, 01 Jan 2010 16:00:00 EST",
            "Fri, 32 Jan 2010 16:00:00 GMT",
            "Fri, 01 Foo 2010 16:00:00 GMT",
            "Fri, 01 Jan 2010 24:00:00 GMT",
            "Fri, 00 Jan 2010 16:00:00 GMT",
            "Fri, 01 Jan 2010 16:60:00 GMT",
            "Fri, 01 Jan 2010 16:00:61 GMT",
            "Fri, 1 Jan 2010 16:00:00 GMT",
            "Fri, 01 Jan 10 16:00:00 GMT",
            "01 Jan 2010 16:00:00 GMT",
            "Fri, 01 Jan 2010 16:00:00 GMT x",
            "",
        ] {
            assert!(Date::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(Date::parse(b"Fri, 01 Jan 2010 16:00:00 EST").unwrap_err().offset, 26);
    }
}
