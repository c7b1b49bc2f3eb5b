//! The removal of a binding that was left, with a look before and behind it.

use crate::check::journal::Left;
use crate::check::judge::quote::quoted;
use crate::check::register::bindings::Foreign;
use crate::check::register::ended::Ended;
use crate::check::register::observe::{self, Upon};
use crate::check::register::session::Session;
use crate::check::register::{judge, left_behind};
use crate::check::step_verdict::StepVerdict;
use crate::check::{Account, Run, Side, StepMark, Verdict};
use crate::syntax::Uri;
use crate::ua::registration::{Binding, Command};
use std::time::Duration;

/// Most seconds between the rest of a binding as it is noted and as the registrar lists it: the way of its answer, and rounding on both sides.
const SAME_REST_S: u64 = 5;
const WAIT: &str = "look again once it has run out by itself: its note is kept until then";

/// Contact and instance of the binding that was left.
type Noted<'a> = (&'a str, Option<&'a str>);

/// A binding that was left, as the registrar lists it.
enum Listed {
    /// Once, and with what only it has.
    Surely,
    /// Something is listed that may be it, or that a removal would take along: which.
    Perhaps(String),
    Not,
}

/// Is it that binding, by what no other has: the token of its Contact, or its instance?
fn is_surely(binding_uri: &str, binding_instance: Option<&str>, (contact, instance): Noted<'_>) -> bool {
    // A token is random text of ours: as a part of the URI it is nobody else's.
    let token = contact.rsplit_once(';').map(|(_, token)| token);
    token.is_some_and(|token| binding_uri.contains(token))
        || instance.is_some() && binding_instance == instance
}

fn listed(bindings: &[Binding], noted: Noted<'_>) -> Listed {
    let live = || bindings.iter().filter(|binding| binding.expires != Some(0));
    let ours = Uri::parse(noted.0.as_bytes()).ok();
    let is_sure = |binding: &&Binding| is_surely(&binding.uri, binding.instance.as_deref(), noted);
    let equals = |binding: &&Binding| {
        let theirs = Uri::parse(binding.uri.as_bytes()).ok();
        theirs.zip(ours.as_ref()).is_some_and(|(theirs, ours)| theirs.is_equivalent(ours))
    };
    let other = live().find(|binding| !is_sure(binding) && (binding.own || equals(binding)));
    match (live().any(|binding| is_sure(&binding)), other) {
        (_, Some(other)) => Listed::Perhaps(other.uri.clone()),
        (true, None) => Listed::Surely,
        (false, None) => Listed::Not,
    }
}

/// Removes the binding that was left, where it is listed and surely that one.
pub(super) async fn unbind(run: &mut Run, account: &Account, left: &Left, noted: Noted<'_>) {
    let Some(mut session) = Session::resume(run, account, noted).await else {
        return run.skip_missing(&["query", "remove", "gone"], "the registrar was not reached");
    };
    let step = run.begin("query");
    let query = session.command(run, Command::Query).await;
    observe::answer(run, &session, &query);
    let rest = rest(run, left);
    match (query.knows_nobody(), rest) {
        (true, Some(rest)) => {
            let status = query.refusal().unwrap_or_default();
            let judged = unseen(rest, &format!("and answers the query {status}")).shown_by(&query.evidence);
            session.end_step(run, step, &judged, judged.detail.clone());
            skip(run, "the registrar does not say which bindings are there");
        }
        (true, None) => {
            let status = query.refusal().unwrap_or_default();
            run.end(step, Verdict::Pass, format!("{status}: the registrar knows nobody of this address"));
            skip(run, "nobody is bound there");
            run.conclude("the binding was gone already");
        }
        (false, _) => {
            let judged = judge::accepted(&session, &query, "query");
            session.end_step(run, step, &judged, judged.detail.clone());
            match query.accepted() {
                true => remove(run, &mut session, &query, rest, noted).await,
                false => skip(run, "the registrar does not say which bindings are there"),
            }
        }
    }
    session.write_down(run);
}

fn skip(run: &mut Run, why: &str) {
    run.skip("remove", why);
    run.skip("gone", why);
}

/// Time that the binding has left, as it was granted; `None` where it was not confirmed to us.
fn rest(run: &Run, left: &Left) -> Option<Duration> {
    left.until.and_then(|until| until.duration_since(run.wall_clock()).ok())
}

fn bindings(ended: &Ended) -> &[Binding] {
    ended.answer().map(|answer| &*answer.bindings).unwrap_or_default()
}

