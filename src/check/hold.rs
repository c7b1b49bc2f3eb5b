//! Hold and resume: does each end hear what the directions say?

use super::call::trace::{Trace, What};
use super::judged::{Judged, interrupted};
use super::pair::{Pair, hang_up, hears};
use super::stage::{Stage, Until};
use super::{Account, Check, Finding, MetricValue, Run, Severity, Side, Verdict};
use crate::error::Error;
use crate::syntax::Method;
use crate::transport::Direction;
use crate::ua::call::{By, Command, Event, Hold as How};
use std::time::Duration;

/// Time for a re-INVITE and its answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Time for both ends to hear each other.
const HEAR: Duration = Duration::from_secs(5);
/// A tone heard for this long is heard.
const HEARD: Duration = Duration::from_millis(300);
/// What was on its way when the directions changed.
const SETTLE: Duration = Duration::from_millis(300);

/// Can a call be held and resumed?
///
/// One account of ours calls another; one end holds, both listen, it resumes, both listen again. Steps: `party-a`, `party-b`, `call`,
/// `before`, `hold`, `held`, `resume`, `after`, `hang-up`. Facts: `hold-answer` and `resume-answer` (the direction of the answers),
/// `held-end-hears` (the holder's tone, music or another sound, or silence). Metrics: `hold` and `resume` (from the re-INVITE to its answer).
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
        let mut stage = Stage::default();
        if pair.open(run, &mut stage).await
            && let Some((from, to)) = pair.connect(run, &mut stage).await
        {
            self.hold(run, &mut stage, (from, to)).await;
            hang_up(run, &mut stage, from, to).await;
        }
        stage.clear(run).await;
    }
}

