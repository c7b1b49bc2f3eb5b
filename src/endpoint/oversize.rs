//! Requests that are too big for UDP (RFC 3261 sec. 18.1.1).

use super::{Recorder, Switch, SwitchOutcome};
use crate::message::{Flow, Message, Transport};
use crate::transaction::Layer;
use crate::transport::{TransportError, TransportErrorKind};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

/// Which flow a request really takes: one that is too big for UDP is tried by TCP, at the same address.
pub(super) async fn switch(recorder: &Recorder, request: &Message, flow: Flow) -> (Flow, Option<Switch>) {
    let config = recorder.endpoint().config();
    let (size, limit) = (request.as_bytes().len(), config.udp_request_limit);
    if flow.transport != Transport::Udp || size.saturating_add(VIA_AT_MOST) <= limit {
        return (flow, None);
    }
    let size = size + via_size(flow);
    if size <= limit {
        return (flow, None);
    }
    let too_big = format!("a request of {size} bytes is over {limit} for UDP");
    // In a place of its own: every request's future would have to have room for it.
    match Box::pin(connect(recorder, flow)).await {
        Ok(tcp) => {
            recorder.note(tcp, format!("{too_big}: sent by TCP"));
            (tcp, Some(Switch { size, limit, outcome: SwitchOutcome::Tcp }))
        }
        Err(error) => {
            recorder.note(flow, format!("{too_big}: sent by UDP all the same ({error})"));
            (flow, Some(Switch { size, limit, outcome: SwitchOutcome::StayedOnUdp(error) }))
        }
    }
}

async fn connect(recorder: &Recorder, flow: Flow) -> Result<Flow, TransportError> {
    let (endpoint, remote) = (recorder.endpoint(), flow.remote);
    let unswitchable = &endpoint.shared().unswitchable;
    if let Some(error) = unswitchable.get(remote) {
        return Err(error);
    }
    let opening = endpoint.open(Some(flow.local.ip()), remote, Some(Arc::clone(&recorder.log)));
    let Ok(opened) = tokio::time::timeout(endpoint.config().switch_timeout, opening).await else {
        let error =
            TransportError { transport: Transport::Tcp, remote, kind: TransportErrorKind::ConnectTimeout };
        unswitchable.add(&error);
        return Err(error);
    };
    opened
}

/// No Via line that the transaction layer puts on top has more bytes.
const VIA_AT_MOST: usize = 128;

/// Bytes of the Via line that the transaction layer puts on top.
fn via_size(flow: Flow) -> usize {
    let mut sent_by = Length(0);
    let _ = write!(sent_by, "{}", SocketAddr::new(flow.local.ip(), flow.local.port()));
    "Via: SIP/2.0/UDP ;branch=;rport\r\n".len() + sent_by.0 + Layer::BRANCH_LENGTH
}

/// Counts what is written.
struct Length(usize);

impl std::fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}
