//! What is told of calls so that somebody else can end them, should the program be killed.

use crate::message::Message;
use std::fmt;

/// Keeps notes of the calls of an agent that are open ([`AgentConfig::notes`](super::AgentConfig::notes)). Its verbs are called in the tasks of
/// the calls and should not take long.
pub trait CallNotes: fmt::Debug + Send + Sync {
    /// A call is open: told before its INVITE goes out, or before our 2xx to one that came, and again when what ends it has changed.
    fn open(&self, call: &OpenCall<'_>);

    /// The call has ended.
    fn closed(&self, call: &OpenCall<'_>);
}

/// A call that is open.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenCall<'a> {
    /// Its Call-ID.
    pub call_id: &'a str,
    /// Our tag.
    pub local_tag: &'a str,
    /// The BYE that ends it, without Via and credentials ([`Call::parting`](crate::ua::call::Call::parting)); `None` as long as nobody answered
    /// our INVITE with a tag.
    pub bye: Option<&'a Message>,
    /// The CANCEL that ends it while nobody has answered our INVITE, with the Via of that; `None` before it went out, and once it is answered.
    pub cancel: Option<&'a Message>,
}

/// What was told of a call so far.
#[derive(Debug, Default)]
pub(super) struct Told {
    is_open: bool,
    bye: Option<Message>,
    cancel: Option<Message>,
}

impl Told {
    /// Tells where the call stands now, as far as that is new; `cancel` ends its INVITE, where we sent it. One that may be left stays noted.
    pub(super) fn tell(
        &mut self,
        notes: &dyn CallNotes,
        call: &crate::ua::call::Call,
        is_caller: bool,
        cancel: Option<&Message>,
    ) {
        let bye = call.parting();
        // Until we answer, a call that came is its caller's to end.
        let is_open = !call.is_over() && (is_caller || call.is_up() || bye.is_some());
        let (call_id, local_tag) = (call.call_id(), call.local_tag());
        let same = |a: Option<&Message>, b: &Option<Message>| {
            a.map(Message::as_bytes) == b.as_ref().map(Message::as_bytes)
        };
        let is_new = bye.is_some() && !same(bye.as_ref(), &self.bye) || !same(cancel, &self.cancel);
        if is_open && (!self.is_open || is_new) {
            notes.open(&OpenCall { call_id, local_tag, bye: bye.as_ref(), cancel });
            *self = Told { is_open: true, bye, cancel: cancel.cloned() };
        } else if call.is_over() && !call.may_be_left() && std::mem::take(&mut self.is_open) {
            notes.closed(&OpenCall { call_id, local_tag, bye: None, cancel: None });
        }
    }
}
