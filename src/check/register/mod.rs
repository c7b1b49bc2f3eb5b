//! Does this account register? Query, bind, refresh, query again, remove; each a step of its own.

pub(super) mod bindings;
mod history;
pub(super) mod judge;
mod observe;
mod refusal;
pub(super) mod session;

use super::{Account, Check, MetricValue, Run, Severity, Side, Verdict};
use crate::check::Finding;
use crate::check::judged::Judged;
use crate::ua::registration::Command;
use bindings::{Foreign, foreign};
use session::{Ended, Session};
use std::time::Duration;

/// Does this account register, and if not, why not?
///
/// The check asks for the bindings, adds one of its own, refreshes it, looks again, and removes its own and no other.
/// The outcome's steps are `reach`, `query`, `bind`, `granted`, `refresh`, `query-again`, `remove` and `gone`; its metrics
/// `rrd` (RFC 6076 sec. 4.1, from the binding's first REGISTER to its 2xx), `expires`, `requests`, `retransmissions` and
/// `other_bindings`.
#[derive(Debug, Clone)]
pub struct Register {
    account: Account,
    expires: u32,
    query_only: bool,
    time_limit: Option<Duration>,
}

impl Register {
    /// With the account's own data and an asked expiry of 300 s.
    pub fn new(account: &Account) -> Register {
        Register { account: account.clone(), expires: 300, query_only: false, time_limit: None }
    }

    /// The expiry to ask for, in seconds.
    #[must_use]
    pub fn expires(mut self, seconds: u32) -> Register {
        self.expires = seconds;
        self
    }

    /// Only query the bindings: nothing is bound, nothing removed.
    #[must_use]
    pub fn query_only(mut self, only: bool) -> Register {
        self.query_only = only;
        self
    }

    /// The time for the whole check, cleaning up not counted.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Register {
        self.time_limit = Some(limit);
        self
    }
}

impl Check for Register {
    fn name(&self) -> &'static str {
        "register"
    }

    fn accounts(&self) -> Vec<String> {
        vec![self.account.name().to_owned()]
    }

    fn subject(&self) -> String {
        self.account.aor().to_owned()
    }

    fn time_limit(&self) -> Option<Duration> {
        self.time_limit
    }

    async fn run(&self, run: &mut Run) {
        if self.account.name() != self.account.aor() {
            run.fact("account", self.account.name());
        }
        let Some(mut session) = Session::open(run, &self.account, self.expires).await else { return };
        let others = self.ask(run, &mut session).await;
        if session.may_be_bound() {
            remove(run, &mut session, others).await;
        }
        session.write_down(run);
    }
}

/// What the first query showed.
struct Queried {
    /// Live bindings of others.
    foreign: Vec<Foreign>,
    /// The registrar binds, and answers no queries.
    not_answered: bool,
}

impl Register {
    /// The steps up to the removal. What it gives are the bindings of others that the removal must leave alone too; `None` when that
    /// cannot be told any more.
    async fn ask(&self, run: &mut Run, session: &mut Session) -> Option<Vec<Foreign>> {
        let queried = self.query(run, session).await?;
        observe::others(run, &queried.foreign);
        if self.query_only {
            let live = queried.foreign.len();
            run.conclude(format!("answers queries; {live} live binding{}; nothing was bound", plural(live)));
            return None;
        }
        let granted = self.bind(run, session, &queried).await?;
        self.stay(run, session, &queried).await?;
        run.conclude(format!("registers by {}: {granted} s granted", session.transport()));
        Some(queried.foreign)
    }

    /// Which bindings are there? `None` when nothing more is to be asked.
    async fn query(&self, run: &mut Run, session: &mut Session) -> Option<Queried> {
        let step = run.begin("query");
        let ended = session.command(run, Command::Query).await;
        observe::answer(run, session, &ended);
        let judged = judge::accepted(session, &ended, "query");
        if judge::refuses_only_queries(&ended) {
            run.end(step, Verdict::NotRun, format!("{}; binding all the same", judged.detail));
            run.find(judge::query_refused(&ended));
            return Some(Queried { foreign: Vec::new(), not_answered: true });
        }
        let foreign = ended.answer().map(|a| foreign(&a.bindings)).unwrap_or_default();
        let detail = match (judged.verdict, foreign.len()) {
            (Verdict::Pass, 0) => "no binding".to_owned(),
            (Verdict::Pass, n) => format!("{n} live binding{} of others", plural(n)),
            _ => judged.detail.clone(),
        };
        session.end_step(run, step, &judged, detail);
        if !ended.accepted() {
            self.skip_from(run, "bind", "the query did not succeed");
            return None;
        }
        Some(Queried { foreign, not_answered: false })
    }

