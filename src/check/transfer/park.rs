//! A transfer to a park orbit: one is moved to a place, waits there with music, and is fetched by another.

use super::ending::back;
use super::keys::name::untaken;
use super::keys::{Effect, Keyed, played};
use super::matrix::{Ears, listen, overhear};
use super::name::{fate, one_way};
use super::notify::{is_terminated, statuses};
use super::play::{Played, REST, ReferAnswer, ask, end, finish, is_up};
use super::{Transfer, TransferResult};
use crate::check::judged::{Judged, interrupted};
use crate::check::scene::{Ends, Until};
use crate::check::{Finding, MetricValue, Run, Severity, Side, Verdict};
use crate::ua::transfer::Target;
use std::time::Duration;

/// Another sound than tones of parties is heard when it lasts this long.
const SOUND: Duration = Duration::from_millis(300);
/// Looks without music after which there is none.
const SILENT: usize = 3;
/// Time for music after the last NOTIFY.
const TOLD: Duration = Duration::from_secs(5);
/// Time for what was told to become true.
const SETTLE: Duration = Duration::from_secs(1);

/// A place, and who is to wait there.
struct Parking<'a> {
    check: &'a Transfer,
    names: [String; 3],
    /// As it is written, and its Request-URI.
    place: &'a str,
    uri: &'a str,
    ours: usize,
    theirs: usize,
}

/// All steps from the REFER or the keys on.
pub(super) async fn park(
    check: &Transfer,
    run: &mut Run,
    stage: &mut Ends,
    (ours, theirs): (usize, usize),
    result: &mut TransferResult,
) -> Option<()> {
    let Some((place, uri)) = &check.slot else { return None };
    let parking = Parking { check, names: check.names(), place, uri, ours, theirs };
    let mut effect = Effect::default();
    let refer = parking.ask(run, stage, &mut effect, result).await?;
    let mark = run.begin("parked");
    let (ears, played) = parking.look(run, stage, refer, &mut effect).await?;
    let judged = parking.parked(&played, ears, &effect);
    let waits = judged.verdict == Verdict::Pass;
    end(run, mark, judged);
    if !waits {
        result.after = Some(played.after);
        result.notified.clone_from(&played.notified);
        result.transferee = fate(check, &played);
        ["fetch", "after", "release"].into_iter().for_each(|step| run.skip(step, "nobody is parked"));
        return Some(());
    }
    let (_, transferee, _) = check.roles();
    if ears.else_heard[transferee] < SOUND {
        run.find(silent(&parking).shown_by(0..run.record_count()));
    }
    if !parking.fetch(run, stage).await? {
        result.after = Some(played.after);
        result.notified.clone_from(&played.notified);
        result.transferee = format!("waits at {place}");
        ["after", "release"].into_iter().for_each(|step| run.skip(step, "nobody was fetched"));
        return Some(());
    }
    stage.rest(run, REST).await;
    let played = Played { after: listen(run, stage).await?, ..played };
    let judged = parking.judge(&played);
    finish(check, run, stage, (&played, judged), (ours, None), result).await;
    Some(())
}

fn silent(parking: &Parking<'_>) -> Finding {
    let (_, transferee, _) = parking.check.roles();
    Finding::new(
        "parked-in-silence",
        Severity::Warning,
        Side::Peer,
        format!("{} hears nothing while it is parked", parking.names[transferee]),
        "platform: play music on hold to parked calls; callers hang up in silence",
    )
}

