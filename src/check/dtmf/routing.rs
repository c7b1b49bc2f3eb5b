//! A menu: given digits, does it ring the account that it should?

use super::{Dtmf, DtmfMethod};
use crate::check::judge::digits::{self, Agreed, Events, Fate, Pressed};
use crate::check::judged::{Judged, interrupted};
use crate::check::pair::hang_up;
use crate::check::press::{Log, Unpressed};
use crate::check::scene::{Ends, Expect, Until};
use crate::check::{Finding, MetricValue, Run, Severity, Side, Verdict};
use crate::media::digit::Key;
use crate::media::dtmf::Way;
use crate::ua::call::By;
use std::time::Duration;

/// Time for both to hear each other once the target has answered.
const HEAR: Duration = Duration::from_secs(5);
/// A tone heard for this long is heard.
const HEARD: Duration = Duration::from_millis(500);

pub(super) async fn run(check: &Dtmf, run: &mut Run) {
    let mut stage = Ends::default();
    if check.pair().open(run, &mut stage).await {
        route(check, run, &mut stage).await;
    }
    stage.clear(run).await;
}

async fn route(check: &Dtmf, run: &mut Run, stage: &mut Ends) {
    let step = run.begin("call");
    let from = match stage.dial(0, &check.target()).await {
        Ok(leg) => leg,
        Err(error) => return run.end(step, Verdict::Inconclusive, error.to_string()),
    };
    // A menu may speak before it answers (failure D17): then digits are tried in early media.
    let ready = answered_or_early(check, run, stage, from).await;
    let Some(seen) = stage.seen(from).filter(|seen| !seen.is_over() && seen.plan.is_some()) else {
        let judged = check.pair().not_up(run, stage, from, ready);
        run.end(step, judged.verdict, judged.detail);
        judged.finding.into_iter().for_each(|finding| run.find(finding));
        return;
    };
    let early = seen.answered.is_none();
    run.end(step, Verdict::Pass, if early { "speaks in early media, not answered" } else { "answered" });
    if let Until::Interrupted(why) = stage.rest(run, check.prompt).await {
        return run.skip("digits", interrupted(why).detail);
    }
    let step = run.begin("digits");
    if let Some(party) = stage.parties.get_mut(1) {
        party.expect = Some(Expect::answer(Duration::from_millis(200)));
    }
    let phase = send(check, run, stage, from).await;
    let sent_at = run.now();
    match phase {
        Sent::All => run.end(step, Verdict::Pass, format!("sent by {}", check.method.way())),
        Sent::Not(judged) => {
            run.end(step, judged.verdict, judged.detail);
            judged.finding.into_iter().for_each(|finding| run.find(finding));
            return;
        }
    }
    let step = run.begin("ring");
    let rung = |stage: &Ends| stage.called(1).is_some();
    let waited = stage
        .until(run, check.wait, |stage| rung(stage) || stage.seen(from).is_none_or(|seen| seen.is_over()))
        .await;
    let invited = stage.parties.get(1).and_then(|party| party.invitations.first()).map(|(at, _)| *at);
    let (Some(to), Some(invited)) = (stage.called(1), invited) else {
        let judged = not_rung(check, stage, from, waited, early);
        run.end(step, judged.verdict, judged.detail);
        judged.finding.into_iter().for_each(|finding| run.find(finding));
        return;
    };
    let last_digit = stage.seen(from).and_then(|seen| seen.sent.last()).map_or(sent_at, |(at, ..)| *at);
    let menu = invited.saturating_duration_since(last_digit);
    run.metric("menu", MetricValue::Duration(menu));
    run.end(
        step,
        Verdict::Pass,
        format!("{} rings {:.1} s after the last digit", check.b.aor(), menu.as_secs_f32()),
    );
    hears(check, run, stage, from, to).await;
    hang_up(run, stage, from, to).await;
}

/// How long early media has to last before it is taken for a menu that does not answer.
const EARLY: Duration = Duration::from_secs(4);

/// Until the call is answered, or speaks without an answer for [`EARLY`].
async fn answered_or_early(check: &Dtmf, run: &mut Run, stage: &mut Ends, from: usize) -> Until {
    let end = run.elapsed() + check.wait;
    loop {
        let done =
            |stage: &Ends| stage.seen(from).is_none_or(|seen| seen.answered.is_some() || seen.is_over());
        let until = stage.until(run, Duration::from_millis(250), done).await;
        let early = stage.seen(from).and_then(|seen| seen.early_media);
        let speaks = early.is_some_and(|since| run.now().saturating_duration_since(since) >= EARLY);
        if until != Until::TimedOut || speaks || run.elapsed() >= end {
            return until;
        }
    }
}

enum Sent {
    All,
    Not(Judged),
}

