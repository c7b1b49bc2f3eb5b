//! The course of the check: a call, a transfer of it, and who hears whom.

use super::{Transfer, TransferKind, TransferResult, TransferTarget};
use crate::check::judge::audio::doubted;
use crate::check::judge::transfer::{Aftermath, Wanted};
use crate::check::judged::StepVerdict;
use crate::check::scene::{Course, Dial, Ears, Expect, JoinedLegs, Leg, Parties, Party, Role, Scene, Step};
use crate::check::{Identity, Interrupted, MetricValue, Run};
use crate::syntax::Uri;
use std::time::Duration;

/// Time that the callee of the first call rings before it answers.
const FIRST_RING: Duration = Duration::from_millis(200);
/// Time that a target rings before it answers.
pub(super) const RING: Duration = Duration::from_millis(300);
/// Time for what is left to happen once the right two hear each other, or the last NOTIFY came.
pub(super) const REST: Duration = Duration::from_millis(700);
/// Windows of listening for a tone with pauses.
const TONE_WINDOWS: usize = 4;
/// Time for legs to end.
pub(super) const END: Duration = Duration::from_secs(3);

/// The legs of a transfer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Legs {
    /// The transferor's in the first call.
    pub(super) ours: usize,
    /// The transferee's in the first call.
    pub(super) theirs: usize,
    /// The transferor's to the target, where it has called it.
    pub(super) consult: Option<usize>,
}

impl Course for Transfer {
    type Result = Option<TransferResult>;

    fn steps(&self) -> Vec<&'static str> {
        let consults = self.kind != TransferKind::Blind;
        let asks: &[&str] = match (&self.keys, &self.slot) {
            (Some(_), Some(_)) => &["keys", "parked", "fetch"],
            (Some(_), None) if consults => &["keys", "consult", "complete", "carried-out"],
            (Some(_), None) => &["keys", "carried-out"],
            (None, Some(_)) => &["refer", "notify", "parked", "fetch"],
            (None, None) if consults => &["consult", "refer", "notify"],
            (None, None) => &["refer", "notify"],
        };
        let first = ["party-a", "party-b", "party-c", "call", "before"];
        [&first[..], asks, &["after", "release", "hang-up"]].concat()
    }

    fn parties(&self) -> Parties<'_> {
        let roles = [
            Role::new("party-a", &self.a, self.options.caller()),
            Role::new("party-b", &self.b, self.options.callee()),
            Role::new("party-c", &self.c, self.options.callee()),
        ];
        Parties::new(&self.options, roles)
    }

    async fn run(&self, scene: &mut Scene<'_>, result: &mut Self::Result) -> Step {
        let wanted = self.wanted();
        let result = result.insert(self.nothing_yet(&wanted));
        scene.run.fact("kind", self.kind.as_str());
        let expected = self.expected(scene, &wanted);
        scene.obeys(wanted.transferee, expected);

        let dial = Dial::direct(self.options.target(self.b.aor()), self.options.wait);
        let joined = scene.call(&dial, FIRST_RING).await?;
        if let Some(delay) = scene.trace(joined.caller).request_delay() {
            scene.run.metric("srd", MetricValue::Duration(delay));
        }
        let JoinedLegs { caller, callee } = joined;
        let (ours, theirs) = if self.by_callee { (callee, caller) } else { (caller, callee) };
        let legs = Legs { ours, theirs, consult: None };

        let before = scene.both_hear("before", joined).await;
        result.before = Some(scene.heard_so_far().await);
        before?;

        match (&self.slot, &self.keys) {
            (Some((place, uri)), _) => self.by_park(scene, &wanted, (place, uri), legs, result).await,
            (None, Some(keys)) => self.by_keys_pressed(scene, &wanted, keys, legs, result).await,
            (None, None) => self.by_refer(scene, &wanted, legs, result).await,
        }
    }

    fn keep(&self, result: Self::Result, run: &mut Run) {
        result.into_iter().for_each(|result| run.transferred(result));
    }
}

impl Transfer {
    /// The transfer that is asked for, for the judges.
    pub(super) fn wanted(&self) -> Wanted {
        let (transferor, transferee, target) = self.roles();
        Wanted {
            names: [&self.a, &self.b, &self.c].map(|account| account.name().to_owned()),
            transferor,
            transferee,
            target,
            kind: self.kind,
            target_does: self.target,
            asked_does: self.asked,
            uri: self.refer_to.uri(self.c.aor()),
            early_replaces: self.early_replaces,
            hang_up_early: self.hang_up_early,
            wait: self.options.wait,
        }
    }

