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
}

/// What was told of a call so far.
#[derive(Debug, Default)]
pub(super) struct Told {
    is_open: bool,
    bye: Option<Message>,
}

impl Told {
    /// Tells where the call stands now, as far as that is new.
    pub(super) fn tell(&mut self, notes: &dyn CallNotes, call: &crate::ua::call::Call, is_caller: bool) {
        let bye = call.parting();
        // Until we answer, a call that came is its caller's to end.
        let is_open = !call.is_over() && (is_caller || call.is_up() || bye.is_some());
        let (call_id, local_tag) = (call.call_id(), call.local_tag());
        let same = |a: &Option<Message>, b: &Option<Message>| {
            a.as_ref().map(Message::as_bytes) == b.as_ref().map(Message::as_bytes)
        };
        if is_open && (!self.is_open || bye.is_some() && !same(&bye, &self.bye)) {
            notes.open(&OpenCall { call_id, local_tag, bye: bye.as_ref() });
            *self = Told { is_open: true, bye };
        } else if call.is_over() && std::mem::take(&mut self.is_open) {
            notes.closed(&OpenCall { call_id, local_tag, bye: None });
        }
    }
}
