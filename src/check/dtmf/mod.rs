//! Do digits arrive, by which way, and what happens to them on it?
//!
//! ```no_run
//! use ringback::check::{Account, Dtmf, Probe};
//!
//! # async fn example() -> Result<(), ringback::error::Error> {
//! let probe = Probe::bind("udp:192.0.2.10:0").await?;
//! let alice = Account::new("sip:alice@pbx.example.com", "secret")?;
//! let bob = Account::new("sip:bob@pbx.example.com", "secret")?;
//! let path = probe.check(Dtmf::between(&alice, &bob).digits("0123456789*#ABCD")?).await;
//! let menu = probe.check(Dtmf::routing(&alice, "700", &bob)?.digits("1,2#")?).await;
//! println!("{path}\n{menu}");
//! # Ok(())
//! # }
//! ```

mod course;

use super::scene::{CallOptions, Press, call_options, perform};
use super::{Account, Check, Run, yields};
use crate::error::{Argument, Error, Problem};
use crate::media::digit::{Digit, DigitsError, Key, parse_digits};
use crate::media::dtmf::DtmfMethod;
use crate::media::stream::Timing;
use std::time::Duration;

/// The most digits and pauses of one check.
pub const MAX_KEYS: usize = 64;

/// Problem of keys that cannot be pressed.
pub(in crate::check) fn not_pressed(error: DigitsError) -> Problem {
    Problem::malformed(error, "write 0-9, *, #, A-D, and \",\" for a pause")
}

/// Keys are sent one by one, each for its time.
pub(in crate::check) fn too_many_keys(most: usize) -> Problem {
    Problem::unusable(format!("more than {most} digits and pauses"), "send fewer")
}

/// Do digits arrive, and as what? Or: does a menu, given digits, ring the right account?
///
/// [`Dtmf::between`] calls one account of ours from another, through the platform, sends the digits by each method and looks at the far
/// end what arrived by every way. A digit is looked for until the next method begins, for 3 s after the last one and longer while some still
/// come; one that comes later than 0.5 s after its end is told as late.
///
/// [`Dtmf::routing`] calls a menu, gives it the digits, and waits for another account of ours to ring.
#[doc = include_str!("yields.md")]
#[derive(Debug, Clone)]
pub struct Dtmf {
    pub(super) a: Account,
    pub(super) b: Account,
    pub(super) question: Question,
    pub(super) keys: Vec<Key>,
    /// `None`: all of them.
    pub(super) method: Option<DtmfMethod>,
    pub(super) timing: Timing,
    pub(super) prompt: Duration,
    options: CallOptions,
}

call_options!(Dtmf, a);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Between,
    Routing,
}

impl Dtmf {
    /// From `a` to `b`. [default: all sixteen digits by all methods]
    pub fn between(a: &Account, b: &Account) -> Dtmf {
        Dtmf::new(a, b, Question::Between, None)
    }

    /// `a` calls the menu at `number` (a number of its platform, or a SIP URI) and gives it digits; `b` must ring. [default: by RFC 4733]
    ///
    /// # Errors
    /// [`Error::Usage`] for a number that cannot be dialled.
    pub fn routing(a: &Account, number: &str, b: &Account) -> Result<Dtmf, Error> {
        Dtmf::new(a, b, Question::Routing, Some(DtmfMethod::Rfc4733)).dial(number)
    }

    fn new(a: &Account, b: &Account, question: Question, method: Option<DtmfMethod>) -> Dtmf {
        Dtmf {
            a: a.clone(),
            b: b.clone(),
            question,
            keys: parse_digits("0123456789*#ABCD").unwrap_or_default(),
            method,
            timing: Timing::default(),
            prompt: Duration::from_secs(1),
            options: CallOptions::waiting(Duration::from_secs(20)),
        }
    }

    /// Sets the digits: 0-9, `*`, `#`, A-D, and `,` for a pause.
    ///
    /// # Errors
    /// [`Error::Usage`] for any other character, with its place; for none at all; for more than [`MAX_KEYS`].
    pub fn digits(mut self, digits: &str) -> Result<Dtmf, Error> {
        let usage = |problem: Problem| Error::usage(Argument::Digits, digits, problem);
        self.keys = parse_digits(digits).map_err(|error| usage(not_pressed(error)))?;
        if self.keys.len() > MAX_KEYS {
            return Err(usage(too_many_keys(MAX_KEYS)));
        }
        Ok(self)
    }

    /// Sets the method: this one alone, or (`None`) all in one call, one after the other, and RFC 4733 once more after a hold. A menu
    /// is given its digits once: there `None` is RFC 4733. INFO goes as `application/dtmf-relay`; where that is refused with 415, as
    /// `application/dtmf` too.
    #[must_use]
    pub fn method(mut self, method: impl Into<Option<DtmfMethod>>) -> Dtmf {
        self.method = method.into();
        self
    }

