//! One method at a time: the digits go out at one end, and what the other saw is put beside them.

use super::Dtmf;
use crate::check::Interrupted;
use crate::check::judge::audio;
use crate::check::judge::digits::{Agreed, Arrived, Events, Fate, Lateness, Pressed, Received};
use crate::check::scene::{Ends, JoinedLegs, Press, PressLog, Scene, Until, not_taken};
use crate::media::digit::{Digit, Key};
use crate::media::dtmf::{Around, DtmfMethod, Expected, Observation, Window};
use crate::syntax::{HeaderName, Method};
use crate::ua::call::DtmfInfo;
use std::time::Duration;

/// Time for what is still on its way when the last digit was sent: events are known to be over a little later.
const AFTER: Duration = Duration::from_millis(600);
/// Time for digits that somebody holds back (to look for feature codes).
const HELD_BACK: Duration = Duration::from_secs(3);
/// Time for each further one once they begin to come.
const NEXT: Duration = Duration::from_millis(1_500);
/// Longest wait for the digits.
pub(in crate::check::dtmf) const LONGEST: Duration = Duration::from_secs(10);
/// The voice before the first digit that says how the path is.
const BEFORE: Duration = Duration::from_millis(600);
/// Time between two packets of voice where none came that says.
const PACKET_TIME: Duration = Duration::from_millis(20);

/// Sends the digits from the caller and looks at the callee. Digits that are `owed` were sent before and had not come.
pub(super) async fn run(
    check: &Dtmf,
    scene: &mut Scene<'_>,
    legs: JoinedLegs,
    way: DtmfMethod,
    owed: Vec<Digit>,
) -> Pressed {
    let mark = scene.run.record_count();
    // Events that the far end does not take are not sent (RFC 4733 sec. 2.4.1).
    let event = scene.seen(legs.caller).plan.as_ref().and_then(|plan| plan.send_telephone_event);
    let event = event.filter(|_| way == DtmfMethod::Rfc4733);
    let press = check.press(way);
    let left_out = event.map(|event| not_taken(event, press.keys)).unwrap_or_default();
    let is_sent = |key: &&Key| !matches!(key, Key::Digit(digit) if left_out.contains(digit));
    let keys: Vec<Key> = press.keys.iter().filter(is_sent).copied().collect();
    let sent: Vec<Digit> =
        check.digits_sent().into_iter().filter(|digit| !left_out.contains(digit)).collect();
    if sent.is_empty() && !left_out.is_empty() {
        let evidence = mark..scene.run.record_count();
        let agreed = agreed(scene, legs);
        return Pressed { way, sent: check.digits_sent(), fate: Fate::NotTaken(left_out), agreed, evidence };
    }
    let press = Press { keys: &keys, ..press };
    let mut expected = Expected::new(way, sent.clone(), check.timing.on);
    expected.owed = owed;
    let fate = match attempt(check, scene, legs, (expected, press, left_out)).await {
        Ok(fate) => fate,
        Err(why) => Fate::Interrupted(why),
    };
    Pressed { way, sent, fate, agreed: agreed(scene, legs), evidence: mark..scene.run.record_count() }
}

