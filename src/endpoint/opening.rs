//! Connections that are being opened, and who waits for them.

use super::connections::{Route, Waiter};
use super::driver::{Done, Driver};
use super::log::Log;
use crate::message::{Flow, Transport};
use crate::transport::{RecordEvent, Stream, TransportError, TransportErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

impl Driver {
    pub(super) fn open(
        &mut self,
        now: Instant,
        route: Route,
        log: Option<Arc<Log>>,
        reply: oneshot::Sender<Result<Flow, TransportError>>,
    ) {
        match self.connections.usable(route, log.as_ref()) {
            // Nobody may wait for it any more.
            Some(flow) => {
                if let (Some(log), Some(connection)) = (log, self.connections.by_flow(&flow)) {
                    connection.used_by(&log);
                }
                let _ = reply.send(Ok(flow));
            }
            None => self.wait(now, route, Waiter::Caller { reply, log }),
        }
    }

    /// Waits for a connection, which is opened beside the loop.
    pub(super) fn wait(&mut self, now: Instant, route: Route, waiter: Waiter) {
        match self.connections.wait(route, waiter) {
            Ok(false) => {}
            Ok(true) => {
                let network = Arc::clone(&self.shared.network);
                let limit = self.shared.config.connect_timeout;
                self.tasks.spawn(async move {
                    let (local, remote) = route;
                    let result = match tokio::time::timeout(limit, network.connect(local, remote)).await {
                        Ok(Ok(stream)) => Ok(stream),
                        Ok(Err(error)) => Err(TransportError::from_io(Transport::Tcp, remote, &error)),
                        Err(_) => {
                            let kind = TransportErrorKind::ConnectTimeout;
                            Err(TransportError { transport: Transport::Tcp, remote, kind })
                        }
                    };
                    Done::Opened { route, result }
                });
            }
            Err(refused) => {
                let (waiter, error) = *refused;
                self.opened_for(now, waiter, Err(error));
            }
        }
    }

    pub(super) fn opened(
        &mut self,
        now: Instant,
        route: Route,
        result: Result<Box<dyn Stream>, TransportError>,
    ) {
        let waiters = self.connections.opened(route);
        let (transport, remote) = (Transport::Tcp, route.1);
        let flow = result.and_then(|stream| {
            let added = self.connections.add(stream, true);
            added.map_err(|kind| TransportError { transport, remote, kind })
        });
        let mut others = Vec::new();
        for waiter in waiters {
            match (waiter, &flow) {
                (Waiter::Caller { reply, log: Some(log) }, Ok(flow))
                    if !self.connections.has_place(flow, &log) =>
                {
                    others.push((log, reply));
                }
                (waiter, flow) => {
                    self.record_opening(now, route, &waiter, flow);
                    self.opened_for(now, waiter, flow.clone());
                }
            }
        }
        for (log, reply) in others {
            self.open(now, route, Some(log), reply);
        }
        self.drain(now);
    }

    fn record_opening(
        &mut self,
        now: Instant,
        route: Route,
        waiter: &Waiter,
        flow: &Result<Flow, TransportError>,
    ) {
        let (Waiter::Caller { log: Some(log), .. } | Waiter::Response { log: Some(log), .. }) = waiter else {
            return;
        };
        match flow {
            Ok(flow) => {
                log.push(now, *flow, RecordEvent::Opened);
                if let Some(connection) = self.connections.by_flow(flow) {
                    connection.used_by(log);
                }
            }
            Err(error) => {
                let (local, remote) = route;
                let local = local.or_else(|| self.shared.network.source_for(remote).ok());
                let Some(local) = local else { return };
                let flow = Flow { transport: Transport::Tcp, local: SocketAddr::new(local, 0), remote };
                log.push(now, flow, RecordEvent::Failed(error.clone()));
            }
        }
    }

    /// Tells one who waited for a connection what came of it.
    pub(super) fn opened_for(&mut self, now: Instant, waiter: Waiter, flow: Result<Flow, TransportError>) {
        match waiter {
            Waiter::Caller { reply, .. } => {
                // Nobody may wait for it any more; the connection stays for the next.
                let _ = reply.send(flow);
            }
            Waiter::Response { bytes, owner, log, retransmission } => {
                let sent = flow.and_then(|flow| self.put(flow, &bytes, owner, false).map(|()| flow));
                match sent {
                    Ok(flow) => self.sent(now, flow, &bytes, log.as_deref(), retransmission),
                    Err(error) => self.not_sent(now, owner, error),
                }
            }
        }
    }
}
