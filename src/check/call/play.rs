//! With one end ours: listening to whoever answers, and playing an announcement.

use super::act::{Act, CALLER};
use super::audio::{self, B_TO_A, Way};
use super::sound;
use crate::check::judged::Judged;
use crate::check::scene::{Seen, Until};
use crate::check::{MetricValue, Side};
use crate::media::stream::Command;
use std::time::Duration;

/// What the playing of an announcement may take longer than the announcement.
const MORE: Duration = Duration::from_secs(5);

/// Listens for some time; the step `audio-b-to-a`.
pub(super) async fn listen(act: &mut Act<'_>) -> Result<(), &'static str> {
    let step = act.run.begin(B_TO_A.step);
    let began = act.run.now();
    let until = act.until(act.call.listen, is_over).await;
    if let Until::Interrupted(why) = until {
        act.interrupt(step, why);
        return Err(B_TO_A.step);
    }
    let time = act.run.now().saturating_duration_since(began);
    let Some(leg) = act.caller() else { return Err(B_TO_A.step) };
    let report = leg.report().await;
    let way = Way {
        figures: &B_TO_A,
        from: act.call.callee_name(),
        to: act.call.caller.name(),
        sent: None,
        report: &report,
        other_works: false,
        last_heard: None,
        looked: began,
        time,
    };
    audio::measure(act.run, &way);
    let (judged, heard) = sound::one_end(act.run, &way);
    act.end(step, judged);
    act.run.fact("heard", heard);
    audio::observe(act, &way);
    audio::early_media(act, &report);
    Ok(())
}

/// Plays the announcement; the step `play`.
pub(super) async fn play(act: &mut Act<'_>) -> Result<(), &'static str> {
    let Some(samples) = &act.call.play else { return Err("play") };
    let step = act.run.begin("play");
    let whole = act.call.play_time();
    let began = act.run.now();
    let Some(leg) = act.caller() else { return Err("play") };
    leg.handle.media(Command::Samples(samples.to_vec())).await;
    let played = |seen: &Seen| seen.played > 0 || seen.is_over();
    let until = act.until(whole + MORE, |stage| stage.seen(CALLER).is_some_and(played)).await;
    let (over, done) = act.caller_seen().map_or((true, false), |seen| (seen.is_over(), seen.played > 0));
    let ended = act.caller_seen().and_then(|seen| seen.ended.as_ref()).map(|ended| ended.at);
    let time = ended.unwrap_or(act.run.now()).saturating_duration_since(began).min(whole);
    let time = if done { whole } else { time };
    act.run.metric("played", MetricValue::Duration(time));
    let judged = match until {
        Until::Interrupted(why) => {
            act.interrupt(step, why);
            return Err("play");
        }
        _ if done => Judged::pass(format!("all {:.1} s were played", whole.as_secs_f64())),
        _ if over => Judged::open(
            "hung-up-early",
            Side::Peer,
            format!(
                "answered, and hung up after {:.1} of {:.1} s of the announcement",
                time.as_secs_f64(),
                whole.as_secs_f64()
            ),
            "whether it was understood is not known; the most important words belong to the beginning",
        ),
        _ => Judged::open(
            "not-played",
            Side::Peer,
            "the announcement was not played to its end in time: the far side does not take audio (hold?)"
                .to_owned(),
            "look at the direction of the media in the ladder",
        ),
    };
    act.end(step, judged);
    if let Some(leg) = act.caller() {
        let report = leg.report().await;
        let way = Way {
            figures: &B_TO_A,
            from: act.call.callee_name(),
            to: act.call.caller.name(),
            sent: None,
            report: &report,
            other_works: false,
            last_heard: None,
            looked: began,
            time,
        };
        audio::measure(act.run, &way);
    }
    Ok(())
}

fn is_over(stage: &crate::check::scene::Ends) -> bool {
    stage.seen(CALLER).is_some_and(Seen::is_over)
}
