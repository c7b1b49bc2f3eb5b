//! One method at a time: the digits go out at one end, and what the other saw is put beside them.

use super::{Dtmf, DtmfMethod};
use crate::check::Run;
use crate::check::stage::{Stage, Until};
use crate::media::digit::{Digit, Key};
use crate::media::dtmf::{Expected, Judged, Observation, Way, judge};
use crate::media::stream;
use crate::ua::call::{Command, DTMF, DTMF_RELAY, DtmfInfo};
use std::time::Duration;

/// What is still on its way when the last digit was sent: events are known to be over a little later.
const AFTER: Duration = Duration::from_millis(600);
/// Time for the answer to one INFO.
const INFO_ANSWER: Duration = Duration::from_secs(5);

/// What became of one method.
pub(super) struct Phase {
    pub(super) way: Way,
    pub(super) sent: Vec<Digit>,
    pub(super) fate: Fate,
    /// Records of the transcript.
    pub(super) evidence: std::ops::Range<usize>,
}

pub(super) enum Fate {
    /// All were sent.
    Sent {
        judged: Judged,
        observed: Vec<Observation>,
        /// The part of the packets that was lost on the way.
        loss: f64,
        /// Packets of voice and events that came meanwhile.
        packets: u64,
        /// `application/dtmf` was taken where `application/dtmf-relay` was not.
        plain: bool,
    },
    /// Telephone events were not agreed on.
    NotNegotiated,
    /// An INFO was refused, or not answered.
    InfoRefused {
        status: Option<u16>,
        at: usize,
    },
    /// The call ended meanwhile.
    CallEnded,
    Interrupted(Until),
}

/// Sends the digits from leg `from` and looks at leg `to`.
pub(super) async fn run(
    check: &Dtmf,
    run: &mut Run,
    stage: &mut Stage,
    from: usize,
    to: usize,
    method: DtmfMethod,
) -> Phase {
    let mark = run.record_count();
    let way = method.way();
    let sent: Vec<Digit> = check
        .keys
        .iter()
        .filter_map(|key| if let Key::Digit(digit) = key { Some(*digit) } else { None })
        .collect();
    let fate = attempt(check, run, stage, (from, to), way, &sent).await;
    Phase { way, sent, fate, evidence: mark..run.record_count() }
}

async fn attempt(
    check: &Dtmf,
    run: &mut Run,
    stage: &mut Stage,
    (from, to): (usize, usize),
    way: Way,
    sent: &[Digit],
) -> Fate {
    let (Some(ours), Some(theirs)) = (stage.legs.get(from), stage.legs.get(to)) else {
        return Fate::CallEnded;
    };
    let negotiated = ours.seen.plan.as_ref().is_some_and(|plan| plan.send_telephone_event.is_some());
    if way == Way::Rfc4733 && !negotiated {
        return Fate::NotNegotiated;
    }
    let before = theirs.report().await.received;
    let first = theirs.seen.observed.len();
    let mut plain = false;
    let ended = match way {
        Way::Info => match infos(check, run, stage, from, &mut plain).await {
            Ok(until) => until,
            Err(fate) => return fate,
        },
        Way::Rfc4733 | Way::InBand => in_stream(check, run, stage, from, way).await,
    };
    if let Until::Interrupted(_) = ended {
        return Fate::Interrupted(ended);
    }
    if let interrupted @ Until::Interrupted(_) = stage.rest(run, AFTER).await {
        return Fate::Interrupted(interrupted);
    }
    let Some(theirs) = stage.legs.get(to) else { return Fate::CallEnded };
    if !theirs.seen.is_up() && ended == Until::TimedOut {
        return Fate::CallEnded;
    }
    let after = theirs.report().await.received;
    let expected_packets = after.expected.saturating_sub(before.expected);
    let lost = after.lost.saturating_sub(before.lost);
    let loss = if expected_packets == 0 { 0.0 } else { lost as f64 / expected_packets as f64 };
    let plan = theirs.seen.plan.as_ref();
    let mut expected = Expected::new(way, sent.to_vec(), check.timing.on);
    expected.payload_type =
        plan.and_then(|plan| plan.receive_telephone_event).map(|event| event.payload_type);
    expected.voice_ssrc = before.ssrc;
    expected.loss = loss;
    let observed: Vec<Observation> = theirs.seen.observed.get(first..).unwrap_or_default().to_vec();
    let judged = judge(&expected, &observed);
    let packets = after.received.saturating_sub(before.received);
    Fate::Sent { judged, observed, loss, packets, plain }
}

/// Digits inside the running stream.
async fn in_stream(check: &Dtmf, run: &mut Run, stage: &mut Stage, from: usize, way: Way) -> Until {
    let Some(leg) = stage.legs.get(from) else { return Until::TimedOut };
    let played = leg.seen.played;
    let digits = stream::Command::Digits { keys: check.keys.clone(), way, timing: check.timing };
    leg.handle.media(digits).await;
    let limit = check.sending_time() + Duration::from_secs(2);
    let done = |stage: &Stage| stage.seen(from).is_none_or(|seen| seen.played > played || seen.is_over());
    stage.until(run, limit, done).await
}

/// One INFO after the other, each when the one before was answered, as phones do.
async fn infos(
    check: &Dtmf,
    run: &mut Run,
    stage: &mut Stage,
    from: usize,
    plain: &mut bool,
) -> Result<Until, Fate> {
    let mut position = 0;
    for key in &check.keys {
        let Key::Digit(digit) = *key else {
            if let interrupted @ Until::Interrupted(_) = stage.rest(run, check.timing.pause).await {
                return Ok(interrupted);
            }
            continue;
        };
        let info = DtmfInfo { digit, duration: Some(check.timing.on) };
        loop {
            let (content_type, body) =
                if *plain { (DTMF, info.plain_body()) } else { (DTMF_RELAY, info.relay_body()) };
            let Some(leg) = stage.legs.get(from).filter(|leg| leg.seen.is_up()) else {
                return Err(Fate::CallEnded);
            };
            let token = leg.seen.info_answers.len() as u64 + 1;
            let answers = leg.seen.info_answers.len();
            leg.handle.command(Command::Info { token, content_type: content_type.to_owned(), body }).await;
            let done = |stage: &Stage| {
                stage.seen(from).is_none_or(|seen| seen.info_answers.len() > answers || seen.is_over())
            };
            if let interrupted @ Until::Interrupted(_) = stage.until(run, INFO_ANSWER, done).await {
                return Ok(interrupted);
            }
            let answer =
                stage.seen(from).and_then(|seen| seen.info_answers.get(answers)).map(|(_, status)| *status);
            match answer {
                Some(Some(200..300)) => break,
                // Nobody says which of the two types is right; one that is refused may only be the wrong one (failure D12).
                Some(Some(415)) if !*plain => *plain = true,
                Some(status) => return Err(Fate::InfoRefused { status, at: position }),
                None => return Err(Fate::InfoRefused { status: None, at: position }),
            }
        }
        position += 1;
        if let interrupted @ Until::Interrupted(_) = stage.rest(run, check.timing.on + check.timing.gap).await
        {
            return Ok(interrupted);
        }
    }
    Ok(Until::Done)
}
