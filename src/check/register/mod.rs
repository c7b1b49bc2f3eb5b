//! Does this account register? Query, bind, refresh, query again, remove; each a step of its own.

pub(super) mod asked;
pub(super) mod bindings;
mod contact;
pub(super) mod ended;
mod history;
pub(super) mod judge;
pub(super) mod observe;
mod refusal;
pub(super) mod session;

pub(super) use observe::{from_elsewhere, odd_lines};

use super::yields;
use super::{Account, Check, MetricValue, Run, Severity, Side, Verdict};
use crate::check::Finding;
use crate::check::judge::called::meanwhile;
use crate::check::judged::{self, StepVerdict};
use crate::check::result::RegisterResult;
use crate::ua::registration::Command;
use asked::Asked;
use bindings::{Foreign, advice_on_left, bound, counted, unseen};
use ended::Ended;
use observe::Upon;
use session::{Session, lists_own};
use std::ops::Range;
use std::time::Duration;

/// Does this account register, and if not, why not?
///
/// The check asks for the bindings; where no other device is live ([`Register::beside_live_devices`]) it adds one of its own, refreshes it, looks again, and removes its own and no other.
#[doc = include_str!("yields.md")]
#[derive(Debug, Clone)]
pub struct Register {
    asked: Asked,
    expires: u32,
    query_only: bool,
    beside_live_devices: bool,
}

impl Register {
    /// With the account's own data and an asked expiry of 300 s.
    pub fn new(account: &Account) -> Register {
        Register { asked: Asked::about(account), expires: 300, query_only: false, beside_live_devices: false }
    }

    /// The expiry to ask for, in seconds.
    #[must_use]
    pub fn expires(mut self, seconds: u32) -> Register {
        self.expires = seconds;
        self
    }

    /// Only query the bindings: nothing is bound, nothing removed. It passes when the registrar answers, whether anybody is bound or not;
    /// [`Lookup`](super::Lookup) asks whether somebody is.
    #[must_use]
    pub fn query_only(mut self, only: bool) -> Register {
        self.query_only = only;
        self
    }

    /// Bind also where other devices are live; without it the check then ends behind the query. A registrar that keeps one binding for an
    /// account drops that of the device, which cannot be called until it registers again.
    #[must_use]
    pub fn beside_live_devices(mut self, beside: bool) -> Register {
        self.beside_live_devices = beside;
        self
    }

    /// The time for the whole check, cleaning up not counted.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Register {
        self.asked.time_limit = Some(limit);
        self
    }
}

impl Check for Register {
    fn name(&self) -> &'static str {
        "register"
    }

    fn accounts(&self) -> Vec<String> {
        self.asked.accounts()
    }

    fn subject(&self) -> String {
        self.asked.subject()
    }

    fn time_limit(&self) -> Option<Duration> {
        self.asked.time_limit
    }

    fn yields(&self) -> &'static [&'static str] {
        &[include_str!("yields.md"), yields::ANY, yields::REGISTRATION, yields::REGISTRAR]
    }

    async fn run(&self, run: &mut Run) {
        let Some(mut session) = self.asked.open(run, self.expires).await else { return };
        session.expect_calls();
        let others = self.ask(run, &mut session).await;
        if session.may_be_bound() {
            remove(run, &mut session, others).await;
        } else if session.is_left_for_a_pause() {
            run.find(left_for_a_pause(&session));
        }
        session.write_down(run);
        if let Some(finding) = meanwhile(&run.records(), self.asked.name()) {
            run.find(finding);
        }
    }
}

