//! Hold and resume: does each end hear what the directions say?

mod answer;
pub(super) mod heard;

use super::judged::{Judged, interrupted};
use super::pair::{Pair, hang_up, hears};
use super::scene::{Change, Ends, Until};
use super::{
    Account, Check, Finding, HeardOnHold, HoldResult, Interrupted, MetricValue, Run, Severity, Side, Verdict,
};
use crate::error::Error;
use crate::ua::call::{Command, Hold as How};
use heard::HEARD;
use std::time::Duration;

/// Time for a re-INVITE and its answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Time for both ends to hear each other.
const HEAR: Duration = Duration::from_secs(5);
/// What was on its way when the directions changed.
const SETTLE: Duration = Duration::from_millis(300);

/// Can a call be held and resumed?
///
/// One account of ours calls another; one end holds, both listen, it resumes, both listen again. Steps: `party-a`, `party-b`, `call`,
/// `before`, `hold`, `held`, `resume`, `after`, `hang-up`. Facts: `hold-answer` and `resume-answer` (the direction of the answers),
/// `held-end-hears` (the holder's tone, music or another sound, comfort noise, silence, or nothing); the same as data in
/// [`Outcome::hold`](super::Outcome::hold). Metrics: `hold` and `resume` (from the re-INVITE to its answer).
///
/// ```no_run
/// use ringback::check::{Account, Hold, Probe};
///
/// # async fn example() -> Result<(), ringback::error::Error> {
/// let probe = Probe::bind("udp:192.0.2.10:0").await?;
/// let alice = Account::new("sip:alice@pbx.example.com", "secret")?;
/// let bob = Account::new("sip:bob@pbx.example.com", "secret")?;
/// println!("{}", probe.check(Hold::between(&alice, &bob).by_callee()).await);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Hold {
    a: Account,
    b: Account,
    how: How,
    by_callee: bool,
    time: Duration,
    wait: Duration,
    time_limit: Option<Duration>,
}

impl Hold {
    /// `a` calls `b`, and holds it with `sendonly` for 3 s unless told.
    pub fn between(a: &Account, b: &Account) -> Hold {
        Hold {
            a: a.clone(),
            b: b.clone(),
            how: How::SendOnly,
            by_callee: false,
            time: Duration::from_secs(3),
            wait: Duration::from_secs(20),
            time_limit: None,
        }
    }

    /// The one that is called holds.
    #[must_use]
    pub fn by_callee(mut self) -> Hold {
        self.by_callee = true;
        self
    }

    /// In which way.
    #[must_use]
    pub fn how(mut self, how: How) -> Hold {
        self.how = how;
        self
    }

    /// For how long; a minute and more shows platforms that end calls without media.
    #[must_use]
    pub fn time(mut self, time: Duration) -> Hold {
        self.time = time;
        self
    }

    /// The time for the whole check, cleaning up not counted.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Hold {
        self.time_limit = Some(limit);
        self
    }

    fn names(&self) -> (&str, &str) {
        if self.by_callee { (self.b.name(), self.a.name()) } else { (self.a.name(), self.b.name()) }
    }
}

impl Check for Hold {
    fn name(&self) -> &'static str {
        "hold"
    }

    fn subject(&self) -> String {
        format!("{} -> {}", self.a.aor(), self.b.aor())
    }

    fn time_limit(&self) -> Option<Duration> {
        Some(self.time_limit.unwrap_or(self.wait + self.time + Duration::from_secs(45)))
    }

    async fn run(&self, run: &mut Run) {
        let pair =
            Pair { a: &self.a, b: &self.b, target: self.b.aor().to_owned(), wait: self.wait, direct: true };
        let mut stage = Ends::default();
        if pair.open(run, &mut stage).await
            && let Some((from, to)) = pair.connect(run, &mut stage).await
        {
            let mut result = HoldResult {
                parties: [self.a.name().to_owned(), self.b.name().to_owned()],
                holder: usize::from(self.by_callee),
                how: self.how,
                answer: None,
                passed_on: None,
                heard_on_hold: None,
                holder_hears: None,
                resume_answer: None,
            };
            self.hold(run, &mut stage, (from, to), &mut result).await;
            run.held(result);
            hang_up(run, &mut stage, from, to).await;
        }
        stage.clear(run).await;
    }
}

