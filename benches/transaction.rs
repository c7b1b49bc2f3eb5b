//! Does the cost of a response and of a timer stay within twice, from 1,000 to 1,000,000 live client transactions? What memory does one
//! take, and how long is the longest pause?
//!
//! A response counts from its bytes until its user has dropped it; below stands the layer's share, without parsing and dropping.
//! Virtual time for the layer, CPU time for the figures. Each round measures every size once, so that what disturbs one size disturbs
//! all; medians over the rounds. Beside the figures stands what the machine itself asks for memory that no cache holds: one
//! read in a table of as many bytes as the layer and its requests take, each place known only from the read before, and one of many
//! reads whose places are known beforehand.
//!
//! `-- --quick`: up to 100,000 transactions, a few seconds. Ends with status 1 when a cost in the order of sending grows beyond twice.
#![allow(clippy::unwrap_used, missing_docs)]

use bytes::Bytes;
use ringback::message::{Builder, Flow, Ids, Message, Transport};
use ringback::syntax::{HeaderName, Limits, Method};
use ringback::transaction::{ClientId, Config, Input, Layer, Output, Owner};
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::{Duration, Instant};

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Operations of one measurement.
const BATCH: usize = 256;
/// What the cost may grow to, as a multiple of that at the smallest size.
const ALLOWED: f64 = 2.0;

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
        // So that answered transactions over UDP are soon gone.
        config.t4 = Duration::from_millis(1);
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

    /// Answers as many transactions as there are, in an order that has nothing to do with their age.
    fn churn(&mut self) {
        for _ in 0..self.branches.len().div_ceil(BATCH) {
            self.answer(Order::Random);
        }
    }

    /// Final responses from their bytes to the outputs that hand them up, and until their user has dropped them.
    fn answer(&mut self, order: Order) -> Answered {
        let limits = Limits::default();
        let batch = self.responses(BATCH, order);
        let indices: Vec<usize> = batch.iter().map(|(index, _)| *index).collect();
        let mut messages = Vec::with_capacity(batch.len());
        let mut outputs = Vec::with_capacity(2 * batch.len());
        let begin = cpu();
        for (_, bytes) in batch {
            messages.push(Message::parse(bytes, &limits).unwrap());
        }
        let parsed = cpu();
        for message in messages {
            self.layer.handle_input(self.now, Input::Received { message, flow: self.flow });
            while let Some(output) = self.layer.poll_output() {
                outputs.push(black_box(output));
            }
        }
        let handed_up = cpu();
        let answered = outputs.iter().filter(|output| matches!(output, Output::Response { .. })).count();
        assert_eq!(answered, BATCH, "each response belongs to a live transaction");
        let dropping = cpu();
        drop(outputs);
        let dropped = cpu();
        // Over UDP, timer K.
        self.now += Duration::from_millis(1);
        self.catch_up();
        for index in indices {
            self.branches[index] = self.send();
        }
        let each = |time: Duration| time.as_nanos() as f64 / BATCH as f64;
        Answered {
            parsing: each(parsed - begin),
            layer: each(handed_up - parsed),
            dropping: each(dropped - dropping),
        }
    }

    /// Timers, with the retransmission or the timeout that each causes; one of eleven is timer F. The deadline is asked for, waited
    /// for and handled as an endpoint does it. Gives how many fired and the time that they took.
    fn fire(&mut self, live: usize) -> (usize, Duration) {
        let mut fired = 0;
        let begin = cpu();
        while fired < 2 * BATCH {
            self.now = self.layer.poll_timeout().unwrap();
            self.layer.handle_timeout(self.now);
            while let Some(output) = self.layer.poll_output() {
                fired += usize::from(matches!(
                    black_box(output),
                    Output::Transmit { .. } | Output::Timeout { .. }
                ));
            }
        }
        let spent = cpu() - begin;
        self.fill(live);
        (fired, spent)
    }
}

/// What one response costs, in ns.
struct Answered {
    parsing: f64,
    layer: f64,
    /// Memory of the response is given back: its user does that.
    dropping: f64,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// A final response after which the transaction is gone.
    ResponseTcp,
    /// A final response after which timer K runs.
    ResponseUdp,
    Timer,
}

impl What {
    fn load(self, live: usize, order: Order) -> Load {
        let (transport, seconds) = match self {
            What::ResponseTcp => (Transport::Tcp, 4),
            What::ResponseUdp => (Transport::Udp, 4),
            What::Timer => (Transport::Udp, 31),
        };
        let mut load = Load::new(live, transport, Duration::from_secs(seconds));
        match (order, self) {
            (Order::Sent, _) => {}
            (Order::Random, What::Timer) => load.mix(),
            (Order::Random, _) => load.churn(),
        }
        load
    }

