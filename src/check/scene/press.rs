//! Digits that one end presses in a call, at the pace of a phone.

use super::ears::Pace;
use super::{Ends, Scene, Until};
use crate::check::Run;
use crate::check::judge::digits::{Fate, Refusal};
use crate::endpoint::agent::MediaReport;
use crate::media::digit::{Digit, Key};
use crate::media::dtmf::DtmfMethod;
use crate::media::stream::{self, Timing};
use crate::sdp::TelephoneEvent;
use crate::syntax::Method;
use crate::ua::call::{Command, DTMF, DTMF_RELAY, DtmfInfo};
use std::time::{Duration, Instant};

/// Time for the answer to one INFO.
const INFO_ANSWER: Duration = Duration::from_secs(5);
/// Time that a stream may need for its last digit.
const LATE: Duration = Duration::from_secs(2);

/// Digits and pauses, and how they go out.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct Press<'a> {
    pub(in crate::check) keys: &'a [Key],
    pub(in crate::check) way: DtmfMethod,
    pub(in crate::check) timing: Timing,
}

/// Record of digits as they went out.
#[derive(Debug, Default)]
pub(in crate::check) struct PressLog {
    /// Times at which each digit began to be sent.
    pub(in crate::check) sent_at: Vec<Instant>,
    /// INFOs that were refused.
    pub(in crate::check) refusals: Vec<Refusal>,
}

/// Why not all went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) enum Unpressed {
    /// Telephone events were not agreed on.
    NotNegotiated,
    /// The far end does not take the events of these digits.
    NotTaken(Vec<Digit>),
    /// The INFO with the digit at this place was refused, or not answered; the log says how.
    InfoRefused { at: usize },
    /// The call ended meanwhile.
    CallEnded,
}

impl Scene<'_> {
    /// Presses keys in this leg.
    ///
    /// # Errors
    /// Not all of them went out: why.
    pub(in crate::check) async fn press(
        &mut self,
        press: &Press<'_>,
        leg: usize,
        log: &mut PressLog,
    ) -> Result<Until, Unpressed> {
        press.run(self.run, &mut self.ends, leg, log).await
    }

    /// Share (0 to 1) of this leg's packets that went out in time since this report of then; `None` where none was due.
    pub(in crate::check) async fn pace(
        &self,
        leg: usize,
        before: &MediaReport,
        then: Instant,
    ) -> Option<f64> {
        let mut pace = Pace::default();
        let after = self.leg(leg).report().await;
        pace.add(before, &after, self.run.now().saturating_duration_since(then));
        pace.share()
    }
}

impl Unpressed {
    /// The fate of the digits.
    pub(in crate::check) fn fate(self, log: PressLog) -> Fate {
        match self {
            Unpressed::NotNegotiated => Fate::NotNegotiated,
            Unpressed::NotTaken(digits) => Fate::NotTaken(digits),
            Unpressed::InfoRefused { at } => {
                Fate::InfoRefused { at, refusals: log.refusals, has_arrived: false }
            }
            Unpressed::CallEnded => Fate::CallEnded,
        }
    }
}

/// The digits among these keys whose events the peer does not take (RFC 4733 sec. 2.4.1), each once.
pub(in crate::check) fn not_taken(event: TelephoneEvent, keys: &[Key]) -> Vec<Digit> {
    let mut digits = Vec::new();
    for key in keys {
        if let Key::Digit(digit) = *key
            && !event.takes(digit.event())
            && !digits.contains(&digit)
        {
            digits.push(digit);
        }
    }
    digits
}

