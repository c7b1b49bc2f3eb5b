//! Digest answers over sockets: the account's registrar gets them, the called party's own address does not.

use super::support::{SOON, bind};
use ringback::auth::Credentials;
use ringback::endpoint::agent::{Agent, AgentConfig, CallEventKind, MediaSetup};
use ringback::message::{Builder, Message, Transport};
use ringback::syntax::{HeaderName, Limits, Method};
use ringback::ua::call::{Config, Event};
use ringback::ua::trust::Distrust;
use std::net::SocketAddr;
use tokio::net::UdpSocket;
use tokio::time::timeout;

const CHALLENGE: &str = "Digest realm=\"pbx.example.com\", nonce=\"n\", qop=\"auth\"";

/// A peer that answers by hand, and keeps what it got.
struct Peer(UdpSocket);

impl Peer {
    async fn at(address: &str) -> Peer {
        Peer(UdpSocket::bind(address).await.unwrap())
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// The next request of this method; repeated ones of others are passed over.
    async fn next(&self, method: Method<'_>) -> (Message, SocketAddr) {
        let mut buffer = vec![0; 65_535];
        loop {
            let (length, from) = timeout(SOON, self.0.recv_from(&mut buffer)).await.unwrap().unwrap();
            let Ok(message) = Message::parse(buffer[..length].to_vec().into(), &Limits::default()) else {
                continue;
            };
            if message.method() == Some(method) {
                return (message, from);
            }
        }
    }

    async fn answer(&self, (request, from): &(Message, SocketAddr), builder: Builder) {
        self.0.send_to(builder.build().unwrap().as_bytes(), from).await.unwrap();
        assert!(request.is_request());
    }
}

fn has_credentials(request: &Message) -> bool {
    [HeaderName::Authorization, HeaderName::ProxyAuthorization].iter().any(|n| request.header(*n).is_some())
}

#[tokio::test]
async fn neither_ack_nor_bye_to_the_called_partys_own_address_carries_an_answer() {
    let (registrar, callee) = (Peer::at("127.0.0.1:0").await, Peer::at("127.0.0.2:0").await);
    let (alice, incoming) = bind(&["127.0.0.1:0"], &[]).await;
    let (agent, _arrivals) = Agent::start(alice.recorder(), incoming, AgentConfig::default());
    let flow = alice.flow(Transport::Udp, registrar.address()).await.unwrap();
    let contact = format!("sip:alice@{}", flow.local);
    let setup = |local| {
        let mut config = Config::new("sip:alice@pbx.example.com", contact, local);
        config.credentials = Some(Credentials::new("alice", "secret"));
        config
    };
    let mut call = agent.dial(flow, "sip:bob@pbx.example.com", MediaSetup::default(), setup).await.unwrap();
    let first = registrar.next(Method::Invite).await;
    let challenge = Builder::response(&first.0, 407, "x", Some("p"));
    registrar.answer(&first, challenge.header(HeaderName::ProxyAuthenticate, CHALLENGE)).await;
    let mut second = registrar.next(Method::Invite).await;
    while !has_credentials(&second.0) {
        second = registrar.next(Method::Invite).await;
    }
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n";
    let contact = format!("<sip:bob@{}>", callee.address());
    let answer = Builder::response(&second.0, 200, "OK", Some("b"))
        .header(HeaderName::Contact, contact)
        .body("application/sdp", sdp);
    registrar.answer(&second, answer).await;
    let ack = callee.next(Method::Ack).await;
    assert!(!has_credentials(&ack.0), "{:?}", ack.0);
    call.hang_up(None).await;
    let bye = callee.next(Method::Bye).await;
    let challenge = Builder::response(&bye.0, 407, "x", None);
    callee.answer(&bye, challenge.header(HeaderName::ProxyAuthenticate, CHALLENGE)).await;
    let mut refused = None;
    while let Some(happened) = timeout(SOON, call.next()).await.unwrap() {
        match happened.kind {
            CallEventKind::Signal(Event::ChallengeRefused { method, why, .. }) => {
                refused = Some((method, why))
            }
            CallEventKind::Signal(Event::Ended { .. }) => break,
            _ => {}
        }
    }
    assert_eq!(refused, Some(("BYE".to_owned(), Distrust::Host)));
}
