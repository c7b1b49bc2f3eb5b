//! The end of a command of a registration: plain data, for those who judge it.

use super::bindings::Foreign;
use super::history::History;
use crate::check::judge::status::{About, Said};
use crate::check::judge::unlike::Unlike;
use crate::check::judge::unused::Unused;
use crate::check::restraint::Answers;
use crate::check::{Interrupted, Run};
use crate::message::Flow;
use crate::transport::TransportError;
use crate::ua::registration::{Answer, Command, End, Finished};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Result of binding where nobody else is live.
pub(in crate::check) enum Bound {
    /// The binding was asked for; also where the registrar answers no queries. Devices that were live before, in the option's name.
    Asked { query: Box<Ended>, bind: Ended, devices: Vec<Foreign> },
    /// Others are live there, and nothing was bound beside them.
    NotBeside { query: Ended, devices: Vec<Foreign> },
    /// Others are live there, as the answer to our binding shows and the one to the query did not: ours is to be removed again.
    Withdrawn { bind: Ended, devices: Vec<Foreign> },
    /// The query did not succeed.
    NotQueried { query: Ended },
}

/// End of a command, with its circumstances.
pub(in crate::check) struct Ended {
    /// Result of the machine; `None` when we did not wait for its end.
    pub(in crate::check) finished: Option<Finished>,
    pub(in crate::check) failure: Option<TransportError>,
    pub(in crate::check) interrupted: Option<Interrupted>,
    /// A provisional response came for the request that ended it.
    pub(in crate::check) provisional: bool,
    /// Message or event that came last and was no answer.
    pub(in crate::check) unused: Option<Unused>,
    /// Requests that the registrar sent meanwhile, in words.
    pub(in crate::check) requests: Option<String>,
    /// Sizes of the last request and of the largest that was answered, over UDP.
    pub(in crate::check) sizes: (usize, usize),
    /// Limit of the probe itself, where it was one.
    pub(in crate::check) probe_limit: Option<String>,
    pub(in crate::check) answered_before: u64,
    /// Answers of the registrar to all checks of the probe.
    pub(in crate::check) answers: Answers,
    /// Another check was answered there after the last request had been sent.
    pub(in crate::check) others_go_on: bool,
    pub(in crate::check) credentials_sent: bool,
    /// History of the session before this command.
    pub(in crate::check) history: History,
    /// The refusal of a reused nonce that a request with a fresh one was sent after.
    pub(in crate::check) retried_after: Option<String>,
    pub(in crate::check) flow: Flow,
    pub(in crate::check) answered_from: Option<Flow>,
    /// Headers that the first answer which does not fit its request gave back changed.
    pub(in crate::check) unlike: Vec<Unlike>,
    pub(in crate::check) evidence: Range<usize>,
    pub(super) began: Instant,
    /// Time at which the last request was sent.
    pub(super) sent: Instant,
    pub(super) ended: Instant,
}

impl Ended {
    /// Before anything was sent.
    pub(super) fn new(history: &History, flow: Flow, now: Instant, mark: usize) -> Ended {
        Ended {
            finished: None,
            failure: None,
            interrupted: None,
            provisional: false,
            unused: None,
            requests: None,
            sizes: (0, 0),
            probe_limit: None,
            answered_before: 0,
            answers: Answers::default(),
            others_go_on: false,
            credentials_sent: history.credentials_sent,
            history: history.clone(),
            retried_after: None,
            flow,
            answered_from: None,
            unlike: Vec::new(),
            evidence: mark..mark,
            began: now,
            sent: now,
            ended: now,
        }
    }
    pub(in crate::check) fn answer(&self) -> Option<&Answer> {
        self.finished.as_ref().and_then(|f| f.answer.as_ref())
    }
    /// Accepted in the end, be it after a refusal that a phone might not survive.
    pub(in crate::check) fn accepted(&self) -> bool {
        let good =
            |end: &End| matches!(end, End::Accepted | End::NonceRefusedWithoutStale { recovered: true });
        self.finished.as_ref().is_some_and(|f| good(&f.end))
    }
    /// It was waited for to the end, and nothing came.
    pub(in crate::check) fn is_silence(&self) -> bool {
        self.interrupted.is_none() && self.finished.as_ref().is_some_and(|f| f.end == End::Timeout)
    }
    pub(in crate::check) fn took(&self) -> Duration {
        self.ended.saturating_duration_since(self.began)
    }
    /// Time for which an answer to the last request was waited for.
    pub(in crate::check) fn waited(&self) -> Duration {
        self.ended.saturating_duration_since(self.sent)
    }
    /// Time at which it ended.
    pub(in crate::check) fn ended_at(&self) -> Instant {
        self.ended
    }
    /// A final response that refuses, as a status line.
    pub(in crate::check) fn refusal(&self) -> Option<String> {
        let is_refusal = self.finished.as_ref().is_some_and(|f| f.end == End::Refused);
        self.answer().filter(|_| is_refusal).map(|a| format!("{} {}", a.status(), a.reason()))
    }
    /// A refusal that may mean the nonce alone, which was good before.
    pub(super) fn refuses_reused_nonce(&self) -> Option<String> {
        let reused = self.finished.as_ref().is_some_and(|f| f.reused_nonce);
        let status = self.answer().map(Answer::status);
        let is_it = reused && self.history.knows_credentials() && matches!(status, Some(400 | 403));
        self.refusal().filter(|_| is_it)
    }
    /// It goes on with what an attempt before it began.
    pub(super) fn follow(&mut self, first: &Ended, run: &Run) {
        self.began = first.began;
        self.evidence.start = first.evidence.start;
        self.look_back(run);
    }
    pub(super) fn look_back(&mut self, run: &Run) {
        // Reading the record again costs more than a whole exchange: only where nothing else says what happened.
        let unanswered =
            self.finished.as_ref().is_none_or(|f| matches!(f.end, End::Timeout | End::TransportFailed));
        if unanswered {
            self.unused = run.unused(self.evidence.clone());
            self.requests = run.requests_in(self.evidence.clone());
            self.sizes = run.sizes();
        }
    }
    /// A query that was refused for itself, as far as is known: a binding may be accepted all the same. Not where it asks for a pause, speaks of
    /// a ban, or says what else it wants.
    pub(in crate::check) fn refuses_the_query(&self) -> bool {
        let refused = self.finished.as_ref().filter(|f| f.end == End::Refused && f.command == Command::Query);
        let Some(answer) = refused.and_then(|f| f.answer.as_ref()) else { return false };
        let said = Said::read(answer.message());
        let is_more = matches!(said.about(), Some(About::Lock | About::Load)) || said.retry_after.is_some();
        let status = answer.status();
        !is_more
            && matches!(status, 400 | 403..=406 | 410 | 423 | 480..=482 | 484..=488 | 500 | 501 | 600..=699)
    }
    /// A query that was refused before any login with what concerns a binding no less: the server, the method, or whoever is asked for. Behind
    /// a login it may be the query alone that is refused.
    pub(in crate::check) fn refuses_bindings_too(&self) -> bool {
        let status = self.answer().map(Answer::status).filter(|_| !self.credentials_sent);
        matches!(status, Some(403 | 405 | 406 | 480 | 482 | 486 | 488 | 501 | 600 | 603 | 606..=608))
    }
    /// The registrar may say so of an address without bindings, or of one that it does not know: nobody is bound either way.
    pub(in crate::check) fn knows_nobody(&self) -> bool {
        self.answer().is_some_and(|answer| matches!(answer.status(), 404 | 410 | 604))
    }
}