/// The steps that follow a failed one.
fn skip(run: &mut Run, steps: &[&'static str], why: &str) {
    steps.iter().for_each(|step| run.skip(*step, why));
}

impl Hold {
    async fn hold(
        &self,
        run: &mut Run,
        stage: &mut Ends,
        (from, to): (usize, usize),
        result: &mut HoldResult,
    ) {
        let (holder, held) = if self.by_callee { (to, from) } else { (from, to) };
        if !self.both_hear(run, stage, "before", (holder, held), None).await {
            return skip(run, &["hold", "held", "resume", "after"], "not both heard each other before");
        }
        let hold = Command::Hold(self.how);
        let Some((answer, passed_on)) = self.change(run, stage, "hold", hold, (holder, held)).await else {
            return skip(run, &["held", "resume", "after"], "the hold did not come about");
        };
        (result.answer, result.passed_on) = (Some(answer), Some(passed_on));
        if !self.held(run, stage, (holder, held), result).await {
            return skip(run, &["resume", "after"], "the call was over");
        }
        let resumed = self.change(run, stage, "resume", Command::Resume, (holder, held)).await;
        let Some((answer, _)) = resumed else {
            return skip(run, &["after"], "the call was not resumed");
        };
        result.resume_answer = Some(answer.clone());
        if self.both_hear(run, stage, "after", (holder, held), Some(&answer)).await {
            run.conclude("held and resumed; each end heard what it should");
        }
    }

    /// Both ends hear each other, anew.
    async fn both_hear(
        &self,
        run: &mut Run,
        stage: &mut Ends,
        step: &'static str,
        (holder, held): (usize, usize),
        answer: Option<&str>,
    ) -> bool {
        let mark = run.begin(step);
        let (holder_name, held_name) = self.names();
        for leg in [holder, held] {
            if let Some(leg) = stage.legs.get(leg) {
                leg.handle.listen_anew().await;
            }
        }
        let mut deaf = Vec::new();
        for (leg, other, name, other_name) in
            [(holder, held, holder_name, held_name), (held, holder, held_name, holder_name)]
        {
            let Some(tone) = tone_of(stage, other) else { continue };
            match hears(run, stage, (leg, tone), HEARD, HEAR).await {
                Some(true) => {}
                Some(false) => deaf.push(format!("{name} does not hear {other_name}")),
                None => {
                    let why = run.interrupted().unwrap_or(Interrupted::Stopped);
                    end(run, mark, interrupted(why));
                    return false;
                }
            }
        }
        if deaf.is_empty() {
            run.end(mark, Verdict::Pass, "both hear each other");
            return true;
        }
        let judged = match answer {
            None => Judged::fail(
                "no-audio-before",
                Side::Path,
                format!("before any hold, {}", deaf.join(" and ")),
                "mend the audio of plain calls first: see `ringback call`",
            ),
            Some(answer) => Judged::fail(
                "no-audio-after-resume",
                Side::Peer,
                match answer {
                    "sendrecv" => format!("after the resume, {}", deaf.join(" and ")),
                    other => format!("the resume was answered {other}: {} (H03)", deaf.join(" and ")),
                },
                "platform: an offer that resumes has to be answered sendrecv, and the media turned on again in both directions",
            ),
        };
        end(run, mark, judged);
        false
    }

    /// A re-INVITE of the holder; gives the direction of its answer, and whether the other end was told.
    async fn change(
        &self,
        run: &mut Run,
        stage: &mut Ends,
        step: &'static str,
        command: Command,
        (holder, held): (usize, usize),
    ) -> Option<(String, bool)> {
        let mark = run.begin(step);
        let told_before = stage.seen(held)?.changes.len();
        let began = run.now();
        let change = match stage.change(run, holder, command, ANSWER).await {
            Ok(change) => change,
            Err(why) => {
                end(run, mark, interrupted(why));
                return None;
            }
        };
        let (holder_name, held_name) = self.names();
        let judged = match change {
            Change::Made(at) => {
                let took = at.saturating_duration_since(began);
                run.metric(step, MetricValue::Duration(took));
                // A platform that passes it on has told the other end by now, or does so soon.
                let told =
                    |stage: &Ends| stage.seen(held).is_none_or(|seen| seen.changes.len() > told_before);
                let _ = stage.until(run, SETTLE, told).await;
                let passed_on = stage.seen(held).is_some_and(|seen| seen.changes.len() > told_before);
                let answer = answer::direction(run, stage.legs.get(holder)?.handle.call_id());
                run.fact(if step == "hold" { "hold-answer" } else { "resume-answer" }, answer.clone());
                let how = if passed_on { "passed on" } else { "not told" };
                if step == "hold"
                    && let Some(finding) = answer::wrong(self.how, &answer, holder_name)
                {
                    let is_error = finding.severity == Severity::Error;
                    run.end(
                        mark,
                        if is_error { Verdict::Fail } else { Verdict::Pass },
                        format!("answered {answer}; {how} to {held_name}"),
                    );
                    run.find(finding);
                    return Some((answer, passed_on));
                }
                run.end(mark, Verdict::Pass, format!("answered {answer}; {how} to {held_name}"));
                return Some((answer, passed_on));
            }
            Change::Refused(status) => Judged::fail(
                "reinvite-refused",
                Side::Peer,
                format!("the re-INVITE ({step}) was refused with {status}"),
                "platform: hold needs re-INVITE; 491 that never ends is a transaction that was not cleared (H05)",
            ),
            Change::Unanswered => Judged::fail(
                "reinvite-not-answered",
                Side::Peer,
                format!("the re-INVITE ({step}) was not answered in {} s", ANSWER.as_secs()),
                "platform: it loses requests in the call; look at the route of the dialog",
            ),
        };
        end(run, mark, judged);
        None
    }

    /// What both hear while one holds; false when the call is over.
    async fn held(
        &self,
        run: &mut Run,
        stage: &mut Ends,
        (holder, held): (usize, usize),
        result: &mut HoldResult,
    ) -> bool {
        let mark = run.begin("held");
        let (holder_name, held_name) = self.names();
        if let Until::Interrupted(why) = stage.rest(run, SETTLE).await {
            end(run, mark, interrupted(why));
            return true;
        }
        let mut before = Vec::new();
        for leg in [holder, held] {
            let Some(leg) = stage.legs.get(leg) else { return false };
            leg.handle.listen_anew().await;
            before.push(leg.report().await);
        }
        let over = |stage: &Ends| {
            [holder, held].iter().any(|leg| stage.seen(*leg).is_none_or(|seen| seen.is_over()))
        };
        let until = stage.until(run, self.time, over).await;
        if let Until::Interrupted(why) = until {
            end(run, mark, interrupted(why));
            return true;
        }
        if over(stage) {
            let ended = [holder, held].iter().find_map(|leg| stage.seen(*leg)?.ended.clone());
            let reasons = ended.map(|ended| ended.reasons.join(", ")).unwrap_or_default();
            end(run, mark, self.dropped(&reasons, result));
            return false;
        }
        let mut after = Vec::new();
        for leg in [holder, held] {
            let Some(leg) = stage.legs.get(leg) else { return false };
            after.push(leg.report().await);
        }
        let tones = || stage.parties.iter().map(|party| party.tone);
        let ([holder_before, held_before], [holder_after, held_after]) =
            (before.as_slice(), after.as_slice())
        else {
            return false;
        };
        let holder_hears = HeardOnHold::between(holder_before, holder_after, tones());
        let held_hears = HeardOnHold::between(held_before, held_after, tones());
        (result.holder_hears, result.heard_on_hold) = (Some(holder_hears), Some(held_hears));
        let sound = held_hears.told(&result.parties).to_string();
        run.fact("held-end-hears", sound.clone());
        if holder_hears.party().is_some_and(|party| party != result.holder) {
            let answer = result.answer.as_deref().unwrap_or_default();
            let seen = format!(
                "{holder_name} has put {held_name} on hold (answered {answer}) and still hears {held_name}; {held_name} hears {sound}"
            );
            let advice = "platform: apply the direction of the offer; what is said on hold is heard";
            end(run, mark, Judged::fail("held-party-heard", Side::Peer, seen, advice));
            return true;
        }
        let heard = format!("{holder_name} does not hear {held_name}; {held_name} hears {sound}");
        run.end(mark, Verdict::Pass, heard);
        if self.how == How::ZeroAddress
            && result.passed_on == Some(false)
            && held_hears != HeardOnHold::OtherSound
        {
            run.find(Finding::new(
                "old-hold-unnoticed",
                Severity::Warning,
                Side::Peer,
                format!(
                    "{held_name} was not told of the hold by the address 0.0.0.0, and hears no music but {sound} (H01)"
                ),
                ZERO_ADVICE,
            ));
        }
        true
    }

    /// The call was ended while it was held.
    fn dropped(&self, reasons: &str, result: &HoldResult) -> Judged {
        let why = if reasons.is_empty() { String::new() } else { format!(": {reasons}") };
        if !super::call::dropped::is_media_timeout(reasons) {
            return Judged::fail(
                "dropped-on-hold",
                Side::Peer,
                format!("the call ended while it was held{why}"),
                "second line: the platform's log of this Call-ID",
            );
        }
        // A platform that knows this way of hold tells the other end, or plays music to it.
        if self.how == How::ZeroAddress && result.passed_on == Some(false) {
            return Judged::fail(
                "old-hold-not-known",
                Side::Peer,
                format!(
                    "the hold by the address 0.0.0.0 was taken for a live address, and the platform ended the call{why} (H01)"
                ),
                ZERO_ADVICE,
            );
        }
        Judged::fail(
            "media-timeout",
            Side::Peer,
            format!("the platform ended the held call{why} (H15)"),
            "platform: no media is what a hold is; a longer timeout for held calls, or none",
        )
    }
}

const ZERO_ADVICE: &str = "platform: c=0.0.0.0 is a hold (RFC 3264 sec. 8.4); phone: newer firmware, or the setting for hold by a=sendonly";

fn end(run: &mut Run, mark: super::StepMark, judged: Judged) {
    let judged = judged.shown_by(&(0..run.record_count()));
    run.end(mark, judged.verdict, judged.detail);
    judged.finding.into_iter().for_each(|finding| run.find(finding));
}

fn tone_of(stage: &Ends, leg: usize) -> Option<crate::media::party_tone::Party> {
    let party = stage.legs.get(leg)?.party;
    stage.parties.get(party).map(|party| party.tone)
}

/// How a hold is called on command lines.
///
/// # Errors
/// [`Error::Usage`] that lists them.
pub fn hold_way(text: &str) -> Result<How, Error> {
    match text.to_ascii_lowercase().as_str() {
        "sendonly" => Ok(How::SendOnly),
        "inactive" => Ok(How::Inactive),
        "zero" => Ok(How::ZeroAddress),
        _ => {
            Err(Error::usage(format!("hold \"{text}\""), "there are sendonly, inactive and zero (c=0.0.0.0)"))
        }
    }
}
