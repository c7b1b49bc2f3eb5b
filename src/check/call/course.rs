//! The course of the check: which step follows which, and what is written down of the call.

use super::{A, B, Call, delivery, facts};
use crate::check::judge::announcement::{self, Announcement};
use crate::check::judge::audio::{self, Hearing};
use crate::check::judge::described::{Described, Passed};
use crate::check::judged::StepVerdict;
use crate::check::scene::trace::MessageKind;
use crate::check::scene::{Course, Dial, Ends, Expect, JoinedLegs, Parties, Role, Scene, Step, Stopped};
use crate::check::{Interrupted, MetricValue};
use crate::media::stream::Command;
use crate::message::reason_phrase;
use crate::sdp::AudioDescription;
use crate::syntax::Method;
use std::time::Duration;

/// Time that the playing of an announcement may take longer than the announcement.
const MORE: Duration = Duration::from_secs(5);

impl Course for Call {
    type Result = ();

    fn steps(&self) -> Vec<&'static str> {
        match (&self.callee, &self.play) {
            (Some(_), _) => {
                vec!["party-a", "party-b", "dial", "answer", "audio-a-to-b", "audio-b-to-a", "hang-up"]
            }
            (None, Some(_)) => vec!["party-a", "dial", "answer", "play", "hang-up"],
            (None, None) => vec!["party-a", "dial", "answer", "audio-b-to-a", "hang-up"],
        }
    }

    fn parties(&self) -> Parties<'_> {
        match &self.callee {
            Some(callee) => Parties::pair(&self.a, callee, &self.options),
            None => {
                let caller = Role::new("party-a", &self.a, self.options.caller()).quiet();
                Parties::new(&self.options, [caller])
            }
        }
    }

    async fn run(&self, scene: &mut Scene<'_>, (): &mut ()) -> Step {
        let played = self.talk(scene).await;
        facts::write_down(self, scene);
        played
    }
}

impl Call {
    async fn talk(&self, scene: &mut Scene<'_>) -> Step {
        let callee = self.callee.as_ref().map(|_| B);
        let dial = Dial { from: A, target: self.target(), callee, is_direct: true, wait: self.options.wait };
        scene.expect(B, Expect::answer(self.ring));
        let mark = scene.begin("dial");
        let caller = match scene.dial(&dial).await {
            Ok(caller) => caller,
            Err(judged) => return Err(scene.stop(mark, judged)),
        };
        let there = scene.until_there(&dial, caller).await.map(|()| StepVerdict::pass(sign(scene, caller)));
        scene.end(mark, there)?;

        let mark = scene.begin("answer");
        let callee = match scene.until_answered(&dial, caller).await {
            Ok(callee) => callee,
            Err(judged) => return Err(scene.stop(mark, judged)),
        };
        scene.end(mark, answered(scene, caller))?;
        scene.note_answer(caller, callee);
        if let Some(callee) = callee {
            delivery::judge(self, scene);
            let legs = JoinedLegs { caller, callee };
            self.both_listen(scene, legs).await?;
            let [first, second] = if self.callee_hangs_up { [callee, caller] } else { [caller, callee] };
            scene.hang_up(&[first, second]).await?;
        } else {
            match &self.play {
                Some(samples) => self.announce(scene, caller, samples).await?,
                None => self.overhear(scene, caller).await?,
            }
            scene.hang_up(&[caller]).await?;
        }
        self.conclude(scene, caller);
        Ok(())
    }

    /// The steps `audio-a-to-b` and `audio-b-to-a`, where both ends are ours.
    async fn both_listen(&self, scene: &mut Scene<'_>, legs: JoinedLegs) -> Step {
        let (there, back) = (scene.begin(audio::A_TO_B.step), scene.begin(audio::B_TO_A.step));
        let heard = match scene.listen(legs, self.listen).await {
            Ok(heard) => heard,
            Err(why) => {
                let _ = scene.end(there, why);
                return Err(scene.stop(back, why));
            }
        };
        let hearings = scene.hearings(legs, &heard);
        let judged: Vec<_> = hearings.iter().map(audio::judge).collect();
        for ((mark, hearing), judged) in [there, back].into_iter().zip(&hearings).zip(judged) {
            scene.measure(hearing.figures, hearing.report);
            // What is wrong with one direction is no reason not to hang up in order.
            let _ = scene.end(mark, judged);
        }
        scene.note_odd(&hearings, [None, None]);
        note_early_media(scene, legs.caller, &heard.caller.report);
        Ok(())
    }

