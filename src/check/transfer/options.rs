//! Options of a transfer: its kind, the form in which the target is named, and the manners of phones.

use super::code::FeatureCode;
use super::{ReferTo, Transfer, TransferKind, TransferTarget};
use crate::check::Account;
use crate::check::scene::CallOptions;
use crate::check::target::request_uri;
use crate::error::{Argument, Error, Problem};
use std::time::Duration;

impl Transfer {
    /// `a` calls `b`; in the call one of them (`a`, unless [`Transfer::by_callee`]) sends a REFER that names `c`, whom nobody has asked
    /// (RFC 5589 sec. 6).
    pub fn blind(a: &Account, b: &Account, c: &Account) -> Transfer {
        Transfer::new(a, b, c, TransferKind::Blind)
    }

    /// `a` calls `b`, holds it, and calls `c`; the REFER to `b` then names `c` with a Replaces of that second call (RFC 5589 sec. 7, RFC 3891).
    pub fn attended(a: &Account, b: &Account, c: &Account) -> Transfer {
        Transfer::new(a, b, c, TransferKind::Attended)
    }

    /// `a` calls `b`, holds it, lets `c` ring, gives that call up, and sends `b` a REFER that names `c`, without Replaces (RFC 5589 sec. 7.6).
    pub fn semi_attended(a: &Account, b: &Account, c: &Account) -> Transfer {
        Transfer::new(a, b, c, TransferKind::SemiAttended)
    }

    /// `a` calls `b`; one of them moves the other to `c` by this kind of transfer.
    pub fn new(a: &Account, b: &Account, c: &Account, kind: TransferKind) -> Transfer {
        Transfer {
            a: a.clone(),
            b: b.clone(),
            c: c.clone(),
            kind,
            by_callee: false,
            target: TransferTarget::Answers,
            asked: TransferTarget::Answers,
            refer_to: ReferTo::Aor,
            early_replaces: false,
            hang_up_early: false,
            at_once: false,
            keys: None,
            slot: None,
            options: CallOptions::waiting(Duration::from_secs(20)),
        }
    }

    /// The transferor presses keys in the call instead of sending a REFER: no NOTIFY is due then. With a consultation the target is called
    /// inside the same call. With [`Transfer::park`], say that first.
    ///
    /// ```
    /// use ringback::check::{Account, FeatureCode, Transfer};
    /// let account = |user: &str| Account::new(&format!("sip:{user}@pbx.example.com"), "secret");
    /// let (alice, bob, carol) = (account("alice")?, account("bob")?, account("carol")?);
    /// let blind = Transfer::blind(&alice, &bob, &carol).by_keys(FeatureCode::new("##")?.number("203")?)?;
    /// let attended = Transfer::attended(&alice, &bob, &account("203")?).by_keys(FeatureCode::new("*2")?)?;
    /// assert!(Transfer::blind(&alice, &bob, &carol).by_keys(FeatureCode::default()).is_err(), "carol is no number");
    /// # Ok::<(), ringback::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Usage`] where the code says no number, and the target's account has none for its user; for a completing code where nothing is to
    /// be completed (blind, or with a park orbit); and beside what only a REFER has: [`Transfer::refer_to`], [`Transfer::early_replaces`],
    /// [`Transfer::hang_up_early`], [`Transfer::at_once`], [`Transfer::asked`].
    pub fn by_keys(mut self, code: FeatureCode) -> Result<Transfer, Error> {
        let number = self.slot.as_ref().map_or(self.c.user(), |(slot, _)| slot.as_str());
        self.keys = Some(code.dialling(number)?);
        self.consistent()
    }

    /// The transferee is moved to this place of a park orbit, where it waits until the target calls the place and fetches it. The kind has no
    /// meaning then: nobody is consulted.
    ///
    /// # Errors
    /// [`Error::Usage`] for what cannot be dialled, and beside what has no meaning for a place: that of [`Transfer::by_keys`].
    pub fn park(mut self, place: &str) -> Result<Transfer, Error> {
        self.slot = Some((place.to_owned(), request_uri(place, self.a.domain())?));
        self.consistent()
    }

    /// The one that was called transfers the caller.
    #[must_use]
    pub fn by_callee(mut self) -> Transfer {
        self.by_callee = true;
        self
    }