/// The steps that follow a failed one.
fn skip(run: &mut Run, steps: &[&'static str], why: &str) {
    steps.iter().for_each(|step| run.skip(step, why));
}

impl Hold {
    async fn hold(&self, run: &mut Run, stage: &mut Stage, (from, to): (usize, usize)) {
        let (holder, held) = if self.by_callee { (to, from) } else { (from, to) };
        if !self.both_hear(run, stage, "before", (holder, held), None).await {
            return skip(run, &["hold", "held", "resume", "after"], "not both heard each other before");
        }
        let hold = Command::Hold(self.how);
        let Some(answer) = self.change(run, stage, "hold", hold, (holder, held)).await else {
            return skip(run, &["held", "resume", "after"], "the hold did not come about");
        };
        if !self.held(run, stage, (holder, held), &answer).await {
            return skip(run, &["resume", "after"], "the call was over");
        }
        let Some(answer) = self.change(run, stage, "resume", Command::Resume, (holder, held)).await else {
            return skip(run, &["after"], "the call was not resumed");
        };
        if self.both_hear(run, stage, "after", (holder, held), Some(&answer)).await {
            run.conclude("held and resumed; each end heard what it should");
        }
    }

    /// Both ends hear each other, anew.
    async fn both_hear(
        &self,
        run: &mut Run,
        stage: &mut Stage,
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
                    run.end(mark, Verdict::Inconclusive, "stopped");
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

    /// A re-INVITE of the holder; gives the direction of its answer.
    async fn change(
        &self,
        run: &mut Run,
        stage: &mut Stage,
        step: &'static str,
        command: Command,
        (holder, held): (usize, usize),
    ) -> Option<String> {
        let mark = run.begin(step);
        let before = stage.seen(holder)?.changes.len();
        let told_before = stage.seen(held)?.changes.len();
        let began = run.now();
        stage.legs.get(holder)?.handle.command(command).await;
        let changed = |stage: &Stage| {
            stage.seen(holder).is_none_or(|seen| {
                seen.is_over()
                    || seen
                        .changes
                        .iter()
                        .skip(before)
                        .any(|(_, event)| !matches!(event, Event::Glare { .. }))
            })
        };
        let until = stage.until(run, ANSWER, changed).await;
        if let Until::Interrupted(why) = until {
            end(run, mark, interrupted(why));
            return None;
        }
        let result = stage.seen(holder)?.changes.iter().skip(before).find_map(|(at, event)| match event {
            Event::ChangeFailed { status } => Some((*at, Err(*status))),
            Event::Held { by: By::Local, .. } | Event::Resumed { by: By::Local, .. } => Some((*at, Ok(()))),
            _ => None,
        });
        let (holder_name, held_name) = self.names();
        let judged = match result {
            Some((at, Ok(()))) => {
                let took = at.saturating_duration_since(began);
                run.metric(step, MetricValue::Duration(took));
                // A platform that passes it on has told the other end by now, or does so soon.
                let told =
                    |stage: &Stage| stage.seen(held).is_none_or(|seen| seen.changes.len() > told_before);
                let _ = stage.until(run, SETTLE, told).await;
                let passed_on = stage.seen(held).is_some_and(|seen| seen.changes.len() > told_before);
                let answer = answer_direction(run, stage.legs.get(holder)?.handle.call_id());
                run.fact(if step == "hold" { "hold-answer" } else { "resume-answer" }, answer.clone());
                let how = if passed_on { "passed on" } else { "kept by the platform" };
                if step == "hold"
                    && let Some(finding) = wrong_answer(self.how, &answer, holder_name)
                {
                    let is_error = finding.severity == Severity::Error;
                    run.end(
                        mark,
                        if is_error { Verdict::Fail } else { Verdict::Pass },
                        format!("answered {answer}; {how} to {held_name}"),
                    );
                    run.find(finding);
                    return Some(answer);
                }
                run.end(mark, Verdict::Pass, format!("answered {answer}; {how} to {held_name}"));
                return Some(answer);
            }
            Some((_, Err(Some(status)))) => Judged::fail(
                "reinvite-refused",
                Side::Peer,
                format!("the re-INVITE ({step}) was refused with {status}"),
                "platform: hold needs re-INVITE; 491 that never ends is a transaction that was not cleared (H05)",
            ),
            _ => Judged::fail(
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
        stage: &mut Stage,
        (holder, held): (usize, usize),
        answer: &str,
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
        let over = |stage: &Stage| {
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
            let timeout = super::call::dropped::is_media_timeout(&reasons);
            let judged = if timeout {
                Judged::fail(
                    "media-timeout",
                    Side::Peer,
                    format!("the platform ended the held call: {reasons} (H15)"),
                    "platform: no media is what a hold is; a longer timeout for held calls, or none",
                )
            } else {
                Judged::fail(
                    "dropped-on-hold",
                    Side::Peer,
                    format!(
                        "the call ended while it was held{}",
                        if reasons.is_empty() { String::new() } else { format!(": {reasons}") }
                    ),
                    "second line: the platform's log of this Call-ID",
                )
            };
            end(run, mark, judged);
            return false;
        }
        let mut after = Vec::new();
        for leg in [holder, held] {
            let Some(leg) = stage.legs.get(leg) else { return false };
            after.push(leg.report().await);
        }
        let (Some(holder_tone), Some(held_tone)) = (tone_of(stage, holder), tone_of(stage, held)) else {
            return false;
        };
        let ([holder_report, held_report], [_, held_before]) = (after.as_slice(), before.as_slice()) else {
            return false;
        };
        let audible = held_report.audible.saturating_sub(held_before.audible);
        let sound = if held_report.heard_for(holder_tone) >= HEARD {
            format!("{holder_name}'s tone")
        } else if audible >= HEARD {
            "music, or another sound that is neither's tone".to_owned()
        } else {
            "silence".to_owned()
        };
        run.fact("held-end-hears", sound.clone());
        if holder_report.heard_for(held_tone) >= HEARD {
            end(
                run,
                mark,
                Judged::fail(
                    "held-party-heard",
                    Side::Peer,
                    format!(
                        "{holder_name} has put {held_name} on hold (answered {answer}) and still hears {held_name}"
                    ),
                    "platform: apply the direction of the offer; what is said on hold is heard",
                ),
            );
            return true;
        }
        run.end(
            mark,
            Verdict::Pass,
            format!("{holder_name} does not hear {held_name}; {held_name} hears {sound}"),
        );
        true
    }
}

fn end(run: &mut Run, mark: super::StepMark, judged: Judged) {
    let judged = judged.shown_by(&(0..run.record_count()));
    run.end(mark, judged.verdict, judged.detail);
    judged.finding.into_iter().for_each(|finding| run.find(finding));
}

fn tone_of(stage: &Stage, leg: usize) -> Option<crate::media::party_tone::Party> {
    let party = stage.legs.get(leg)?.party;
    stage.parties.get(party).map(|party| party.tone)
}

/// The direction in the last answer that this call got to a re-INVITE; without an attribute it is `sendrecv` (RFC 3264 sec. 5.1).
fn answer_direction(run: &Run, call_id: &str) -> String {
    let trace = Trace::of(run, call_id);
    let answer = trace.all(Direction::Received, What::Response(Method::Invite, 200, 299)).next_back();
    let Some(answer) = answer else { return "unknown".to_owned() };
    let body = String::from_utf8_lossy(answer.message.body()).into_owned();
    let attribute = body
        .lines()
        .filter_map(|line| line.trim().strip_prefix("a="))
        .rfind(|attribute| ["sendrecv", "sendonly", "recvonly", "inactive"].contains(attribute));
    attribute.unwrap_or("sendrecv").to_owned()
}

/// What is wrong with the answer to a hold (RFC 3264 sec. 6.1).
fn wrong_answer(how: How, answer: &str, holder: &str) -> Option<Finding> {
    let allowed: &[&str] = match how {
        How::SendOnly => &["recvonly", "inactive"],
        How::Inactive => &["inactive"],
        // RFC 2543 knows no directions: whatever is answered, nothing is sent to no address.
        How::ZeroAddress => return None,
    };
    let offered = if how == How::SendOnly { "sendonly" } else { "inactive" };
    if !allowed.contains(&answer) {
        return Some(Finding::new(
            "hold-answer-wrong",
            Severity::Error,
            Side::Peer,
            format!("{holder}'s hold ({offered}) was answered {answer}, which no answer to it may be (H02)"),
            "platform fault: sendonly is answered recvonly or inactive (RFC 3264 sec. 6.1)",
        ));
    }
    (how == How::SendOnly && answer == "inactive").then(|| {
        Finding::new(
            "hold-answered-inactive",
            Severity::Warning,
            Side::Peer,
            format!("{holder}'s hold (sendonly) was answered inactive: allowed, and its music reaches nobody (H02)"),
            "platform: answer recvonly, so that the held party hears the holder's music",
        )
    })
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
