//! The keys by which a phone asks its PBX for a transfer.

use crate::check::dtmf::{not_pressed, too_many_keys};
use crate::check::scene::Press;
use crate::error::{Argument, Error, Problem};
use crate::media::digit::{Key, parse_digits};
use crate::media::dtmf::DtmfMethod;
use crate::media::stream::Timing;
use std::fmt;
use std::time::Duration;

/// The keys by which a phone asks its PBX for a transfer: a code, a pause, the number of the target, and what ends the number.
///
/// ```
/// use ringback::check::{DtmfMethod, FeatureCode};
/// let blind = FeatureCode::default().number("203")?.end("#")?;
/// let attended = FeatureCode::new("*2")?.complete_by("*3")?.method(DtmfMethod::Info);
/// assert_eq!((blind.to_string(), attended.to_string()), ("##,203#".to_owned(), "*2,".to_owned()));
/// # Ok::<(), ringback::error::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureCode {
    code: Vec<Key>,
    number: Vec<Key>,
    end: Vec<Key>,
    complete: Vec<Key>,
    method: DtmfMethod,
    timing: Timing,
}

/// Timing of people who press keys: 120 ms on, 180 ms between them.
const PACE: Timing = Timing {
    on: Duration::from_millis(120),
    gap: Duration::from_millis(180),
    pause: Duration::from_secs(1),
    volume: 10,
};
/// The most keys of one part.
const MAX_KEYS: usize = 32;

fn keys(argument: Argument, digits: &str) -> Result<Vec<Key>, Error> {
    let usage = |problem: Problem| Error::usage(argument, digits, problem);
    let keys = parse_digits(digits).map_err(|error| usage(not_pressed(error)))?;
    if keys.len() > MAX_KEYS {
        return Err(usage(too_many_keys(MAX_KEYS)));
    }
    Ok(keys)
}

impl Default for FeatureCode {
    /// `##`, by RFC 4733; the number is that of the target's account, and nothing ends it but time.
    fn default() -> FeatureCode {
        let code = parse_digits("##").unwrap_or_default();
        FeatureCode {
            code,
            number: Vec::new(),
            end: Vec::new(),
            complete: Vec::new(),
            method: DtmfMethod::Rfc4733,
            timing: PACE,
        }
    }
}

impl FeatureCode {
    /// Another code, e.g. `*2`.
    ///
    /// # Errors
    /// [`Error::Usage`] for what are no digits (0-9, `*`, `#`, A-D, and `,` for a pause), none, or more than 32. So for all keys here.
    pub fn new(code: &str) -> Result<FeatureCode, Error> {
        Ok(FeatureCode { code: keys(Argument::TransferCode, code)?, ..FeatureCode::default() })
    }

    /// The number that is pressed for the target; default: the user of its account.
    ///
    /// # Errors
    /// Errors are those of [`FeatureCode::new`].
    pub fn number(mut self, number: &str) -> Result<FeatureCode, Error> {
        self.number = keys(Argument::Number, number)?;
        Ok(self)
    }

    /// Sets the keys that end the number, e.g. `#`; default: none.
    ///
    /// # Errors
    /// Errors are those of [`FeatureCode::new`].
    pub fn end(mut self, end: &str) -> Result<FeatureCode, Error> {
        self.end = keys(Argument::EndKey, end)?;
        Ok(self)
    }

    /// After a consultation these keys join the other two; default: the transferor hangs up instead.
    ///
    /// # Errors
    /// Errors are those of [`FeatureCode::new`].
    pub fn complete_by(mut self, code: &str) -> Result<FeatureCode, Error> {
        self.complete = keys(Argument::CompletingCode, code)?;
        Ok(self)
    }

    /// Sets the method by which the keys are sent; default: RFC 4733.
    #[must_use]
    pub fn method(mut self, method: DtmfMethod) -> FeatureCode {
        self.method = method;
        self
    }

    /// Sets length and distance of the keys; default: 120 ms, 180 ms, and a pause of 1 s behind the code.
    #[must_use]
    pub fn timing(mut self, timing: Timing) -> FeatureCode {
        self.timing = timing;
        self
    }

    /// For the target with this number, where the code names none itself.
    ///
    /// # Errors
    /// [`Error::Usage`] for what cannot be pressed.
    pub(super) fn dialling(mut self, number: &str) -> Result<Dialled, Error> {
        if self.number.is_empty() {
            self.number = keys(Argument::Number, number.trim_start_matches('+')).map_err(|_| {
                let problem = Problem::unusable("it cannot be pressed on a phone", "say which number it has");
                Error::usage(Argument::Number, number, problem)
            })?;
        }
        let pressed = self.all();
        Ok(Dialled { code: self, pressed })
    }

    /// A pause behind the code: a PBX may want to speak first.
    fn all(&self) -> Vec<Key> {
        [&self.code[..], &[Key::Pause], &self.number, &self.end].concat()
    }
}

fn write(f: &mut fmt::Formatter<'_>, keys: &[Key]) -> fmt::Result {
    keys.iter().try_for_each(|key| match key {
        Key::Digit(digit) => write!(f, "{}", digit.character()),
        Key::Pause => f.write_str(","),
    })
}

impl fmt::Display for FeatureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.all())
    }
}

/// A code for a target whose number is known.
#[derive(Debug, Clone)]
pub(super) struct Dialled {
    pub(super) code: FeatureCode,
    pressed: Vec<Key>,
}

impl Dialled {
    /// Code and number.
    pub(super) fn ask(&self) -> Press<'_> {
        self.press(&self.pressed)
    }

    /// Keys that end a consultation; `None` where the hang-up does.
    pub(super) fn complete(&self) -> Option<Press<'_>> {
        (!self.code.complete.is_empty()).then(|| self.press(&self.code.complete))
    }

    fn press<'a>(&self, keys: &'a [Key]) -> Press<'a> {
        Press { keys, way: self.code.method, timing: self.code.timing }
    }

    /// Time that all the pressing takes.
    pub(super) fn time(&self) -> Duration {
        self.ask().time() + self.complete().map_or(Duration::ZERO, |press| press.time())
    }

    /// Number of digits of the code and the number.
    pub(super) fn digits(&self) -> (usize, usize) {
        let count = |keys: &[Key]| keys.iter().filter(|key| matches!(key, Key::Digit(_))).count();
        (count(&self.code.code), count(&self.code.number))
    }

    /// The code.
    pub(super) fn code(&self) -> impl fmt::Display + '_ {
        Shown(&self.code.code)
    }

    /// The number.
    pub(super) fn number(&self) -> impl fmt::Display + '_ {
        Shown(&self.code.number)
    }
}

struct Shown<'a>(&'a [Key]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0)
    }
}

impl fmt::Display for Dialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)
    }
}