async fn remove(
    run: &mut Run,
    session: &mut Session,
    query: &Ended,
    rest: Option<Duration>,
    noted: Noted<'_>,
) {
    let step = run.begin("remove");
    match listed(bindings(query), noted) {
        Listed::Surely => {
            let mut others = session.devices(run, query);
            others.retain(|other| !is_surely(&other.uri, other.instance.as_deref(), noted));
            take_away(run, session, step, &others, noted).await;
        }
        listed => {
            let judged = left_alone(listed, bindings(query), rest).shown_by(&query.evidence);
            session.end_step(run, step, &judged, judged.detail.clone());
            run.skip("gone", "nothing was removed");
            if judged.verdict == Verdict::Pass {
                run.conclude("the binding was gone already");
            }
        }
    }
}

/// What is not surely listed is left alone: is it gone?
fn left_alone(listed: Listed, bindings: &[Binding], rest: Option<Duration>) -> StepVerdict {
    let mut live = bindings.iter().filter(|binding| binding.expires != Some(0)).peekable();
    let other = match (listed, rest) {
        (Listed::Perhaps(other), _) => Some(other),
        (_, None) => None,
        (_, Some(rest)) if live.peek().is_none() => return unseen(rest, "and lists nothing"),
        // Somebody on the way may have written host, port and token anew; the time that it has left stays.
        (_, Some(rest)) => {
            let is_so_long = |s: u32| u64::from(s).abs_diff(rest.as_secs()) <= SAME_REST_S;
            live.find(|binding| binding.expires.is_none_or(is_so_long)).map(|binding| binding.uri.clone())
        }
    };
    match other {
        None => StepVerdict::pass("it was gone already"),
        Some(other) => StepVerdict::open(
            "left-binding-unclear",
            Side::Peer,
            format!(
                "the registrar lists {}, which may be another device's: nothing is removed",
                quoted(other.as_bytes())
            ),
            "wait until the binding runs out by itself (300 s unless asked otherwise), and look again",
        ),
    }
}

/// It should still be there, and whether it is cannot be told.
fn unseen(rest: Duration, how: &str) -> StepVerdict {
    let rest = rest.as_secs();
    StepVerdict::open(
        "left-binding-unseen",
        Side::Peer,
        format!(
            "the registrar had granted the binding for {rest} s more, {how}: it is gone, or not told to who asks"
        ),
        WAIT,
    )
}