    fn nothing_yet(&self, wanted: &Wanted) -> TransferResult {
        TransferResult {
            kind: self.kind,
            parties: wanted.names.clone(),
            transferor: wanted.transferor,
            before: None,
            during: None,
            heard_on_hold: None,
            after: None,
            keys: self.keys.as_ref().map(ToString::to_string),
            park: self.slot.as_ref().map(|(place, _)| place.clone()),
            refer_status: None,
            notified: Vec::new(),
            took: None,
            answered_after: None,
            told_after: None,
            identity: Identity::default(),
            legs_left: 0,
            transferee: String::new(),
        }
    }

    /// The URIs that the transferee calls when it is asked to: the target, by each of its names, and nobody else.
    fn expected(&self, scene: &Scene<'_>, wanted: &Wanted) -> Vec<String> {
        let mut names = vec![self.c.aor().to_owned(), wanted.uri.clone(), self.c.user().to_owned()];
        names.extend(scene.ends.parties.get(wanted.target).map(Party::contact_user));
        names.extend(self.slot.iter().map(|(place, _)| place.clone()));
        // Platforms put addresses of their own in the place of the host.
        let users = names.iter().filter_map(|name| {
            let uri = Uri::parse(name.as_bytes()).ok()?;
            uri.user().map(|user| String::from_utf8_lossy(user).into_owned())
        });
        let users: Vec<String> = users.collect();
        names.extend(users);
        names.retain(|name| !name.is_empty());
        names
    }

    /// Tells the target what to do with the next call; where it answers, after this time.
    pub(super) fn prepare_target(&self, scene: &mut Scene<'_>, ring: Duration) {
        scene.expect(self.roles().2, manner(self.target, ring));
    }

    /// The steps from `after` on.
    pub(super) async fn finish(
        &self,
        scene: &mut Scene<'_>,
        wanted: &Wanted,
        (after, judged): (&Aftermath, StepVerdict),
        consult_kept: bool,
        result: &mut TransferResult,
    ) -> Step {
        result.after = Some(after.heard());
        result.transferee = after.fate(wanted);
        let mark = scene.begin("after");
        // Whatever came of it, everybody is released.
        let told = judged.detail.clone();
        let is_as_asked = scene.end(mark, doubted(judged, after.ears.pace)).is_ok();
        let is_taken = result.refer_status.is_none_or(|status| status < 300);
        if is_as_asked && is_taken && !wanted.is_done(after.heard()) {
            scene.run.conclude(told);
        }
        self.release(scene, wanted, consult_kept, result).await?;
        self.hang_up_all(scene, wanted, result).await
    }
}

/// Text about what a target does with a call.
pub(super) fn manner(does: TransferTarget, ring: Duration) -> Expect {
    match does {
        TransferTarget::Answers => Expect::answer(ring),
        TransferTarget::Refuses(status) => Expect { answer_after: None, refuse: Some(status) },
        TransferTarget::Rings => Expect::ring(),
    }
}

/// Listens on, where the transferee has a call and nothing at all was heard in it: a tone of the platform has pauses of four seconds and more.
pub(super) async fn with_tones(
    scene: &mut Scene<'_>,
    wanted: &Wanted,
    mut after: Aftermath,
) -> Result<Aftermath, Interrupted> {
    for _ in 0..TONE_WINDOWS {
        let is_quiet = after.heard().is_alone(wanted.transferee) && !after.hears_sound(wanted.transferee);
        if !after.transferee_up || !is_quiet {
            break;
        }
        let ears = scene.ears().await?.after(&after.ears);
        after = aftermath(scene, wanted, ears);
    }
    Ok(after)
}

/// Text about who hears whom, and where the transferee is.
pub(super) fn aftermath(scene: &Scene<'_>, wanted: &Wanted, ears: Ears) -> Aftermath {
    let rings = |leg: &Leg| {
        leg.party == wanted.target && !leg.is_caller && leg.seen.answered.is_none() && !leg.seen.is_over()
    };
    Aftermath {
        ears,
        transferee_up: scene.ends.has_call(wanted.transferee),
        target_rings: scene.ends.legs.iter().any(rings),
    }
}
