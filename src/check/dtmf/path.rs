//! From one account of ours to another: one call, and every method in it.

use super::{Dtmf, DtmfMethod, phase};
use crate::check::DtmfResult;
use crate::check::judge::digits::{DigitsVerdict, Fate, Pressed, judge};
use crate::check::judged::interrupted;
use crate::check::pair::hang_up;
use crate::check::scene::{Change, Ends, Seen, Until};
use crate::check::{Finding, MetricValue, Run, Severity, Side, Verdict};
use crate::media::digit::Digit;
use crate::media::dtmf::{Judged, Observation, Way};
use crate::ua::call::{Command, Hold};
use std::time::Duration;

/// Time for both ends to hear each other before the first digit.
const WARM_UP: Duration = Duration::from_secs(2);
/// A tone heard for this long is heard.
const HEARD: Duration = Duration::from_millis(200);
/// Time for our own end to be over, where the call is.
const AFTER: Duration = Duration::from_millis(500);
/// Time for a hold and its end, each.
const HOLD: Duration = Duration::from_secs(5);

pub(super) async fn run(check: &Dtmf, run: &mut Run) {
    let mut ends = Ends::default();
    if check.pair().open(run, &mut ends).await {
        talk(check, run, &mut ends).await;
    }
    ends.clear(run).await;
}

async fn talk(check: &Dtmf, run: &mut Run, ends: &mut Ends) {
    let Some((from, to)) = check.pair().connect(run, ends).await else { return };
    run.metric(
        "digits_sent",
        MetricValue::Count(check.keys.iter().filter(|key| is_digit(key)).count() as u64),
    );
    if let Until::Interrupted(_) = warm_up(run, ends, to).await {
        return;
    }
    methods(check, run, ends, from, to).await;
    hang_up(run, ends, from, to).await;
}

fn is_digit(key: &crate::media::digit::Key) -> bool {
    matches!(key, crate::media::digit::Key::Digit(_))
}

/// Until the far end hears us: digits before that would be lost for another reason.
async fn warm_up(run: &mut Run, ends: &mut Ends, to: usize) -> Until {
    let tone = ends.parties.first().map(|party| party.tone);
    let end = run.elapsed() + WARM_UP;
    loop {
        let rest = ends.rest(run, Duration::from_millis(250)).await;
        let Some(leg) = ends.legs.get(to) else { return Until::TimedOut };
        let report = leg.report().await;
        let heard = tone.is_some_and(|tone| report.heard_for(tone) >= HEARD);
        if heard || run.elapsed() >= end || matches!(rest, Until::Interrupted(_)) || !leg.seen.is_up() {
            return rest;
        }
    }
}

async fn methods(check: &Dtmf, run: &mut Run, ends: &mut Ends, from: usize, to: usize) {
    let (methods, alone): (&[DtmfMethod], bool) = match &check.method {
        DtmfMethod::All => (&[DtmfMethod::Rfc4733, DtmfMethod::Info, DtmfMethod::InBand], false),
        one => (std::slice::from_ref(one), true),
    };
    let mut good_before = false;
    let (mut good, mut owed) = (Vec::new(), Vec::new());
    for (place, method) in methods.iter().enumerate() {
        let step = run.begin(step_of(*method));
        let pressed = phase::run(check, run, ends, (from, to), *method, owed).await;
        let judged = judge(&pressed, alone);
        owed = pressed.owed(&judged);
        if judged.verdict == Verdict::Pass {
            good.push(method.as_str());
        }
        good_before |= *method == DtmfMethod::Rfc4733 && judged.verdict == Verdict::Pass;
        write_down(run, *method, &pressed, &judged);
        end(run, step, judged);
        if pressed.ends_the_call() || !ends.seen(from).is_some_and(Seen::is_up) {
            let over = |ends: &Ends| ends.seen(from).is_none_or(Seen::is_over);
            let _ = ends.until(run, AFTER, over).await;
            let rest = methods.iter().skip(place + 1).map(|method| step_of(*method));
            let after = (check.method == DtmfMethod::All).then_some("rfc4733-after-hold");
            rest.chain(after).for_each(|step| run.skip(step, "the call was over"));
            return;
        }
    }
    if !good.is_empty() {
        run.conclude(format!("all digits arrive by {}", good.join(", ")));
    }
    if check.method == DtmfMethod::All && good_before {
        after_hold(check, run, ends, (from, to), owed).await;
    }
}

fn step_of(method: DtmfMethod) -> &'static str {
    method.as_str()
}

fn end(run: &mut Run, step: crate::check::StepMark, judged: DigitsVerdict) {
    run.end(step, judged.verdict, judged.detail);
    judged.findings.into_iter().for_each(|finding| run.find(finding));
}

