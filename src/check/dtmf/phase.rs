//! One method at a time: the digits go out at one end, and what the other saw is put beside them.

use super::{Dtmf, DtmfMethod};
use crate::check::judge::digits::{Agreed, Arrived, Events, Fate, Pressed, Received};
use crate::check::press::Log;
use crate::check::scene::{Ends, Leg, Until};
use crate::check::{Interrupted, Run};
use crate::media::digit::Digit;
use crate::media::dtmf::{Around, Expected, Observation, Way, Window};
use crate::syntax::HeaderName;
use std::time::{Duration, Instant};

/// What is still on its way when the last digit was sent: events are known to be over a little later.
const AFTER: Duration = Duration::from_millis(600);
/// Time for digits that somebody holds back (to look for feature codes), and for each further one once they begin to come.
const HELD_BACK: Duration = Duration::from_secs(3);
const NEXT: Duration = Duration::from_millis(1_500);
/// The longest time that they are looked for.
pub(super) const LONGEST: Duration = Duration::from_secs(10);
/// The voice before the first digit that says how the path is.
const BEFORE: Duration = Duration::from_millis(600);
/// Time between two packets of voice where none came that says.
const PACKET_TIME: Duration = Duration::from_millis(20);

/// Sends the digits from leg `from` and looks at leg `to`. Digits that are `owed` were sent before and had not come.
pub(super) async fn run(
    check: &Dtmf,
    run: &mut Run,
    ends: &mut Ends,
    (from, to): (usize, usize),
    method: DtmfMethod,
    owed: Vec<Digit>,
) -> Pressed {
    let mark = run.record_count();
    let way = method.way();
    let sent = check.digits_sent();
    let mut expected = Expected::new(way, sent.clone(), check.timing.on);
    expected.owed = owed;
    let fate = attempt(check, run, ends, (from, to), expected).await;
    let agreed = agreed(ends, from, to);
    Pressed { way, sent, fate, agreed, evidence: mark..run.record_count() }
}

async fn attempt(
    check: &Dtmf,
    run: &mut Run,
    ends: &mut Ends,
    (from, to): (usize, usize),
    mut expected: Expected,
) -> Fate {
    let Some(theirs) = ends.legs.get(to) else { return Fate::CallEnded };
    let before = theirs.report().await.received.received;
    let (first, first_info) = (theirs.seen.observed.len(), theirs.seen.infos.len());
    let (began, mut log) = (run.now(), Log::default());
    let ended = match check.press(expected.way).run(run, ends, from, &mut log).await {
        Ok(until) => until,
        Err(unpressed) => {
            // What was passed on all the same is no digit of the next method.
            return match ends.rest(run, AFTER / 2).await {
                Until::Interrupted(why) => Fate::Interrupted(why),
                _ => unpressed.fate(log),
            };
        }
    };
    if let Until::Interrupted(why) = ended {
        return Fate::Interrupted(why);
    }
    if let Err(why) = arrive(run, ends, to, first, expected.digits.len()).await {
        return Fate::Interrupted(why);
    }
    let Some(theirs) = ends.legs.get(to) else { return Fate::CallEnded };
    if !theirs.seen.is_up() && ended == Until::TimedOut {
        return Fate::CallEnded;
    }
    let report = theirs.report().await;
    let plan = theirs.seen.plan.as_ref();
    expected.payload_type =
        plan.and_then(|plan| plan.receive_telephone_event).map(|event| event.payload_type);
    let window = Window {
        sent_at: &log.sent_at,
        on: check.timing.on,
        from: began.checked_sub(BEFORE).unwrap_or(began),
        until: run.now(),
        packet_time: report.packet_time_received.unwrap_or(PACKET_TIME),
    };
    expected.around = Around::of(&report.voice, &window);
    // Who did not send all of them knows no times.
    if log.sent_at.len() == expected.digits.len() {
        expected.sent_at = log.sent_at;
    }
    let infos = theirs.seen.infos.get(first_info..).unwrap_or_default();
    Fate::Sent(Box::new(Arrived {
        expected,
        observed: theirs.seen.observed.get(first..).unwrap_or_default().to_vec(),
        infos: infos
            .iter()
            .map(|(_, content_type, _, status)| Received {
                content_type: content_type.clone(),
                status: *status,
            })
            .collect(),
        packets: report.received.received.saturating_sub(before),
        refusals: log.refusals,
    }))
}

/// Waits until as many digits have come as were sent, or no more is to be expected.
async fn arrive(
    run: &mut Run,
    ends: &mut Ends,
    to: usize,
    first: usize,
    number: usize,
) -> Result<(), Interrupted> {
    let interrupted = |until| if let Until::Interrupted(why) = until { Err(why) } else { Ok(()) };
    interrupted(ends.rest(run, AFTER).await)?;
    let came = move |ends: &Ends| {
        let observed = ends.legs.get(to).and_then(|leg| leg.seen.observed.get(first..)).unwrap_or_default();
        most_by_one_way(observed)
    };
    let is_over = move |ends: &Ends| ends.seen(to).is_none_or(|seen| seen.is_over());
    let began = run.now();
    let mut end = HELD_BACK.saturating_sub(AFTER);
    while came(ends) < number && !is_over(ends) {
        let (so_far, passed) = (came(ends), run.now().saturating_duration_since(began));
        let Some(left) = end.checked_sub(passed).filter(|left| !left.is_zero()) else { break };
        interrupted(ends.until(run, left, |ends| came(ends) > so_far || is_over(ends)).await)?;
        if came(ends) > so_far {
            let passed: Duration = run.now().saturating_duration_since(began);
            end = end.max(passed + NEXT).min(LONGEST);
            if came(ends) >= number {
                // What comes twice comes soon.
                interrupted(ends.rest(run, AFTER / 2).await)?;
            }
        }
    }
    Ok(())
}

/// How many digits came by the way by which most of them did.
fn most_by_one_way(observed: &[Observation]) -> usize {
    let by = |way: Way| {
        let is_ours = |seen: &&Observation| seen.rtp.is_none_or(|rtp| !rtp.is_foreign);
        observed.iter().filter(|seen| seen.way == way && seen.digit.is_some()).filter(is_ours).count()
    };
    [Way::Rfc4733, Way::InBand, Way::Info].into_iter().map(by).max().unwrap_or_default()
}

/// What the descriptions said of telephone events.
fn agreed(ends: &Ends, from: usize, to: usize) -> Agreed {
    let Some(ours) = ends.legs.get(from) else { return Agreed::default() };
    let answer = ours.seen.final_response.as_ref().filter(|_| ours.is_caller);
    let theirs = ends.legs.get(to);
    let invited = theirs.and_then(|leg| invitation(ends, leg));
    let plan = theirs.and_then(|leg| leg.seen.plan.as_ref());
    Agreed {
        answer: answer.and_then(|answer| Events::of(answer.body())),
        offer: invited.and_then(|invite| Events::of(&invite)),
        receives: plan.and_then(|plan| plan.receive_telephone_event).map(|event| event.payload_type),
    }
}

/// The body of the INVITE that a leg began with.
fn invitation(ends: &Ends, leg: &Leg) -> Option<Vec<u8>> {
    let invitations = &ends.parties.get(leg.party)?.invitations;
    let is_of_it = |(at, _): &&(Instant, crate::message::Message)| *at == leg.began;
    let (_, invite) = invitations.iter().find(is_of_it)?;
    invite.header(HeaderName::ContentType)?;
    Some(invite.body().to_vec())
}
