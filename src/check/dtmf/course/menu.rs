//! A menu: given digits, does it ring the account that it should?

use super::Dtmf;
use crate::check::MetricValue;
use crate::check::judge::digits::{self, Menu};
use crate::check::judged::StepVerdict;
use crate::check::scene::{Dial, Ends, Expect, JoinedLegs, PressLog, Scene, Seen, Step, Unpressed, Until};
use std::time::Duration;

/// The callee's number among the parties.
const B: usize = 1;
/// Time that the target of the menu rings.
const RING: Duration = Duration::from_millis(200);
/// Time that early media has to last before it is taken for a menu that does not answer.
const EARLY: Duration = Duration::from_secs(4);
/// Interval between two looks at the call meanwhile.
const LOOK: Duration = Duration::from_millis(250);

impl Dtmf {
    /// The steps `call`, `digits`, `ring`, `hears` and `hang-up`.
    pub(super) async fn menu(&self, scene: &mut Scene<'_>) -> Step {
        let target = self.options.target(self.b.aor());
        let dial = Dial { callee: None, is_direct: false, ..Dial::direct(target, self.options.wait) };
        let mark = scene.begin("call");
        let caller = match self.reach(scene, &dial).await {
            Ok(caller) => caller,
            Err(judged) => return Err(scene.stop(mark, judged)),
        };
        let is_early = scene.seen(caller).answered.is_none();
        let how = if is_early { "speaks in early media, not answered" } else { "answered" };
        scene.end(mark, StepVerdict::pass(how))?;

        let mark = scene.begin("digits");
        if let Err(why) = scene.rest(self.prompt).await {
            return Err(scene.stop(mark, why));
        }
        scene.expect(B, Expect::answer(RING));
        let judged = self.give(scene, caller).await;
        let sent_at = scene.run.now();
        scene.end(mark, judged)?;

        let mark = scene.begin("ring");
        let rung = |ends: &Ends| ends.called(B).is_some() || ends.is_over(caller);
        if let Err(why) = scene.until(self.options.wait, rung).await {
            return Err(scene.stop(mark, why));
        }
        let Some(callee) = scene.ends.called(B) else {
            let judged = digits::not_rung(&self.seen_of_menu(scene, caller, is_early));
            return Err(scene.stop(mark, judged));
        };
        let last_digit = scene.seen(caller).sent.last().map_or(sent_at, |(at, ..)| *at);
        let menu = scene.leg(callee).began.saturating_duration_since(last_digit);
        scene.run.metric("menu", MetricValue::Duration(menu));
        let rings = format!("{} rings {:.1} s after the last digit", self.b.aor(), menu.as_secs_f32());
        scene.end(mark, StepVerdict::pass(rings))?;

        let legs = JoinedLegs { caller, callee };
        let heard = self.hears(scene, legs).await;
        if heard.is_ok() {
            scene.run.conclude(format!(
                "{} given {} rings {}, and both hear each other",
                self.number(),
                self.keys_text(),
                self.b.aor()
            ));
        }
        let ended = scene.hang_up(&legs.both()).await;
        heard.and(ended)
    }

    /// Calls the menu, until it answers or has spoken for [`EARLY`] without an answer (failure D17): then digits are tried in early media.
    async fn reach(&self, scene: &mut Scene<'_>, dial: &Dial<'_>) -> Result<usize, StepVerdict> {
        let caller = scene.dial(dial).await?;
        let began = scene.run.now();
        loop {
            let done =
                |ends: &Ends| ends.seen(caller).is_none_or(|seen| seen.answered.is_some() || seen.is_over());
            let is_done = scene.until(LOOK, done).await?;
            let (now, seen) = (scene.run.now(), scene.seen(caller));
            let speaks = seen.early_media.is_some_and(|at| now.saturating_duration_since(at) >= EARLY);
            if speaks && !seen.is_over() {
                return Ok(caller);
            }
            if is_done || now.saturating_duration_since(began) >= dial.wait {
                return scene.until_answered(dial, caller).await.map(|_| caller);
            }
        }
    }

    /// Sends the digits to a menu, which nobody looks into: only that they could be sent is known.
    async fn give(&self, scene: &mut Scene<'_>, caller: usize) -> StepVerdict {
        let way = self.first_method();
        let (mut log, from) = (PressLog::default(), scene.run.record_count());
        match scene.press(&self.press(way), caller, &mut log).await {
            Ok(Until::Interrupted(why)) => why.into(),
            // Over before all were sent: a menu that needs no more digits rings at once, one that hangs up does not.
            Ok(_) | Err(Unpressed::CallEnded) => StepVerdict::pass(format!("sent by {way}")),
            Err(why) => {
                let evidence = from..scene.run.record_count();
                let answer = scene.seen(caller).final_response.as_ref();
                digits::unsent(way, self.digits_sent(), why.fate(log), answer, evidence)
            }
        }
    }

    /// Both hear each other, once the target has answered.
    async fn hears(&self, scene: &mut Scene<'_>, legs: JoinedLegs) -> Step {
        let mark = scene.begin("hears");
        let up = |ends: &Ends| {
            let is_settled = |leg: usize| ends.is_up(leg) || ends.is_over(leg);
            legs.both().into_iter().all(is_settled)
        };
        if let Err(why) = scene.until(self.options.wait, up).await {
            return Err(scene.stop(mark, why));
        }
        let judged = scene.mutual(legs).await;
        scene.end(mark, judged)
    }

    fn seen_of_menu<'a>(&'a self, scene: &'a Scene<'_>, caller: usize, is_early: bool) -> Menu<'a> {
        let seen: &Seen = scene.seen(caller);
        let ended = seen.ended.as_ref();
        let sent = seen.sent.iter().filter(|(at, ..)| ended.is_some_and(|ended| *at < ended.at));
        Menu {
            number: self.number(),
            digits: self.keys_text(),
            way: self.first_method(),
            is_early,
            ended_by: ended.map(|ended| ended.by),
            sent_before_the_end: sent.count(),
            of: self.digits_sent().len(),
            callee: self.b.aor(),
            wait: self.options.wait,
        }
    }
}
