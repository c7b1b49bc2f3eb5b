//! A call that the caller gives up: does the other phone stop ringing, and is it told why?

use super::judged::{Judged, interrupted};
use super::pair::Pair;
use super::scene::{Ends, Expect, Until};
use super::{Account, Check, Finding, MetricValue, Run, Severity, Side, Verdict};
use crate::ua::call::{By, Cause};
use std::time::Duration;

/// Time for the other phone to hear of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// What we say why: as a platform does when another phone of a group has taken the call (RFC 3326).
const REASON: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// Does a phone that rings stop when the caller gives up, and is it told why?
///
/// One account of ours calls another, which rings; the call is cancelled with the Reason `Call completed elsewhere`. A phone that is not told
/// so lists a missed call. Steps: `party-a`, `party-b`, `ring`, `cancel`. Metric: `cancel` (from our CANCEL to its arrival).
#[derive(Debug, Clone)]
pub struct Cancel {
    a: Account,
    b: Account,
    ring: Duration,
    wait: Duration,
}

impl Cancel {
    /// `a` calls `b` and gives up after a second of ringing.
    pub fn between(a: &Account, b: &Account) -> Cancel {
        Cancel { a: a.clone(), b: b.clone(), ring: Duration::from_secs(1), wait: Duration::from_secs(20) }
    }

    /// How long it rings before the caller gives up.
    #[must_use]
    pub fn ring(mut self, time: Duration) -> Cancel {
        self.ring = time;
        self
    }
}

impl Check for Cancel {
    fn name(&self) -> &'static str {
        "cancel"
    }

    fn subject(&self) -> String {
        format!("{} -> {}", self.a.aor(), self.b.aor())
    }

    fn time_limit(&self) -> Option<Duration> {
        Some(self.wait + self.ring + Duration::from_secs(30))
    }

    async fn run(&self, run: &mut Run) {
        let pair =
            Pair { a: &self.a, b: &self.b, target: self.b.aor().to_owned(), wait: self.wait, direct: true };
        let mut stage = Ends::default();
        if pair.open(run, &mut stage).await {
            self.cancel(run, &mut stage, &pair).await;
        }
        stage.clear(run).await;
    }
}

impl Cancel {
    async fn cancel(&self, run: &mut Run, stage: &mut Ends, pair: &Pair<'_>) {
        let step = run.begin("ring");
        if let Some(party) = stage.parties.get_mut(1) {
            party.expect = Some(Expect { answer_after: None, refuse: None });
        }
        let from = match stage.dial(0, &pair.target).await {
            Ok(leg) => leg,
            Err(error) => return run.end(step, Verdict::Inconclusive, error.to_string()),
        };
        let rings = |stage: &Ends| {
            stage
                .seen(from)
                .is_none_or(|seen| seen.is_over() || seen.rang().is_some() && stage.called(1).is_some())
        };
        let until = stage.until(run, self.wait, rings).await;
        let rung = stage.called(1).filter(|_| stage.seen(from).is_some_and(|seen| !seen.is_over()));
        let Some(to) = rung else {
            let judged = pair.not_up(run, stage, from, until);
            return end(run, step, judged);
        };
        if let Until::Interrupted(why) = stage.rest(run, self.ring).await {
            return end(run, step, interrupted(why));
        }
        run.end(step, Verdict::Pass, format!("{} rings", self.b.aor()));
        let step = run.begin("cancel");
        let began = run.now();
        if let Some(leg) = stage.legs.get(from) {
            leg.handle.hang_up(Some(REASON.to_owned())).await;
        }
        let both =
            |stage: &Ends| [from, to].iter().all(|leg| stage.seen(*leg).is_none_or(|seen| seen.is_over()));
        let until = stage.until(run, PATIENCE, both).await;
        if let Until::Interrupted(why) = until {
            return end(run, step, interrupted(why));
        }
        let told = stage.seen(to).and_then(|seen| seen.ended.clone());
        let judged = match &told {
            None => Judged::fail(
                "rings-on",
                Side::Peer,
                format!("the caller gave up {} s ago, and {} rings on", PATIENCE.as_secs(), self.b.aor()),
                "platform: CANCEL has to be passed on to every phone that rings (F02)",
            ),
            Some(ended) if ended.by != By::Peer || ended.cause != Cause::Cancelled => Judged::fail(
                "ended-otherwise",
                Side::Peer,
                format!("the ringing ended, but not by a CANCEL: {:?}", ended.cause),
                "see the ladder",
            ),
            Some(_) if stage.seen(from).is_none_or(|seen| !seen.is_over()) => Judged::fail(
                "cancel-not-answered",
                Side::Peer,
                "the CANCEL was passed on, and the caller's INVITE was never answered 487".to_owned(),
                "platform: an INVITE that is cancelled ends with 487 (RFC 3261 sec. 9.2)",
            ),
            Some(ended) => {
                run.metric("cancel", MetricValue::Duration(ended.at.saturating_duration_since(began)));
                Judged::pass("the phone stopped ringing")
            }
        };
        let passed = judged.verdict == Verdict::Pass;
        end(run, step, judged);
        let reasons = told.map(|ended| ended.reasons).unwrap_or_default();
        if passed {
            self.judge_reason(run, &reasons);
        }
    }

    fn judge_reason(&self, run: &mut Run, reasons: &[String]) {
        run.fact("cancel-reason", reasons.join(", "));
        match reason_lost(reasons, "the phone") {
            None => run.conclude("the phone stopped ringing, and knows that the call was taken elsewhere"),
            Some(finding) => {
                run.conclude("the phone stopped ringing, but was not told that the call was taken elsewhere");
                run.find(finding.shown_by(0..run.record_count()));
            }
        }
    }
}

/// A CANCEL that reached `whom` and does not say that the call was taken elsewhere, as its Reason values should (RFC 3326).
pub(super) fn reason_lost(reasons: &[String], whom: &str) -> Option<Finding> {
    if reasons.iter().any(|reason| reason.to_ascii_lowercase().contains("cause=200")) {
        return None;
    }
    let seen = if reasons.is_empty() {
        format!("the CANCEL that reached {whom} has no Reason: it will list a missed call (F03)")
    } else {
        format!(
            "the CANCEL that reached {whom} has another Reason ({}): it will list a missed call (F03)",
            reasons.join(", ")
        )
    };
    Some(Finding::new(
        "cancel-reason-lost",
        Severity::Warning,
        Side::Peer,
        seen,
        "platform: keep the Reason header of a CANCEL (RFC 3326), or set \"Call completed elsewhere\" for groups",
    ))
}

fn end(run: &mut Run, step: super::StepMark, judged: Judged) {
    let judged = judged.shown_by(&(0..run.record_count()));
    run.end(step, judged.verdict, judged.detail);
    judged.finding.into_iter().for_each(|finding| run.find(finding));
}
