//! The sixteen DTMF digits, their tones and event codes, and the strings in which they are asked for.
use std::fmt;

/// One of `0`-`9`, `*`, `#`, `A`-`D`: the events 0 to 15 of RFC 4733 sec. 3.2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digit(u8);

const CHARACTERS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];
/// The low group in Hz (ITU-T Q.23).
pub const LOW_GROUP_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// The high group in Hz (ITU-T Q.23).
pub const HIGH_GROUP_HZ: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// Event codes by row and column of the keypad.
const KEYPAD: [[u8; 4]; 4] = [[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]];

/// As its character.
#[cfg(feature = "json")]
impl serde::Serialize for Digit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_char(self.character())
    }
}

#[cfg(feature = "json")]
impl<'de> serde::Deserialize<'de> for Digit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digit, D::Error> {
        let character = <char as serde::Deserialize>::deserialize(deserializer)?;
        Digit::from_char(character)
            .ok_or_else(|| serde::de::Error::custom(format_args!("{character:?} is no digit")))
    }
}

impl Digit {
    /// All of them, in the order of their event codes.
    pub fn all() -> impl Iterator<Item = Digit> {
        (0..16).map(Digit)
    }
    /// The digit of a character; small `a`-`d` are taken too.
    pub fn from_char(character: char) -> Option<Digit> {
        let upper = character.to_ascii_uppercase();
        CHARACTERS.iter().position(|&c| c == upper).map(|code| Digit(code as u8))
    }
    /// The digit of an event code; `None` above 15 (16 is the hook flash, RFC 4733 sec. 3.2).
    pub fn from_event(code: u8) -> Option<Digit> {
        (code < 16).then_some(Digit(code))
    }
    /// The digit at a row and a column of the keypad, each 0 to 3.
    pub fn from_row_and_column(row: usize, column: usize) -> Option<Digit> {
        KEYPAD.get(row)?.get(column).map(|&code| Digit(code))
    }
    /// Its event code, 0 to 15.
    pub fn event(self) -> u8 {
        self.0
    }
    /// Its character.
    pub fn character(self) -> char {
        CHARACTERS[usize::from(self.0 & 15)]
    }
    /// Its two tones in Hz, the lower first.
    pub fn tones_hz(self) -> (f32, f32) {
        for (row, columns) in KEYPAD.iter().enumerate() {
            for (column, &code) in columns.iter().enumerate() {
                if code == self.0 {
                    return (LOW_GROUP_HZ[row], HIGH_GROUP_HZ[column]);
                }
            }
        }
        (LOW_GROUP_HZ[0], HIGH_GROUP_HZ[0])
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.character())
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.character())
    }
}

/// A digit or a pause, as they stand in a string of digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A digit.
    Digit(Digit),
    /// A `,`: a pause between two digits.
    Pause,
}

/// The longest string of digits that is taken.
pub const MAX_KEYS: usize = 256;

/// Why a string of digits is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigitsError {
    /// A character that is no digit and no pause. It is never sent as something else.
    #[error("{character:?} at position {} is no digit", position + 1)]
    Unknown {
        /// The character.
        character: char,
        /// Its position, counted in characters from 0 (from 1 where it is shown).
        position: usize,
    },
    /// No digit at all.
    #[error("there is no digit to send")]
    Empty,
    /// More than [`MAX_KEYS`].
    #[error("more than {MAX_KEYS} digits and pauses")]
    TooMany,
}

/// Reads a string of digits: `0`-`9`, `*`, `#`, `A`-`D` (either case) and `,` for a pause.
///
/// # Errors
/// [`DigitsError`] for any other character, for none at all and for too many.
pub fn parse_digits(text: &str) -> Result<Vec<Key>, DigitsError> {
    let mut keys = Vec::new();
    for (position, character) in text.chars().enumerate() {
        keys.push(match Digit::from_char(character) {
            Some(digit) => Key::Digit(digit),
            None if character == ',' => Key::Pause,
            None => return Err(DigitsError::Unknown { character, position }),
        });
        if keys.len() > MAX_KEYS {
            return Err(DigitsError::TooMany);
        }
    }
    if keys.iter().any(|key| matches!(key, Key::Digit(_))) { Ok(keys) } else { Err(DigitsError::Empty) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_other_character_is_refused_and_never_taken_for_a_zero() {
        for (text, character, position) in
            [("12x4", 'x', 2), ("E", 'E', 0), ("1 2", ' ', 1), ("٣", '٣', 0), ("1w", 'w', 1)]
        {
            assert_eq!(parse_digits(text), Err(DigitsError::Unknown { character, position }));
        }
        assert_eq!(parse_digits(""), Err(DigitsError::Empty));
        assert_eq!(parse_digits(",,"), Err(DigitsError::Empty));
        assert_eq!(parse_digits(&"1".repeat(257)), Err(DigitsError::TooMany));
    }

    #[test]
    fn sixteen_digits_keep_their_codes_and_tones() {
        let all: String = Digit::all().map(Digit::character).collect();
        assert_eq!(all, "0123456789*#ABCD");
        let keys = parse_digits("1,2#d").unwrap_or_default();
        assert_eq!(keys[1], Key::Pause);
        assert_eq!(keys[4], Key::Digit(Digit(15)));
        assert_eq!(Digit(5).tones_hz(), (770.0, 1336.0));
        assert_eq!(Digit(15).tones_hz(), (941.0, 1633.0));
        assert_eq!(Digit(0).tones_hz(), (941.0, 1336.0));
        assert_eq!(Digit::from_event(16), None);
        let mut pairs: Vec<_> = Digit::all().map(|d| d.tones_hz()).collect();
        pairs.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        pairs.dedup();
        assert_eq!(pairs.len(), 16);
    }
}
