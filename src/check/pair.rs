//! Two accounts of ours in one call: what every check of such a call begins and ends with.

use super::judge::refusal::{self, Refused};
use super::judged::{Judged, interrupted};
use super::scene::{Ends, Expect, Party, Until};
use super::{Account, Finding, Interrupted, Run, Severity, Side, Verdict};
use crate::ua::End;
use std::time::Duration;

/// Time that the far end rings.
const RING: Duration = Duration::from_millis(200);
/// Time for the far end to hear that we hung up.
const HANG_UP: Duration = Duration::from_secs(3);

/// A call from one account to another.
pub(super) struct Pair<'a> {
    pub(super) a: &'a Account,
    pub(super) b: &'a Account,
    /// The Request-URI.
    pub(super) target: String,
    /// Time for it to be answered.
    pub(super) wait: Duration,
    /// The call itself must reach `b`; not so where a menu is called.
    pub(super) direct: bool,
}

impl Pair<'_> {
    /// Both parties on the stage, as steps `party-a` and `party-b`; the second is registered.
    pub(super) async fn open(&self, run: &mut Run, stage: &mut Ends) -> bool {
        for (number, account, step, register) in [(0, self.a, "party-a", false), (1, self.b, "party-b", true)]
        {
            match Party::open(run, account, number, step, register).await {
                Some(party) => stage.parties.push(party),
                None => return false,
            }
        }
        true
    }

    /// The step `call`: brings the call up. Gives both legs, the caller's first.
    pub(super) async fn connect(&self, run: &mut Run, stage: &mut Ends) -> Option<(usize, usize)> {
        let step = run.begin("call");
        if let Some(party) = stage.parties.get_mut(1) {
            party.expect = Some(Expect::answer(RING));
        }
        let from = match stage.dial(0, &self.target).await {
            Ok(leg) => leg,
            Err(error) => {
                run.end(step, Verdict::Inconclusive, error.to_string());
                return None;
            }
        };
        let up = |stage: &Ends, leg: Option<usize>| {
            leg.and_then(|leg| stage.seen(leg)).is_some_and(|seen| seen.is_up())
        };
        let ready = stage
            .until(run, self.wait, |stage| {
                up(stage, Some(from)) && up(stage, stage.called(1))
                    || stage.seen(from).is_none_or(|seen| seen.is_over())
            })
            .await;
        let Some(to) = stage.called(1).filter(|to| up(stage, Some(from)) && up(stage, Some(*to))) else {
            let judged = self.not_up(run, stage, from, ready);
            run.end(step, judged.verdict, judged.detail);
            judged.finding.into_iter().for_each(|finding| run.find(finding));
            return None;
        };
        let plan = stage.seen(from).and_then(|seen| seen.plan.clone());
        let words = match plan.as_ref().and_then(|plan| plan.send_telephone_event) {
            Some(event) => format!("telephone-event with payload type {}", event.payload_type),
            None => "no telephone-event".to_owned(),
        };
        let codec = plan.as_ref().map_or("", |plan| plan.codec.as_str());
        run.end(step, Verdict::Pass, format!("answered; {codec}, {words}"));
        run.fact("codec", codec);
        run.fact("telephone-event", words);
        Some((from, to))
    }

    /// Why a call did not come up.
    pub(super) fn not_up(&self, run: &Run, stage: &Ends, from: usize, waited: Until) -> Judged {
        if let Until::Interrupted(why) = waited {
            return interrupted(why);
        }
        let target = &self.target;
        let Some(seen) = stage.seen(from) else { return interrupted(Interrupted::Stopped) };
        let evidence = 0..run.record_count();
        let judged = if let Some((_, rejection)) = &seen.rejected {
            match rejection.end {
                End::Timeout | End::TransportFailed => Judged::fail(
                    "no-answer",
                    Side::Path,
                    format!("no answer at all to the INVITE for {target}"),
                    "check server address, transport and firewall with `ringback reachable`",
                ),
                _ => refusal::judge(&Refused {
                    rejection,
                    response: seen.final_response.as_ref(),
                    target,
                    registered_callee: self.direct.then(|| self.b.name()),
                    caller_registered: false,
                    user: self.a.credentials().username(),
                }),
            }
        } else if let Some(ended) = &seen.ended {
            Judged::fail(
                "call-ended",
                Side::Peer,
                format!("the call to {target} ended at once: {:?}", ended.cause),
                "see the ladder",
            )
        } else if seen.is_up() {
            Judged::fail(
                "answered-by-another",
                Side::Peer,
                format!("{target} was answered, but not by {}", self.b.aor()),
                "a voice mailbox, another device of the account or a menu took the call: check forwarding",
            )
        } else {
            Judged::fail(
                "not-answered",
                Side::Peer,
                format!("{target} was not answered in {:.0} s", self.wait.as_secs_f32()),
                "see in the ladder whether the call reached the other account",
            )
        };
        judged.shown_by(&evidence)
    }
}

/// The step `hang-up`: our BYE, and its arrival at the other end.
pub(super) async fn hang_up(run: &mut Run, stage: &mut Ends, from: usize, to: usize) {
    let step = run.begin("hang-up");
    let Some(leg) = stage.legs.get(from).filter(|leg| leg.seen.is_up()) else {
        return run.end(step, Verdict::NotRun, "the call was over before");
    };
    leg.handle.hang_up(None).await;
    let both = |stage: &Ends| [from, to].iter().all(|leg| stage.seen(*leg).is_none_or(|seen| seen.is_over()));
    match stage.until(run, HANG_UP, both).await {
        Until::Done => run.end(step, Verdict::Pass, "both ends are released"),
        Until::Interrupted(why) => run.end(step, Verdict::Inconclusive, interrupted(why).detail),
        Until::TimedOut => {
            let seen = "we hung up, and the far end was not told: its leg stays open".to_owned();
            run.find(Finding::new(
                "leg-left-open",
                Severity::Error,
                Side::Peer,
                seen.clone(),
                "platform: a BYE on one leg has to end the other",
            ));
            run.end(step, Verdict::Fail, seen);
        }
    }
}
