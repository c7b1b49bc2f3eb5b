//! Does this account register? Query, bind, refresh, query again, remove; each a step of its own.

mod bindings;
mod judge;
mod observe;
mod session;

use super::{Account, Check, MetricValue, Run, Severity, Side, Verdict};
use crate::check::Finding;
use crate::check::judged::Judged;
use crate::ua::registration::{Answer, Command};
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
        let went_well = self.ask(run, &mut session).await;
        if session.may_be_bound() {
            remove(run, &mut session, went_well).await;
        }
        session.write_down(run);
    }
}

/// What the steps before the removal left.
struct Before {
    foreign: Vec<Foreign>,
    stayed: bool,
}

impl Register {
    /// The steps up to the removal; `None` when one of them ended the check.
    async fn ask(&self, run: &mut Run, session: &mut Session) -> Option<Before> {
        let step = run.begin("query");
        let queried = session.command(run, Command::Query).await;
        observe::answer(run, session, &queried);
        let judged = judge::accepted(session, &queried, "query");
        let refused_query_only = judge::refuses_only_queries(&queried);
        let bindings = queried.answer().map(|a| foreign(&a.bindings)).unwrap_or_default();
        let detail = match (judged.verdict, bindings.len()) {
            (Verdict::Pass, 0) => "no binding".to_owned(),
            (Verdict::Pass, n) => format!("{n} live binding{} of others", if n == 1 { "" } else { "s" }),
            _ => judged.detail.clone(),
        };
        if refused_query_only {
            run.end(step, Verdict::NotRun, format!("{detail}; binding all the same"));
            run.find(judge::query_refused(&queried));
        } else {
            session.end_step(run, step, &judged, detail);
            if !queried.accepted() {
                self.skip_from(run, "bind", "the query did not succeed");
                return None;
            }
        }
        observe::others(run, &bindings);
        if self.query_only {
            run.conclude(format!("answers queries; {} live binding(s); nothing was bound", bindings.len()));
            return None;
        }

        let step = run.begin("bind");
        let bound = session.command(run, Command::Bind).await;
        observe::answer(run, session, &bound);
        let judged = judge::accepted(session, &bound, "bind");
        session.end_step(run, step, &judged, judged.detail.clone());
        if !bound.accepted() {
            self.skip_from(run, "granted", "the binding was not accepted");
            return None;
        }
        run.metric("rrd", MetricValue::Duration(bound.took()));

        let step = run.begin("granted");
        let judged = judge::granted(&bound, self.expires);
        session.end_step(run, step, &judged, judged.detail.clone());
        let granted = bound.answer().and_then(|a| a.granted).map(|(seconds, _)| seconds);
        if let Some(seconds) = granted {
            run.metric("expires", MetricValue::Seconds(seconds));
        }
        let mut stayed = judged.verdict == Verdict::Pass;
        observe::replaced(run, &bindings, bound.answer(), &bound);
        if !stayed {
            self.skip_from(run, "refresh", "the binding is not usable");
            return Some(Before { foreign: bindings, stayed });
        }

        let step = run.begin("refresh");
        let refreshed = session.command(run, Command::Bind).await;
        observe::answer(run, session, &refreshed);
        let mut judged = judge::accepted(session, &refreshed, "refresh");
        if judged.verdict == Verdict::Pass {
            judged = judge::granted(&refreshed, self.expires);
        }
        session.end_step(run, step, &judged, judged.detail.clone());
        if !refreshed.accepted() {
            self.skip_from(run, "query-again", "the refresh did not succeed");
            return Some(Before { foreign: bindings, stayed });
        }

        let step = run.begin("query-again");
        let again = session.command(run, Command::Query).await;
        observe::answer(run, session, &again);
        let judged = if refused_query_only && judge::refuses_only_queries(&again) {
            Judged::not_run("the registrar answers no queries")
        } else {
            judge::listed(session, &again)
        };
        stayed = judged.verdict == Verdict::Pass;
        session.end_step(run, step, &judged, judged.detail.clone());
        observe::replaced(run, &bindings, again.answer().filter(|_| again.accepted()), &again);
        if let Some(seconds) = granted {
            run.conclude(format!("registers by {}: {seconds} s granted", session.transport()));
        }
        Some(Before { foreign: bindings, stayed })
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
async fn remove(run: &mut Run, session: &mut Session, before: Option<Before>) {
    run.clean_up();
    let step = run.begin("remove");
    let removed = session.command(run, Command::Remove).await;
    observe::answer(run, session, &removed);
    let judged = judge::accepted(session, &removed, "remove");
    if judged.verdict == Verdict::Pass {
        session.end_step(run, step, &judged, "our own binding removed".to_owned());
    } else {
        run.find(left_behind(session, &removed));
        session.end_step(run, step, &judged, judged.detail.clone());
        run.skip("gone", "the removal did not succeed");
        return;
    }
    let step = run.begin("gone");
    let last = session.command(run, Command::Query).await;
    observe::answer(run, session, &last);
    let judged = judge::gone(session, &removed, &last);
    session.end_step(run, step, &judged, judged.detail.clone());
    if let Some(before) = before.filter(|b| b.stayed) {
        let listed: Option<&Answer> = last.answer().filter(|_| last.accepted());
        observe::replaced(run, &before.foreign, listed, &last);
    }
}

fn left_behind(session: &Session, removed: &Ended) -> Finding {
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
