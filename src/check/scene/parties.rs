//! The parties of a question about calls, and how their ends are opened.

use super::{CallOptions, Party, Registering, Scene, Step, Stopped};
use crate::check::{Account, Finding, Run, Severity, Side};

/// The parties, in the order of their numbers.
pub(in crate::check) struct Parties<'a> {
    roles: Vec<Role<'a>>,
    /// Their calls follow redirections to the hosts of their accounts.
    follow_redirects: bool,
}

/// One of them.
pub(in crate::check) struct Role<'a> {
    /// The step that says whether it is there.
    pub(in crate::check) step: &'static str,
    pub(in crate::check) account: &'a Account,
    /// Has it a binding while the question is asked, so that calls come to it?
    pub(in crate::check) registering: Registering,
    /// It sends silence, not its tone: for ears that are not ours.
    pub(in crate::check) quiet: bool,
    /// It is one of several devices of its account that are all ours.
    pub(in crate::check) is_device: bool,
}

impl<'a> Role<'a> {
    /// A party that sends its tone.
    pub(in crate::check) fn new(
        step: &'static str,
        account: &'a Account,
        registering: Registering,
    ) -> Role<'a> {
        Role { step, account, registering, quiet: false, is_device: false }
    }

    /// One that sends silence.
    pub(in crate::check) fn quiet(mut self) -> Role<'a> {
        self.quiet = true;
        self
    }
}

impl<'a> Parties<'a> {
    /// These, numbered from 0.
    pub(in crate::check) fn new(
        options: &CallOptions,
        roles: impl IntoIterator<Item = Role<'a>>,
    ) -> Parties<'a> {
        Parties { roles: roles.into_iter().collect(), follow_redirects: options.follow_redirects }
    }

    /// A caller, number 0, and a registered callee, number 1.
    pub(in crate::check) fn pair(a: &'a Account, b: &'a Account, options: &CallOptions) -> Parties<'a> {
        let roles = [Role::new("party-a", a, options.caller()), Role::new("party-b", b, options.callee())];
        Parties::new(options, roles)
    }
}

impl Scene<'_> {
    /// Brings all parties onto the scene, each with a step of its own.
    ///
    /// # Errors
    /// One of them could not be reached, or not be registered.
    pub(super) async fn open(&mut self, Parties { roles, follow_redirects }: Parties<'_>) -> Step {
        for (number, role) in roles.iter().enumerate() {
            let same = |other: &&Role<'_>| other.account.has_same_aor(role.account);
            if let Some(other) = roles.iter().take(number).find(same).filter(|_| !role.is_device) {
                return Err(self.given_twice(role, other.step));
            }
            if role.account.name() != role.account.aor() {
                self.run.fact("account", role.account.name());
            }
        }
        for (number, role) in roles.iter().enumerate() {
            let opened = Party::open(self.run, role.account, number, role.step, role.registering).await;
            let mut party = opened.ok_or_else(|| Stopped::after(role.step))?;
            party.quiet = role.quiet;
            party.follow_redirects = follow_redirects;
            other_bindings(self.run, role.account.name(), party.others);
            self.ends.parties.push(party);
        }
        self.calls_from = self.run.record_count();
        Ok(())
    }
}

impl Scene<'_> {
    /// One account cannot be two parties: its own call would come to it.
    fn given_twice(&mut self, role: &Role<'_>, other: &str) -> Stopped {
        let (name, step) = (role.account.name(), role.step);
        let seen = format!("{name} is given twice, as {other} and as {step}; name different accounts");
        self.run.skip(role.step, seen.clone());
        self.run.find(Finding::new(
            "account-given-twice",
            Severity::Error,
            Side::Setup,
            seen,
            "give each party an account of its own",
        ));
        Stopped::after(role.step)
    }
}

/// The party's other devices ring as well.
fn other_bindings(run: &mut Run, name: &str, others: usize) {
    if others > 0 {
        let devices = if others == 1 {
            "1 other live binding: that device rings".to_owned()
        } else {
            format!("{others} other live bindings: those devices ring")
        };
        run.find(Finding::new(
            "rings-other-devices",
            Severity::Warning,
            Side::Setup,
            format!("{name} has {devices} too, and may answer first"),
            "call test accounts, or accounts whose devices are switched off",
        ));
    }
}
