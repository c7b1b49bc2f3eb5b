//! The course of the check: opening the ends, ringing them, and what each call has in common.

use super::result::{ForkReleased, ForkResult, ForkRound, ForkRung, RingOrder};
use super::{Fork, ForkTrial, name};
use crate::check::call::facts::other_bindings;
use crate::check::call::trace::header;
use crate::check::judged::{Judged, interrupted};
use crate::check::pair::Pair;
use crate::check::stage::{Ear, Expect, Party, Seen, Stage, Until};
use crate::check::{Interrupted, MetricValue, Run, Side, StepMark, Verdict};
use crate::message::Message;
use crate::syntax::{HeaderName, unescape};
use crate::transport::{Direction, RecordEvent};
use crate::ua::call::{By, Cause, Command};
use std::time::{Duration, Instant};

/// Time that all ring together before anybody does something: branches that come late are seen in it.
const RING: Duration = Duration::from_millis(600);
/// Ends that are rung within this time of the first are rung at once.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Time for an answer to reach the caller.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// Time for the others to be released.
pub(super) const RELEASE: Duration = Duration::from_secs(5);
/// Time for legs to end.
pub(super) const END: Duration = Duration::from_secs(3);
/// Time for an ACK, after everything else.
const ACK: Duration = Duration::from_secs(1);
/// Between two calls: a platform counts a call for a moment after its end.
const PAUSE: Duration = Duration::from_millis(500);

/// The caller's number among the parties; the ends follow it.
pub(super) const CALLER: usize = 0;

/// Steps of the ends.
const END_STEPS: [&str; super::MAX_FORK_ENDS] = ["end-1", "end-2", "end-3", "end-4", "end-5", "end-6"];

pub(super) struct Play<'a> {
    pub(super) check: &'a Fork,
    pub(super) run: &'a mut Run,
    pub(super) stage: &'a mut Stage,
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
    answered_at: Instant,
    pub(super) round: ForkRound,
    result: ForkResult,
}

