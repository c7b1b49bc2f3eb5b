//! Restraint that keeps a probe from doing harm: it obeys Retry-After and stops at the first sign of a ban.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Why a check was not sent to a peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Withheld {
    /// The peer asked for a pause (Retry-After) that is not over.
    #[error("{remote} asked for a pause of which {} s are left", whole_seconds(*.left))]
    RetryAfter {
        /// The server that asked.
        remote: SocketAddr,
        /// Time that is left of it.
        left: Duration,
    },
    /// The peer asked for a pause for one account that is not over.
    #[error("{remote} asked for a pause for {account} of which {} s are left", whole_seconds(*.left))]
    AccountRetryAfter {
        /// The server that asked.
        remote: SocketAddr,
        /// For which address of record.
        account: String,
        /// Time that is left of it.
        left: Duration,
    },
    /// The peer answered before and then fell silent for several checks in a row: a ban of our address, or an outage.
    #[error(
        "{remote} answered {answered} requests and then left {silent} checks in a row without any answer: it may have banned this address"
    )]
    SuspectedBan {
        /// The server that fell silent.
        remote: SocketAddr,
        /// Requests that it answered before.
        answered: u64,
        /// Checks in a row without any answer.
        silent: u32,
    },
    /// The peer never answered anything, for many checks in a row.
    #[error("{remote} has not answered any of {silent} checks")]
    NeverAnswered {
        /// The server that is silent.
        remote: SocketAddr,
        /// Checks in a row without any answer.
        silent: u32,
    },
}

/// Rounded up: who waits that long has waited long enough.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// When to hold back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Courtesy {
    /// Silent checks in a row, after answers, that are taken for a ban; default 3.
    pub silent_checks: u32,
    /// Silent checks in a row from a peer that never answered, after which no more are sent; default 20.
    pub never_answered: u32,
    /// Time for which such a peer is then left in peace; default 10 minutes.
    pub rest: Duration,
    /// Longest Retry-After that is remembered, for the account that it was given for, and for its server once three accounts have one at a
    /// time; default 1 hour.
    pub longest_retry_after: Duration,
}

impl Default for Courtesy {
    fn default() -> Self {
        Courtesy {
            silent_checks: 3,
            never_answered: 20,
            rest: Duration::from_secs(600),
            longest_retry_after: Duration::from_secs(3_600),
        }
    }
}

/// Peers that are remembered at most; beyond it new ones are not.
const MAX_PEERS: usize = 65_536;

#[derive(Debug, Default, Clone, Copy)]
struct Peer {
    answered: u64,
    silent: u32,
    last_silence: Option<Instant>,
    paused_until: Option<Instant>,
    last_answer: Option<Instant>,
    slowest: Duration,
}

/// Answers of a peer so far, to all checks of this probe.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answers {
    /// Requests that it answered.
    pub(super) number: u64,
    /// The longest time that an answer took.
    pub(super) slowest: Duration,
    last: Option<Instant>,
}

impl Answers {
    /// Was another request answered later than one that was sent at this time would have been, had its answer taken as long as the slowest?
    /// What stopped the answer to that one is then no ban of our address.
    pub(super) fn go_on_after(&self, sent: Instant) -> bool {
        self.last.is_some_and(|last| last > sent + self.slowest)
    }

    /// Was an answer waited for long enough to tell silence from slowness?
    pub(super) fn are_overdue(&self, waited: Duration) -> bool {
        waited >= self.slowest * SLOWER
    }
}

/// An answer may take this many times as long as the slowest before.
const SLOWER: u32 = 4;

/// A pause for one address of record at one peer.
type AccountPauses = HashMap<(SocketAddr, String), Instant>;

/// Accounts whose pauses at one time are taken for the registrar's own.
const ACCOUNTS_ARE_ALL: usize = 3;

#[derive(Debug)]
pub(super) struct Restraint {
    courtesy: Courtesy,
    peers: Mutex<HashMap<SocketAddr, Peer>>,
    accounts: Mutex<AccountPauses>,
}

impl Restraint {
    pub(super) fn new(courtesy: Courtesy) -> Restraint {
        Restraint { courtesy, peers: Mutex::default(), accounts: Mutex::default() }
    }

