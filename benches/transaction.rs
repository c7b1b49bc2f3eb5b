//! Does the cost of a response, of a timer and of a request stay flat from 1,000 to 1,000,000 live client transactions, and what memory
//! does one take?
//!
//! Virtual time; the transactions that are hit are chosen at random among all, so that they are as cold as they would be.
#![allow(clippy::unwrap_used, missing_docs)]

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringback::message::{Builder, Flow, Ids, Message, Transport};
use ringback::syntax::{HeaderName, Limits, Method};
use ringback::transaction::{ClientId, Config, Input, Layer, Output, Owner};
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::{Duration, Instant};

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// CPU time of this thread, so that what else runs on the machine does not count.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Which transactions are hit.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// In the order in which they were sent: what a steady load does. Memory is read forwards.
    Sent,
    /// Without any order: the worst that can be. Each is found in memory where no cache has it.
    Random,
}

struct Load {
    layer: Layer,
    now: Instant,
    request: Message,
    flow: Flow,
    /// The branch of each live transaction; of no use once they end by themselves.
    branches: Vec<String>,
    /// The first transactions.
    ids: Vec<ClientId>,
    chance: Ids,
    /// Where [`Order::Sent`] has come to.
    oldest: usize,
}

fn request() -> Message {
    Builder::request(Method::Register, "sip:pbx.example.com")
        .header(HeaderName::MaxForwards, "70")
        .header(HeaderName::From, "<sip:alice@pbx.example.com>;tag=a73kszlfl")
        .header(HeaderName::To, "<sip:alice@pbx.example.com>")
        .header(HeaderName::CallId, "1j9FpLxk3uxtm8tn@192.0.2.1")
        .header(HeaderName::CSeq, "2 REGISTER")
        .header(HeaderName::Contact, "<sip:alice@192.0.2.1:5070>;expires=300")
        .header(HeaderName::UserAgent, "ringback")
        .build()
        .unwrap()
}

fn branch_of(bytes: &Bytes) -> String {
    let message = Message::parse(bytes.clone(), &Limits::default()).unwrap();
    let branch = message.top_via().unwrap().branch().unwrap().to_vec();
    String::from_utf8(branch).unwrap()
}

impl Load {
    /// `live` transactions whose ages are spread over `spread`.
    fn new(live: usize, transport: Transport, spread: Duration) -> Load {
        let mut config = Config::default();
        config.max_transactions = 2_000_000;
        let flow = Flow {
            transport,
            local: "192.0.2.1:5070".parse().unwrap(),
            remote: "192.0.2.2:5060".parse().unwrap(),
        };
        let mut load = Load {
            layer: Layer::new(config, Ids::from_seed([1; 32])),
            now: Instant::now(),
            request: request(),
            flow,
            branches: Vec::new(),
            ids: Vec::new(),
            chance: Ids::from_seed([2; 32]),
            oldest: 0,
        };
        for _ in 0..live {
            let id = load.open();
            load.ids.push(id);
            load.now += spread / live as u32;
            load.catch_up();
        }
        load
    }

    /// Lets all timers fire that are due.
    fn catch_up(&mut self) {
        if self.layer.poll_timeout().is_some_and(|at| at <= self.now) {
            self.layer.handle_timeout(self.now);
            while self.layer.poll_output().is_some() {}
        }
    }

    fn send(&mut self) -> String {
        self.open();
        self.branches.pop().unwrap()
    }

    /// Opens a transaction and keeps its branch.
    fn open(&mut self) -> ClientId {
        let id = self.layer.send(self.now, &self.request, self.flow).unwrap();
        while let Some(output) = self.layer.poll_output() {
            if let Output::Transmit { bytes, owner, .. } = output
                && owner == Owner::Client(id)
            {
                self.branches.push(branch_of(&bytes));
            }
        }
        id
    }

    /// The final responses of `count` transactions: the oldest, or any.
    fn responses(&mut self, count: usize, order: Order) -> Vec<(usize, Bytes)> {
        let live = self.branches.len();
        let mut chosen = Vec::new();
        while chosen.len() < count.min(live) {
            let index = match order {
                Order::Sent => self.oldest % live,
                Order::Random => self.chance.below(live as u64) as usize,
            };
            self.oldest += 1;
            if !chosen.contains(&index) {
                chosen.push(index);
            }
        }
        let response = |branch: &str| {
            let text = format!(
                "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5070;branch={branch};rport=5070;received=192.0.2.1\r\n\
                 From: <sip:alice@pbx.example.com>;tag=a73kszlfl\r\nTo: <sip:alice@pbx.example.com>;tag=x1\r\n\
                 Call-ID: 1j9FpLxk3uxtm8tn@192.0.2.1\r\nCSeq: 2 REGISTER\r\n\
                 Contact: <sip:alice@192.0.2.1:5070>;expires=300\r\nContent-Length: 0\r\n\r\n"
            );
            Bytes::from(text)
        };
        chosen.into_iter().map(|index| (index, response(&self.branches[index]))).collect()
    }

    /// Opens transactions until `live` are there.
    fn fill(&mut self, live: usize) {
        while self.layer.len() < live {
            self.send();
        }
    }

