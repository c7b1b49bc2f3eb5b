//! Secrets out of outcomes: the one place that every text of a check passes on its way out.

use super::result::Details;
use super::{Account, Outcome};
use crate::auth::{Algorithm, Credentials, Ha1};
use crate::message::{Mask, Message};
use crate::syntax::{self, HeaderName, Limits};
use crate::transport::{Direction, Record, RecordEvent};
use bytes::Bytes;

/// Values that a check knows to be secret.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    mask: Mask,
    accounts: Vec<Credentials>,
    /// Records that were read for what was sent.
    learned: usize,
}

impl Secrets {
    /// The password of an account; what is shown of the account anyway is no secret.
    pub(super) fn keep(&mut self, account: &Account) {
        account.hide_in(&mut self.mask);
        self.accounts.push(account.credentials().clone());
    }

    /// A value of an embedder's.
    pub(super) fn hide(&mut self, secret: &str) {
        self.mask.hide(secret, &[]);
    }

    /// Number of records that were read for what was sent.
    pub(super) fn learned(&self) -> usize {
        self.learned
    }

    /// A text without secrets, as far as they are known.
    pub(super) fn out_of_text(&self, text: &str) -> String {
        self.mask.text(text).into_owned()
    }

    /// The digest responses that were sent, and the hashes behind them, out of the next records.
    pub(super) fn learn(&mut self, records: &[Record]) {
        self.learned += records.len();
        for record in records {
            let RecordEvent::Message { direction: Direction::Sent, bytes, .. } = &record.event else {
                continue;
            };
            if memchr::memmem::find(bytes, b"uthorization:").is_none() {
                continue;
            }
            let Ok(message) = Message::parse(bytes.clone(), &Limits::default()) else { continue };
            for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
                let Some(Ok(sent)) = message.parsed(name, syntax::Credentials::parse) else { continue };
                let of = |name: &[u8]| sent.params.get(name).map(|param| param.unquoted().into_owned());
                of(b"response").iter().for_each(|response| self.mask.hide_hash(response));
                let algorithm = of(b"algorithm").and_then(|token| Algorithm::from_token(&token));
                let (hash, realm) =
                    (algorithm.unwrap_or(Algorithm::MD5).hash, of(b"realm").unwrap_or_default());
                for account in &self.accounts {
                    let ha1 = Ha1::new(hash, account.username(), &realm, account.password());
                    self.mask.hide_hash(ha1.hex());
                }
            }
        }
    }

    /// Masks everything in an outcome: texts by place and by value, what was received by value. (Reports mask messages by place.)
    pub(super) fn out_of(mut self, outcome: &mut Outcome) {
        let new = outcome.transcript.records.get(self.learned..).unwrap_or_default().to_vec();
        self.learn(&new);
        outcome.hide(&self.mask);
    }
}

impl Outcome {
    /// Masks, in every text and every message of this outcome, what is secret by its place and what `mask` knows by value. Each check does this
    /// with the passwords of its own accounts; who runs many of them with one list of accounts does it with all of them.
    ///
    /// The lines of a sent message that hold its credentials stay; reports mask them.
    pub fn hide(&mut self, mask: &Mask) {
        for text in texts(self) {
            if let std::borrow::Cow::Owned(masked) = mask.text(text) {
                *text = masked;
            }
        }
        for record in &mut self.transcript.records {
            let (bytes, masked) = match &mut record.event {
                RecordEvent::Message { direction: Direction::Sent, bytes, .. } => {
                    let masked = mask.own_message(bytes);
                    (bytes, masked)
                }
                RecordEvent::Message { bytes, .. } | RecordEvent::Malformed { bytes, .. } => {
                    let masked = mask.message(bytes);
                    (bytes, masked)
                }
                RecordEvent::Closed(text) | RecordEvent::Note(text) => {
                    *text = mask.text(text).into_owned();
                    continue;
                }
                _ => continue,
            };
            if let Some(masked) = masked {
                *bytes = Bytes::from(masked);
            }
        }
    }
}

/// Every text in an outcome that may come from outside.
fn texts(outcome: &mut Outcome) -> Vec<&mut String> {
    let mut texts = vec![&mut outcome.subject, &mut outcome.summary];
    texts.extend(&mut outcome.accounts);
    texts.extend(outcome.findings.iter_mut().flat_map(|finding| [&mut finding.seen, &mut finding.advice]));
    texts.extend(outcome.steps.iter_mut().map(|step| &mut step.detail));
    texts.extend(outcome.facts.iter_mut().map(|fact| &mut fact.value));
    match &mut outcome.details {
        None | Some(Details::Dtmf(_)) => {}
        Some(Details::Other(other)) => texts.push(&mut other.text),
        Some(Details::Register(register)) => {
            for bound in register.bindings.iter_mut().flatten() {
                texts.push(&mut bound.contact);
                texts.extend(bound.user_agent.iter_mut().chain(&mut bound.instance));
            }
        }
        Some(Details::Hold(hold)) => {
            texts.extend(&mut hold.parties);
            texts.extend(hold.answer.iter_mut().chain(&mut hold.resume_answer));
        }
        Some(Details::Fork(fork)) => {
            texts.extend([&mut fork.target, &mut fork.caller]);
            texts.extend(&mut fork.ends);
            for trial in &mut fork.trials {
                texts.extend(
                    trial
                        .rang
                        .iter_mut()
                        .flat_map(|rung| [&mut rung.request_uri, &mut rung.from, &mut rung.asserted]),
                );
                texts.extend(trial.released.iter_mut().flat_map(|released| &mut released.reasons));
            }
        }
        Some(Details::Transfer(transfer)) => {
            let transfer = &mut **transfer;
            texts.extend(&mut transfer.parties);
            texts.extend(transfer.keys.iter_mut().chain(&mut transfer.park));
            texts.push(&mut transfer.transferee);
            let identity = &mut transfer.identity;
            let shown = [
                &mut identity.transferee_first,
                &mut identity.transferor_first,
                &mut identity.to_target,
                &mut identity.to_transferee,
            ];
            for shown in shown.into_iter().flatten() {
                texts.push(&mut shown.uri);
                let named = [
                    &mut shown.display_name,
                    &mut shown.asserted,
                    &mut shown.remote_party_id,
                    &mut shown.referred_by,
                ];
                texts.extend(named.into_iter().flatten());
            }
        }
    }
    texts
}