/// Removes it, and looks whether it is gone, and it alone.
async fn take_away(
    run: &mut Run,
    session: &mut Session,
    step: StepMark,
    others: &[Foreign],
    noted: Noted<'_>,
) {
    run.clean_up();
    let removed = session.command(run, Command::Remove).await;
    observe::answer(run, session, &removed);
    let judged = judge::accepted(session, &removed, "removal");
    if !removed.accepted() && removed.refusal().is_none() {
        session.end_step(run, step, &judged, judged.detail.clone());
        run.skip("gone", "the removal did not succeed");
        return run.find(left_behind(session, &removed));
    }
    let mark = run.begin("gone");
    let last = session.command(run, Command::Query).await;
    observe::answer(run, session, &last);
    // A query that is refused shows nothing; the answer to the removal may.
    let shown = if last.accepted() { &last } else { &removed };
    let is_listed = matches!(listed(bindings(shown), noted), Listed::Surely);
    let is_gone = shown.accepted() && !is_listed;
    let judged = match removed.accepted() {
        true => judged,
        false => match is_gone {
            true => judge::removed(judged, &removed, &StepVerdict::pass("")),
            false => judged,
        },
    };
    session.end_step(run, step, &judged, judged.detail.clone());
    let gone = match (is_gone, removed.accepted()) {
        (true, _) => {
            run.conclude("the binding was removed");
            observe::replaced(run, others, shown.answer(), shown, Upon::Removal)
                .unwrap_or_else(|| StepVerdict::pass("the binding is listed no more"))
        }
        (false, true) => StepVerdict::fail(
            "left-binding-stays",
            Side::Peer,
            "the registrar accepted the removal and lists the binding all the same".to_owned(),
            "platform: look why it keeps a binding whose expires is 0",
        )
        .shown_by(&shown.evidence),
        (false, false) => StepVerdict::not_run(match last.accepted() {
            true => "the binding is still listed",
            false => "the registrar does not say which bindings are there",
        }),
    };
    session.end_step(run, mark, &gone, gone.detail.clone());
    if !is_gone && !removed.accepted() {
        run.find(left_behind(session, &removed));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::Message;
    use crate::syntax::Limits;
    use crate::ua::registration::{Input, Output};

    const OURS: &str = "sip:alice@192.0.2.1:5070;rb=t0k3n";

    fn bindings(contacts: &str) -> Vec<Binding> {
        use crate::auth::Credentials;
        use crate::message::Ids;
        use crate::ua::registration::{Config, Registration};
        let mut config = Config::new(
            "sip:alice@lab.example",
            "sip:lab.example",
            OURS,
            Credentials::new("alice", "secret"),
        );
        config.instance = Some("urn:uuid:1".to_owned());
        let mut registration = Registration::resumed(config, Ids::from_seed([1; 32])).unwrap();
        let now = tokio::time::Instant::now().into_std();
        registration.handle_input(now, Input::Command(Command::Query));
        let Some(Output::Send(request)) = registration.poll_output() else { panic!("no request") };
        let cseq = request.cseq().unwrap().number;
        let text = format!("SIP/2.0 200 OK\r\nCSeq: {cseq} REGISTER\r\nContact: {contacts}\r\n\r\n");
        let answer = Message::parse(text.into(), &Limits::default()).unwrap();
        registration.handle_input(now, Input::Response(answer));
        let Some(Output::Finished(finished)) = registration.poll_output() else { panic!("no end") };
        finished.answer.unwrap().bindings.to_vec()
    }

    #[test]
    fn only_what_is_surely_ours_and_alone_is_removed() {
        let verdict = |contacts: &str| match listed(&bindings(contacts), (OURS, Some("urn:uuid:1"))) {
            Listed::Surely => "remove".to_owned(),
            Listed::Perhaps(other) => format!("leave {other}"),
            Listed::Not => "gone".to_owned(),
        };
        for (contacts, expected) in [
            ("<sip:alice@192.0.2.1:5070;rb=t0k3n>;expires=9", "remove"),
            ("<sip:alice@192.0.2.1:5070;rb=t0k3n>;expires=0", "gone"),
            // Rewritten behind a NAT, and with a parameter of the registrar's.
            (
                "<sip:alice@198.51.100.1:1024;x=y;rb=t0k3n>;expires=9, <sip:alice@192.0.2.8>;expires=9",
                "remove",
            ),
            ("<sip:alice@198.51.100.1:1024>;expires=9;+sip.instance=\"<urn:uuid:1>\"", "remove"),
            // Another device that came to the port of the killed probe: by RFC 3261 sec. 19.1.4 its URI equals ours.
            ("<sip:alice@192.0.2.1:5070>;expires=9", "leave sip:alice@192.0.2.1:5070"),
            (
                "<sip:alice@192.0.2.1:5070;rb=t0k3n>;expires=9, <sip:alice@192.0.2.1:5070>;expires=9",
                "leave sip:alice@192.0.2.1:5070",
            ),
            ("<sip:alice@192.0.2.8:5070>;expires=9", "gone"),
            // Another probe's.
            ("<sip:alice@192.0.2.8:5070;rb=other>;expires=9", "gone"),
        ] {
            assert_eq!(verdict(contacts), expected, "{contacts}");
        }
    }

    #[test]
    fn what_is_not_listed_is_gone_only_where_the_list_shows_that() {
        let verdict = |contacts: &str, rest: Option<u64>| {
            let bindings = bindings(contacts);
            let listed = listed(&bindings, (OURS, Some("urn:uuid:1")));
            let judged = left_alone(listed, &bindings, rest.map(Duration::from_secs));
            judged.finding.map_or("gone", |finding| match &*finding.code {
                "left-binding-unseen" => "unseen",
                "left-binding-unclear" => "unclear",
                other => panic!("{other}"),
            })
        };
        for (contacts, rest, expected) in [
            // Nothing is listed: proof only where it was never confirmed.
            ("<sip:alice@192.0.2.1:5070;rb=t0k3n>;expires=0", Some(200), "unseen"),
            ("<sip:alice@192.0.2.1:5070;rb=t0k3n>;expires=0", None, "gone"),
            // Others are: one with the rest of ours may be ours, written anew on the way.
            ("<sip:alice@203.0.113.9:40001>;expires=199", Some(200), "unclear"),
            ("<sip:alice@203.0.113.9:40001>;expires=3600", Some(200), "gone"),
            ("<sip:alice@203.0.113.9:40001>;expires=100", Some(200), "gone"),
            ("<sip:alice@203.0.113.9:40001>;expires=199", None, "gone"),
        ] {
            assert_eq!(verdict(contacts, rest), expected, "{contacts} {rest:?}");
        }
    }
}
