//! The caller calls, and the ends are rung: which of them, when, and as whom.

use super::{CALLER, Trials};
use crate::check::call::delivery::same;
use crate::check::judge::fork::{self, RingingStopped};
use crate::check::judge::{media, own_end};
use crate::check::judged::StepVerdict;
use crate::check::scene::trace::{self, header};
use crate::check::scene::{Ends, Expect, Party};
use crate::check::{ForkRung, Interrupted, MetricValue, RingOrder};
use crate::message::Message;
use crate::syntax::{HeaderName, Uri};
use std::time::Duration;

/// Time that all ring together before anybody does something: branches that come late are seen in it.
const RING: Duration = Duration::from_millis(600);
/// Ends that are rung within this time of the first are rung at once.
const AT_ONCE: Duration = Duration::from_secs(1);

impl Trials<'_, '_, '_> {
    /// The next call to these parties only rings.
    pub(super) fn let_ring(&mut self) {
        for party in 1..=self.fork.ends.len() {
            self.scene.expect(party, Expect::ring());
        }
    }

    /// The caller calls, and all that are expected have rung, or with `in_turn` the first of them has.
    pub(super) async fn ring(&mut self, in_turn: bool) -> Result<(), StepVerdict> {
        self.let_ring();
        self.call.invited = self.scene.ends.parties.iter().map(|party| party.invitations.len()).collect();
        self.call.from = self.scene.run.record_count();
        let dial = self.dial(CALLER);
        let caller = self.scene.dial(&dial).await?;
        self.call.caller = caller;
        let expected = self.expected.clone();
        let rings = |ends: &Ends, party: &usize| ends.called_since(caller, *party).is_some();
        let enough = |ends: &Ends| {
            ends.is_over(caller)
                || if in_turn {
                    expected.iter().any(|party| rings(ends, party))
                } else {
                    expected.iter().all(|party| rings(ends, party))
                }
        };
        self.scene.until(dial.wait, enough).await?;
        let rang = expected.iter().any(|party| rings(&self.scene.ends, party));
        // A call that is over before anybody rang rings nobody any more.
        if rang || !self.scene.ends.is_over(caller) {
            self.scene.rest(RING).await?;
        }
        self.note_rung();
        if self.call.result.rang.is_empty() {
            return Err(self.not_rung());
        }
        self.note_early_answer();
        // An INVITE that all our ends refuse rings nobody.
        let rung = self.call.result.rang.iter().map(|rung| self.leg(rung.end + 1));
        let refused: Option<Vec<StepVerdict>> = rung.map(|leg| self.refused_by_ours(leg)).collect();
        refused.and_then(|all| all.into_iter().next()).map_or(Ok(()), Err)
    }

    /// What our own end refused of the INVITE that came to it, where it did.
    fn refused_by_ours(&self, leg: usize) -> Option<StepVerdict> {
        let seen = self.scene.ends.seen(leg)?;
        let name = self.scene.name(self.scene.leg(leg).party);
        if let Some(error) = &seen.media_failed {
            let caller = self.scene.seen(self.call.caller);
            return Some(media::offer_refused(name, error, &fork::told(caller)));
        }
        let (status, why) = seen.refused_invite()?;
        Some(own_end::refused_here(name, status, why, ""))
    }

    /// Why no end was rung.
    fn not_rung(&self) -> StepVerdict {
        let (dial, leg) = (self.dial(CALLER), self.call.caller);
        let seen = self.scene.seen(leg);
        let is_carried = seen.answered.is_some() || seen.rang().is_some() && !seen.is_over();
        if is_carried {
            return fork::not_rung(&self.fork.words(), seen, &self.scene.trace(leg), dial.wait);
        }
        self.scene.judge_setup(&dial, leg, crate::check::judge::setup::Wanted::Ringing)
    }

    /// The caller was answered before anybody rang.
    fn note_early_answer(&mut self) {
        let seen = self.scene.leg(self.call.caller);
        let (began, answered) = (seen.began, seen.seen.answered);
        let first = self.call.result.rang.first().map(|rung| began + rung.after);
        if let (Some(answered), Some(first)) = (answered, first)
            && answered < first
        {
            self.note(fork::answered_first(&self.fork.words(), first - answered));
        }
    }

    /// Adds a finding that the records of the present call show.
    pub(super) fn note(&mut self, finding: crate::check::Finding) {
        let to = self.scene.run.record_count();
        self.scene.note(finding.shown_by(self.call.from..to));
    }

    /// Writes down who was rung, and when.
    pub(super) fn note_rung(&mut self) {
        let began = self.scene.leg(self.call.caller).began;
        let (mut rang, mut twice) = (Vec::new(), Vec::new());
        for end in 0..self.fork.ends.len() {
            let Some(leg) = self.scene.ends.legs.get(self.leg(end + 1)) else { continue };
            let Some(party) = self.scene.ends.parties.get(end + 1) else { continue };
            let before = self.call.invited.get(end + 1).copied().unwrap_or_default();
            let invites = party.invitations.get(before..).unwrap_or_default();
            let at_once =
                invites.len() - self.scene.ends.rung_again(self.call.caller, end + 1).min(invites.len());
            if at_once > 1 {
                twice.push(fork::rung_twice(self.fork.words().party(end + 1), at_once));
            }
            let invite = invites.iter().find(|(at, _)| *at == leg.began).map(|(_, invite)| invite);
            let text = |name| invite.map(|invite| header(invite, name)).unwrap_or_default();
            let from = text(HeaderName::From);
            rang.push(ForkRung {
                end,
                after: leg.began.saturating_duration_since(began),
                request_uri: invite.map(request_uri).unwrap_or_default(),
                from: from.split_once(";tag=").map_or(from.as_str(), |(who, _)| who).to_owned(),
                asserted: text(HeaderName::PAssertedIdentity),
            });
        }
        twice.into_iter().for_each(|finding| self.note(finding));
        rang.sort_by_key(|rung| rung.after);
        if let [first, .., last] = rang.as_slice() {
            let serial = last.after.saturating_sub(first.after) > AT_ONCE;
            self.call.result.order = Some(if serial { RingOrder::Serial } else { RingOrder::Parallel });
        }
        self.call.result.rang = rang;
    }

    /// The step `rings`.
    pub(super) fn rung(&mut self) -> StepVerdict {
        let group = self.fork.words();
        let tried = &self.call.result;
        for rung in &tried.rang {
            let who = group.party(rung.end + 1);
            let mut text = format!("{who} as {}, by {}", rung.request_uri, rung.from);
            if !rung.asserted.is_empty() {
                text += &format!(", asserted {}", rung.asserted);
            }
            self.scene.run.fact("called-as", text);
        }
        if let (Some(first), Some(last)) = (tried.rang.first(), tried.rang.last()) {
            self.scene.run.metric("first_ring", MetricValue::Duration(first.after));
            self.scene.run.metric("last_ring", MetricValue::Duration(last.after));
        }
        if let Some(order) = tried.order {
            self.scene.run.fact("ringing", fork::order(order));
        }
        let wrong = tried.rang.iter().find(|rung| {
            let party = self.scene.ends.parties.get(rung.end + 1);
            party.is_some_and(|party| !names_account(&rung.request_uri, self.fork.target(), party))
        });
        match wrong {
            Some(rung) => fork::wrong_line(&group, rung),
            None => fork::rings(&group, tried, &self.displaced),
        }
    }

    /// The parties that ring now.
    pub(super) fn ringing(&self) -> Vec<usize> {
        let ends = &self.scene.ends;
        let rings = |party: &usize| {
            ends.called_since(self.call.caller, *party)
                .is_some_and(|leg| !ends.is_over(leg) && !ends.is_up(leg))
        };
        self.call.result.rang.iter().map(|rung| rung.end + 1).filter(rings).collect()
    }

    /// The end that is to answer: the one that was chosen, or else the last that rings.
    pub(super) fn chosen(&self, ringing: &[usize]) -> Option<usize> {
        let wanted = self.fork.answers + 1;
        ringing.iter().copied().find(|party| *party == wanted).or(ringing.last().copied())
    }

    /// All stopped ringing before anybody answered: waits for what the caller is told, which says why.
    pub(super) async fn stopped_ringing(&mut self) -> Result<StepVerdict, Interrupted> {
        let caller = self.call.caller;
        // A proxy that ends all branches waits for each of them (RFC 3261 sec. 16.7), an unplugged one included.
        let told = |ends: &Ends| ends.is_over(caller) || ends.is_up(caller);
        let time = self.scene.branch_time(caller);
        self.scene.until(time, told).await?;
        let legs: Vec<usize> = self.call.result.rang.iter().map(|rung| self.leg(rung.end + 1)).collect();
        let ended: Vec<_> =
            legs.iter().filter_map(|leg| Some((*leg, self.scene.ends.seen(*leg)?.ended.as_ref()?))).collect();
        let time =
            ended.iter().map(|(leg, ended)| ended.at.saturating_duration_since(self.scene.leg(*leg).began));
        let ends = self.fork.ends.len();
        let others = self
            .scene
            .ends
            .parties
            .iter()
            .skip(1)
            .take(ends)
            .enumerate()
            .map(|(end, party)| party.others.saturating_sub(if self.fork.one_account { end } else { 0 }));
        let trace: trace::Trace = self.scene.trace(caller);
        if let Some(judged) = legs.iter().find_map(|leg| self.refused_by_ours(*leg)) {
            return Ok(judged);
        }
        Ok(fork::stopped_ringing(
            &self.fork.words(),
            &RingingStopped {
                caller: self.scene.seen(caller),
                trace: &trace,
                rang_for: time.max().unwrap_or_default(),
                ends: ended.into_iter().map(|(_, ended)| ended).collect(),
                others: others.max().unwrap_or_default(),
            },
        ))
    }
}

/// The Request-URI as it came.
fn request_uri(invite: &Message) -> String {
    invite.request_uri_bytes().map(|uri| String::from_utf8_lossy(uri).into_owned()).unwrap_or_default()
}

/// Does this Request-URI name the account of this end, or the number that was dialled, as on a trunk? Host and port may have been changed on
/// the way.
fn names_account(uri: &str, dialled: &str, party: &Party) -> bool {
    let user = |uri: &str| {
        let uri = Uri::parse(uri.as_bytes()).ok()?;
        uri.user().map(|user| String::from_utf8_lossy(user).into_owned())
    };
    // What cannot be read, or names nobody, is no other line.
    let Some(called) = user(uri) else { return true };
    called == party.account.user()
        || called == party.contact_user()
        || user(dialled).is_some_and(|dialled| same(&called, &dialled))
}
