//! Digits that were sent by one method, judged: whether they arrived, by which way, and what happened to them.

mod agreed;
mod info;
mod late;
mod menu;
mod told;
mod words;

pub(in crate::check) use agreed::{Agreed, Events};
pub(in crate::check) use info::{INFO_TYPE_UNKNOWN, Received, Refusal};
pub(in crate::check) use late::Lateness;
pub(in crate::check) use menu::{Menu, not_rung, unsent};
pub(in crate::check) use told::{evidence, result};

use super::audio;
use crate::check::judged::{StepVerdict, interrupted};
use crate::check::{Finding, Interrupted, Severity, Side, Verdict};
use crate::media::digit::Digit;
use crate::media::dtmf::{By, Comparison, Defect, DtmfMethod, Expected, Observation, judge as compare};
use std::mem::discriminant;
use std::ops::Range;
use std::time::Duration;

/// Above this share of lost voice, what is missing says more about the path than about the platform.
const LOSSY: f64 = 0.10;

const REPAIR: &str =
    "repair the path first (Wi-Fi, uplink, duplex), then run it again; longer digits survive more loss";

/// Facts about digits that were sent by one method.
#[derive(Debug)]
pub(in crate::check) struct Pressed {
    pub(in crate::check) way: DtmfMethod,
    pub(in crate::check) sent: Vec<Digit>,
    pub(in crate::check) fate: Fate,
    /// Telephone events in offers and answers.
    pub(in crate::check) agreed: Agreed,
    /// Records of the transcript.
    pub(in crate::check) evidence: Range<usize>,
}

/// Results of digits that were to be sent.
#[derive(Debug)]
pub(in crate::check) enum Fate {
    /// All were sent.
    Sent(Box<Arrived>),
    /// Telephone events were not agreed on.
    NotNegotiated,
    /// The far end does not take the events of these digits.
    NotTaken(Vec<Digit>),
    /// The INFO with the digit at this place was refused, or not answered.
    InfoRefused {
        at: usize,
        refusals: Vec<Refusal>,
        /// Its digit came to the far end all the same.
        has_arrived: bool,
    },
    /// The platform put the sending end on hold, this long after the answer.
    Held(Duration),
    /// The call ended meanwhile.
    CallEnded,
    Interrupted(Interrupted),
}

/// Digits that the far end saw.
#[derive(Debug)]
pub(in crate::check) struct Arrived {
    pub(in crate::check) expected: Expected,
    pub(in crate::check) observed: Vec<Observation>,
    /// INFOs that came, of every type.
    pub(in crate::check) infos: Vec<Received>,
    /// Digits that were not sent, because the far end does not take their events.
    pub(in crate::check) left_out: Vec<Digit>,
    /// Packets of voice and events that came meanwhile.
    pub(in crate::check) packets: u64,
    /// Where no more packets come: how long after the answer the last one came, and how long ago that was.
    pub(in crate::check) stopped: Option<[Duration; 2]>,
    /// How often INFOs of ours were sent again, because no answer came in time.
    pub(in crate::check) infos_repeated: usize,
    /// INFOs of the first type that were refused before the second one was taken.
    pub(in crate::check) refusals: Vec<Refusal>,
    /// Share (0 to 1) of our own packets that went out in time; `None` where none was due.
    pub(in crate::check) pace: Option<f64>,
    /// Digits at whose time our own ends did not get to their packets.
    pub(in crate::check) late: Lateness,
}

/// The verdict on digits by one method, in one sentence, with what was found.
#[derive(Debug)]
pub(in crate::check) struct DigitsVerdict {
    pub(in crate::check) verdict: Verdict,
    pub(in crate::check) detail: String,
    pub(in crate::check) findings: Vec<Finding>,
    /// The comparison, where all were sent.
    pub(in crate::check) judged: Option<Comparison>,
}

impl DigitsVerdict {
    /// Are digits missing because no more packets come?
    pub(in crate::check) fn is_stopped(&self) -> bool {
        self.findings.iter().any(|finding| finding.code == "audio-stopped")
    }