async fn attempt(
    check: &Dtmf,
    scene: &mut Scene<'_>,
    legs: JoinedLegs,
    (mut expected, press, left_out): (Expected, Press<'_>, Vec<Digit>),
) -> Result<Fate, Interrupted> {
    let ours = scene.leg(legs.caller).report().await;
    let before = scene.leg(legs.callee).report().await.received.received;
    let (first, first_info) = (scene.seen(legs.callee).observed.len(), scene.seen(legs.callee).infos.len());
    let (began, mut log) = (scene.run.now(), PressLog::default());
    let ended = match scene.press(&press, legs.caller, &mut log).await {
        Ok(Until::Interrupted(why)) => return Err(why),
        Ok(until) => until,
        Err(unpressed) => {
            // What was passed on all the same is no digit of the next method.
            scene.rest(AFTER / 2).await?;
            let mut fate = unpressed.fate(log);
            if let Fate::InfoRefused { at, has_arrived, .. } = &mut fate {
                let came = scene.seen(legs.callee).observed.get(first..).unwrap_or_default();
                let wanted = expected.digits.get(*at).copied();
                let by_info = came.iter().filter(|seen| seen.way == DtmfMethod::Info && seen.digit == wanted);
                let earlier = expected.digits.iter().take(*at).filter(|digit| Some(**digit) == wanted);
                *has_arrived = by_info.count() > earlier.count();
            }
            return Ok(fate);
        }
    };
    let pace = scene.pace(legs.caller, &ours, began).await;
    arrive(scene, legs.callee, first, expected.digits.len()).await?;
    let theirs = scene.leg(legs.callee);
    let came = most_by_one_way(theirs.seen.observed.get(first..).unwrap_or_default());
    let is_cut = legs.both().into_iter().any(|leg| scene.ends.is_over(leg)) && came < expected.digits.len();
    if is_cut || !theirs.seen.is_up() && ended == Until::TimedOut {
        return Ok(Fate::CallEnded);
    }
    let held = scene.seen(legs.caller).held_since().filter(|_| came < expected.digits.len());
    if let Some(held) = held.filter(|_| expected.way != DtmfMethod::Info) {
        let answered = scene.seen(legs.caller).answered.unwrap_or(began);
        return Ok(Fate::Held(held.saturating_duration_since(answered)));
    }
    let report = theirs.report().await;
    let looked = scene.run.now();
    let plan = theirs.seen.plan.as_ref();
    expected.payload_type =
        plan.and_then(|plan| plan.receive_telephone_event).map(|event| event.payload_type);
    let window = Window {
        sent_at: &log.sent_at,
        on: check.timing.on,
        from: began.checked_sub(BEFORE).unwrap_or(began),
        until: looked,
        packet_time: report.packet_time_received.unwrap_or(PACKET_TIME),
    };
    expected.around = Around::of(&report.voice, &window);
    let mut lags = report.lags.clone();
    lags.extend(scene.leg(legs.caller).report().await.lags);
    let late = Lateness::of(&log.sent_at, check.timing.on, &lags);
    // An end that did not send all of them knows no times.
    if log.sent_at.len() == expected.digits.len() {
        expected.sent_at = log.sent_at;
    }
    let infos = theirs.seen.infos.get(first_info..).unwrap_or_default();
    Ok(Fate::Sent(Box::new(Arrived {
        expected,
        observed: theirs.seen.observed.get(first..).unwrap_or_default().to_vec(),
        infos: infos
            .iter()
            .map(|(_, content_type, body, status)| Received {
                content_type: content_type.clone(),
                status: *status,
                without_digit: without_digit(content_type, body, *status),
            })
            .collect(),
        left_out,
        infos_repeated: scene.trace(legs.caller).repeated_requests(Method::Info, began),
        packets: report.received.received.saturating_sub(before),
        stopped: audio::stopped_since(&report, looked).map(|last| {
            let answered = scene.seen(legs.callee).answered.unwrap_or(last);
            [last.saturating_duration_since(answered), looked.saturating_duration_since(last)]
        }),
        refusals: log.refusals,
        pace,
        late,
    })))
}

/// Body of an INFO that our end took and that names no digit, shortened.
fn without_digit(content_type: &str, body: &[u8], status: u16) -> Option<String> {
    let is_taken = status < 300 && DtmfInfo::parse(content_type, body).is_none();
    is_taken.then(|| String::from_utf8_lossy(body).trim().chars().take(40).collect())
}

/// Waits until as many digits have come as were sent, or no more is to be expected.
async fn arrive(
    scene: &mut Scene<'_>,
    callee: usize,
    first: usize,
    number: usize,
) -> Result<(), Interrupted> {
    scene.rest(AFTER).await?;
    let came = |ends: &Ends| {
        let observed = ends.legs.get(callee).and_then(|leg| leg.seen.observed.get(first..));
        most_by_one_way(observed.unwrap_or_default())
    };
    let began = scene.run.now();
    let mut end = HELD_BACK.saturating_sub(AFTER);
    while came(&scene.ends) < number && !scene.ends.is_over(callee) {
        let so_far = came(&scene.ends);
        let left = end.saturating_sub(scene.run.now().saturating_duration_since(began));
        if left.is_zero() {
            break;
        }
        if scene.until(left, |ends| came(ends) > so_far || ends.is_over(callee)).await? {
            let passed = scene.run.now().saturating_duration_since(began);
            end = end.max(passed + NEXT).min(LONGEST);
            if came(&scene.ends) >= number {
                // What comes twice comes soon.
                scene.rest(AFTER / 2).await?;
            }
        }
    }
    Ok(())
}

/// Number of digits that came by the method by which most of them did.
fn most_by_one_way(observed: &[Observation]) -> usize {
    let by = |way: DtmfMethod| {
        let is_ours = |seen: &&Observation| seen.rtp.is_none_or(|rtp| !rtp.is_foreign);
        observed.iter().filter(|seen| seen.way == way && seen.digit.is_some()).filter(is_ours).count()
    };
    [DtmfMethod::Rfc4733, DtmfMethod::InBand, DtmfMethod::Info].into_iter().map(by).max().unwrap_or_default()
}

/// Telephone events in the descriptions.
fn agreed(scene: &Scene<'_>, legs: JoinedLegs) -> Agreed {
    let answer = scene.seen(legs.caller).final_response.as_ref();
    let plan = scene.seen(legs.callee).plan.as_ref();
    let event = scene.seen(legs.caller).plan.as_ref().and_then(|plan| plan.send_telephone_event);
    Agreed {
        told: event.map(|event| event.events),
        takes: plan.and_then(|plan| plan.receive_telephone_event).map(|event| event.events),
        answer: answer.and_then(|answer| Events::of(answer.body())),
        offer: invited(scene, legs.callee).and_then(|invite| Events::of(&invite)),
        receives: plan.and_then(|plan| plan.receive_telephone_event).map(|event| event.payload_type),
    }
}

/// The body of the INVITE that a leg began with, where it has one.
fn invited(scene: &Scene<'_>, callee: usize) -> Option<Vec<u8>> {
    let leg = scene.leg(callee);
    let invitations = &scene.ends.parties.get(leg.party)?.invitations;
    let (_, invite) = invitations.iter().find(|(at, _)| *at == leg.began)?;
    invite.header(HeaderName::ContentType)?;
    Some(invite.body().to_vec())
}