pub(super) async fn run(check: &Fork, run: &mut Run) {
    let mut stage = Stage::default();
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
async fn open(check: &Fork, run: &mut Run, stage: &mut Stage) -> Option<Vec<usize>> {
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
pub(super) fn leg_since(stage: &Stage, from: usize, party: usize) -> Option<usize> {
    (from..stage.legs.len())
        .find(|leg| stage.legs.get(*leg).is_some_and(|leg| leg.party == party && !leg.is_caller))
}

pub(super) fn is_over(stage: &Stage, leg: usize) -> bool {
    stage.seen(leg).is_none_or(Seen::is_over)
}

pub(super) fn is_up(stage: &Stage, leg: usize) -> bool {
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
        let all = |stage: &Stage| {
            let mut rings = expected.iter().map(|party| leg_since(stage, caller, *party).is_some());
            is_over(stage, caller)
                || if in_turn { rings.any(|rings| rings) } else { rings.all(|rings| rings) }
        };
        let until = self.stage.until(self.run, self.check.wait, all).await;
        let rest = self.stage.rest(self.run, RING).await;
        for waited in [until, rest] {
            if let Until::Interrupted(why) = waited {
                return Err(interrupted(why));
            }
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
        let wrong = rang.iter().find(|rung| !names_account(&rung.request_uri, self.check, rung.end));
        match wrong {
            Some(rung) => name::wrong_line(self.check, rung),
            None => name::rings(self.check, &self.round, &self.displaced),
        }
    }

    /// The parties that ring now.
    pub(super) fn ringing(&self) -> Vec<usize> {
        let rings = |party: &usize| {
            leg_since(self.stage, self.caller, *party)
                .is_some_and(|leg| !is_over(self.stage, leg) && !is_up(self.stage, leg))
        };
        let rang = self.round.rang.iter().map(|rung| rung.end + 1);
        rang.filter(rings).collect()
    }

    /// Who is to answer: the one that was chosen, or else the last that rings.
    pub(super) fn chosen(&self, ringing: &[usize]) -> Option<usize> {
        let wanted = self.check.answers + 1;
        ringing.iter().copied().find(|party| *party == wanted).or(ringing.last().copied())
    }

    /// The leg of a party in the present call.
    pub(super) fn leg(&self, party: usize) -> usize {
        // A number that no leg has stands for one that is over.
        leg_since(self.stage, self.caller, party).unwrap_or(usize::MAX)
    }

    /// These answer, at once.
    pub(super) async fn answer(&mut self, parties: &[usize]) {
        self.answered_at = self.run.now();
        for leg in parties.iter().filter_map(|party| self.stage.legs.get(self.leg(*party))) {
            leg.handle.command(Command::Answer).await;
        }
        self.round.answered.extend(parties.iter().map(|party| party - 1));
    }

    /// This one answers, and the caller is joined with it.
    pub(super) async fn connect(&mut self, party: usize) -> Result<(), Judged> {
        self.answer(&[party]).await;
        let (caller, leg) = (self.caller, self.leg(party));
        let done = |stage: &Stage| {
            is_over(stage, caller) || is_over(stage, leg) || is_up(stage, caller) && is_up(stage, leg)
        };
        let until = self.stage.until(self.run, ANSWER, done).await;
        if let Until::Interrupted(why) = until {
            return Err(interrupted(why));
        }
        if !(is_up(self.stage, caller) && is_up(self.stage, leg)) {
            return Err(name::not_passed_on(self.check, &[party], self.stage.seen(caller)));
        }
        self.note_answer();
        self.round.winner = Some(party - 1);
        Ok(())
    }

    /// The time from an end's answer to the caller's.
    pub(super) fn note_answer(&mut self) {
        let at = self.stage.seen(self.caller).and_then(|seen| seen.answered);
        self.round.answer = at.map(|at| at.saturating_duration_since(self.answered_at));
    }

    /// Waits for these to be released, and writes down how.
    pub(super) async fn released(&mut self, parties: &[usize]) -> Until {
        let legs: Vec<usize> = parties.iter().map(|party| self.leg(*party)).collect();
        let gone = |stage: &Stage| legs.iter().all(|leg| is_over(stage, *leg));
        let until = self.stage.until(self.run, RELEASE, gone).await;
        let end = self.run.elapsed() + ACK;
        // The ACK to what the release was answered with is still on its way.
        while !legs.iter().all(|leg| !is_over(self.stage, *leg) || self.acknowledged(*leg))
            && self.run.elapsed() < end
        {
            if let Until::Interrupted(_) = self.stage.rest(self.run, ACK / 50).await {
                break;
            }
        }
        for (party, leg) in parties.iter().zip(&legs) {
            let Some(ended) = self.stage.seen(*leg).and_then(|seen| seen.ended.as_ref()) else { continue };
            if ended.by != By::Peer {
                continue;
            }
            let released = ForkReleased {
                end: party - 1,
                by: if ended.cause == Cause::Cancelled { "CANCEL" } else { "BYE" },
                after: ended.at.saturating_duration_since(self.answered_at),
                reasons: ended.reasons.clone(),
                acknowledged: self.acknowledged(*leg),
            };
            self.round.released.push(released);
        }
        until
    }

    /// Did an ACK come in this leg?
    fn acknowledged(&self, leg: usize) -> bool {
        let Some(leg) = self.stage.legs.get(leg) else { return true };
        let tag = leg.handle.local_tag().as_bytes();
        self.run.records().iter().any(|record| match &record.event {
            RecordEvent::Message { direction: Direction::Received, bytes, .. } => {
                bytes.starts_with(b"ACK ") && memchr::memmem::find(bytes, tag).is_some()
            }
            _ => false,
        })
    }

    /// Who hears whom now; `None` when the check has to end.
    pub(super) async fn listen(&mut self) -> Option<Vec<Ear>> {
        let ears = self.stage.listen(self.run).await?;
        let parties = self.check.ends.len() + 1;
        self.round.heard = vec![Vec::new(); parties];
        for ear in &ears {
            if let Some(heard) = self.round.heard.get_mut(ear.listener) {
                heard.extend(ear.speakers.iter().copied().filter(|speaker| *speaker < parties));
                heard.dedup();
            }
        }
        Some(ears)
    }

    /// The caller and this one hear each other, and nobody else is heard or hears.
    pub(super) async fn audio(&mut self, winner: usize) -> Judged {
        match self.listen().await {
            Some(ears) => name::audio(self.check, winner, (self.caller, self.leg(winner)), &ears),
            None => interrupted(self.run.interrupted().unwrap_or(Interrupted::Stopped)),
        }
    }

    /// The caller hangs up, and everybody has to hear of it, but for those of whom it is `known` already that they do not. What is left is
    /// released by us, so that it is not in the way of the next call.
    pub(super) async fn finish(&mut self, known: &[usize]) -> Judged {
        let from = self.caller;
        let mut left = known.to_vec();
        left.retain(|party| !is_over(self.stage, self.leg(*party)));
        for leg in self.stage.legs.iter().skip(from).filter(|leg| leg.is_caller && !leg.seen.is_over()) {
            leg.handle.hang_up(None).await;
        }
        let over = |stage: &Stage| stage.legs.iter().skip(from).all(|leg| leg.seen.is_over());
        let until = self.stage.until(self.run, END, over).await;
        let open = self.stage.legs.iter().skip(from).filter(|leg| !leg.seen.is_over());
        let news: Vec<usize> = open.map(|leg| leg.party).filter(|party| !left.contains(party)).collect();
        for leg in self.stage.legs.iter().skip(from).filter(|leg| !leg.seen.is_over()) {
            leg.handle.hang_up(None).await;
        }
        if until == Until::TimedOut {
            self.stage.until(self.run, END, over).await;
        }
        let _ = self.stage.rest(self.run, PAUSE).await;
        if let Until::Interrupted(why) = until {
            return interrupted(why);
        }
        self.round.legs_left = left.len() + news.len();
        match news.as_slice() {
            [] => Judged::pass("all are released"),
            left => name::legs_left(self.check, left),
        }
    }
}

/// The Request-URI as it stands there.
fn request_uri(invite: &Message) -> String {
    invite.request_uri_bytes().map(|uri| String::from_utf8_lossy(uri).into_owned()).unwrap_or_default()
}

/// Does this Request-URI name the account of this end? Host and port may have been changed on the way.
fn names_account(uri: &str, check: &Fork, end: usize) -> bool {
    let Some(account) = check.ends.get(end) else { return true };
    let Ok(uri) = crate::syntax::Uri::parse(uri.as_bytes()) else { return true };
    uri.user().is_none_or(|user| unescape(user) == unescape(account.user().as_bytes()))
}
