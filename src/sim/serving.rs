//! Carries what comes to the network to its PBX or its registrar, and what the registrar says to the wire.

use super::pbx::Pbx;
use super::registrar::{Delivery, Input, Output, Registrar, lock};
use super::wire;
use crate::endpoint::agent::{Arrival, Arrivals};
use crate::endpoint::{Endpoint, IncomingRequest};
use crate::error::Error;
use crate::message::Flow;
use crate::syntax::HeaderName;
use crate::transaction::ServerId;
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;

/// Takes calls to the PBX, other requests to the registrar, and what it says to the wire, until the endpoint is closed. Calls end with it.
pub(super) async fn serve(
    endpoint: Endpoint,
    mut arrivals: Arrivals,
    registrar: Arc<Mutex<Registrar>>,
    pbx: Pbx,
) {
    let mut calls = JoinSet::new();
    loop {
        let mut asked = None;
        tokio::select! {
            biased;
            arrival = arrivals.next() => match arrival {
                None => return,
                Some(Arrival::Call(invitation)) => {
                    if let Some(call) = pbx.arrived(invitation).await {
                        calls.spawn(call);
                    }
                }
                Some(Arrival::Request(IncomingRequest { id, message, flow, at, .. })) => {
                    let known = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
                    let is_unknown = known.into_iter().all(|name| message.header(name).is_none());
                    asked = Some(Asked { id, flow, is_unknown });
                    lock(&registrar).handle_input(at, Input::Request { token: 0, message, flow });
                }
                Some(Arrival::Refused { .. }) => {}
            },
            Some(_) = calls.join_next() => {}
        }
        loop {
            // Not in the loop's head: the lock would be held while the wire is waited for.
            let output = lock(&registrar).poll_output();
            let Some(output) = output else { break };
            if carry_out(&endpoint, asked, output).await.is_err() {
                return;
            }
        }
    }
}

/// The request that the registrar has just been given.
#[derive(Debug, Clone, Copy)]
struct Asked {
    id: ServerId,
    flow: Flow,
    /// It does not say who sends it.
    is_unknown: bool,
}

/// Does one thing that the registrar wants; `asked` is the request that it has just been given.
async fn carry_out(endpoint: &Endpoint, asked: Option<Asked>, output: Output) -> Result<(), Error> {
    match (output, asked) {
        // Of strangers nothing is kept: one address cannot take the room of all others.
        (
            Output::Respond { response, delivery: Delivery::Proper, .. },
            Some(Asked { id, is_unknown: true, .. }),
        ) => endpoint.respond_once(id, response).await,
        (Output::Respond { response, delivery, .. }, Some(Asked { id, flow, .. })) => {
            if delivery == Delivery::Proper {
                return endpoint.respond(id, response).await;
            }
            wire::send_beside(endpoint, flow, &response, delivery).await?;
            endpoint.abandon(id).await
        }
        (Output::Ignore { .. }, Some(Asked { id, .. })) => endpoint.abandon(id).await,
        (Output::Close(flow), _) => endpoint.disconnect(flow).await,
        (Output::CloseWhenIdle { flow, time }, _) => endpoint.close_when_idle(flow, time).await,
        // An ACK has no transaction that could be answered.
        (Output::Respond { .. } | Output::Ignore { .. }, None) => Ok(()),
    }
}
