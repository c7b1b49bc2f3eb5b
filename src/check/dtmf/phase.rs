//! One method at a time: the digits go out at one end, and what the other saw is put beside them.

use super::{Dtmf, DtmfMethod};
use crate::check::Run;
use crate::check::press::Unpressed;
use crate::check::scene::{Ends, Until};
use crate::media::digit::{Digit, Key};
use crate::media::dtmf::{Expected, Judged, Observation, Way, judge};
use std::time::Duration;

/// What is still on its way when the last digit was sent: events are known to be over a little later.
const AFTER: Duration = Duration::from_millis(600);

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

impl From<Unpressed> for Fate {
    fn from(unpressed: Unpressed) -> Fate {
        match unpressed {
            Unpressed::NotNegotiated => Fate::NotNegotiated,
            Unpressed::InfoRefused { status, at } => Fate::InfoRefused { status, at },
            Unpressed::CallEnded => Fate::CallEnded,
        }
    }
}

/// Sends the digits from leg `from` and looks at leg `to`.
pub(super) async fn run(
    check: &Dtmf,
    run: &mut Run,
    stage: &mut Ends,
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
    stage: &mut Ends,
    (from, to): (usize, usize),
    way: Way,
    sent: &[Digit],
) -> Fate {
    let Some(theirs) = stage.legs.get(to) else { return Fate::CallEnded };
    let before = theirs.report().await.received;
    let first = theirs.seen.observed.len();
    let mut plain = false;
    let ended = match check.press(way).run(run, stage, from, &mut plain).await {
        Ok(until) => until,
        Err(unpressed) => return unpressed.into(),
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