impl Parking<'_> {
    /// The steps `refer` and `notify`, or `keys`.
    async fn ask(
        &self,
        run: &mut Run,
        stage: &mut Ends,
        effect: &mut Effect,
        result: &mut TransferResult,
    ) -> Option<ReferAnswer> {
        let (_, transferee, _) = self.check.roles();
        if let Some(keys) = &self.check.keys {
            let keyed = Keyed { check: self.check, keys, ours: self.ours, theirs: self.theirs };
            keyed.press(run, stage, effect).await?;
            return Some(ReferAnswer::NotSent);
        }
        let asked = format!("{} was asked to go to {}", self.names[transferee], self.place);
        let to = Target::new(self.uri);
        let (refer, _) = ask(self.check, run, stage, self.ours, (to, asked), result).await?;
        if !matches!(refer, ReferAnswer::Accepted(_)) {
            run.skip("notify", "the REFER was not accepted");
            return Some(refer);
        }
        let mark = run.begin("notify");
        let ours = self.ours;
        let told = |stage: &Ends| {
            stage.seen(ours).is_none_or(|seen| statuses(seen).last().is_some_and(|status| *status >= 200))
        };
        if let Until::Interrupted(why) = stage.until(run, self.check.wait, told).await {
            end(run, mark, interrupted(why));
            return None;
        }
        let statuses = statuses(stage.seen(ours)?);
        if statuses.last().is_some_and(|status| (200..300).contains(status)) {
            // So does a phone: with its part done it leaves.
            if let Some(leg) = stage.legs.get(ours).filter(|leg| leg.seen.is_up()) {
                leg.handle.hang_up(None).await;
            }
        } else {
            back(run, stage, ours, None).await;
        }
        let told: Vec<String> = statuses.iter().map(u16::to_string).collect();
        let told =
            if told.is_empty() { "no NOTIFY came".to_owned() } else { format!("told {}", told.join(", ")) };
        run.end(mark, Verdict::Pass, told);
        Some(refer)
    }

    /// Where the one who was to be parked is.
    async fn look(
        &self,
        run: &mut Run,
        stage: &mut Ends,
        refer: ReferAnswer,
        effect: &mut Effect,
    ) -> Option<(Ears, Played)> {
        let (transferor, transferee, _) = self.check.roles();
        stage.rest(run, SETTLE).await;
        let last = stage.seen(self.ours).and_then(|seen| statuses(seen).last().copied());
        let accepted = matches!(refer, ReferAnswer::Accepted(_) | ReferAnswer::NotSent);
        let open = accepted && last.is_none_or(|status| status < 300);
        // Keys are done when the PBX has waited long enough for the next; a NOTIFY says when it is done.
        let time = if self.check.keys.is_some() { self.check.wait } else { TOLD };
        let (end_at, mut alone) = (run.elapsed() + time, 0);
        let mut ears = overhear(run, stage).await?;
        loop {
            effect.taken |= ears.heard.is_alone(transferee) || ears.else_heard[transferor] >= SOUND;
            alone = if ears.heard.is_alone(transferee) { alone + 1 } else { 0 };
            let music = alone > 0 && ears.else_heard[transferee] >= SOUND;
            let gone = alone > 0 && !is_up(stage, transferee);
            if music || gone || alone >= SILENT || !open || run.elapsed() >= end_at {
                break;
            }
            ears = overhear(run, stage).await?;
        }
        let seen = stage.seen(self.ours)?;
        let (notified, terminated) = (statuses(seen), is_terminated(seen));
        let played = Played { refer, notified, terminated, ..played(stage, ears.heard, 0, transferee) };
        Some((ears, played))
    }

    /// The step `parked`.
    fn parked(&self, played: &Played, ears: Ears, effect: &Effect) -> Judged {
        let (transferor, transferee, _) = self.check.roles();
        let (t, e, place) = (&self.names[transferor], &self.names[transferee], self.place);
        let last = played.notified.last().copied();
        let told = last.map_or("not told".to_owned(), |status| format!("told {status}"));
        let fate = fate(self.check, played);
        if !played.transferee_up {
            return Judged::fail(
                "parked-call-lost",
                Side::Peer,
                format!("{t} sent {e} to {place} and was {told}; {e} {fate}: the call is destroyed"),
                "park by the platform's own code, not by transfer, until this is mended; platform: numbers of its own (park, queues, codes) have to be reached by referred calls too",
            );
        }
        if let ReferAnswer::Refused(..) | ReferAnswer::Lost(_) = played.refer {
            return Judged::fail(
                "not-transferred",
                Side::Peer,
                format!("the REFER was not taken; {e} {fate}"),
                "see the finding about the REFER",
            );
        }
        if let Some(status) = last.filter(|status| *status >= 300) {
            return Judged::fail(
                "park-refused",
                Side::Peer,
                format!("{place} did not take {e}: {t} was told {status}; {e} {fate}"),
                "486: somebody waits there already, take another place; 404: there is no such place",
            );
        }
        if ears.heard.is_alone(transferee) {
            let sound = if ears.else_heard[transferee] >= SOUND { "music" } else { "nothing" };
            return Judged::pass(format!("{e} waits at {place} and hears {sound}"));
        }
        match &self.check.keys {
            Some(keys) => {
                let keyed = Keyed { check: self.check, keys, ours: self.ours, theirs: self.theirs };
                untaken(&keyed, effect, "anybody", played)
            }
            None => Judged::fail(
                "not-carried-out",
                Side::Peer,
                format!(
                    "the REFER to {place} was accepted, {t} was {told}, and {e} is not parked; {e} {fate}"
                ),
                "platform: it has to move the call to the park orbit before it says that it has",
            ),
        }
    }

    /// The step `fetch`: the target calls the place. False where it is not connected.
    async fn fetch(&self, run: &mut Run, stage: &mut Ends) -> Option<bool> {
        let mark = run.begin("fetch");
        let (_, transferee, target) = self.check.roles();
        let (e, c, place) = (&self.names[transferee], &self.names[target], self.place);
        let began = run.now();
        let leg = match stage.dial(target, self.uri).await {
            Ok(leg) => leg,
            Err(error) => {
                end(run, mark, Judged::open("probe-limit", Side::Probe, error.to_string(), "free a port"));
                return Some(false);
            }
        };
        let done =
            |stage: &Ends| stage.seen(leg).is_none_or(|seen| seen.answered.is_some() || seen.is_over());
        if let Until::Interrupted(why) = stage.until(run, self.check.wait, done).await {
            end(run, mark, interrupted(why));
            return None;
        }
        let seen = stage.seen(leg)?;
        if seen.is_up() {
            let time = run.now().saturating_duration_since(began);
            run.metric("fetch", MetricValue::Duration(time));
            run.end(mark, Verdict::Pass, format!("{place} answered {c} after {:.1} s", time.as_secs_f32()));
            return Some(true);
        }
        let status = seen.rejected.as_ref().and_then(|(_, rejection)| rejection.status);
        let got = status.map_or("got no answer".to_owned(), |status| format!("got {status}"));
        let judged = Judged::fail(
            "not-fetched",
            Side::Peer,
            format!("{c} called {place} to fetch {e}, and {got}; {e} still waits there"),
            "platform: a call to the place has to reach who waits there, from every phone that may fetch",
        );
        end(run, mark, judged);
        Some(false)
    }

    /// The step `after`: is the one who was parked the one who was fetched?
    fn judge(&self, played: &Played) -> Judged {
        let (_, transferee, target) = self.check.roles();
        let (e, c, place) = (&self.names[transferee], &self.names[target], self.place);
        let after = played.after;
        if after.joined(transferee, target) {
            return Judged::pass(after.told(&self.names).to_string());
        }
        if let Some(judged) = one_way(self.check, after) {
            return judged;
        }
        Judged::fail(
            "wrong-parties-joined",
            Side::Peer,
            format!(
                "{place} answered {c}, and not with {e}: {}; {e} {}",
                after.told(&self.names),
                fate(self.check, played)
            ),
            "platform: the place has to give the call that was parked there; second line with the ladder",
        )
    }
}