    fn name(self) -> &'static str {
        match self {
            What::ResponseTcp => "response, TCP",
            What::ResponseUdp => "response, UDP",
            What::Timer => "timer",
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Medians in ns: of the operation, and of the layer's share in it.
fn measure(what: What, order: Order, sizes: &[usize], rounds: usize) -> Vec<(f64, f64)> {
    let mut loads: Vec<Load> = sizes.iter().map(|&live| what.load(live, order)).collect();
    let mut figures = vec![(Vec::new(), Vec::new()); sizes.len()];
    for _ in 0..rounds {
        for (at, load) in loads.iter_mut().enumerate() {
            // The other sizes have had the caches: the first batch takes back what is the layer's own share of them.
            let once = |load: &mut Load| match what {
                What::Timer => {
                    let (fired, spent) = load.fire(sizes[at]);
                    let each = spent.as_nanos() as f64 / fired as f64;
                    (each, each)
                }
                _ => {
                    let Answered { parsing, layer, dropping } = load.answer(order);
                    (parsing + layer + dropping, layer)
                }
            };
            for _ in 0..4 {
                once(load);
            }
            let (total, layer) = once(load);
            figures[at].0.push(total);
            figures[at].1.push(layer);
        }
    }
    figures.into_iter().map(|(total, layer)| (median(total), median(layer))).collect()
}

/// Reads of memory that no cache holds, in ns for each: when each place is known only from the read before, and when not.
fn floor(live: usize, bytes_each: usize) -> (f64, f64) {
    let lines = (live * bytes_each / 64).next_power_of_two();
    let mut memory = vec![[0_u64; 8]; lines];
    // A walk over all lines without an order (Knuth's multiplier, odd increment: full period).
    let mut at = 1_u64;
    for _ in 0..lines {
        let next =
            at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) % lines as u64;
        memory[at as usize % lines][0] = next;
        at = next;
    }
    let (mut spent, mut together) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let reads = 20_000;
        let places: Vec<usize> = std::iter::successors(Some(at), |at| {
            Some(at.wrapping_mul(3_935_559_000_370_003_845).wrapping_add(2_691_343_689_449_507_681))
        })
        .map(|place| (place >> 20) as usize % lines)
        .take(reads)
        .collect();
        let begin = cpu();
        black_box(places.iter().fold(0, |sum, &place| sum ^ memory[place][0]));
        together.push((cpu() - begin).as_nanos() as f64 / reads as f64);
        let begin = cpu();
        for _ in 0..reads {
            at = memory[at as usize][0];
        }
        spent.push((cpu() - begin).as_nanos() as f64 / reads as f64);
        black_box(at);
    }
    (median(spent), median(together))
}

/// Memory of a client transaction beside its request, in bytes: everything that the layer holds, divided by the transactions.
fn memory(sizes: &[usize]) -> usize {
    let mut whole = 0;
    println!("memory of a live client transaction, beside the bytes of its request:");
    for &live in sizes {
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
        whole = info.bytes_current as usize / live;
    }
    whole
}

/// The longest that one call takes while the tables grow, and while time passes with all of them full.
fn pauses(live: usize) {
    let mut config = Config::default();
    config.max_transactions = 2_000_000;
    let mut layer = Layer::new(config, Ids::from_seed([1; 32]));
    let flow = Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5070".parse().unwrap(),
        remote: "192.0.2.2:5060".parse().unwrap(),
    };
    let (request, mut now) = (request(), Instant::now());
    let (mut send, mut timeout) = ((Duration::ZERO, 0), Duration::ZERO);
    for already in 0..live {
        now += Duration::from_secs(31) / live as u32;
        let begin = cpu();
        layer.send(now, &request, flow).unwrap();
        send = send.max((cpu() - begin, already));
        while layer.poll_output().is_some() {}
        if layer.poll_timeout().is_some_and(|at| at <= now) {
            let begin = cpu();
            layer.handle_timeout(now);
            timeout = timeout.max(cpu() - begin);
            while layer.poll_output().is_some() {}
        }
    }
    println!(
        "longest single call on the way from none to {live} live: send {:.1?} (with {} live), handle_timeout {timeout:.1?}",
        send.0, send.1
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    // Not as a benchmark, but run by `cargo test --benches`: only that it works.
    let (sizes, rounds) = match (has("--bench"), has("--quick")) {
        (false, _) => (&SIZES[..1], 1),
        (true, true) => (&SIZES[..3], 9),
        (true, false) => (&SIZES[..], 25),
    };
    let bytes_each = memory(sizes);
    pauses(*sizes.last().unwrap());
    let (floors, together): (Vec<f64>, Vec<f64>) = sizes.iter().map(|&live| floor(live, bytes_each)).unzip();
    println!("\nns of CPU time, median of {rounds} rounds (in brackets: the ratio to {} live)", sizes[0]);
    let row = |name: &str, figures: &[f64]| {
        let cells: Vec<String> =
            figures.iter().map(|figure| format!("{figure:>8.0} ({:4.2})", figure / figures[0])).collect();
        println!("{name:>32} {}", cells.join(" "));
    };
    let heads: Vec<String> = sizes.iter().map(|live| format!("{live:>15}")).collect();
    println!("{:>32} {}", "live:", heads.join(" "));
    row("one read after another", &floors);
    row("one of many reads", &together);
    let mut grown = false;
    let mut verdicts = Vec::new();
    for what in [What::ResponseTcp, What::ResponseUdp, What::Timer] {
        for order in [Order::Sent, Order::Random] {
            let figures = measure(what, order, sizes, rounds);
            let totals: Vec<f64> = figures.iter().map(|(total, _)| *total).collect();
            row(&format!("{}, {order:?}", what.name()), &totals);
            if what != What::Timer {
                let layer: Vec<f64> = figures.iter().map(|(_, layer)| *layer).collect();
                row("the layer's share", &layer);
            }
            let last = totals.len() - 1;
            let ratio = totals[last] / totals[0];
            let reads = (totals[last] - totals[0]) / floors[last];
            let holds = if ratio <= ALLOWED { "holds" } else { "DOES NOT HOLD" };
            verdicts.push(format!(
                "{:>32} x{ratio:.2}, limit {ALLOWED}: {holds}; it grows by what {reads:.1} reads after one another cost",
                format!("{}, {order:?}", what.name())
            ));
            grown |= ratio > ALLOWED && matches!(order, Order::Sent);
        }
    }
    println!("\nfrom {} to {} live:\n{}", sizes[0], sizes[sizes.len() - 1], verdicts.join("\n"));
    if grown && sizes.len() > 1 {
        std::process::exit(1);
    }
}
