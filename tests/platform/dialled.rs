//! Whom the probe calls and whom it asks: every number that is dialled is a fact, and what a message names beside it is looked up by nobody.

use crate::platform::*;
use ringback::check::{
    Call, Cancel, Check, Dtmf, FeatureCode, Fork, ForkTrial, Hold, Outcome, Transfer, TransferKind,
};
use ringback::sim::MemoryHost;
use ringback::transport::{BoxFuture, Datagrams, Listener, Network, Resolve, ResolveErrorKind, Stream};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::{fmt, io};

/// 900 answers, 600 rings bob and carol, 302 leads to bob, 486 is busy.
fn platform() -> Platform {
    Platform::new()
        .answering("900", || Source::Tone(440.0))
        .number("600", |core, leg| {
            for name in ["bob", "carol"] {
                let contact = core.bindings[name][0].clone();
                core.dial(leg, &contact, "");
            }
        })
        .when(|core, m| {
            let number = if m.begins("INVITE") { user(m.uri()) } else { "" };
            match number {
                "302" => core.respond(m, 302, "Moved", "Contact: <sip:bob@pbx.example.com>"),
                "486" => core.respond(m, 486, "Busy Here", ""),
                _ => return false,
            }
            true
        })
}

/// Every question about calls, and what it has to dial at the least.
fn questions() -> Vec<(&'static str, Box<dyn Question>, &'static [&'static str])> {
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(account);
    let to = |number: &str| Call::to(&alice, number).unwrap();
    let transfer = |kind| Transfer::new(&alice, &bob, &carol, kind);
    let members = [bob.clone(), carol.clone()];
    vec![
        ("a call to a number", Box::new(to("900")), &["900"]),
        ("a call that is refused", Box::new(to("486")), &["486"]),
        ("a redirection that is not followed", Box::new(to("302")), &["302"]),
        ("a redirection that is", Box::new(to("302").follow_redirects(true)), &["302", "bob"]),
        ("a call", Box::new(Call::between(&alice, &bob)), &["bob"]),
        ("a hold", Box::new(Hold::between(&alice, &bob)), &["bob"]),
        ("a call that is given up", Box::new(Cancel::between(&alice, &bob)), &["bob"]),
        ("digits", Box::new(Dtmf::between(&alice, &bob).digits("12").unwrap()), &["bob"]),
        (
            "a group",
            Box::new(Fork::group(&alice, "600", &members).unwrap().trials([ForkTrial::Answer])),
            &["600"],
        ),
        ("a blind transfer", Box::new(transfer(TransferKind::Blind)), &["bob", "carol"]),
        ("an attended one", Box::new(transfer(TransferKind::Attended)), &["bob", "carol"]),
        (
            "one by keys",
            Box::new(
                transfer(TransferKind::Blind)
                    .by_keys(FeatureCode::new("##").unwrap().number("203").unwrap())
                    .unwrap(),
            ),
            &["bob"],
        ),
        ("parking", Box::new(transfer(TransferKind::Blind).park("700").unwrap()), &["bob"]),
    ]
}

/// A check of any kind.
trait Question {
    fn ask<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Outcome>;
}

impl<C: Check + 'static> Question for C {
    fn ask<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { scene.check(*self).await })
    }
}

