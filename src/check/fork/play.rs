//! The course of the check: opening the ends, ringing them, and what each call has in common.

use super::{Fork, ForkTrial, name};
use crate::check::call::delivery::same;
use crate::check::judged::{Judged, interrupted};
use crate::check::pair::Pair;
use crate::check::result::{ForkResult, ForkRound, ForkRung, RingOrder};
use crate::check::scene::trace::header;
use crate::check::scene::{Ends, Expect, Party, Seen, Until, other_bindings};
use crate::check::{Interrupted, MetricValue, Run, Side, StepMark, Verdict};
use crate::message::Message;
use crate::syntax::HeaderName;
use std::time::{Duration, Instant};

/// Time that all ring together before anybody does something: branches that come late are seen in it.
const RING: Duration = Duration::from_millis(600);
/// Ends that are rung within this time of the first are rung at once.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The caller's number among the parties; the ends follow it.
pub(super) const CALLER: usize = 0;

/// Steps of the ends.
const END_STEPS: [&str; super::MAX_FORK_ENDS] = ["end-1", "end-2", "end-3", "end-4", "end-5", "end-6"];

pub(super) struct Play<'a> {
    pub(super) check: &'a Fork,
    pub(super) run: &'a mut Run,
    pub(super) stage: &'a mut Ends,
    /// The parties that are to ring: all ends, and after the first call those that it rang.
    pub(super) expected: Vec<usize>,
    /// Ends whose bindings the registrar dropped when another came.
    displaced: Vec<usize>,
    /// The first leg of the present call: the caller's.
    pub(super) caller: usize,
    /// INVITEs that each party had got before the present call.
    invited: Vec<usize>,
    /// In which order the first call rang.
    order: Option<RingOrder>,
    /// When an end answered.
    pub(super) answered_at: Instant,
    pub(super) round: ForkRound,
    result: ForkResult,
}

pub(super) async fn run(check: &Fork, run: &mut Run) {
    let mut stage = Ends::default();
    if let Some(displaced) = open(check, run, &mut stage).await {
        let answered_at = run.now();
        let mut play = Play {
            check,
            run: &mut *run,
            stage: &mut stage,
            expected: (1..=check.ends.len()).collect(),
            displaced,
            caller: 0,
            invited: Vec::new(),
            order: None,
            answered_at,
            round: ForkRound::new(ForkTrial::Answer),
            result: ForkResult {
                target: check.target.clone(),
                caller: check.caller.name().to_owned(),
                ends: check.names.clone(),
                ..ForkResult::default()
            },
        };
        play.trials().await;
        let result = play.result;
        run.forked(result);
    }
    stage.clear(run).await;
}

/// All parties on the stage; gives the ends whose bindings were dropped when another of the same account came.
async fn open(check: &Fork, run: &mut Run, stage: &mut Ends) -> Option<Vec<usize>> {
    stage.parties.push(Party::open(run, &check.caller, CALLER, "caller", false).await?);
    let mut displaced = Vec::new();
    for (end, (account, step)) in check.ends.iter().zip(END_STEPS).enumerate() {
        let party = Party::open(run, account, end + 1, step, true).await?;
        let ours = if check.one_account { end } else { 0 };
        if party.others < ours {
            // The registrar lists every binding: what is missing was dropped, the oldest first.
            displaced = (1..=ours - party.others).collect();
        }
        other_bindings(run, account.name(), party.others.saturating_sub(ours));
        stage.parties.push(party);
    }
    if let Some(account) =
        check.second_caller.as_ref().filter(|_| check.trials.contains(&ForkTrial::SecondCall))
    {
        let number = stage.parties.len();
        stage.parties.push(Party::open(run, account, number, "second-caller", false).await?);
    }
    Some(displaced)
}

/// The leg of a party among those from this one on.
pub(super) fn leg_since(stage: &Ends, from: usize, party: usize) -> Option<usize> {
    (from..stage.legs.len())
        .find(|leg| stage.legs.get(*leg).is_some_and(|leg| leg.party == party && !leg.is_caller))
}

pub(super) fn is_over(stage: &Ends, leg: usize) -> bool {
    stage.seen(leg).is_none_or(Seen::is_over)
}