    fn of(judged: StepVerdict) -> DigitsVerdict {
        let findings = judged.finding.into_iter().collect();
        DigitsVerdict { verdict: judged.verdict, detail: judged.detail, findings, judged: None }
    }
}

impl Pressed {
    /// Digits that may still come, of these and of those that were owed before.
    pub(in crate::check) fn owed(&self, verdict: &DigitsVerdict) -> Vec<Digit> {
        match (&self.fate, &verdict.judged) {
            (Fate::Sent(arrived), Some(judged)) => {
                let mut owed = arrived.expected.owed.clone();
                for late in judged.belated.iter().filter_map(|at| arrived.observed.get(*at)) {
                    if let Some(at) = owed.iter().position(|digit| Some(*digit) == late.digit) {
                        owed.remove(at);
                    }
                }
                let missing = judged.digits.iter().filter(|digit| digit.observed.is_none());
                owed.extend(missing.map(|digit| digit.digit));
                owed
            }
            // A peer that refuses an INFO may have passed its digit on.
            (Fate::InfoRefused { at, .. }, _) => self.sent.iter().take(at + 1).copied().collect(),
            _ => Vec::new(),
        }
    }

    /// How long after the answer the last packet came, where no more do.
    pub(in crate::check) fn stopped(&self) -> Option<Duration> {
        match &self.fate {
            Fate::Sent(arrived) => arrived.stopped.map(|[last, _]| last),
            _ => None,
        }
    }

    /// Is the call over for further requests? RFC 3261 sec. 12.2.1.2 ends a dialog that the peer does not know, or in which it does not answer.
    pub(in crate::check) fn ends_the_call(&self) -> bool {
        match &self.fate {
            Fate::InfoRefused { refusals, .. } => {
                refusals.last().is_none_or(|last| matches!(last.status(), None | Some(408 | 481)))
            }
            Fate::CallEnded | Fate::Interrupted(_) => true,
            Fate::Sent(_) | Fate::NotNegotiated | Fate::NotTaken(_) | Fate::Held(_) => false,
        }
    }
}

/// Judges one method. With `alone`, it is what was asked for; otherwise it is one of several.
pub(in crate::check) fn judge(pressed: &Pressed, alone: bool) -> DigitsVerdict {
    let mut verdict = match &pressed.fate {
        Fate::Sent(arrived) => sent(pressed, arrived),
        Fate::NotNegotiated => DigitsVerdict::of(agreed::missing(&pressed.agreed)),
        Fate::NotTaken(digits) => DigitsVerdict::of(agreed::not_taken(&pressed.agreed, digits)),
        Fate::InfoRefused { at, refusals, has_arrived } => {
            let digit = pressed.sent.get(*at).map_or('?', |digit| digit.character());
            info::refused(digit, refusals, *has_arrived, alone)
        }
        Fate::Held(after) => DigitsVerdict::of(StepVerdict::fail(
            "held-by-far-side",
            Side::Peer,
            format!(
                "the platform put the sending end on hold {:.1} s after the answer and did not take it back: digits by {} are not sent then",
                after.as_secs_f64(),
                pressed.way
            ),
            audio::HELD_ADVICE,
        )),
        Fate::CallEnded => DigitsVerdict::of(StepVerdict::fail(
            "call-ended",
            Side::Peer,
            format!("the call ended while digits were sent by {}", pressed.way),
            "see who hung up, and whether a digit is a feature code of the platform",
        )),
        Fate::Interrupted(why) => DigitsVerdict::of(interrupted(*why)),
    };
    for finding in &mut verdict.findings {
        finding.evidence = pressed.evidence.clone();
    }
    verdict
}

fn sent(pressed: &Pressed, arrived: &Arrived) -> DigitsVerdict {
    let mut verdict = compared(pressed, arrived);
    if arrived.left_out.is_empty() {
        return verdict;
    }
    let left_out = agreed::not_taken(&pressed.agreed, &arrived.left_out);
    if verdict.verdict == Verdict::Pass && left_out.verdict != Verdict::Pass {
        (verdict.verdict, verdict.detail) = (left_out.verdict, left_out.detail);
    }
    verdict.findings.extend(left_out.finding);
    verdict
}

