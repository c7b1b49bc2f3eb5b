//! Replaces (RFC 3891): a dialog that a new call takes over, and whether it may.

use super::TransferError;
use crate::message::{FieldError, Message};
use crate::syntax::{self, HeaderName};
use crate::ua::dialog::DialogId;

/// The dialog that an INVITE takes over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Replaces {
    /// The dialog as the one who is to give it up sees it: `to-tag` is its own tag, `from-tag` that of its peer.
    pub dialog: DialogId,
    /// Only while nobody has answered (`early-only`).
    pub early_only: bool,
}

/// How a dialog stands that a Replaces names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DialogState {
    /// There is none.
    Unknown,
    /// Not answered; we called.
    EarlyCaller,
    /// Not answered; we are called.
    EarlyCalled,
    /// Answered.
    Confirmed,
    /// Ended a moment ago.
    Ended,
}

impl Replaces {
    /// Names a dialog of ours to the peer of that dialog: what is ours here is remote there.
    pub fn of_ours(dialog: &DialogId) -> Replaces {
        let DialogId { call_id, local_tag, remote_tag } = dialog.clone();
        let dialog = DialogId { call_id, local_tag: remote_tag, remote_tag: local_tag };
        Replaces { dialog, early_only: false }
    }

    /// Copies a value that was read.
    ///
    /// # Errors
    /// A value without `to-tag` or `from-tag`.
    pub fn from_value(value: &syntax::Replaces<'_>) -> Result<Replaces, TransferError> {
        let local_tag = value.to_tag().ok_or(TransferError::NoTag("to-tag"))?.into();
        let remote_tag = value.from_tag().ok_or(TransferError::NoTag("from-tag"))?.into();
        let dialog = DialogId { call_id: value.call_id.into(), local_tag, remote_tag };
        Ok(Replaces { dialog, early_only: value.is_early_only() })
    }

    /// Reads the text of a Replaces, without the escapes that it has inside a URI.
    ///
    /// # Errors
    /// [`TransferError`].
    pub fn parse(text: &[u8]) -> Result<Replaces, TransferError> {
        Replaces::from_value(&syntax::Replaces::parse(text)?)
    }

    /// The one of an INVITE; `None` when it has none.
    ///
    /// # Errors
    /// Several, one that cannot be read, or Replaces together with Join: all are answered 400 (RFC 3891 sec. 3, RFC 3911 sec. 4).
    pub fn of_invite(invite: &Message) -> Option<Result<Replaces, TransferError>> {
        let value = match invite.replaces()? {
            Ok(_) if invite.header(HeaderName::Join).is_some() => {
                return Some(Err(TransferError::Repeated("Replaces or Join")));
            }
            Ok(value) => value,
            Err(FieldError::Syntax { error, .. }) => return Some(Err(error.into())),
            Err(_) => return Some(Err(TransferError::Repeated("Replaces"))),
        };
        Some(Replaces::from_value(&value))
    }

    /// The header's value.
    pub fn value(&self) -> Vec<u8> {
        let mut text = self.written(b";to-tag=", b";from-tag=");
        if self.early_only {
            text.extend_from_slice(b";early-only");
        }
        text
    }

    /// The same dialog as the value of a Target-Dialog (RFC 4538 sec. 7).
    pub fn target_dialog_value(&self) -> Vec<u8> {
        self.written(b";local-tag=", b";remote-tag=")
    }

    fn written(&self, local: &[u8], remote: &[u8]) -> Vec<u8> {
        let DialogId { call_id, local_tag, remote_tag } = &self.dialog;
        // What has no tag (a peer of RFC 2543) is named by 0 (RFC 3891 sec. 6.1).
        let tag = |tag: &[u8]| if tag.is_empty() { b"0".to_vec() } else { tag.to_vec() };
        [call_id, local, &tag(local_tag), remote, &tag(remote_tag)].concat()
    }

    /// Is this the dialog (seen from our side)? Tags are compared octet by octet; 0 stands for none as well (RFC 3891 sec. 6.1).
    pub fn names(&self, ours: &DialogId) -> bool {
        let same = |named: &[u8], ours: &[u8]| named == ours || named == b"0" && ours.is_empty();
        self.dialog.call_id == ours.call_id
            && same(&self.dialog.local_tag, &ours.local_tag)
            && same(&self.dialog.remote_tag, &ours.remote_tag)
    }

    /// What the INVITE with it gets, by how the dialog stands (RFC 3891 sec. 3).
    ///
    /// # Errors
    /// The status that it is refused with: 481 for no such dialog, or an early one that we did not begin; 486 for an answered one and
    /// `early-only`; 603 for one that has just ended.
    pub fn judge(&self, state: DialogState) -> Result<(), u16> {
        match state {
            DialogState::Confirmed if self.early_only => Err(486),
            DialogState::Confirmed | DialogState::EarlyCaller => Ok(()),
            DialogState::Ended => Err(603),
            DialogState::Unknown | DialogState::EarlyCalled => Err(481),
        }
    }
}
