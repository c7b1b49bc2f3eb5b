//! Carries what comes to the network to its PBX or its registrar, and what the registrar says to the wire.

use super::pbx::Pbx;
use super::registrar::{Delivery, Input, Output, Registrar, lock};
use super::wire;
use crate::endpoint::agent::{Arrival, Arrivals};
use crate::endpoint::{Endpoint, IncomingRequest};
use crate::error::Error;
use crate::message::Flow;
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
                    asked = Some((id, flow));
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

/// Does one thing that the registrar wants; `asked` is the request that it has just been given.
async fn carry_out(
    endpoint: &Endpoint,
    asked: Option<(ServerId, Flow)>,
    output: Output,
) -> Result<(), Error> {
    match (output, asked) {
        (Output::Respond { response, delivery, .. }, Some((id, flow))) => {
            if delivery == Delivery::Proper {
                return endpoint.respond(id, response).await;
            }
            wire::send_beside(endpoint, flow, &response, delivery).await?;
            endpoint.abandon(id).await
        }
        (Output::Ignore { .. }, Some((id, _))) => endpoint.abandon(id).await,
        (Output::Close(flow), _) => endpoint.disconnect(flow).await,
        (Output::CloseWhenIdle { flow, time }, _) => endpoint.close_when_idle(flow, time).await,
        // An ACK has no transaction that could be answered.
        (Output::Respond { .. } | Output::Ignore { .. }, None) => Ok(()),
    }
}