    /// The step `audio-b-to-a`, where only the caller is ours: listening to whoever answers.
    async fn overhear(&self, scene: &mut Scene<'_>, caller: usize) -> Step {
        let mark = scene.begin(audio::B_TO_A.step);
        let began = scene.run.now();
        if let Err(why) = scene.until(self.listen, |ends| ends.is_over(caller)).await {
            return Err(scene.stop(mark, why));
        }
        let report = scene.leg(caller).report().await;
        let answer = scene.seen(caller).final_response.as_ref();
        let hearing = Hearing {
            figures: &audio::B_TO_A,
            from: self.callee_name().to_owned(),
            to: self.a.name().to_owned(),
            sent: None,
            sent_back: 0,
            withheld: None,
            held: None,
            report: &report,
            packets: report.received.received,
            described: Described {
                sender: Passed {
                    wrote: None,
                    told: answer.and_then(|answer| AudioDescription::of(answer.body())),
                },
                signalling: scene.ends.parties.get(A).map(|party| party.flow().remote.ip()),
                ..Described::default()
            },
            other_way: None,
            tones: None,
            answered: scene.seen(caller).answered,
            listened: began,
            last_heard: report.last_audible,
            looked: scene.run.now(),
            ended: scene
                .seen(caller)
                .ended
                .as_ref()
                .zip(scene.seen(caller).answered)
                .map(|(ended, answered)| ended.at.saturating_duration_since(answered)),
            pace: None,
            lags: report.lags.clone(),
            probe_limit: scene.run.probe_limit(),
        };
        scene.measure(hearing.figures, &report);
        let (judged, heard) = audio::one_end(&hearing);
        let _ = scene.end(mark, judged);
        scene.run.fact("heard", heard);
        let held = scene.seen(caller).held_since();
        audio::fell_silent(&hearing, held).into_iter().for_each(|finding| scene.note(finding));
        audio::odd(&hearing).into_iter().for_each(|finding| scene.note(finding));
        note_early_media(scene, caller, &report);
        Ok(())
    }

    /// The step `play`: an announcement for whoever answers.
    async fn announce(&self, scene: &mut Scene<'_>, caller: usize, samples: &[i16]) -> Step {
        let mark = scene.begin("play");
        let judged = self.played(scene, caller, samples).await;
        let _ = scene.end(mark, judged);
        let report = scene.leg(caller).report().await;
        scene.measure(&audio::B_TO_A, &report);
        if scene.run.interrupted().is_some() {
            return Err(Stopped::because("the check had to end before"));
        }
        Ok(())
    }

    async fn played(
        &self,
        scene: &mut Scene<'_>,
        caller: usize,
        samples: &[i16],
    ) -> Result<StepVerdict, Interrupted> {
        let whole = self.play_time();
        let began = scene.run.now();
        scene.leg(caller).handle.media(Command::Samples(samples.to_vec())).await;
        let done = |ends: &Ends| ends.seen(caller).is_none_or(|seen| seen.played > 0 || seen.is_over());
        scene.until(whole + MORE, done).await?;
        let (now, seen) = (scene.run.now(), scene.seen(caller));
        let ended = seen.ended.as_ref().map(|ended| ended.at);
        let is_whole = seen.played > 0;
        let time = ended.unwrap_or(now).saturating_duration_since(began).min(whole);
        let time = if is_whole { whole } else { time };
        scene.run.metric("played", MetricValue::Duration(time));
        Ok(announcement::judge(&Announcement { whole, time, is_whole, is_over: ended.is_some() }))
    }

    /// All went well.
    fn conclude(&self, scene: &mut Scene<'_>, caller: usize) {
        let answered = match scene.trace(caller).ringing_time() {
            Some(time) => format!("after {:.1} s of ringing", time.as_secs_f64()),
            None => "without ringing".to_owned(),
        };
        scene.run.conclude(match (&self.callee, &self.play) {
            (Some(_), _) => format!("{} answers {answered}; each hears the other", self.callee_name()),
            (None, Some(_)) => format!("answered {answered}; the whole announcement was played"),
            (None, None) => format!("answered {answered}"),
        });
    }
}

/// First reaction of the far side, in words.
fn sign(scene: &Scene<'_>, caller: usize) -> String {
    let trace = scene.trace(caller);
    let delay = trace.request_delay().unwrap_or_default().as_secs_f64();
    match scene.seen(caller).progress.iter().find(|(_, status, _)| *status >= 180) {
        Some((_, status, _)) => {
            // Early media is told after the response that brings it.
            let first = trace.received(MessageKind::Response(Method::Invite, 180, 199));
            let described = first.is_some_and(|entry| !entry.message.body().is_empty());
            let early = if described { " with early media" } else { "" };
            format!("{status} {}{early} after {delay:.2} s", reason_phrase(*status))
        }
        None => format!("answered at once, after {delay:.2} s"),
    }
}

/// Time until the answer, in words.
fn answered(scene: &Scene<'_>, caller: usize) -> StepVerdict {
    let trace = scene.trace(caller);
    let delay = trace.ringing_time().or(trace.request_delay()).unwrap_or_default().as_secs_f64();
    let rang = if scene.seen(caller).rang().is_some() { " of ringing" } else { "" };
    StepVerdict::pass(format!("200 after {delay:.2} s{rang}"))
}

/// Early media that was promised and did not come.
fn note_early_media(scene: &mut Scene<'_>, caller: usize, report: &crate::endpoint::agent::MediaReport) {
    let seen = scene.seen(caller);
    let first = report.received.first_and_last.map(|(first, _)| first);
    let finding = audio::early_media(seen.early_media, seen.answered, first);
    finding.into_iter().for_each(|finding| scene.note(finding));
}
