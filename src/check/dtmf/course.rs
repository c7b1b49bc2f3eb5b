//! The course of the check: one call and every method in it, or a menu that is given digits.

mod menu;
mod phase;

use super::{Dtmf, Question};
use crate::check::judge::audio;
use crate::check::judge::change;
use crate::check::judge::digits::{self, DigitsVerdict, Fate, Pressed};
use crate::check::judged::StepVerdict;
use crate::check::scene::{Change, Course, Dial, JoinedLegs, Mark, Parties, Scene, Step, Stopped};
use crate::check::{DtmfResult, Finding, MetricValue, Run, Severity, Side, Verdict};
use crate::media::digit::Digit;
use crate::media::dtmf::DtmfMethod;
use crate::ua::call::{Command, Hold};
use std::time::Duration;

/// Time that the far end rings.
const RING: Duration = Duration::from_millis(200);
/// Time in which the far end has to hear the caller before the first digit, if it hears at once.
const HEAR: Duration = Duration::from_millis(300);
/// Time for a hold and its end, each.
const HOLD: Duration = Duration::from_secs(5);
/// The other end needs its own change before what it hears counts.
const SETTLE: Duration = Duration::from_millis(300);
/// Digits by RFC 4733 once more, behind a hold.
const AFTER_HOLD: &str = "rfc4733-after-hold";

pub(super) use phase::LONGEST;

impl Course for Dtmf {
    type Result = Vec<DtmfResult>;

    fn steps(&self) -> Vec<&'static str> {
        let mut steps = vec!["party-a", "party-b", "call"];
        match self.question {
            Question::Between => {
                steps.push(audio::A_TO_B.step);
                steps.extend(self.methods().iter().map(|method| method.as_str()));
                steps.extend((self.method.is_none()).then_some(AFTER_HOLD));
            }
            Question::Routing => steps.extend(["digits", "ring", "hears"]),
        }
        steps.push("hang-up");
        steps
    }

    fn parties(&self) -> Parties<'_> {
        Parties::pair(&self.a, &self.b, &self.options)
    }

    async fn run(&self, scene: &mut Scene<'_>, results: &mut Vec<DtmfResult>) -> Step {
        if self.question == Question::Routing {
            return self.menu(scene).await;
        }
        let dial = Dial::direct(self.options.target(self.b.aor()), self.options.wait);
        let legs = scene.call(&dial, RING).await?;
        scene.run.metric("digits_sent", MetricValue::Count(self.digits_sent().len() as u64));
        let digits = self.talk(scene, legs, results).await;
        let ended = scene.hang_up(&legs.both()).await;
        digits.and(ended)
    }

    fn keep(&self, results: Vec<DtmfResult>, run: &mut Run) {
        results.into_iter().for_each(|result| run.digits(result));
    }
}

impl Dtmf {
    /// Runs what is in the call, between its answer and its end.
    async fn talk(&self, scene: &mut Scene<'_>, legs: JoinedLegs, results: &mut Vec<DtmfResult>) -> Step {
        self.far_end_hears(scene, legs).await?;
        let mut run = Methods { dtmf: self, scene, legs, results, owed: Vec::new(), is_stop_told: false };
        let tried = run.all().await;
        // Digits may be all there although the voice is not: they came before it stopped, or by INFO.
        run.scene.note_stopped(legs).await;
        tried
    }

    /// The step `audio-a-to-b`: digits before the far end gets anything would be lost for another reason. Whom it hears is no question of
    /// this check.
    async fn far_end_hears(&self, scene: &mut Scene<'_>, legs: JoinedLegs) -> Step {
        let mark = scene.begin(audio::A_TO_B.step);
        let heard = match scene.listen(legs, HEAR).await {
            Ok(heard) => heard,
            Err(why) => return Err(scene.stop(mark, why)),
        };
        let hearings = scene.hearings(legs, &heard);
        let [there, back] = [0, 1].map(|direction: usize| audio::judge(&hearings[direction]));
        // Where the voice is encrypted, events are too: no digit says anything then.
        let is_noise = there.finding.as_ref().is_some_and(|finding| finding.code == "noise");
        let is_told = there.finding.is_some() && hearings[0].packets > 0 && !is_noise;
        if there.verdict != Verdict::Pass && !is_told {
            return scene.end(mark, there);
        }
        scene.end(mark, StepVerdict::pass(there.detail.clone()))?;
        // What is heard the other way does not decide, and is told all the same.
        scene.note_odd(&hearings, [there, back].map(as_warning));
        Ok(())
    }
}

