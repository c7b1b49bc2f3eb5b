//! How the PBX is set up: its numbers and what it plays.

use crate::error::{Argument, Error, Problem};
use crate::media::digit::{Digit, Key, parse_digits};
use crate::media::dtmf::DtmfMethod;
use crate::sim::Fault;
use std::time::Duration;

/// Numbers and manners of the PBX of a [`Lab`](crate::sim::Lab).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The number that sends back what it hears; default `*43`.
    pub echo: Option<String>,
    /// The number that answers, plays some tones and hangs up; default `*60`.
    pub announcement: Option<String>,
    /// Voice menus.
    pub menus: Vec<Ivr>,
    /// Ring groups: a number, and the users (by name or extension) that are rung as one.
    pub groups: Vec<(String, Vec<String>)>,
    /// Groups whose devices are rung one after the other, each for this time; the last one rings on. A call that is transferred to such a group
    /// rings all at once.
    pub hunting: Vec<(String, Duration)>,
    /// Keys that begin a blind transfer by a device in a call, e.g. `##`: the number follows, and `#` or 3 s without a key. Default none.
    /// What is no series of digits is no code; nor is one that begins with another code.
    pub transfer_code: Option<String>,
    /// Keys that begin an attended transfer in the same way, e.g. `*2`: the other one hears music while the device talks to the number. The
    /// two are joined when the device hangs up (also while it still rings), or presses [`Config::complete_code`]. Default none.
    pub consult_code: Option<String>,
    /// Keys that join the two at once; default none.
    pub complete_code: Option<String>,
    /// A park orbit: its number and how many places it has. With `("70", 3)` a call that is transferred to 701, 702 or 703 waits there, with
    /// music, for somebody who calls that number. Default none.
    pub park: Option<(String, u16)>,
    /// After this time a parked call rings the one who parked it; default 60 s.
    pub park_time: Duration,
    /// What is done with the REFER of a device; default: carried out.
    pub refer: ReferMode,
    /// Who is held hears music of the PBX, and is told nothing of the hold, instead of what the holder sends; default no.
    pub music_on_hold: bool,
    /// Callers get 183 with a description and hear a tone of 425 Hz while it rings, instead of 180; default no.
    pub ringback_tone: bool,
    /// The payload type for telephone-events (96 to 127) in what is offered to called devices; default 101.
    pub telephone_event: u8,
    /// After this time without an answer the called device is cancelled and the caller gets 480; default 120 s.
    pub no_answer: Duration,
    /// Most calls at once, each leg counted; default 1,000. INVITEs beyond get 486.
    pub max_calls: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            echo: Some("*43".to_owned()),
            announcement: Some("*60".to_owned()),
            menus: Vec::new(),
            groups: Vec::new(),
            hunting: Vec::new(),
            transfer_code: None,
            consult_code: None,
            complete_code: None,
            park: None,
            park_time: Duration::from_secs(60),
            refer: ReferMode::CarryOut,
            music_on_hold: false,
            ringback_tone: false,
            telephone_event: 101,
            no_answer: Duration::from_secs(120),
            max_calls: 1_000,
        }
    }
}

/// What the PBX does with the REFER of a device in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReferMode {
    /// Calls the target itself, joins the transferee with it, and notifies.
    #[default]
    CarryOut,
    /// Passes it on to the device at the other end, and that one's NOTIFYs back.
    Relay,
}

/// A voice menu (IVR): a number that answers, plays a prompt and takes digits.
///
/// ```
/// use ringback::media::dtmf::DtmfMethod;
/// use ringback::sim::Ivr;
/// let menu = Ivr::new("700").option("1,2#", "bob")?.option("3", "*43")?.ways([DtmfMethod::Rfc4733, DtmfMethod::Info]);
/// assert_eq!(menu.number(), "700");
/// assert!(Ivr::new("700").option("x", "bob").is_err());
/// # Ok::<(), ringback::error::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Ivr {
    pub(super) number: String,
    pub(super) options: Vec<(Vec<Digit>, String)>,
    pub(super) early_media: bool,
    pub(super) ways: Vec<DtmfMethod>,
    pub(super) patience: Duration,
    pub(super) between_digits: Duration,
    pub(super) max_wrong: u32,
    pub(super) faults: Vec<Fault>,
}

impl Ivr {
    /// A menu at this number, without options; it takes digits by every way and hangs up after 10 s without one, or 3 wrong choices.
    pub fn new(number: impl Into<String>) -> Ivr {
        Ivr {
            number: number.into(),
            options: Vec::new(),
            early_media: false,
            ways: vec![DtmfMethod::Rfc4733, DtmfMethod::InBand, DtmfMethod::Info],
            patience: Duration::from_secs(10),
            between_digits: Duration::from_secs(3),
            max_wrong: 3,
            faults: Vec::new(),
        }
    }
    /// Its number.
    pub fn number(&self) -> &str {
        &self.number
    }
    /// What it leads to: digits (pauses are the caller's) and the number that is rung for them.
    pub fn options(&self) -> impl Iterator<Item = (String, &str)> {
        let text = |digits: &[Digit]| digits.iter().map(|digit| digit.character()).collect();
        self.options.iter().map(move |(digits, number)| (text(digits), number.as_str()))
    }
    /// Its faults.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
    /// These digits ring this number: a user's name or extension, or another number of the PBX.
    ///
    /// # Errors
    /// [`Error::Usage`] for what are no digits.
    pub fn option(mut self, digits: &str, number: impl Into<String>) -> Result<Ivr, Error> {
        let keys = parse_digits(digits).map_err(|wrong| {
            Error::usage(
                Argument::MenuOption,
                digits,
                Problem::malformed(wrong, "write digits, e.g. 1 or 12#"),
            )
        })?;
        let digits = keys.into_iter().filter_map(|key| match key {
            Key::Digit(digit) => Some(digit),
            Key::Pause => None,
        });
        self.options.push((digits.collect(), number.into()));
        Ok(self)
    }
    /// Plays the prompt in early media (183) and answers after it; digits are taken in both.
    #[must_use]
    pub fn early_media(mut self) -> Ivr {
        self.early_media = true;
        self
    }
    /// The ways by which it takes digits.
    #[must_use]
    pub fn ways(mut self, ways: impl IntoIterator<Item = DtmfMethod>) -> Ivr {
        self.ways = ways.into_iter().collect();
        self
    }
    /// It hangs up after this time without a digit.
    #[must_use]
    pub fn patience(mut self, time: Duration) -> Ivr {
        self.patience = time;
        self
    }
    /// After this time without another digit the digits so far count, where they could be more (default 3 s).
    #[must_use]
    pub fn between_digits(mut self, time: Duration) -> Ivr {
        self.between_digits = time;
        self
    }
    /// Number of wrong choices after which it hangs up.
    #[must_use]
    pub fn max_wrong(mut self, choices: u32) -> Ivr {
        self.max_wrong = choices;
        self
    }
    /// Switches a fault on, for all who call it.
    ///
    /// # Errors
    /// [`Error::Usage`] for one that is not known.
    pub fn fault(self, spelling: &str) -> Result<Ivr, Error> {
        Ok(self.with_fault(spelling.parse()?))
    }
    /// Switches a fault on.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Ivr {
        self.faults.push(fault);
        self
    }
}
