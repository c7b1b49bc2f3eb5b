//! Notes of the calls of one party.

use super::left::{Left, LeftOpen};
use super::{Journal, Open};
use crate::check::{Account, Destination};
use crate::endpoint::agent::{CallNotes, OpenCall};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The calls of one account, for its agent.
#[derive(Debug)]
pub(in crate::check) struct Calls {
    journal: Arc<Journal>,
    account: String,
    aor: String,
    server: String,
    /// By Call-ID and our tag: a call from one of us to another has two.
    open: Mutex<HashMap<(String, String), Open>>,
}

impl Calls {
    pub(in crate::check) fn of(journal: &Arc<Journal>, account: &Account, next_hop: &Destination) -> Calls {
        Calls {
            journal: Arc::clone(journal),
            account: account.name().to_owned(),
            aor: account.aor().to_owned(),
            server: next_hop.to_string(),
            open: Mutex::default(),
        }
    }
}

impl CallNotes for Calls {
    fn open(&self, call: &OpenCall<'_>) {
        let call_id = call.call_id.to_owned();
        let open = LeftOpen::Call { call_id, bye: call.bye.cloned(), cancel: call.cancel.cloned() };
        let (account, aor, server) = (self.account.clone(), self.aor.clone(), self.server.clone());
        let left = Left { account, aor, server, open, until: None };
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (call.call_id.to_owned(), call.local_tag.to_owned());
        match all.get(&key) {
            Some(open) => open.change(left),
            None => drop(all.insert(key, Open::new(&self.journal, left))),
        }
    }

    fn closed(&self, call: &OpenCall<'_>) {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = all.remove(&(call.call_id.to_owned(), call.local_tag.to_owned())) {
            open.close();
        }
    }
}