/// Result of the first query.
struct Queried {
    /// Live bindings of others.
    foreign: Vec<Foreign>,
    /// It was refused; a binding may be accepted all the same.
    refused: Option<Ended>,
    evidence: Range<usize>,
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
        if !queried.foreign.is_empty() && !self.beside_live_devices {
            self.leave_alone(run, &queried);
            return None;
        }
        let mut queried = queried;
        let (granted, unseen) = self.bind(run, session, &queried).await?;
        let registers = format!("registers by {}: {granted}", session.transport());
        if let Some(finding) = observe::unseen(&unseen, queried.refused.is_some()) {
            run.find(finding.shown_by(queried.evidence.clone()));
            session.hides_from_queries();
        }
        if !unseen.is_empty() && !self.beside_live_devices {
            let registered = counted(&unseen);
            self.skip_from(run, "refresh", &format!("{registered}; our binding is removed again at once"));
            run.conclude(format!("{registers}; {registered}, and our binding was removed again at once"));
            return Some(unseen);
        }
        queried.foreign.extend(unseen);
        self.stay(run, session, &queried).await?;
        run.conclude(registers);
        Some(queried.foreign)
    }

    /// Others are live: nothing is bound beside them.
    fn leave_alone(&self, run: &mut Run, queried: &Queried) {
        let registered = counted(&queried.foreign);
        let them = if queried.foreign.len() == 1 { "it" } else { "them" };
        let which: Vec<String> = queried.foreign.iter().take(3).map(Foreign::describe).collect();
        run.find(
            Finding::new(
                "not-beside-live-devices",
                Severity::Info,
                Side::Setup,
                format!("{registered}: {}; our own binding was not tried beside {them}", which.join("; ")),
                advice_on_left(&queried.foreign).unwrap_or("for the whole check use a test account, or --beside-live-devices at a quiet hour: a registrar that keeps one binding drops that of the device"),
            )
            .shown_by(queried.evidence.clone()),
        );
        self.skip_from(
            run,
            "bind",
            &format!("{registered}; nothing is bound beside {them} without --beside-live-devices"),
        );
        let agents: Vec<&str> =
            queried.foreign.iter().filter_map(|device| device.user_agent.as_deref()).take(3).collect();
        let whose = if agents.is_empty() { String::new() } else { format!(" ({})", agents.join(", ")) };
        run.conclude(format!(
            "the login is accepted; {registered}{whose}; our own binding was not tried beside {them}"
        ));
    }

    /// Asks for the bindings; `None` when nothing more is to be asked.
    async fn query(&self, run: &mut Run, session: &mut Session) -> Option<Queried> {
        let step = run.begin("query");
        let ended = session.command(run, Command::Query).await;
        observe::answer(run, session, &ended);
        let judged = judge::accepted(session, &ended, "query");
        if ended.refuses_the_query() && !(self.query_only && ended.knows_nobody()) {
            run.attach(RegisterResult::default());
            if self.query_only {
                let judged = match ended.refuses_bindings_too() {
                    true => judged,
                    false => judge::cannot_tell(&ended, "query-refused"),
                };
                session.end_step(run, step, &judged, judged.detail.clone());
                return None;
            }
            run.end(step, Verdict::NotRun, format!("{}; binding all the same", judged.detail));
            let evidence = ended.evidence.clone();
            return Some(Queried { foreign: Vec::new(), refused: Some(ended), evidence });
        }
        let bindings = ended.answer().filter(|_| ended.accepted()).map(|answer| bound(&answer.bindings));
        bindings.into_iter().for_each(|bindings| run.attach(RegisterResult::of(bindings)));
        let foreign = session.devices(run, &ended);
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
        Some(Queried { foreign, refused: None, evidence: ended.evidence })
    }

    /// Adds our own binding; gives what was granted in words, and devices that its answer lists and the one to the query did not. `None` when it
    /// is not usable.
    async fn bind(
        &self,
        run: &mut Run,
        session: &mut Session,
        queried: &Queried,
    ) -> Option<(String, Vec<Foreign>)> {
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
        if let Some(query) = &queried.refused {
            run.find(judge::query_refused(query));
        }

        let step = run.begin("granted");
        let judged = judge::granted(&ended, self.expires);
        let is_usable = judged.verdict == Verdict::Pass;
        let said = judged.detail.clone();
        // Harm that was done comes before all else.
        let judged =
            observe::replaced(run, &queried.foreign, ended.answer(), &ended, Upon::Binding).unwrap_or(judged);
        session.end_step(run, step, &judged, judged.detail.clone());
        let answer = ended.answer();
        let plain =
            answer.and_then(|a| a.granted.filter(|_| a.granted_text.is_none())).map(|(seconds, _)| seconds);
        if let Some(seconds) = plain {
            run.metric("expires", MetricValue::Seconds(seconds));
        }
        if !is_usable {
            self.skip_from(run, "refresh", "the binding is not usable");
            return None;
        }
        let unseen = unseen(session.devices(run, &ended), &queried.foreign);
        Some((plain.map_or(said, |seconds| format!("{seconds} s granted")), unseen))
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
        let judged = if queried.refused.is_some() && ended.refuses_the_query() {
            StepVerdict::not_run("the registrar answers no queries")
        } else {
            judge::listed(session, &ended, &queried.foreign)
        };
        let judged = match judged::kept(session.lost()) {
            Some(not_kept) if judged.verdict == Verdict::Pass => not_kept.shown_by(&ended.evidence),
            _ => judged,
        };
        let is_there = judged.verdict != Verdict::Fail;
        let answer = ended.answer().filter(|_| ended.accepted() && !session.is_listed_to_binds_only());
        let judged =
            observe::replaced(run, &queried.foreign, answer, &ended, Upon::Binding).unwrap_or(judged);
        session.end_step(run, step, &judged, judged.detail.clone());
        is_there.then_some(())
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
    let was_heard = session.is_heard();
    let removed = session.command(run, Command::Remove).await;
    observe::answer(run, session, &removed);
    let judged = judge::accepted(session, &removed, "removal");
    if removed.answer().is_some() {
        run.not_silent();
    }
    if session.had_nothing_to_remove(&removed) {
        let judged = judge::nothing_bound(&removed);
        session.end_step(run, step, &judged, judged.detail.clone());
        run.skip("gone", judged.detail);
        return;
    }
    let was_cut = run.was_cut();
    // Where all before it was answered, the removal alone may have been dropped, or its answer.
    let asks_again = removed.refusal().is_some() || was_heard && removed.is_silence();
    if !removed.accepted() && !asks_again {
        session.end_step(run, step, &judged, judged.detail.clone());
        run.find(left_behind(session, &removed));
        run.skip("gone", "the removal did not succeed");
        return;
    }
    let mark = run.begin("gone");
    let last = session.command(run, Command::Query).await;
    observe::answer(run, session, &last);
    let gone = judge::gone(session, &removed, &last);
    let is_gone = gone.verdict == Verdict::Pass;
    let is_kept = last.accepted() && last.answer().is_some_and(lists_own);
    let judged = judge::removed(judged, &removed, &gone);
    let (judged, gone) =
        if was_cut { (judge::of_own_end(judged), judge::of_own_end(gone)) } else { (judged, gone) };
    let (judged, gone) = match removed.history.refused_bind && !removed.history.has_bound() {
        true if is_kept => (judge::of_a_refused_bind(judged), gone),
        true => (judge::of_a_refused_bind(judged), judge::of_a_refused_bind(gone)),
        false => (judged, gone),
    };
    // Where queries do not list everybody, the answer to the removal may.
    let after = if session.is_listed_to_binds_only() { &removed } else { &last };
    let answer = after.answer().filter(|_| after.accepted());
    let gone = others
        .and_then(|others| observe::replaced(run, &others, answer, after, Upon::Removal))
        .unwrap_or(gone);
    session.end_step(run, step, &judged, judged.detail.clone());
    if last.answer().is_some() {
        run.not_silent();
    }
    session.end_step(run, mark, &gone, gone.detail.clone());
    if is_gone || is_kept {
        session.settle(run, is_gone);
    }
    if is_kept || !removed.accepted() && !is_gone {
        run.find(left_behind(session, &removed));
    }
}

