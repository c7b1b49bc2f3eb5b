//! A path that misbehaves: everything that goes through it arrives twice.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A UDP relay on 127.0.0.1 for one client, which doubles each datagram in both directions.
#[derive(Debug)]
pub(crate) struct Doubling {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Doubling {
    /// Starts one in front of `upstream`.
    pub(crate) fn start(upstream: SocketAddr) -> Doubling {
        let (front, back) = (socket(), socket());
        back.connect(upstream).unwrap();
        let address = front.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let client = Arc::new(std::sync::Mutex::new(None));
        let towards = {
            let (front, back) = (front.try_clone().unwrap(), back.try_clone().unwrap());
            let (client, stop) = (Arc::clone(&client), Arc::clone(&stop));
            thread::spawn(move || {
                pump(&front, &stop, |datagram, from| {
                    *client.lock().unwrap() = Some(from);
                    for _ in 0..2 {
                        let _ = back.send(datagram);
                    }
                });
            })
        };
        let back_again = {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                pump(&back, &stop, |datagram, _| {
                    if let Some(client) = *client.lock().unwrap() {
                        for _ in 0..2 {
                            let _ = front.send_to(datagram, client);
                        }
                    }
                });
            })
        };
        Doubling { address, stop, threads: vec![towards, back_again] }
    }

    /// Where the client has to send to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Doubling {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A socket on 127.0.0.1 that looks up now and then.
pub(super) fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    socket
}

fn pump(socket: &UdpSocket, stop: &AtomicBool, mut pass_on: impl FnMut(&[u8], SocketAddr)) {
    let mut buffer = vec![0; 65_535];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            pass_on(&buffer[..length], from);
        }
    }
}
