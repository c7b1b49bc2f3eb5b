//! Two layers and a network that loses, repeats and delays: whatever happens, sends are bounded, every
//! transaction ends, and nothing is left.
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a user of one of the two sides does at a moment.
#[derive(Debug, Clone)]
enum Act {
    Send {
        method: &'static str,
        reliable: bool,
        side: usize,
    },
    Cancel {
        which: usize,
    },
    Respond {
        which: usize,
        status: u16,
    },
    Abandon {
        which: usize,
    },
    ClientError {
        which: usize,
    },
    ServerError {
        which: usize,
    },
    /// Something that was sent at some time comes once more, to either side.
    Replay {
        which: usize,
        side: usize,
    },
    /// The same request on another way: with another branch.
    Merge {
        which: usize,
        side: usize,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let method = prop_oneof![Just("INVITE"), Just("OPTIONS"), Just("REGISTER"), Just("ACK")];
    let status = prop_oneof![Just(100_u16), Just(180), Just(200), Just(302), Just(408), Just(486), Just(603)];
    prop_oneof![
        4 => (method, any::<bool>(), 0..2_usize).prop_map(|(method, reliable, side)| Act::Send { method, reliable, side }),
        2 => any::<usize>().prop_map(|which| Act::Cancel { which }),
        6 => (any::<usize>(), status).prop_map(|(which, status)| Act::Respond { which, status }),
        1 => any::<usize>().prop_map(|which| Act::Abandon { which }),
        1 => any::<usize>().prop_map(|which| Act::ClientError { which }),
        1 => any::<usize>().prop_map(|which| Act::ServerError { which }),
        2 => (any::<usize>(), 0..2_usize).prop_map(|(which, side)| Act::Replay { which, side }),
        1 => (any::<usize>(), 0..2_usize).prop_map(|(which, side)| Act::Merge { which, side }),
    ]
}

/// What is known of one transaction, by its outputs alone.
#[derive(Debug, Default)]
struct Seen {
    /// The user was told of it; not of what the layer answers by itself.
    announced: bool,
    finals: u32,
    ends: u32,
    gone: bool,
}

struct World {
    start: Instant,
    now: u64,
    layers: [Layer; 2],
    clients: Vec<(usize, ClientId)>,
    servers: Vec<(usize, ServerId, Message)>,
    client_seen: HashMap<(usize, ClientId), Seen>,
    server_seen: HashMap<(usize, ServerId), Seen>,
    /// Packets on their way: by arrival and order, to which side.
    wire: BTreeMap<(u64, u64), (usize, Flow, Bytes)>,
    ever_sent: Vec<(Flow, Bytes)>,
    order: u64,
    sends: u64,
    inputs: u64,
    sent_by_input: u64,
    chance: Ids,
    loss_percent: u64,
    calls: u32,
}

impl World {
    fn new(seed: [u8; 32], loss_percent: u64, max_transactions: usize) -> World {
        let mut chance = Ids::from_seed(seed);
        let config = Config { max_transactions, ..Config::default() };
        World {
            start: Instant::now(),
            now: 0,
            layers: [Layer::new(config.clone(), chance.fork()), Layer::new(config, chance.fork())],
            clients: Vec::new(),
            servers: Vec::new(),
            client_seen: HashMap::new(),
            server_seen: HashMap::new(),
            wire: BTreeMap::new(),
            ever_sent: Vec::new(),
            order: 0,
            sends: 0,
            inputs: 0,
            sent_by_input: 0,
            chance,
            loss_percent,
            calls: 0,
        }
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    fn put_on_wire(&mut self, to: usize, flow: Flow, bytes: Bytes) {
        // Seen from the other side.
        let flow = Flow { transport: flow.transport, local: flow.remote, remote: flow.local };
        let reliable = flow.transport.is_reliable();
        let copies = match self.chance.below(100) {
            _ if reliable => 1,
            n if n < self.loss_percent => 0,
            n if n >= 95 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let delay = if reliable { 5 } else { 1 + self.chance.below(2_000) };
            self.order += 1;
            self.wire.insert((self.now + delay, self.order), (to, flow, bytes.clone()));
        }
    }

    fn drain(&mut self, side: usize) {
        while let Some(output) = self.layers[side].poll_output() {
            match output {
                Output::Transmit { owner, flow, bytes, .. } => {
                    self.sends += 1;
                    match owner {
                        Owner::Client(id) => {
                            let seen = self.client_seen.entry((side, id)).or_default();
                            assert!(!seen.gone, "sent after its end");
                        }
                        Owner::Server(id) => {
                            let seen = self.server_seen.entry((side, id)).or_default();
                            assert!(!seen.gone, "sent after its end");
                        }
                        Owner::None => {}
                    }
                    self.ever_sent.push((flow, bytes.clone()));
                    self.put_on_wire(1 - side, flow, bytes);
                }
                Output::Response { id, message, .. } => {
                    let seen = self.client_seen.entry((side, id)).or_default();
                    let status = message.status().unwrap();
                    assert!(!seen.gone && seen.ends == 0, "a response after the end");
                    if status >= 200 {
                        seen.finals += 1;
                        assert!(seen.finals == 1 || status < 300, "a second final response");
                    } else {
                        assert_eq!(seen.finals, 0, "a provisional response after a final one");
                    }
                }
                Output::Timeout { id } | Output::ClientTransportFailed { id } => {
                    let seen = self.client_seen.entry((side, id)).or_default();
                    seen.ends += 1;
                    assert!(!seen.gone && seen.ends == 1, "ended twice");
                }
                Output::ClientTerminated(id) => {
                    let seen = self.client_seen.entry((side, id)).or_default();
                    assert!(!seen.gone, "gone twice");
                    seen.gone = true;
                }
                Output::Request { id, message, .. } => {
                    let seen = Seen { announced: true, ..Seen::default() };
                    assert!(self.server_seen.insert((side, id), seen).is_none(), "opened twice");
                    self.servers.push((side, id, message));
                }
                Output::Cancelled { invite, .. } | Output::ServerFailed { id: invite } => {
                    assert!(!self.server_seen[&(side, invite)].gone, "spoke after its end");
                }
                Output::ServerTerminated(id) => {
                    let seen = self.server_seen.get_mut(&(side, id)).unwrap();
                    assert!(seen.announced && !seen.gone, "gone twice, or unknown");
                    seen.gone = true;
                }
                Output::Ack { .. } | Output::Stray { .. } | Output::Refused { .. } => {}
            }
        }
    }

    fn input(&mut self, side: usize, input: Input) {
        let before = self.sends;
        self.inputs += 1;
        let now = self.instant();
        self.layers[side].handle_input(now, input);
        self.drain(side);
        // A packet causes at most two: an answer or ACK, and a CANCEL that waited.
        assert!(self.sends - before <= 2, "one packet made {} sends", self.sends - before);
        self.sent_by_input += self.sends - before;
    }

    fn deliver(&mut self, side: usize, flow: Flow, bytes: Bytes) {
        let message = Message::parse(bytes, &Limits::default()).unwrap();
        let message = if message.is_request() { message.with_received_from(flow.remote) } else { message };
        self.input(side, Input::Received { message, flow });
    }

    /// Lets everything happen up to `until`, in order of time.
    fn run(&mut self, until: u64) {
        loop {
            let timeout = |layer: &Layer| Some((layer.poll_timeout()? - self.start).as_millis() as u64);
            let timers = [timeout(&self.layers[0]), timeout(&self.layers[1])];
            let timer = timers.iter().flatten().min().copied();
            let packet = self.wire.keys().next().copied();
            let next = [timer, packet.map(|(at, _)| at)].into_iter().flatten().min();
            let Some(next) = next.filter(|&next| next <= until) else { break };
            self.now = self.now.max(next);
            if let Some(key) = packet.filter(|&(at, _)| at <= self.now) {
                let (side, flow, bytes) = self.wire.remove(&key).unwrap();
                self.deliver(side, flow, bytes);
            } else {
                for side in 0..2 {
                    let now = self.instant();
                    self.layers[side].handle_timeout(now);
                    self.drain(side);
                }
            }
        }
        self.now = self.now.max(until);
    }

    fn act(&mut self, act: Act) {
        let pick = |which: usize, len: usize| if len == 0 { None } else { Some(which % len) };
        let now = self.instant();
        match act {
            Act::Send { method, reliable, side } => {
                self.calls += 1;
                let text = String::from_utf8(outgoing(method).as_bytes().to_vec()).unwrap();
                let request = parse(text.replace("call-1", &format!("call-{}", self.calls)));
                let mut flow = flow(if reliable { TCP } else { UDP });
                if side == 1 {
                    (flow.local, flow.remote) = (flow.remote, flow.local);
                }
                if let Ok(id) = self.layers[side].send(now, &request, flow) {
                    self.clients.push((side, id));
                    self.client_seen.entry((side, id)).or_default();
                }
                self.drain(side);
            }
            Act::Cancel { which } => {
                let Some(index) = pick(which, self.clients.len()) else { return };
                let (side, id) = self.clients[index];
                if let Ok(id) = self.layers[side].cancel(now, id, None) {
                    self.clients.push((side, id));
                    self.client_seen.entry((side, id)).or_default();
                }
                self.drain(side);
            }
            Act::Respond { which, status } => {
                let Some(index) = pick(which, self.servers.len()) else { return };
                let (side, id, request) = self.servers[index].clone();
                let response = Builder::response(&request, status, "Whatever", Some("b1")).build().unwrap();
                let before = self.sends;
                let answered = self.layers[side].respond(now, id, response);
                self.drain(side);
                assert_eq!(self.sends - before, u64::from(answered.is_ok()));
            }
            Act::Abandon { which } => {
                let Some(index) = pick(which, self.servers.len()) else { return };
                let (side, id, _) = self.servers[index].clone();
                self.layers[side].abandon(now, id);
                self.drain(side);
            }
            Act::ClientError { which } => {
                let Some(index) = pick(which, self.clients.len()) else { return };
                let (side, id) = self.clients[index];
                self.input(side, Input::ClientTransportError(id));
            }
            Act::ServerError { which } => {
                let Some(index) = pick(which, self.servers.len()) else { return };
                let (side, id, _) = self.servers[index].clone();
                self.input(side, Input::ServerTransportError(id));
            }
            Act::Replay { which, side } => {
                let Some(index) = pick(which, self.ever_sent.len()) else { return };
                let (flow, bytes) = self.ever_sent[index].clone();
                self.put_on_wire(side, flow, bytes);
            }
            Act::Merge { which, side } => {
                let Some(index) = pick(which, self.ever_sent.len()) else { return };
                let (flow, bytes) = self.ever_sent[index].clone();
                let text = String::from_utf8(bytes.to_vec()).unwrap();
                let branch = self.chance.branch();
                self.put_on_wire(
                    side,
                    flow,
                    text.replacen("branch=z9hG4bK", &format!("branch={branch}"), 1).into(),
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        rng_seed: proptest::test_runner::RngSeed::Fixed(3261),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_sends_are_bounded_and_every_transaction_ends(
        seed in any::<[u8; 32]>(),
        loss_percent in prop_oneof![Just(0_u64), Just(10), Just(50), Just(95)],
        max_transactions in prop_oneof![4 => Just(1_000_000_usize), 1 => Just(5)],
        acts in proptest::collection::vec((act(), 0_u64..6_000), 1..60),
    ) {
        let mut world = World::new(seed, loss_percent, max_transactions);
        for (act, pause) in acts {
            world.act(act);
            world.run(world.now + pause);
            prop_assert!(world.layers.iter().all(|layer| layer.len() <= max_transactions));
        }
        // An hour in Proceeding is the longest that anything can last; 64*T1 may follow, and what crosses the
        // wire then.
        world.run(world.now + 3_600_000 + 200_000);
        prop_assert!(world.wire.is_empty());
        for layer in &world.layers {
            layer.assert_nothing_left();
            prop_assert_eq!(layer.poll_timeout(), None);
        }
        prop_assert!(world.client_seen.values().all(|seen| seen.gone));
        let known: HashSet<_> = world.servers.iter().map(|(side, id, _)| (*side, *id)).collect();
        prop_assert!(known.iter().all(|key| world.server_seen[key].gone));
        // By itself, a transaction sends at most 12 times: its message, and timer E or G until 64*T1.
        let transactions = (world.client_seen.len() + world.server_seen.len()) as u64;
        let by_itself = world.sends - world.sent_by_input;
        prop_assert!(by_itself <= transactions * 12 + world.servers.len() as u64 + 60, "{by_itself} sends of {transactions}");
    }
}
