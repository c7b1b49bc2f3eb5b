//! The ends of requests of ours in a call, from the records.

use super::Ends;
use crate::check::Run;
use crate::check::judge::request::{Reply, RequestEnd};
use crate::check::judge::unused::{self, Unused};
use crate::syntax::Method;
use std::time::Instant;

impl Ends {
    /// End of the request of one of these methods that this leg sent since then: that of the first method which it sent.
    pub(in crate::check) fn request_end(
        &self,
        run: &Run,
        leg: usize,
        methods: &[Method<'_>],
        since: Instant,
    ) -> RequestEnd {
        let Some(ours) = self.legs.get(leg) else { return RequestEnd::default() };
        let trace = run.trace(ours.handle.call_id());
        let end = methods.iter().find_map(|method| trace.request_end(ours.is_caller, *method, since));
        // What came while nothing of this kind was sent is no answer to it.
        let Some(mut end) = end else { return RequestEnd { is_unsent: true, ..RequestEnd::default() } };
        if end.last == Reply::Nothing {
            let records = run.records();
            let from = records.iter().position(|record| record.at >= since).unwrap_or(records.len());
            let unused = unused::unused(&records, from..records.len());
            let remote = self.parties.get(ours.party).map(|party| party.flow().remote);
            // A connection that closes says nothing of this request: the flow is opened again.
            let unused = unused.filter(|unused| !matches!(unused, Unused::Closed { .. }));
            if let Some((remote, unused)) = remote.zip(unused) {
                end.last = Reply::Unusable(remote, Box::new(unused));
            }
        }
        end
    }
}