    /// Sets the reaction of the target when the transferee calls it, or would take its call with the transferor over. [default: it answers] Where it is to
    /// refuse or only to ring, the check passes when it was asked, the transferor was told so, and the transferee is back with the transferor.
    #[must_use]
    pub fn target(mut self, target: TransferTarget) -> Transfer {
        self.target = target;
        self
    }

    /// Sets the reaction of the target when the transferor calls it first, in an attended transfer. [default: it answers] Where it does not, nothing is
    /// transferred, and the check passes when the transferee is back with the transferor.
    ///
    /// # Errors
    /// [`Error::Usage`] for another kind, where it is not asked, and with [`Transfer::by_keys`] or [`Transfer::park`].
    pub fn asked(mut self, target: TransferTarget) -> Result<Transfer, Error> {
        self.asked = target;
        self.consistent()
    }

    /// Sets the form in which the target is named, in the Refer-To and where the transferor calls it; default: by its address of record.
    ///
    /// # Errors
    /// [`Error::Usage`] with [`Transfer::by_keys`] or [`Transfer::park`].
    pub fn refer_to(mut self, form: ReferTo) -> Result<Transfer, Error> {
        self.refer_to = form;
        self.consistent()
    }

    /// Semi-attended in the way of phones that do not give their call to the target up: the REFER names it with Replaces while the target
    /// rings. RFC 3891 lets that match at the side only that began the call, so that a platform has to carry it out itself.
    ///
    /// # Errors
    /// [`Error::Usage`] with [`Transfer::by_keys`] or [`Transfer::park`].
    pub fn early_replaces(mut self) -> Result<Transfer, Error> {
        self.kind = TransferKind::SemiAttended;
        self.early_replaces = true;
        self.consistent()
    }

    /// The transferor hangs up as soon as its REFER is accepted, as many phones do, not when it is told that the target has answered.
    ///
    /// # Errors
    /// [`Error::Usage`] with [`Transfer::by_keys`] or [`Transfer::park`].
    pub fn hang_up_early(mut self) -> Result<Transfer, Error> {
        self.hang_up_early = true;
        self.consistent()
    }

    /// The transferor holds the transferee and sends the REFER in the moment in which that is answered, as phones with one key for it do; it
    /// does not listen while it talks to the target either.
    ///
    /// # Errors
    /// [`Error::Usage`] with [`Transfer::by_keys`] or [`Transfer::park`].
    pub fn at_once(mut self) -> Result<Transfer, Error> {
        self.at_once = true;
        self.consistent()
    }

    /// Everything that was asked for has a meaning.
    fn consistent(self) -> Result<Transfer, Error> {
        let asks = self.kind == TransferKind::Attended && self.keys.is_none() && self.slot.is_none();
        if self.asked != TransferTarget::Answers && !asks {
            let problem = Problem::unusable(
                "only an attended transfer by REFER calls the target first",
                "make it attended, without keys or a parking place",
            );
            return Err(Error::usage(Argument::Asked, "", problem));
        }
        let without = match (&self.keys, &self.slot) {
            (None, None) => return Ok(self),
            (_, Some(_)) => Argument::Park,
            (Some(_), None) => Argument::TransferCode,
        };
        let only_of_refer = [
            (self.refer_to != ReferTo::Aor, Argument::ReferTo),
            (self.early_replaces, Argument::EarlyReplaces),
            (self.hang_up_early, Argument::HangUpEarly),
            (self.at_once, Argument::AtOnce),
        ];
        if let Some((_, what)) = only_of_refer.into_iter().find(|(is_asked_for, _)| *is_asked_for) {
            return Err(Error::usage(what, "", Problem::With(without)));
        }
        let completes = self.keys.as_ref().is_some_and(|keys| keys.complete().is_some());
        if completes && (self.slot.is_some() || self.kind == TransferKind::Blind) {
            let problem = Problem::unusable(
                "only a transfer with a consultation is completed",
                "make it attended or semi-attended",
            );
            return Err(Error::usage(Argument::CompletingCode, "", problem));
        }
        Ok(self)
    }

    /// The transferor, the transferee and the target, by their numbers.
    pub(super) fn roles(&self) -> (usize, usize, usize) {
        if self.by_callee { (1, 0, 2) } else { (0, 1, 2) }
    }
}