/// Digits that were good before must be good after a re-INVITE too (failure D16).
async fn after_hold(
    check: &Dtmf,
    run: &mut Run,
    ends: &mut Ends,
    (from, to): (usize, usize),
    owed: Vec<Digit>,
) {
    let step = run.begin("rfc4733-after-hold");
    for (command, wanted) in [(Command::Hold(Hold::SendOnly), "hold"), (Command::Resume, "resume")] {
        let change = match ends.change(run, from, command, HOLD).await {
            Ok(change) => change,
            Err(why) => return run.end(step, Verdict::Inconclusive, interrupted(why).detail),
        };
        let is_up = ends.seen(from).is_some_and(Seen::is_up);
        if !is_up || !matches!(change, Change::Made(_)) {
            let how = match change {
                Change::Refused(status) => format!("refused with {status}"),
                _ => "not answered".to_owned(),
            };
            let seen = format!("a re-INVITE ({wanted}) was {how}");
            run.find(
                Finding::new(
                    "reinvite-failed",
                    Severity::Warning,
                    Side::Peer,
                    seen.clone(),
                    "platform: hold and session refresh need re-INVITE; whether digits survive one was not seen",
                )
                .shown_by(0..run.record_count()),
            );
            return run.end(step, Verdict::NotRun, seen);
        }
    }
    // The other end needs its own change before what it hears counts.
    if let Until::Interrupted(why) = ends.rest(run, Duration::from_millis(300)).await {
        return run.end(step, Verdict::Inconclusive, interrupted(why).detail);
    }
    let pressed = phase::run(check, run, ends, (from, to), DtmfMethod::Rfc4733, owed).await;
    let mut named = judge(&pressed, true);
    if named.verdict == Verdict::Fail {
        let seen = match pressed.fate {
            Fate::NotNegotiated => "telephone-event is missing from the answer to a re-INVITE: digits are good before and impossible after it (D16)".to_owned(),
            _ => format!("digits are good before a re-INVITE and not after it (D16): {}", named.detail),
        };
        named.findings.insert(
            0,
            Finding::new(
                "digits-lost-after-reinvite",
                Severity::Error,
                Side::Peer,
                seen.clone(),
                "platform: keep telephone-event, with its number, in every answer",
            )
            .shown_by(pressed.evidence.clone()),
        );
        named.findings.truncate(1);
        named.detail = seen;
    }
    keep(run, "rfc4733-after-hold", &pressed, &named);
    end(run, step, named);
}

/// For programs: everything.
fn keep(run: &mut Run, step: &'static str, pressed: &Pressed, judged: &DigitsVerdict) {
    let (observed, loss) = match &pressed.fate {
        Fate::Sent(arrived) => (arrived.observed.clone(), arrived.expected.around.loss),
        _ => (Vec::new(), 0.0),
    };
    run.digits(DtmfResult {
        step: step.into(),
        way: pressed.way,
        sent: pressed.sent.clone(),
        judged: judged.judged.clone(),
        observed,
        loss,
        defects: judged.findings.iter().map(|finding| finding.code.clone()).collect(),
    });
}

/// What arrived, for people and for programs.
fn write_down(run: &mut Run, method: DtmfMethod, pressed: &Pressed, named: &DigitsVerdict) {
    keep(run, step_of(method), pressed, named);
    let (Fate::Sent(arrived), Some(judged)) = (&pressed.fate, &named.judged) else { return };
    let (received, fact) = match method {
        DtmfMethod::Info => ("received_info", "info"),
        DtmfMethod::InBand => ("received_inband", "inband"),
        _ => ("received_rfc4733", "rfc4733"),
    };
    run.metric(received, MetricValue::Count(judged.received.chars().count() as u64));
    run.fact(fact, evidence(pressed, judged, &arrived.observed, arrived.expected.around.loss));
}

/// E.g. `12# -> 12# by RFC 4733; 98 to 102 ms; payload type 101; -10 dBm0`.
fn evidence(pressed: &Pressed, judged: &Judged, observed: &[Observation], loss: f64) -> String {
    let sent: String = pressed.sent.iter().map(|digit| digit.character()).collect();
    let by = judged.way.map_or_else(|| "no way".to_owned(), |way| way.to_string());
    let received = if judged.received.is_empty() { "nothing" } else { &judged.received };
    let mut text = format!("{sent} -> {received} by {by}");
    let of_way = || observed.iter().filter(|seen| Some(seen.way) == judged.way);
    let mut durations: Vec<u128> = of_way().filter_map(|seen| Some(seen.duration?.as_millis())).collect();
    durations.sort_unstable();
    if let (Some(first), Some(last)) = (durations.first(), durations.last()) {
        text += &format!("; {first} to {last} ms");
    }
    let mut types: Vec<u8> = of_way().filter_map(|seen| Some(seen.rtp?.payload_type)).collect();
    types.dedup();
    if !types.is_empty() {
        let types: Vec<String> = types.iter().map(u8::to_string).collect();
        text += &format!("; payload type {}", types.join(", "));
    }
    let levels: Vec<f32> = of_way().filter_map(|seen| seen.level_dbm0).collect();
    if let Some(weakest) = levels.iter().copied().reduce(f32::min) {
        text += &format!("; {weakest:.0} dBm0");
    }
    for way in [Way::Rfc4733, Way::InBand, Way::Info].into_iter().filter(|way| Some(*way) != judged.way) {
        let also: String = observed
            .iter()
            .filter(|seen| seen.way == way)
            .filter_map(|seen| Some(seen.digit?.character()))
            .collect();
        if !also.is_empty() {
            text += &format!("; also {also} by {way}");
        }
    }
    if loss > 0.0 {
        text += &format!("; {:.1} % of the voice packets lost", loss * 100.0);
    }
    text
}
