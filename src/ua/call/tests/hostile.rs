//! A peer that sends whatever it likes: no panic, nothing without end.
use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Act {
    Ask(&'static str, u32, Vec<&'static str>, &'static str),
    Reply(usize, u16, &'static str, Vec<&'static str>, &'static str),
    Do(Command),
    Wait(u64),
}

const HEADERS: [&str; 18] = [
    "Require: 100rel",
    "Require: timer, x",
    "Supported: timer, 100rel",
    "RSeq: 1",
    "RSeq: 2",
    "RSeq: 4294967295",
    "RAck: 1 1 INVITE",
    "Session-Expires: 90;refresher=uac",
    "Session-Expires: 1;refresher=uas",
    "Session-Expires: 4294967295",
    "Min-SE: 100",
    "Min-SE: 4294967295",
    "Allow: UPDATE",
    "Contact: <sip:b@127.0.0.1:1?x=y>",
    "Contact: nonsense <",
    "Record-Route: <sip:p.example>, <sip:q.example;lr>",
    "Record-Route: <sip:p",
    "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", stale=true",
];
const BODIES: [&str; 6] = [
    "",
    "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 7000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\n",
    "v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 7000 RTP/AVP 0\r\na=inactive\r\n",
    "v=0\r\nm=audio 0 RTP/AVP 0\r\n",
    "v=0\r\nm=audio 7000 RTP/SAVP 0\r\n",
    "nonsense",
];

fn act() -> impl Strategy<Value = Act> {
    let headers = || prop::collection::vec(prop::sample::select(&HEADERS[..]), 0..4);
    let body = || prop::sample::select(&BODIES[..]);
    let methods = vec!["INVITE", "ACK", "BYE", "PRACK", "UPDATE", "INFO", "OPTIONS", "REFER"];
    let statuses: Vec<u16> =
        vec![100, 180, 183, 199, 200, 299, 302, 401, 407, 408, 422, 481, 487, 491, 500, 501, 603];
    let tags = prop::sample::select(&["", "b", "b1", "b2", "b3"][..]);
    let commands = vec![
        Command::Ring { status: 180, media: true },
        Command::Answer,
        Command::Hold(Hold::ZeroAddress),
        Command::Resume,
        Command::Info { token: 1, content_type: "application/dtmf".into(), body: vec![b'1'] },
        HANG_UP,
    ];
    prop_oneof![
        3 => (prop::sample::select(methods), 0..9_u32, headers(), body()).prop_map(|(m, n, h, b)| Act::Ask(m, n, h, b)),
        5 => (any::<usize>(), prop::sample::select(statuses), tags, headers(), body())
            .prop_map(|(which, status, tag, h, b)| Act::Reply(which, status, tag, h, b)),
        2 => prop::sample::select(commands).prop_map(Act::Do),
        1 => (0..40_000_u64).prop_map(Act::Wait),
    ]
}

proptest! {
    #[test]
    fn whatever_a_peer_sends_the_call_stays_bounded_and_comes_to_an_end(
        acts in prop::collection::vec(act(), 1..60), calls in any::<bool>(), credentials in any::<bool>(), update in any::<bool>(),
    ) {
        let mut world = World::scripted();
        world.sides[0].config.credentials = credentials.then(|| Credentials::new("alice", "secret"));
        world.sides[0].config.prefer_update = update;
        if calls {
            world.dial().run(5);
        } else {
            world.ask("INVITE", 1, &["Supported: 100rel"], ("application/sdp", BODIES[1]));
        }
        for act in acts {
            match act {
                Act::Ask(method, cseq, headers, body) => {
                    world.ask(method, cseq, &headers, ("application/sdp", body));
                }
                Act::Reply(which, status, tag, headers, body) => {
                    let requests: Vec<&Message> = world.inbox.iter().filter(|m| m.is_request()).collect();
                    if let Some(request) = requests.get(which % requests.len().max(1)).map(|m| (*m).clone()) {
                        world.reply(&request, status, tag, &headers, body);
                    }
                }
                Act::Do(command) => { world.command(0, command); }
                Act::Wait(millis) => { world.run(millis); }
            }
            let call = world.call(0);
            prop_assert!(call.legs.len() <= MAX_FORKS && call.outputs.is_empty());
            prop_assert!(call.pending.len() <= MAX_WAITING + MAX_FORKS + 2);
        }
        // Nobody answers any more, and we hang up: a CANCEL or BYE that times out ends it.
        world.command(0, HANG_UP).run(4_000_000);
        prop_assert!(world.sides[0].finished, "{:?} {:#?}", world.sides[0].events, world.ladder);
        prop_assert!(world.sides[0].layer.is_empty());
    }
}