    /// Adds our own binding; gives the seconds that were granted, `None` when it is not usable.
    async fn bind(&self, run: &mut Run, session: &mut Session, queried: &Queried) -> Option<u32> {
        let step = run.begin("bind");
        let ended = session.command(run, Command::Bind).await;
        observe::answer(run, session, &ended);
        let judged = judge::accepted(session, &ended, "bind");
        session.end_step(run, step, &judged, judged.detail.clone());
        if !ended.accepted() {
            self.skip_from(run, "granted", "the binding was not accepted");
            return None;
        }
        run.metric("rrd", MetricValue::Duration(ended.took()));

        let step = run.begin("granted");
        let judged = judge::granted(&ended, self.expires);
        session.end_step(run, step, &judged, judged.detail.clone());
        let granted = ended.answer().and_then(|a| a.granted).map(|(seconds, _)| seconds);
        if let Some(seconds) = granted {
            run.metric("expires", MetricValue::Seconds(seconds));
        }
        observe::replaced(run, &queried.foreign, ended.answer(), &ended);
        if judged.verdict != Verdict::Pass {
            self.skip_from(run, "refresh", "the binding is not usable");
            return None;
        }
        granted
    }

    /// Refreshes our binding and looks whether it is there; `None` when it is not.
    async fn stay(&self, run: &mut Run, session: &mut Session, queried: &Queried) -> Option<()> {
        let step = run.begin("refresh");
        let ended = session.command(run, Command::Bind).await;
        observe::answer(run, session, &ended);
        let mut judged = judge::accepted(session, &ended, "refresh");
        if judged.verdict == Verdict::Pass {
            judged = judge::granted(&ended, self.expires);
        }
        session.end_step(run, step, &judged, judged.detail.clone());
        if !ended.accepted() {
            self.skip_from(run, "query-again", "the refresh did not succeed");
            return None;
        }

        let step = run.begin("query-again");
        let ended = session.command(run, Command::Query).await;
        observe::answer(run, session, &ended);
        let judged = if queried.not_answered && judge::refuses_only_queries(&ended) {
            Judged::not_run("the registrar answers no queries")
        } else {
            judge::listed(session, &ended)
        };
        session.end_step(run, step, &judged, judged.detail.clone());
        observe::replaced(run, &queried.foreign, ended.answer().filter(|_| ended.accepted()), &ended);
        (judged.verdict != Verdict::Fail).then_some(())
    }

    fn skip_from(&self, run: &mut Run, first: &'static str, why: &str) {
        let steps = ["bind", "granted", "refresh", "query-again"];
        if !self.query_only {
            for name in steps.into_iter().skip_while(|name| *name != first) {
                run.skip(name, why);
            }
        }
    }
}

/// Removes our own binding, whatever happened before, and looks whether it is gone.
async fn remove(run: &mut Run, session: &mut Session, others: Option<Vec<Foreign>>) {
    run.clean_up();
    let step = run.begin("remove");
    let removed = session.command(run, Command::Remove).await;
    observe::answer(run, session, &removed);
    let judged = judge::accepted(session, &removed, "removal");
    if !removed.accepted() && removed.refusal().is_none() {
        session.end_step(run, step, &judged, judged.detail.clone());
        run.find(left_behind(session, &removed));
        run.skip("gone", "the removal did not succeed");
        return;
    }
    let mark = run.begin("gone");
    let last = session.command(run, Command::Query).await;
    observe::answer(run, session, &last);
    let gone = judge::gone(session, &removed, &last);
    let judged = judge::removed(judged, &removed, &gone);
    session.end_step(run, step, &judged, judged.detail.clone());
    session.end_step(run, mark, &gone, gone.detail.clone());
    if !removed.accepted() && gone.verdict != Verdict::Pass {
        run.find(left_behind(session, &removed));
    }
    if let Some(others) = others {
        observe::replaced(run, &others, last.answer().filter(|_| last.accepted()), &last);
    }
}

fn plural(number: usize) -> &'static str {
    if number == 1 { "" } else { "s" }
}

pub(super) fn left_behind(session: &Session, removed: &Ended) -> Finding {
    let rest =
        session.granted().map_or_else(|| "until it expires".to_owned(), |s| format!("for up to {s} s"));
    Finding::new(
        "binding-left",
        Severity::Warning,
        Side::Probe,
        format!("our own binding {} could not be removed and stays {rest}", session.contact()),
        "nothing to do: it runs out by itself; calls to this account may try it until then",
    )
    .shown_by(removed.evidence.clone())
}