fn compared(pressed: &Pressed, arrived: &Arrived) -> DigitsVerdict {
    let judged = compare(&arrived.expected, &arrived.observed);
    if let Some(stopped) = stopped(pressed, arrived, &judged) {
        return DigitsVerdict {
            judged: Some(judged),
            ..DigitsVerdict::of(audio::doubted(stopped, arrived.pace))
        };
    }
    let all: String = pressed.sent.iter().map(|digit| digit.character()).collect();
    let mut verdict = DigitsVerdict {
        verdict: Verdict::Pass,
        detail: format!("sent {all} by {}, received {}", pressed.way, words::shown(&judged.received)),
        findings: Vec::new(),
        judged: None,
    };
    verdict.findings.extend(info::other_type(&arrived.refusals));
    let path = Path::new(arrived, &judged);
    if let Some(lossy) = path.finding(&pressed.sent) {
        if lossy.severity == Severity::Error {
            verdict.verdict = Verdict::Inconclusive;
        }
        verdict.detail = format!("{}; {}", verdict.detail, lossy.seen);
        verdict.findings.push(lossy);
    }
    let mut doubted = Vec::new();
    for alike in kinds(&judged.defects) {
        let (by_path, others): (Vec<Defect>, Vec<Defect>) =
            alike.into_iter().partition(|defect| path.explains(*defect));
        let (by_us, by_peer): (Vec<Defect>, Vec<Defect>) =
            others.into_iter().partition(|defect| arrived.late.explains(*defect));
        for (alike, side) in [(by_path, Side::Path), (by_us, Side::Probe), (by_peer, Side::Peer)] {
            let Some(&kind) = alike.first() else { continue };
            let mut finding = words::finding(pressed, arrived, kind, &alike);
            if side == Side::Path {
                (finding.severity, finding.side) = (Severity::Warning, Side::Path);
                finding.advice = REPAIR.to_owned();
            } else if side == Side::Probe {
                doubted.push(finding.seen);
                continue;
            } else if finding.severity == Severity::Error {
                if verdict.verdict != Verdict::Fail {
                    verdict.detail = finding.seen.clone();
                }
                verdict.verdict = Verdict::Fail;
            }
            verdict.findings.push(finding);
        }
    }
    let mut others: Vec<Finding> = agreed::unasked(pressed, arrived).into_iter().collect();
    if !judged.defects.contains(&Defect::NothingArrived) {
        others.extend(info::unread(&arrived.infos, false));
    }
    let some =
        |places: &[usize]| places.iter().filter_map(|at| arrived.observed.get(*at)).collect::<Vec<_>>();
    others.extend(words::belated(&some(&judged.belated)));
    others.extend(words::foreign(&some(&judged.foreign)));
    for finding in others {
        if finding.severity == Severity::Error && verdict.verdict != Verdict::Fail {
            (verdict.verdict, verdict.detail) = (Verdict::Fail, finding.seen.clone());
        }
        verdict.findings.push(finding);
    }
    verdict.judged = Some(judged);
    if let Some(finding) = arrived.late.finding(&doubted) {
        if verdict.verdict != Verdict::Fail {
            (verdict.verdict, verdict.detail) = (Verdict::Inconclusive, finding.seen.clone());
        }
        verdict.findings.push(finding);
    }
    doubt(&mut verdict, arrived.pace);
    verdict
}

/// Digits are missing that are carried by RTP, of which no more comes: nothing that is said of digits explains it.
fn stopped(pressed: &Pressed, arrived: &Arrived, judged: &Comparison) -> Option<StepVerdict> {
    let [last, since] = arrived.stopped.filter(|_| pressed.way != DtmfMethod::Info)?;
    judged.defects.iter().any(|defect| is_by_loss(*defect)).then(|| {
        StepVerdict::fail(
            "audio-stopped",
            Side::Path,
            format!(
                "RTP came to the far end until {:.1} s after the answer, and none in the {:.1} s since: digits by {} cannot arrive",
                last.as_secs_f64(),
                since.as_secs_f64(),
                pressed.way
            ),
            audio::STOPPED_ADVICE,
        )
    })
}