/// Sends the digits to a menu, which nobody looks into: only that they could be sent is known.
async fn send(check: &Dtmf, run: &mut Run, stage: &mut Ends, from: usize) -> Sent {
    let method = if check.method == DtmfMethod::All { DtmfMethod::Rfc4733 } else { check.method };
    let (way, mark) = (method.way(), run.record_count());
    let mut log = Log::default();
    let fate = match check.press(way).run(run, stage, from, &mut log).await {
        Ok(Until::Interrupted(why)) => Fate::Interrupted(why),
        // Over before all were sent: a menu that needs no more digits rings at once, one that hangs up does not.
        Ok(_) | Err(Unpressed::CallEnded) => return Sent::All,
        Err(unpressed) => unpressed.fate(log),
    };
    let answer = stage.seen(from).and_then(|seen| seen.final_response.as_ref());
    let pressed = Pressed {
        way,
        sent: check.digits_sent(),
        fate,
        agreed: Agreed { answer: answer.and_then(|answer| Events::of(answer.body())), ..Agreed::default() },
        evidence: mark..run.record_count(),
    };
    Sent::Not(digits::judge(&pressed, true).first())
}

fn not_rung(check: &Dtmf, stage: &Ends, from: usize, waited: Until, early: bool) -> Judged {
    if let Until::Interrupted(why) = waited {
        return interrupted(why);
    }
    let digits: String =
        check.keys.iter().map(|key| if let Key::Digit(d) = key { d.character() } else { ',' }).collect();
    let number = check.number();
    let method = check.method.way();
    let seen = stage.seen(from);
    if early {
        return Judged::fail(
            "menu-in-early-media",
            Side::Peer,
            format!(
                "{number} speaks in early media and never answers; digits {digits} by {method} rang nobody (D17)"
            ),
            "platform: answer before the menu; phones send no digits before the answer",
        );
    }
    if let Some(ended) = seen.and_then(|seen| seen.ended.as_ref()) {
        let sent = seen.map_or(0, |seen| seen.sent.iter().filter(|(at, ..)| *at < ended.at).count());
        let after = match (check.method.way(), sent) {
            (Way::Info, _) | (_, 0) => "while digits were sent".to_owned(),
            (_, sent) => format!(
                "after digit {sent} of {}",
                check.keys.iter().filter(|k| matches!(k, Key::Digit(_))).count()
            ),
        };
        let who = if ended.by == By::Peer { "the menu hung up" } else { "the call ended" };
        return Judged::fail(
            "menu-hung-up",
            Side::Peer,
            format!("{who} {after}; {} did not ring", check.b.aor()),
            "compare the menu's options with the digits; a menu that times out did not take them",
        );
    }
    Judged::fail(
        "menu-did-not-ring",
        Side::Peer,
        format!(
            "{number}, given {digits} by {method}, did not ring {} in {:.0} s",
            check.b.aor(),
            check.wait.as_secs_f32()
        ),
        "check the menu's option for these digits; if it is right the digits were not taken: try --method info and inband, and the check between two accounts",
    )
}

/// The caller and the account that the menu rang must hear each other.
async fn hears(check: &Dtmf, run: &mut Run, stage: &mut Ends, from: usize, to: usize) {
    let step = run.begin("hears");
    let tones: Vec<_> = stage.parties.iter().map(|party| party.tone).collect();
    let end = run.elapsed() + HEAR;
    let (mut a_hears, mut b_hears) = (false, false);
    while run.elapsed() < end && !(a_hears && b_hears) {
        if let Until::Interrupted(why) = stage.rest(run, Duration::from_millis(250)).await {
            return run.end(step, Verdict::Inconclusive, interrupted(why).detail);
        }
        let (Some(ours), Some(theirs)) = (stage.legs.get(from), stage.legs.get(to)) else { break };
        if !ours.seen.is_up() || !theirs.seen.is_up() {
            if theirs.seen.is_over() || ours.seen.is_over() {
                break;
            }
            continue;
        }
        if let [a, b, ..] = tones.as_slice() {
            a_hears = ours.report().await.heard_for(*b) >= HEARD;
            b_hears = theirs.report().await.heard_for(*a) >= HEARD;
        }
    }
    let who = match (a_hears, b_hears) {
        (true, true) => {
            run.conclude(format!(
                "{} given {} rings {}, and both hear each other",
                check.number(),
                check
                    .keys
                    .iter()
                    .map(|key| if let Key::Digit(d) = key { d.character() } else { ',' })
                    .collect::<String>(),
                check.b.aor()
            ));
            return run.end(step, Verdict::Pass, "both hear each other");
        }
        (false, true) => format!("{} does not hear {}", check.a.aor(), check.b.aor()),
        (true, false) => format!("{} does not hear {}", check.b.aor(), check.a.aor()),
        (false, false) => "neither hears the other".to_owned(),
    };
    run.find(Finding::new(
        "one-way-audio",
        Severity::Error,
        Side::Path,
        format!("after the menu has connected them, {who}"),
        "allow the UDP media ports; look whether the platform tells both ends the right address",
    ));
    run.end(step, Verdict::Fail, who);
}