fn plural(number: usize) -> &'static str {
    if number == 1 { "" } else { "s" }
}

pub(super) fn left_behind(session: &Session, removed: &Ended) -> Finding {
    let rest =
        session.granted().map_or_else(|| "until it expires".to_owned(), |s| format!("for up to {s} s"));
    let contact = if session.is_resumed() { session.sent_contact() } else { session.contact() };
    Finding::new(
        "binding-left",
        Severity::Warning,
        Side::Probe,
        if removed.history.has_bound() || session.is_resumed() {
            format!("our own binding {contact} could not be removed and stays {rest}")
        } else {
            format!(
                "our own binding {contact} was asked for and not accepted so far, and could not be removed: if the registrar has it, it stays {rest}"
            )
        },
        match session.is_noted() {
            true => {
                "remove it with `ringback clean` and this account; else it runs out by itself, and calls to this account may try it until then"
            }
            false => "it runs out by itself; calls to this account may try it until then",
        },
    )
    .shown_by(removed.evidence.clone())
}

/// A bind that was refused with a Retry-After and may have been carried out: within the pause nobody asks for its removal.
pub(super) fn left_for_a_pause(session: &Session) -> Finding {
    Finding::new(
        "binding-left",
        Severity::Warning,
        Side::Probe,
        format!(
            "our own binding {} was asked for and refused with a Retry-After: if the registrar has stored it all the same, it stays until it expires; its removal was not asked for within the pause",
            session.contact()
        ),
        match session.is_noted() {
            true => {
                "remove it with `ringback clean` and this account after the pause; else it runs out by itself"
            }
            false => "it runs out by itself; calls to this account may try it until then",
        },
    )
}