    pub(super) fn permit(&self, remote: SocketAddr, now: Instant) -> Result<(), Withheld> {
        let Some(peer) = self.peers().get(&remote).copied() else { return Ok(()) };
        if let Some(until) = peer.paused_until.filter(|until| *until > now) {
            return Err(Withheld::RetryAfter { remote, left: until - now });
        }
        let resting = peer.last_silence.is_some_and(|at| now < at + self.courtesy.rest);
        let (answered, silent) = (peer.answered, peer.silent);
        match answered {
            0 if resting && silent >= self.courtesy.never_answered => {
                Err(Withheld::NeverAnswered { remote, silent })
            }
            1.. if resting && silent >= self.courtesy.silent_checks => {
                Err(Withheld::SuspectedBan { remote, answered, silent })
            }
            _ => Ok(()),
        }
    }

    /// It answered now, a time after it was asked.
    pub(super) fn answered(&self, remote: SocketAddr, now: Instant, took: Duration) {
        self.update(remote, |peer| {
            peer.answered += 1;
            peer.silent = 0;
            peer.last_answer = Some(now);
            peer.slowest = peer.slowest.max(took);
        });
    }

    /// Its answers so far.
    pub(super) fn answers(&self, remote: SocketAddr) -> Answers {
        let peer = self.peers().get(&remote).copied().unwrap_or_default();
        Answers { number: peer.answered, slowest: peer.slowest, last: peer.last_answer }
    }

    /// A check ended without any answer.
    pub(super) fn silent(&self, remote: SocketAddr, now: Instant) {
        self.update(remote, |peer| {
            peer.silent += 1;
            peer.last_silence = Some(now);
        });
    }

    /// A refusal with Retry-After (RFC 3261 sec. 20.33) concerns the account that it was given for; three accounts at a time are the server.
    /// One that is refused with 503 says little about thousands of others: its trunk may be full, or one node of many.
    pub(super) fn retry_after(
        &self,
        remote: SocketAddr,
        (status, account): (u16, &str),
        now: Instant,
        pause: Duration,
    ) {
        let until = now + pause.min(self.courtesy.longest_retry_after);
        if !matches!(status, 404 | 413 | 429 | 480 | 486 | 500 | 503 | 600 | 603) {
            return;
        }
        if self.pause_account(remote, account, now, until) {
            self.update(remote, |peer| peer.paused_until = peer.paused_until.max(Some(until)));
        }
    }

    /// True when enough accounts have a pause there to hold back all of them.
    fn pause_account(&self, remote: SocketAddr, account: &str, now: Instant, until: Instant) -> bool {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= MAX_PEERS {
            accounts.retain(|_, until| *until > now);
        }
        if accounts.len() < MAX_PEERS {
            let pause = accounts.entry((remote, account.to_ascii_lowercase())).or_insert(until);
            *pause = until.max(*pause);
        }
        let there = accounts.iter().filter(|((asked, _), until)| *asked == remote && **until > now);
        there.take(ACCOUNTS_ARE_ALL).count() >= ACCOUNTS_ARE_ALL
    }

