//! The step `hang-up`: the end of the call, ours or not.

use super::act::{Act, CALLER};
use super::dropped;
use crate::check::judged::{Judged, interrupted};
use crate::check::scene::trace::What;
use crate::check::scene::{Leg, Seen, Until};
use crate::check::{Finding, Severity, Side, Verdict};
use crate::syntax::Method;
use std::time::Duration;

/// How long BYE, its answer, and its arrival at the other end are waited for.
const PATIENCE: Duration = Duration::from_secs(4);

/// Hangs up, where nobody has, and judges how the call ended.
pub(super) async fn hang_up(act: &mut Act<'_>) {
    let step = act.run.begin("hang-up");
    // Both ends hear of an end; what comes first is told after what came later only by the network's delay.
    let was_over =
        act.caller_seen().is_some_and(Seen::is_over) || act.callee().is_some_and(|leg| leg.seen.is_over());
    if was_over {
        act.settle().await;
        let judged = dropped::judge(act);
        act.end(step, judged);
        return;
    }
    // Asked now: afterwards the end of the call explains it.
    let unconfirmed = dropped::unconfirmed(act);
    let callee_hangs_up = act.call.callee_hangs_up && act.callee().is_some();
    let own = if callee_hangs_up { act.callee() } else { act.caller() };
    if let Some(leg) = own {
        leg.handle.hang_up(None).await;
    }
    let until = act.until(PATIENCE, |stage| stage.legs.iter().all(|leg| leg.seen.is_over())).await;
    if let Until::Interrupted(why) = until {
        return act.interrupt(step, why);
    }
    let judged = match unconfirmed {
        Some(judged) => judged,
        None => ended(act, callee_hangs_up),
    };
    if act.end(step, judged) == Verdict::Pass {
        conclude(act);
    }
}

fn ended(act: &mut Act<'_>, callee_hangs_up: bool) -> Judged {
    let (Some(caller), callee) = (act.stage.legs.get(CALLER), act.callee()) else {
        return interrupted(crate::check::Interrupted::TimeLimit);
    };
    let (own, other): (&Leg, Option<&Leg>) = match callee {
        Some(callee) if callee_hangs_up => (callee, Some(caller)),
        callee => (caller, callee),
    };
    let (name, other_name) = match callee_hangs_up {
        true => (act.call.callee_name(), act.call.caller.name()),
        false => (act.call.caller.name(), act.call.callee_name()),
    };
    let trace = act.trace(own);
    let waited = PATIENCE.as_secs();
    let response = trace.received(What::Response(Method::Bye, 200, 699));
    let Some(response) = response.filter(|_| own.seen.is_over()) else {
        return Judged::fail(
            "bye-not-answered",
            Side::Peer,
            format!("the BYE of {name} was not answered in {waited} s"),
            "the call may stay up and be charged: look at the route of requests in the dialog (Record-Route, Contact, SIP ALG)",
        );
    };
    let status = response.message.status().unwrap_or_default();
    if other.is_some_and(|other| !other.seen.is_over()) {
        return Judged::fail(
            "hang-up-not-delivered",
            Side::Peer,
            format!(
                "{name} hung up and was answered {status}, but no BYE came to {other_name} in {waited} s"
            ),
            "platform: end both legs; until then the other side stays in a dead call",
        );
    }
    let delay = trace.disconnect_delay().unwrap_or_default();
    let detail = match other {
        Some(_) => format!(
            "{name} hung up, {other_name} saw it; BYE answered {status} after {} ms",
            delay.as_millis()
        ),
        None => format!("{name} hung up; BYE answered {status} after {} ms", delay.as_millis()),
    };
    if status >= 300 {
        let finding = Finding::new(
            "bye-refused",
            Severity::Warning,
            Side::Peer,
            format!("the BYE of {name} was answered {status}"),
            "481: the platform had ended or forgotten the call already; anything else is its fault",
        );
        act.find(finding);
    }
    Judged::pass(detail)
}

/// All went well.
fn conclude(act: &mut Act<'_>) {
    let call = act.call;
    let ring = act.caller().and_then(|leg| act.trace(leg).ringing_time());
    let answered = match ring {
        Some(time) => format!("after {:.1} s of ringing", time.as_secs_f64()),
        None => "without ringing".to_owned(),
    };
    let summary = match (&call.callee, &call.play) {
        (Some(_), _) => format!("{} answers {answered}; each hears the other", call.callee_name()),
        (None, Some(_)) => format!("answered {answered}; the whole announcement was played"),
        (None, None) => format!("answered {answered}"),
    };
    act.run.conclude(summary);
}
