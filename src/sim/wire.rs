//! Bytes of answers that go out beside their transaction.
use super::registrar::Delivery;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::message::{Flow, Message};
use crate::syntax::{HeaderName, Via};
use bytes::Bytes;
use std::net::SocketAddr;

/// Sends a response beside its transaction, once, in this way.
pub(super) async fn send_beside(
    endpoint: &Endpoint,
    flow: Flow,
    response: &Message,
    delivery: Delivery,
) -> Result<(), Error> {
    match delivery {
        Delivery::Proper => endpoint.send_raw(flow, response.bytes().clone()).await,
        Delivery::Truncated => {
            endpoint.send_raw(flow, first_half(response)).await?;
            if flow.transport.is_reliable() {
                // The rest never comes: on a stream that is a connection that ends in the middle of a message.
                endpoint.disconnect(flow).await?;
            }
            Ok(())
        }
        Delivery::ToVia { port } => {
            endpoint.send_raw(via_flow(response, flow, port), without_rport(response)).await
        }
    }
}

/// The first half of a response.
fn first_half(response: &Message) -> Bytes {
    response.bytes().slice(..response.as_bytes().len() / 2)
}

/// Where RFC 3261 sec. 18.2.2 sends a response when nobody heard of RFC 3581: to the source's address and the port in the Via.
fn via_flow(response: &Message, flow: Flow, port: Option<u16>) -> Flow {
    let written = response.top_via().ok().and_then(|via| via.port());
    Flow { remote: SocketAddr::new(flow.remote.ip(), port.or(written).unwrap_or(5060)), ..flow }
}

/// The response with the top Via as the client wrote it: `rport` empty, `received` only where it says something new.
fn without_rport(response: &Message) -> Bytes {
    let whole = response.as_bytes();
    let Some(value) = response.header(HeaderName::Via) else { return response.bytes().clone() };
    let Ok((via, _)) = Via::parse_first(value) else { return response.bytes().clone() };
    let said = via.received().is_some_and(|received| via.host().ip() != Some(received));
    let params = via.params();
    // The parameters are a part of the message; where there are none, nothing is to be done.
    let start = (params.as_bytes().as_ptr() as usize).checked_sub(whole.as_ptr() as usize);
    let Some(start) = start.filter(|start| !params.as_bytes().is_empty() && *start < whole.len()) else {
        return response.bytes().clone();
    };
    let end = start + params.as_bytes().len();
    let mut bytes = Vec::with_capacity(whole.len());
    bytes.extend_from_slice(&whole[..start]);
    for param in params.iter() {
        if param.name.eq_ignore_ascii_case(b"received") && !said {
            continue;
        }
        bytes.push(b';');
        bytes.extend_from_slice(param.name);
        if let Some(value) = param.value.filter(|_| !param.name.eq_ignore_ascii_case(b"rport")) {
            bytes.push(b'=');
            bytes.extend_from_slice(value);
        }
    }
    bytes.extend_from_slice(&whole[end..]);
    Bytes::from(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::Transport;
    use crate::syntax::Limits;

    fn response(via: &str) -> Message {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: {via}\r\nVia: SIP/2.0/UDP b;rport=1\r\nContent-Length: 0\r\n\r\n"
        );
        Message::parse(Bytes::from(text), &Limits::default()).unwrap()
    }
    fn plain(via: &str) -> String {
        let text = String::from_utf8(without_rport(&response(via)).to_vec()).unwrap();
        let rest = text.split_once("Via: ").unwrap().1;
        assert!(rest.ends_with("\r\nVia: SIP/2.0/UDP b;rport=1\r\nContent-Length: 0\r\n\r\n"), "{rest}");
        rest.split_once("\r\n").unwrap().0.to_owned()
    }

    #[test]
    fn rport_is_as_empty_as_the_client_sent_it() {
        assert_eq!(
            plain("SIP/2.0/UDP 10.0.0.1:5060;rport=40001;branch=z9hG4bKa;received=198.51.100.7"),
            "SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKa;received=198.51.100.7"
        );
        assert_eq!(
            plain("SIP/2.0/UDP 10.0.0.1;received=10.0.0.1;rport=5060;branch=x"),
            "SIP/2.0/UDP 10.0.0.1;rport;branch=x"
        );
        assert_eq!(
            plain("SIP/2.0/UDP a;branch=x;rport=1, SIP/2.0/UDP c;rport=2"),
            "SIP/2.0/UDP a;branch=x;rport, SIP/2.0/UDP c;rport=2"
        );
        assert_eq!(plain("SIP/2.0/UDP a"), "SIP/2.0/UDP a");
    }

    #[test]
    fn the_answer_goes_to_the_port_in_the_via() {
        let flow = Flow {
            transport: Transport::Udp,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "198.51.100.7:40001".parse().unwrap(),
        };
        let to = |via, port| via_flow(&response(via), flow, port).remote.to_string();
        assert_eq!(to("SIP/2.0/UDP 10.0.0.1:5062;rport=40001", None), "198.51.100.7:5062");
        assert_eq!(to("SIP/2.0/UDP 10.0.0.1;rport=40001", None), "198.51.100.7:5060");
        assert_eq!(to("SIP/2.0/UDP 10.0.0.1:5062;rport=40001", Some(9)), "198.51.100.7:9");
    }
}