    /// Like [`Restraint::permit`], for one account.
    pub(super) fn permit_account(
        &self,
        remote: SocketAddr,
        account: &str,
        now: Instant,
    ) -> Result<(), Withheld> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        match accounts.get(&(remote, account.to_ascii_lowercase())) {
            Some(until) if *until > now => {
                let account = account.to_owned();
                Err(Withheld::AccountRetryAfter { remote, account, left: *until - now })
            }
            _ => Ok(()),
        }
    }

    fn update(&self, remote: SocketAddr, change: impl FnOnce(&mut Peer)) {
        let mut peers = self.peers();
        if peers.len() < MAX_PEERS || peers.contains_key(&remote) {
            change(peers.entry(remote).or_default());
        }
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<SocketAddr, Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting() -> (Restraint, SocketAddr, Instant) {
        (Restraint::new(Courtesy::default()), SocketAddr::from(([127, 0, 0, 1], 5060)), Instant::now())
    }

    #[test]
    fn a_peer_that_falls_silent_after_answers_is_left_in_peace() {
        let (restraint, remote, now) = setting();
        restraint.answered(remote, now, Duration::ZERO);
        for _ in 0..3 {
            assert_eq!(restraint.permit(remote, now), Ok(()));
            restraint.silent(remote, now);
        }
        assert_eq!(
            restraint.permit(remote, now),
            Err(Withheld::SuspectedBan { remote, answered: 1, silent: 3 })
        );
        assert_eq!(restraint.permit(remote, now + Duration::from_secs(600)), Ok(()));
    }

    #[test]
    fn an_answer_between_two_silences_is_no_sign_of_a_ban() {
        let (restraint, remote, now) = setting();
        for _ in 0..10 {
            restraint.answered(remote, now, Duration::ZERO);
            restraint.silent(remote, now);
            restraint.silent(remote, now);
        }
        assert_eq!(restraint.permit(remote, now), Ok(()));
    }

    #[test]
    fn an_answer_to_somebody_else_in_time_shows_that_we_are_not_banned() {
        let (restraint, remote, now) = setting();
        let s = Duration::from_secs;
        assert!(!restraint.answers(remote).go_on_after(now), "it never answered");
        restraint.answered(remote, now + s(6), s(6));
        let answers = restraint.answers(remote);
        assert!(
            !answers.go_on_after(now + s(1)),
            "it may have been sent when the last answer was on its way"
        );
        assert!(!answers.are_overdue(s(23)) && answers.are_overdue(s(24)));
        restraint.answered(remote, now + s(8), s(1));
        let answers = restraint.answers(remote);
        assert!(answers.go_on_after(now + s(1)) && !answers.go_on_after(now + s(2)));
        assert_eq!((answers.number, answers.slowest), (2, s(6)));
    }

    #[test]
    fn a_peer_that_never_answered_is_given_up_after_twenty_checks() {
        let (restraint, remote, now) = setting();
        for _ in 0..19 {
            restraint.silent(remote, now);
        }
        assert_eq!(restraint.permit(remote, now), Ok(()));
        restraint.silent(remote, now);
        assert_eq!(restraint.permit(remote, now), Err(Withheld::NeverAnswered { remote, silent: 20 }));
    }

    #[test]
    fn retry_after_holds_new_checks_back_until_it_is_over() {
        let (restraint, remote, now) = setting();
        restraint.retry_after(remote, (503, "sip:a@x"), now, Duration::from_secs(30));
        restraint.retry_after(remote, (500, "sip:b@x"), now, Duration::from_secs(10));
        assert_eq!(restraint.permit(remote, now), Ok(()), "two accounts are not the server");
        restraint.retry_after(remote, (503, "sip:c@x"), now, Duration::from_secs(30));
        let left = Duration::from_secs(30);
        assert_eq!(restraint.permit(remote, now), Err(Withheld::RetryAfter { remote, left }));
        assert_eq!(restraint.permit(remote, now + left), Ok(()));
    }
    #[test]
    fn a_pause_for_one_account_holds_back_this_one_until_three_have_one() {
        for status in [404, 413, 429, 480, 486, 500, 503, 600, 603] {
            let (restraint, remote, now) = setting();
            let pause = Duration::from_secs(30);
            restraint.retry_after(remote, (status, "sip:a@X"), now, pause);
            restraint.retry_after(remote, (status, "sip:a@x"), now, pause);
            restraint.retry_after(remote, (status, "sip:b@x"), now, pause);
            let withheld = restraint.permit_account(remote, "sip:a@x", now + Duration::from_secs(10));
            let left = Duration::from_secs(20);
            let expected = Withheld::AccountRetryAfter { remote, account: "sip:a@x".into(), left };
            assert_eq!(withheld, Err(expected));
            assert_eq!(restraint.permit_account(remote, "sip:c@x", now), Ok(()));
            assert_eq!(restraint.permit(remote, now), Ok(()), "{status}");
            restraint.retry_after(remote, (status, "sip:c@x"), now, pause);
            assert_eq!(restraint.permit(remote, now), Err(Withheld::RetryAfter { remote, left: pause }));
            assert_eq!(restraint.permit(remote, now + pause), Ok(()));
        }
    }

    #[test]
    fn pauses_that_are_over_do_not_count_together() {
        let (restraint, remote, now) = setting();
        let (pause, later) = (Duration::from_secs(30), now + Duration::from_secs(31));
        restraint.retry_after(remote, (503, "sip:a@x"), now, pause);
        restraint.retry_after(remote, (503, "sip:b@x"), now, pause);
        restraint.retry_after(remote, (503, "sip:c@x"), later, pause);
        assert_eq!(restraint.permit(remote, later), Ok(()));
        // Nor do those at another server.
        let other = SocketAddr::from(([127, 0, 0, 2], 5060));
        restraint.retry_after(other, (503, "sip:d@x"), later, pause);
        restraint.retry_after(remote, (503, "sip:e@x"), later, pause);
        assert_eq!((restraint.permit(remote, later), restraint.permit(other, later)), (Ok(()), Ok(())));
    }

    #[test]
    fn a_pause_of_a_status_that_carries_none_is_nobodys() {
        let (restraint, remote, now) = setting();
        restraint.retry_after(remote, (403, "sip:a@x"), now, Duration::from_secs(30));
        assert_eq!(restraint.permit_account(remote, "sip:a@x", now), Ok(()));
        assert_eq!(restraint.permit(remote, now), Ok(()));
    }
}
