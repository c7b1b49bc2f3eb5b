//! A link that loses, reorders and doubles datagrams, as its seed has it.

use super::relay::socket;
use ringback::message::Ids;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

/// What happens to datagrams, in thousandths.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// So many are lost.
    pub(crate) lost: u64,
    /// So many come after the one to three that follow them.
    pub(crate) reordered: u64,
    /// So many come twice.
    pub(crate) doubled: u64,
}

/// What happened.
#[derive(Debug, Default)]
struct Counts {
    seen: AtomicU64,
    lost: AtomicU64,
    reordered: AtomicU64,
    doubled: AtomicU64,
}

/// One direction of such a link, on 127.0.0.1.
#[derive(Debug)]
pub(crate) struct Link {
    port: u16,
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// A link to this port.
    pub(crate) fn to(port: u16, faults: Faults, seed: u8) -> Link {
        let entry = socket();
        let exit = entry.try_clone().unwrap();
        Link::start(entry, exit, SocketAddr::from((Ipv4Addr::LOCALHOST, port)), faults, seed)
    }

    /// Both directions between two: the first sends to the first link and gets from it what comes over the second, and so the other.
    pub(crate) fn between(first: SocketAddr, second: SocketAddr, faults: Faults, seed: u8) -> [Link; 2] {
        let (front, back) = (socket(), socket());
        let [front_too, back_too] = [&front, &back].map(|socket| socket.try_clone().unwrap());
        [
            Link::start(front, back, second, faults, seed),
            Link::start(back_too, front_too, first, faults, seed ^ 0x80),
        ]
    }

    fn start(entry: UdpSocket, exit: UdpSocket, target: SocketAddr, faults: Faults, seed: u8) -> Link {
        let port = entry.local_addr().unwrap().port();
        let (counts, stop) = (Arc::new(Counts::default()), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (counts, stop) = (Arc::clone(&counts), Arc::clone(&stop));
            thread::spawn(move || run(&entry, &exit, target, faults, seed, &counts, &stop))
        };
        Link { port, counts, stop, thread: Some(thread) }
    }

    /// Where to send what shall go over it.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many datagrams came, were lost, were reordered and were doubled.
    pub(crate) fn counts(&self) -> [u64; 4] {
        let Counts { seen, lost, reordered, doubled } = &*self.counts;
        [seen, lost, reordered, doubled].map(|count| count.load(Ordering::Relaxed))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    entry: &UdpSocket,
    exit: &UdpSocket,
    target: SocketAddr,
    faults: Faults,
    seed: u8,
    counts: &Counts,
    stop: &AtomicBool,
) {
    let mut chance = Ids::from_seed([seed; 32]);
    let mut buffer = [0; 2_048];
    // What was kept back, and how many others have to go first.
    let mut kept: Vec<(u64, Vec<u8>)> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, _)) = entry.recv_from(&mut buffer) else { continue };
        let datagram = &buffer[..length];
        counts.seen.fetch_add(1, Ordering::Relaxed);
        let mut happens = |thousandths| chance.below(1_000) < thousandths;
        let (lost, reordered, doubled) =
            (happens(faults.lost), happens(faults.reordered), happens(faults.doubled));
        if lost {
            counts.lost.fetch_add(1, Ordering::Relaxed);
        } else if reordered {
            counts.reordered.fetch_add(1, Ordering::Relaxed);
            kept.push((1 + chance.below(3), datagram.to_vec()));
            continue;
        } else {
            counts.doubled.fetch_add(doubled.into(), Ordering::Relaxed);
            for _ in 0..=u8::from(doubled) {
                let _ = exit.send_to(datagram, target);
            }
        }
        kept.retain_mut(|(others, late)| {
            *others -= 1;
            if *others == 0 {
                let _ = exit.send_to(late, target);
            }
            *others > 0
        });
    }
}