    /// Sets length, distance and level of the digits.
    #[must_use]
    pub fn timing(mut self, timing: Timing) -> Dtmf {
        self.timing = timing;
        self
    }

    /// Time that the menu may speak before the first digit. [default: 1 s]
    #[must_use]
    pub fn prompt(mut self, time: Duration) -> Dtmf {
        self.prompt = time;
        self
    }

    /// Target that is dialled instead of an address of record, as it was written.
    pub(super) fn number(&self) -> &str {
        self.options.dialled.as_ref().map_or("", |(number, _)| number.as_str())
    }

    /// The digits without the pauses.
    pub(super) fn digits_sent(&self) -> Vec<Digit> {
        let digit = |key: &Key| if let Key::Digit(digit) = key { Some(*digit) } else { None };
        self.keys.iter().filter_map(digit).collect()
    }

    /// Digits and pauses as they were written.
    fn keys_text(&self) -> String {
        let character = |key: &Key| if let Key::Digit(digit) = key { digit.character() } else { ',' };
        self.keys.iter().map(character).collect()
    }

    /// The methods of one call, in their order.
    fn methods(&self) -> &[DtmfMethod] {
        self.method.as_ref().map_or(&DtmfMethod::ALL, std::slice::from_ref)
    }

    /// The only method, or the first of all.
    fn first_method(&self) -> DtmfMethod {
        self.method.unwrap_or(DtmfMethod::Rfc4733)
    }

    /// All keys once, by this method.
    pub(super) fn press(&self, way: DtmfMethod) -> Press<'_> {
        Press { keys: &self.keys, way, timing: self.timing }
    }
}

impl Check for Dtmf {
    fn name(&self) -> &'static str {
        "dtmf"
    }

    fn accounts(&self) -> Vec<String> {
        vec![self.a.name().to_owned(), self.b.name().to_owned()]
    }

    fn subject(&self) -> String {
        match (&self.options.dialled, self.question) {
            (Some((number, _)), Question::Routing) => {
                format!("{} -> {number} -> {}", self.a.aor(), self.b.aor())
            }
            _ => format!("{} -> {}", self.a.aor(), self.options.target(self.b.aor())),
        }
    }

    fn time_limit(&self) -> Option<Duration> {
        let times = if self.method.is_none() { 4 } else { 1 };
        Some(self.options.time_limit.unwrap_or(
            self.options.wait * 2
                + (self.press(self.first_method()).time() * 2 + course::LONGEST) * times
                + Duration::from_secs(30),
        ))
    }

    fn least_time(&self) -> Option<Duration> {
        let each = self.press(self.first_method()).time();
        let methods = self.methods().len() as u32;
        let prompt = if self.question == Question::Routing { self.prompt } else { Duration::ZERO };
        Some(prompt + each * methods)
    }

    fn legs(&self) -> usize {
        2
    }

    fn yields(&self) -> &'static [&'static str] {
        &[include_str!("yields.md"), yields::ANY, yields::REGISTRATION, yields::CALL, yields::MEDIA]
    }

    async fn run(&self, run: &mut Run) {
        perform(self, run).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn account(user: &str) -> Account {
        Account::new(&format!("sip:{user}@pbx.example:5070"), "secret").unwrap()
    }

    #[test]
    fn a_character_that_is_no_digit_is_refused_before_any_call_with_its_place() {
        let check = || Dtmf::between(&account("a"), &account("b"));
        let error = check().digits("12x4").unwrap_err().to_string();
        assert!(error.contains('x') && error.contains('3'), "{error}");
        assert!(check().digits("").is_err());
        assert!(check().digits(",,").is_err());
        assert!(check().digits(&"1".repeat(65)).is_err());
        assert!(check().digits("0123456789*#ABCD,").is_ok());
        assert_eq!("INBAND".parse::<DtmfMethod>().unwrap(), DtmfMethod::InBand);
        assert!("rfc2833".parse::<DtmfMethod>().is_err());
    }

    #[test]
    fn numbers_are_called_in_the_domain_of_the_caller_and_uris_as_they_are() {
        let alice = account("a");
        let menu = Dtmf::routing(&alice, "*43#", &account("b")).unwrap();
        assert_eq!(menu.options.target(""), "sip:*43%23@pbx.example:5070");
        assert!(Dtmf::routing(&alice, "", &account("b")).is_err());
        assert_eq!(
            Dtmf::between(&alice, &account("b")).options.target("sip:b@pbx.example:5070"),
            "sip:b@pbx.example:5070"
        );
    }
}