pub(super) fn is_up(stage: &Ends, leg: usize) -> bool {
    stage.seen(leg).is_some_and(Seen::is_up)
}

impl Play<'_> {
    async fn trials(&mut self) {
        let mut why_not = None;
        for (number, trial) in self.check.trials.iter().copied().enumerate() {
            if self.run.interrupted().is_some() {
                why_not = Some("the check had to end");
            }
            if let Some(why) = why_not {
                self.run.skip(trial.as_str(), why);
                continue;
            }
            self.round = ForkRound::new(trial);
            if !self.begin(trial, number == 0).await {
                why_not = (number == 0).then_some("nobody was rung");
            }
            let round = std::mem::replace(&mut self.round, ForkRound::new(trial));
            self.result.legs_left += round.legs_left;
            self.result.rounds.push(round);
        }
        if self.run.findings().iter().all(|finding| finding.severity != crate::check::Severity::Error) {
            self.run.conclude(name::done(self.check, &self.result));
        }
    }

    /// A call; false when nobody rings.
    async fn begin(&mut self, trial: ForkTrial, is_first: bool) -> bool {
        let mark = self.run.begin(if is_first { "rings" } else { trial.as_str() });
        // In turn, a refusal counts while there is somebody left to be rung.
        let in_turn = trial == ForkTrial::Refuse && self.order == Some(RingOrder::Serial);
        if let Err(judged) = self.ring(in_turn).await {
            self.end(mark, judged);
            self.finish(&[]).await;
            return false;
        }
        if in_turn {
            self.one_refuses_in_turn(mark).await;
            return true;
        }
        if !is_first {
            self.go_on(trial, mark).await;
            return true;
        }
        self.order = self.round.order;
        let judged = self.rung();
        self.end(mark, judged);
        self.expected.retain(|party| self.round.rang.iter().any(|rung| rung.end + 1 == *party));
        let mark = self.run.begin(trial.as_str());
        self.go_on(trial, mark).await;
        true
    }

    async fn go_on(&mut self, trial: ForkTrial, mark: StepMark) {
        match trial {
            ForkTrial::Answer => self.one_answers(mark).await,
            ForkTrial::Race => self.two_answer(mark).await,
            ForkTrial::Refuse => self.one_refuses(mark).await,
            ForkTrial::SecondCall => self.called_twice(mark).await,
        }
    }

    pub(super) fn end(&mut self, mark: StepMark, judged: Judged) -> bool {
        let judged = judged.shown_by(&(0..self.run.record_count()));
        let pass = judged.verdict == Verdict::Pass;
        self.run.end(mark, judged.verdict, judged.detail);
        judged.finding.into_iter().for_each(|finding| self.run.find(finding));
        pass
    }

    /// The next call to these parties only rings.
    pub(super) fn let_ring(&mut self) {
        for party in self.stage.parties.iter_mut().skip(1).take(self.check.ends.len()) {
            party.expect = Some(Expect { answer_after: None, refuse: None });
        }
    }

    /// The caller calls, and all that ring have rung, or with `in_turn` the first of them has.
    async fn ring(&mut self, in_turn: bool) -> Result<(), Judged> {
        self.let_ring();
        self.invited = self.stage.parties.iter().map(|party| party.invitations.len()).collect();
        let dialled = self.stage.dial(CALLER, &self.check.target).await;
        let caller = dialled
            .map_err(|error| Judged::open("probe-limit", Side::Probe, error.to_string(), "free a port"))?;
        self.caller = caller;
        let expected = self.expected.clone();
        let all = |stage: &Ends| {
            let mut rings = expected.iter().map(|party| leg_since(stage, caller, *party).is_some());
            is_over(stage, caller)
                || if in_turn { rings.any(|rings| rings) } else { rings.all(|rings| rings) }
        };
        let until = self.stage.until(self.run, self.check.wait, all).await;
        // A call that is over before anybody rang rings nobody any more.
        let refused = is_over(self.stage, caller)
            && !expected.iter().any(|party| leg_since(self.stage, caller, *party).is_some());
        let rest = match until {
            Until::Done if refused => until,
            Until::Interrupted(_) => until,
            _ => self.stage.rest(self.run, RING).await,
        };
        if let Until::Interrupted(why) = rest {
            return Err(interrupted(why));
        }
        self.note_rung();
        if self.round.rang.is_empty() {
            return Err(self.not_up(until));
        }
        Ok(())
    }

    /// Why the call came to nothing.
    fn not_up(&self, until: Until) -> Judged {
        let Some(first) = self.check.ends.first() else { return interrupted(Interrupted::Stopped) };
        let pair = Pair {
            a: &self.check.caller,
            b: first,
            target: self.check.target.clone(),
            wait: self.check.wait,
            direct: self.check.one_account,
        };
        pair.not_up(self.run, self.stage, self.caller, until)
    }

    /// Writes down who was rung, and when.
    pub(super) fn note_rung(&mut self) {
        let began = self.stage.legs.get(self.caller).map(|leg| leg.began);
        let mut rang = Vec::new();
        for end in 0..self.check.ends.len() {
            let Some(leg) =
                leg_since(self.stage, self.caller, end + 1).and_then(|leg| self.stage.legs.get(leg))
            else {
                continue;
            };
            let Some(party) = self.stage.parties.get(end + 1) else { continue };
            let invites = party.invitations.get(self.invited.get(end + 1).copied().unwrap_or_default()..);
            let invites = invites.unwrap_or_default();
            if invites.len() > 1 {
                let finding = name::rung_twice(self.check.party(end + 1), invites.len());
                self.run.find(finding.shown_by(0..self.run.record_count()));
            }
            let invite = invites.iter().find(|(at, _)| *at == leg.began).map(|(_, invite)| invite);
            let text = |name| invite.map(|invite| header(invite, name)).unwrap_or_default();
            let from = text(HeaderName::From);
            let rung = ForkRung {
                end,
                after: leg.began.saturating_duration_since(began.unwrap_or(leg.began)),
                request_uri: invite.map(request_uri).unwrap_or_default(),
                from: from.split_once(";tag=").map_or(from.as_str(), |(who, _)| who).to_owned(),
                asserted: text(HeaderName::PAssertedIdentity),
            };
            rang.push(rung);
        }
        rang.sort_by_key(|rung| rung.after);
        if let [first, .., last] = rang.as_slice() {
            let serial = last.after.saturating_sub(first.after) > AT_ONCE;
            self.round.order = Some(if serial { RingOrder::Serial } else { RingOrder::Parallel });
        }
        self.round.rang = rang;
    }

    /// The step `rings`.
    fn rung(&mut self) -> Judged {
        let rang = &self.round.rang;
        for rung in rang {
            let who = self.check.party(rung.end + 1);
            let mut text = format!("{who} as {}, by {}", rung.request_uri, rung.from);
            if !rung.asserted.is_empty() {
                text += &format!(", asserted {}", rung.asserted);
            }
            self.run.fact("called-as", text);
        }
        if let (Some(first), Some(last)) = (rang.first(), rang.last()) {
            self.run.metric("first_ring", MetricValue::Duration(first.after));
            self.run.metric("last_ring", MetricValue::Duration(last.after));
        }
        if let Some(order) = self.round.order {
            self.run.fact("ringing", name::order(order));
        }
        let wrong = rang.iter().find(|rung| {
            let party = self.stage.parties.get(rung.end + 1);
            party.is_some_and(|party| !names_account(&rung.request_uri, self.check, party))
        });
        match wrong {
            Some(rung) => name::wrong_line(self.check, rung),
            None => name::rings(self.check, &self.round, &self.displaced),
        }
    }
}

/// The Request-URI as it stands there.
fn request_uri(invite: &Message) -> String {
    invite.request_uri_bytes().map(|uri| String::from_utf8_lossy(uri).into_owned()).unwrap_or_default()
}

/// Does this Request-URI name the account of this end, or the number that was dialled, as on a trunk? Host and port may have been changed on
/// the way.
fn names_account(uri: &str, check: &Fork, party: &Party) -> bool {
    let user = |uri: &str| {
        let uri = crate::syntax::Uri::parse(uri.as_bytes()).ok()?;
        uri.user().map(|user| String::from_utf8_lossy(user).into_owned())
    };
    // What cannot be read, or names nobody, is no other line.
    let Some(called) = user(uri) else { return true };
    called == party.account.user()
        || called == party.contact_user()
        || user(&check.target).is_some_and(|dialled| same(&called, &dialled))
}