impl Press<'_> {
    /// Time that it takes to press all of them.
    pub(in crate::check) fn time(&self) -> Duration {
        self.keys
            .iter()
            .map(|key| match key {
                Key::Pause => self.timing.pause,
                Key::Digit(_) => self.timing.on + self.timing.gap.max(Duration::from_millis(40)),
            })
            .sum()
    }

    /// Presses them in this leg. Where INFO with `application/dtmf-relay` is refused with 415, `application/dtmf` is tried.
    pub(in crate::check) async fn run(
        &self,
        run: &mut Run,
        ends: &mut Ends,
        leg: usize,
        log: &mut PressLog,
    ) -> Result<Until, Unpressed> {
        let Some(ours) = ends.legs.get(leg) else { return Err(Unpressed::CallEnded) };
        let negotiated = ours.seen.plan.as_ref().is_some_and(|plan| plan.send_telephone_event.is_some());
        let event = ours.seen.plan.as_ref().and_then(|plan| plan.send_telephone_event);
        let not_taken = event.map(|event| not_taken(event, self.keys)).unwrap_or_default();
        match self.way {
            DtmfMethod::Rfc4733 if !not_taken.is_empty() => Err(Unpressed::NotTaken(not_taken)),
            DtmfMethod::Rfc4733 if !negotiated => Err(Unpressed::NotNegotiated),
            DtmfMethod::Rfc4733 | DtmfMethod::InBand => Ok(self.in_stream(run, ends, leg, log).await),
            DtmfMethod::Info => self.infos(run, ends, leg, log).await,
        }
    }

    /// Digits inside the running stream.
    async fn in_stream(&self, run: &mut Run, ends: &mut Ends, from: usize, log: &mut PressLog) -> Until {
        let Some(leg) = ends.legs.get(from) else { return Until::TimedOut };
        let (played, sent) = (leg.seen.played, leg.seen.sent.len());
        let digits = stream::Command::Digits { keys: self.keys.to_vec(), way: self.way, timing: self.timing };
        leg.handle.media(digits).await;
        let done = |ends: &Ends| ends.seen(from).is_none_or(|seen| seen.played > played || seen.is_over());
        let until = ends.until(run, self.time() + LATE, done).await;
        let sent = ends.seen(from).and_then(|seen| seen.sent.get(sent..)).unwrap_or_default();
        log.sent_at.extend(sent.iter().filter(|(_, _, way)| *way == self.way).map(|(at, ..)| *at));
        until
    }

    /// One INFO after the other, each when the one before was answered, as phones do.
    async fn infos(
        &self,
        run: &mut Run,
        ends: &mut Ends,
        from: usize,
        log: &mut PressLog,
    ) -> Result<Until, Unpressed> {
        let mut position = 0;
        for key in self.keys {
            let Key::Digit(digit) = *key else {
                if let interrupted @ Until::Interrupted(_) = ends.rest(run, self.timing.pause).await {
                    return Ok(interrupted);
                }
                continue;
            };
            if let interrupted @ Until::Interrupted(_) =
                self.info(run, ends, from, (digit, position), log).await?
            {
                return Ok(interrupted);
            }
            position += 1;
            let time = self.timing.on + self.timing.gap;
            if let interrupted @ Until::Interrupted(_) = ends.rest(run, time).await {
                return Ok(interrupted);
            }
        }
        Ok(Until::Done)
    }

    /// The digit at this place.
    async fn info(
        &self,
        run: &mut Run,
        ends: &mut Ends,
        from: usize,
        (digit, at): (Digit, usize),
        log: &mut PressLog,
    ) -> Result<Until, Unpressed> {
        let info = DtmfInfo { digit, duration: Some(self.timing.on) };
        log.sent_at.push(run.now());
        loop {
            let plain = !log.refusals.is_empty();
            let (content_type, body) =
                if plain { (DTMF, info.plain_body()) } else { (DTMF_RELAY, info.relay_body()) };
            let Some(leg) = ends.legs.get(from).filter(|leg| leg.seen.is_up()) else {
                return Err(Unpressed::CallEnded);
            };
            let (answers, began) = (leg.seen.info_answers.len(), run.now());
            let token = answers as u64 + 1;
            leg.handle.command(Command::Info { token, content_type: content_type.to_owned(), body }).await;
            let done = |ends: &Ends| {
                ends.seen(from).is_none_or(|seen| seen.info_answers.len() > answers || seen.is_over())
            };
            if let interrupted @ Until::Interrupted(_) = ends.until(run, INFO_ANSWER, done).await {
                return Ok(interrupted);
            }
            let answer = ends.seen(from).and_then(|seen| seen.info_answers.get(answers)?.1);
            if matches!(answer, Some(200..300)) {
                return Ok(Until::Done);
            }
            let end = ends.request_end(run, from, &[Method::Info], began);
            let status = end.status();
            log.refusals.push(Refusal { content_type: content_type.to_owned(), end, waited: INFO_ANSWER });
            // Nobody says which of the two types is right; one that is refused may only be the wrong one (failure D12).
            if status != Some(415) || plain {
                return Err(Unpressed::InfoRefused { at });
            }
        }
    }
}