/// What is found, where it does not decide.
fn as_warning(judged: StepVerdict) -> Option<Finding> {
    let mut finding = judged.finding?;
    if finding.severity == Severity::Error {
        finding.severity = Severity::Warning;
    }
    Some(finding)
}

/// The methods of one call, one after the other.
struct Methods<'c, 's, 'r> {
    dtmf: &'c Dtmf,
    scene: &'s mut Scene<'r>,
    legs: JoinedLegs,
    results: &'c mut Vec<DtmfResult>,
    /// Digits that were sent and have not come.
    owed: Vec<Digit>,
    /// It was told that the stream to the far end stopped.
    is_stop_told: bool,
}

impl Methods<'_, '_, '_> {
    async fn all(&mut self) -> Step {
        let methods = self.dtmf.methods();
        let alone = methods.len() == 1;
        let (mut good, mut found) = (Vec::new(), Vec::new());
        let tried = self.each(methods, alone, &mut good, &mut found).await;
        self.scene.note_beside(self.legs).await;
        // Whoever reads the first line only has to know what works.
        let first = found.iter_mut().find(|finding: &&mut Finding| finding.severity == Severity::Error);
        if let Some(first) = first.filter(|_| !good.is_empty()) {
            first.seen += &format!("; all digits arrive by {}", good.join(" and "));
        }
        found.into_iter().for_each(|finding| self.scene.note(finding));
        tried?;
        if !good.is_empty() {
            self.scene.run.conclude(format!("all digits arrive by {}", good.join(", ")));
        }
        match self.dtmf.method {
            None if good.contains(&DtmfMethod::Rfc4733.as_str()) => self.after_hold().await,
            None => {
                self.scene.run.skip(AFTER_HOLD, "digits by RFC 4733 were not good before");
                Ok(())
            }
            Some(_) => Ok(()),
        }
    }

    /// Every method, until there is no call for the next; which of them were good, and what was found.
    async fn each(
        &mut self,
        methods: &[DtmfMethod],
        alone: bool,
        good: &mut Vec<&'static str>,
        found: &mut Vec<Finding>,
    ) -> Step {
        for method in methods {
            let step = method.as_str();
            let mark = self.scene.begin(step);
            let pressed = self.press(*method).await;
            let verdict = digits::judge(&pressed, alone);
            if verdict.verdict == Verdict::Pass {
                good.push(step);
            }
            self.write_down(step, &pressed, &verdict);
            let evidence = pressed.evidence.clone();
            let verdict = self.once(verdict);
            found.extend(self.step(mark, verdict).into_iter().map(
                |finding| match finding.evidence.is_empty() {
                    true => finding.shown_by(evidence.clone()),
                    false => finding,
                },
            ));
            self.go_on(&pressed).await?;
        }
        Ok(())
    }

    async fn press(&mut self, method: DtmfMethod) -> Pressed {
        let owed = std::mem::take(&mut self.owed);
        let pressed = phase::run(self.dtmf, self.scene, self.legs, method, owed).await;
        self.owed = pressed.owed(&digits::judge(&pressed, true));
        pressed
    }

    /// Ends a step with all that was found; what is wrong with one method is no reason not to try the next.
    fn end(&mut self, mark: Mark, verdict: DigitsVerdict) {
        self.step(mark, verdict).into_iter().for_each(|finding| self.scene.note(finding));
    }

    /// A stream that stops takes the digits of every method with it: it is told once.
    fn once(&mut self, mut verdict: DigitsVerdict) -> DigitsVerdict {
        if verdict.is_stopped() {
            if self.is_stop_told {
                verdict.findings.retain(|finding| finding.code != "audio-stopped");
            }
            self.is_stop_told = true;
            self.scene.stop_is_told(self.legs.caller, self.legs.callee);
        }
        verdict
    }

    /// Ends a step; what was found is still to be noted.
    fn step(&mut self, mark: Mark, verdict: DigitsVerdict) -> Vec<Finding> {
        let DigitsVerdict { verdict, detail, findings, .. } = verdict;
        let _ = self.scene.end(mark, StepVerdict { verdict, detail, finding: None });
        findings
    }

    /// Is there a call for the next method?
    async fn go_on(&mut self, pressed: &Pressed) -> Step {
        if let Fate::Interrupted(why) = pressed.fate {
            return Err(why.into());
        }
        if pressed.ends_the_call() || !self.scene.ends.is_up(self.legs.caller) {
            self.scene.end_is_told = pressed.ends_the_call();
            self.scene.settle(self.legs).await?;
            return Err(Stopped::because("the call was over"));
        }
        Ok(())
    }

    /// Digits that were good before must be good after a re-INVITE too (failure D16).
    async fn after_hold(&mut self) -> Step {
        let mark = self.scene.begin(AFTER_HOLD);
        let began = self.scene.run.now();
        for (command, wanted) in [(Command::Hold(Hold::SendOnly), "hold"), (Command::Resume, "resume")] {
            let change = match self.scene.change(self.legs.caller, command, HOLD).await {
                Ok(change) => change,
                Err(why) => return Err(self.scene.stop(mark, why)),
            };
            if change.is_made() && self.scene.ends.is_up(self.legs.caller) {
                continue;
            }
            let change = if change.is_made() { Change::CallEnded(Vec::new()) } else { change };
            let mut judged = change::failed(wanted, &change, HOLD);
            if change.is_over() {
                self.scene.end_is_told = true;
                return Err(self.scene.stop(mark, judged));
            }
            // Whether digits survive one was not seen: that is all that this check asks.
            judged.verdict = Verdict::NotRun;
            judged.finding.iter_mut().for_each(|finding| finding.severity = Severity::Warning);
            let _ = self.scene.end(mark, judged);
            return Ok(());
        }
        if let Err(why) = self.scene.rest(SETTLE).await {
            return Err(self.scene.stop(mark, why));
        }
        let pressed = self.press(DtmfMethod::Rfc4733).await;
        let mut verdict = digits::judge(&pressed, true);
        let answered = self.scene.seen(self.legs.callee).answered;
        let before = answered.map(|answered| began.saturating_duration_since(answered));
        // What had stopped before the re-INVITE is none of its doing.
        let is_older = verdict.is_stopped() && pressed.stopped() < before;
        if verdict.verdict == Verdict::Fail && !is_older {
            let seen = match pressed.fate {
                Fate::NotNegotiated => "telephone-event is missing from the answer to a re-INVITE: digits are good before and impossible after it (D16)".to_owned(),
                _ => format!("digits are good before a re-INVITE and not after it (D16): {}", verdict.detail),
            };
            let advice = match verdict.is_stopped() {
                true => {
                    "platform: the media goes on after a re-INVITE: see in the ladder where its answers say that it is to be sent"
                }
                false => "platform: keep telephone-event, with its number, in every answer",
            };
            if verdict.is_stopped() {
                self.scene.stop_is_told(self.legs.caller, self.legs.callee);
            }
            let finding =
                Finding::new("digits-lost-after-reinvite", Severity::Error, Side::Peer, seen.clone(), advice);
            verdict.findings = vec![finding.shown_by(pressed.evidence.clone())];
            verdict.detail = seen;
        }
        self.results.push(digits::result(AFTER_HOLD, &pressed, &verdict));
        let verdict = self.once(verdict);
        self.end(mark, verdict);
        self.go_on(&pressed).await
    }

    /// Writes down what arrived, for people and for programs.
    fn write_down(&mut self, step: &'static str, pressed: &Pressed, verdict: &DigitsVerdict) {
        self.results.push(digits::result(step, pressed, verdict));
        let (Fate::Sent(arrived), Some(judged)) = (&pressed.fate, &verdict.judged) else { return };
        let received = match step {
            "info" => "received_info",
            "inband" => "received_inband",
            _ => "received_rfc4733",
        };
        self.scene.run.metric(received, MetricValue::Count(judged.received.chars().count() as u64));
        self.scene.run.fact(step, digits::evidence(&pressed.sent, judged, arrived));
    }
}