    /// Ends all transactions in an order that has nothing to do with their age, each replaced by a new one, over 31 s: from then on
    /// neighbours in memory are of any age.
    fn mix(&mut self) {
        let live = self.layer.len();
        let mut ids: Vec<ClientId> = std::mem::take(&mut self.ids);
        for at in (1..live).rev() {
            ids.swap(at, self.chance.below(at as u64 + 1) as usize);
        }
        for id in ids {
            self.layer.handle_input(self.now, Input::ClientTransportError(id));
            self.now += Duration::from_secs(31) / live as u32;
            self.catch_up();
            self.fill(live);
        }
    }

    /// Answers all transactions once, in an order that has nothing to do with their age.
    fn churn(&mut self) {
        for _ in 0..self.branches.len().div_ceil(256) {
            for (index, bytes) in self.responses(256, Order::Random) {
                let message = Message::parse(bytes, &Limits::default()).unwrap();
                self.layer.handle_input(self.now, Input::Received { message, flow: self.flow });
                self.branches[index] = self.send();
            }
        }
    }
}

/// A final response over a reliable transport: from its bytes to the outputs that hand it up and say that its transaction is gone.
fn response(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("received response");
    group.sample_size(20).throughput(Throughput::Elements(1));
    let limits = Limits::default();
    for (order, live) in [Order::Sent, Order::Random].into_iter().flat_map(|order| SIZES.map(|n| (order, n)))
    {
        let mut load = Load::new(live, Transport::Tcp, Duration::from_secs(4));
        if let Order::Random = order {
            load.churn();
        }
        group.bench_function(BenchmarkId::new(format!("{order:?}"), live), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut spent = Duration::ZERO;
                let mut done = 0;
                while done < iterations {
                    let batch = load.responses((iterations - done).min(256) as usize, order);
                    let indices: Vec<usize> = batch.iter().map(|(index, _)| *index).collect();
                    done += indices.len() as u64;
                    let begin = cpu();
                    for (_, bytes) in batch {
                        let message = Message::parse(bytes, &limits).unwrap();
                        load.layer.handle_input(load.now, Input::Received { message, flow: load.flow });
                        while let Some(output) = load.layer.poll_output() {
                            black_box(output);
                        }
                    }
                    spent += cpu() - begin;
                    for index in indices {
                        load.branches[index] = load.send();
                    }
                }
                spent
            });
        });
        assert_eq!(load.layer.len(), live);
    }
    group.finish();
}

/// One timer: timer E of a transaction over UDP that waits for its answer, with the retransmission that it causes; one of eleven
/// is timer F. The deadline is asked for, waited for and handled as an endpoint does it.
fn timer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("timer");
    group.sample_size(20).throughput(Throughput::Elements(1));
    for (order, live) in [Order::Sent, Order::Random].into_iter().flat_map(|order| SIZES.map(|n| (order, n)))
    {
        let mut load = Load::new(live, Transport::Udp, Duration::from_secs(31));
        if let Order::Random = order {
            load.mix();
        }
        let tick = |load: &mut Load| {
            load.now = load.layer.poll_timeout().unwrap();
            load.layer.handle_timeout(load.now);
            let mut fired = 0;
            while let Some(output) = load.layer.poll_output() {
                fired +=
                    u64::from(matches!(black_box(output), Output::Transmit { .. } | Output::Timeout { .. }));
            }
            fired
        };
        group.bench_function(BenchmarkId::new(format!("{order:?}"), live), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut spent = Duration::ZERO;
                let mut done = 0;
                while done < iterations {
                    let mut fired = 0;
                    let begin = cpu();
                    while fired < 500 {
                        fired += tick(&mut load);
                    }
                    spent += cpu() - begin;
                    done += fired;
                    load.fill(live);
                }
                // More may have fired than was asked for.
                spent.mul_f64(iterations as f64 / done as f64)
            });
        });
        assert_eq!(load.layer.len(), live);
    }
    group.finish();
}

/// Memory of a client transaction beside its request, in bytes: everything that the layer holds, divided by the transactions.
fn memory(_: &mut Criterion) {
    println!("memory of a live client transaction, beside the bytes of its request:");
    for live in SIZES {
        let mut layer = None;
        let mut requests = 0;
        let info = allocation_counter::measure(|| {
            let mut config = Config::default();
            config.max_transactions = 2_000_000;
            let mut building = Layer::new(config, Ids::from_seed([1; 32]));
            let flow = Flow {
                transport: Transport::Udp,
                local: "192.0.2.1:5070".parse().unwrap(),
                remote: "192.0.2.2:5060".parse().unwrap(),
            };
            let (request, now) = (request(), Instant::now());
            for _ in 0..live {
                building.send(now, &request, flow).unwrap();
                while let Some(output) = building.poll_output() {
                    if let Output::Transmit { bytes, .. } = output {
                        requests += bytes.len();
                    }
                }
            }
            layer = Some(building);
        });
        let beside = info.bytes_current - requests as i64;
        println!(
            "  {live:>9} live: {:>5} bytes each (and {} of request)",
            beside / live as i64,
            requests / live
        );
        assert_eq!(layer.map(|layer| layer.len()), Some(live));
    }
}

criterion_group!(benches, memory, response, timer);
criterion_main!(benches);