/// Verdict on digits that this machine did not send in time: they are none of the platform's.
fn doubt(verdict: &mut DigitsVerdict, pace: Option<f64>) {
    let failed = StepVerdict { verdict: verdict.verdict, detail: verdict.detail.clone(), finding: None };
    let doubted = audio::doubted(failed, pace);
    if let Some(finding) = doubted.finding {
        (verdict.verdict, verdict.detail) = (doubted.verdict, doubted.detail);
        for finding in &mut verdict.findings {
            finding.severity = finding.severity.min(Severity::Warning);
        }
        verdict.findings.insert(0, finding);
    }
}

/// Defects of one kind together, in the order of the first of each.
fn kinds(defects: &[Defect]) -> Vec<Vec<Defect>> {
    let mut kinds: Vec<Vec<Defect>> = Vec::new();
    for defect in defects {
        match kinds.iter_mut().find(|kind| kind.iter().all(|one| same_kind(*one, *defect))) {
            Some(kind) => kind.push(*defect),
            None => kinds.push(vec![*defect]),
        }
    }
    kinds
}

fn same_kind(one: Defect, other: Defect) -> bool {
    match (one, other) {
        (Defect::Doubled { by: one, .. }, Defect::Doubled { by: other, .. }) => one == other,
        (Defect::Late { is_overtaken: one, .. }, Defect::Late { is_overtaken: other, .. }) => one == other,
        _ => discriminant(&one) == discriminant(&other),
    }
}

/// May packets that are missing have done this?
fn is_by_loss(defect: Defect) -> bool {
    matches!(
        defect,
        Defect::NothingArrived
            | Defect::Lost { .. }
            | Defect::Merged { .. }
            | Defect::Shortened { .. }
            | Defect::NoEndPacket { .. }
            | Defect::NoMarker { .. }
            | Defect::Changed { .. }
            | Defect::Doubled { by: By::Repeat, .. }
    )
}

/// Finding about the path, by the voice around the digits.
struct Path<'a> {
    loss: f64,
    /// Digits that were lost together with the voice around them.
    interrupted: &'a [usize],
    /// Digits of which something is missing that loss alone explains.
    missing: bool,
}

impl Path<'_> {
    fn new<'a>(arrived: &'a Arrived, judged: &Comparison) -> Path<'a> {
        let around = &arrived.expected.around;
        let mut path = Path { loss: around.loss, interrupted: &around.interrupted, missing: false };
        path.missing = judged.defects.iter().any(|defect| path.explains(*defect));
        path
    }

    /// May what the path lost alone have done this?
    fn explains(&self, defect: Defect) -> bool {
        let by_loss = is_by_loss(defect);
        let is_interrupted = defect.position().is_some_and(|at| self.interrupted.contains(&at));
        by_loss && (self.loss > LOSSY || is_interrupted)
    }

    fn finding(&self, sent: &[Digit]) -> Option<Finding> {
        let percent = self.loss * 100.0;
        let (severity, seen) = match (self.loss > LOSSY, self.missing) {
            (true, true) => (
                Severity::Error,
                format!(
                    "{percent:.0} % of the voice packets were lost on the way: what is missing may be the path's fault"
                ),
            ),
            (true, false) => (
                Severity::Warning,
                format!(
                    "{percent:.0} % of the voice packets were lost on the way; the digits got through all the same"
                ),
            ),
            (false, true) => (
                Severity::Error,
                format!(
                    "the path was interrupted: the voice around {} is missing too",
                    words::places(sent, self.interrupted)
                ),
            ),
            (false, false) => return None,
        };
        Some(Finding::new("path-lossy", severity, Side::Path, seen, REPAIR))
    }
}

#[cfg(test)]
mod tests;