/// A URI without its parameters and headers.
fn plain(uri: &str) -> String {
    uri.split([';', '?']).next().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn every_number_that_is_dialled_is_a_fact_and_no_other() {
    for (what, question, numbers) in questions() {
        let scene = platform().start().await;
        let outcome = question.ask(&scene).await;
        let told: BTreeSet<String> = outcome
            .facts
            .iter()
            .filter(|fact| fact.name == "dialled")
            .map(|fact| plain(&fact.value))
            .collect();
        let invites: BTreeSet<String> = scene
            .got("INVITE")
            .iter()
            .filter(|text| text.begins("INVITE"))
            .map(|text| plain(text.uri()))
            .collect();
        assert_eq!(told, invites, "{what}\n{outcome}");
        for number in numbers {
            assert!(
                told.iter().any(|uri| user(uri) == *number),
                "{what}: {number} is not in {told:?}\n{outcome}"
            );
        }
    }
}

/// A host of the network that notes whom it turns to.
#[derive(Debug)]
struct Watched {
    host: MemoryHost,
    reached: Arc<Reached>,
}

#[derive(Debug, Default)]
struct Reached {
    /// Hosts that datagrams went to.
    datagrams: Mutex<BTreeSet<IpAddr>>,
    /// Streams that were opened.
    streams: Mutex<Vec<SocketAddr>>,
    /// Names that were looked up.
    names: Mutex<Vec<String>>,
}

impl Network for Watched {
    fn bind_udp(&self, local: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let socket = self.host.bind_udp(local)?;
        Ok(Box::new(WatchedSocket { socket, reached: Arc::clone(&self.reached) }))
    }
    fn listen(&self, local: SocketAddr) -> io::Result<Box<dyn Listener>> {
        self.host.listen(local)
    }
    fn connect(
        &self,
        local: Option<IpAddr>,
        remote: SocketAddr,
    ) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        self.reached.streams.lock().unwrap().push(remote);
        self.host.connect(local, remote)
    }
    fn source_for(&self, remote: SocketAddr) -> io::Result<IpAddr> {
        self.host.source_for(remote)
    }
}

struct WatchedSocket {
    socket: Box<dyn Datagrams>,
    reached: Arc<Reached>,
}

impl fmt::Debug for WatchedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

impl Datagrams for WatchedSocket {
    fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.socket.poll_recv(cx, buffer)
    }
    fn try_send(&self, bytes: &[u8], remote: SocketAddr) -> io::Result<()> {
        self.reached.datagrams.lock().unwrap().insert(remote.ip());
        self.socket.try_send(bytes, remote)
    }
    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_send_ready(cx)
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl Resolve for Reached {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveErrorKind>> {
        self.names.lock().unwrap().push(name.to_owned());
        Box::pin(std::future::ready(Err(ResolveErrorKind::NoAddress)))
    }
}

/// Everything that the platform sends names things to fetch, by address and by name.
fn luring(lures: Arc<AtomicUsize>) -> Platform {
    platform().edits(move |text, _| {
        lures.fetch_add(1, Relaxed);
        text.set(
            "Alert-Info",
            "<http://192.0.2.80/ring.wav>, <http://bells.example.org/1.wav>;info=alert-external",
        );
        text.set(
            "Call-Info",
            "<http://192.0.2.80:8080/photo.jpg>;purpose=icon, <https://cards.example.org/x>;purpose=card",
        );
        text.set("Error-Info", "<http://192.0.2.80/sorry.wav>, <sip:+19005550000@192.0.2.80>");
        text.set("Reply-To", "<sip:+19005550000@192.0.2.80>");
    })
}

#[tokio::test(start_paused = true)]
async fn what_a_message_names_to_be_fetched_is_not_fetched_by_any_question() {
    let platform = PLATFORM.parse::<SocketAddr>().unwrap().ip();
    for (what, question, _) in questions() {
        let reached = Arc::new(Reached::default());
        let watched = |host| Watched { host, reached: Arc::clone(&reached) };
        let lures = Arc::new(AtomicUsize::new(0));
        let scene =
            luring(lures.clone()).start_through(|host| Arc::new(watched(host)), Some(reached.clone())).await;
        let outcome = question.ask(&scene).await;
        assert!(lures.load(Relaxed) > 0, "{what}: nothing lured\n{outcome}");
        let elsewhere: Vec<IpAddr> =
            reached.datagrams.lock().unwrap().iter().copied().filter(|ip| *ip != platform).collect();
        assert!(elsewhere.is_empty(), "{what}: datagrams went to {elsewhere:?}\n{outcome}");
        let (streams, names) = (reached.streams.lock().unwrap(), reached.names.lock().unwrap());
        assert!(streams.is_empty(), "{what}: connections to {streams:?}\n{outcome}");
        assert!(names.is_empty(), "{what}: {names:?} were looked up\n{outcome}");
        assert!(!scene.dialled("+19005550000"), "{what}\n{outcome}");
    }
}
