//! A peer that sends whatever it likes: no panic, nothing without end.
use super::*;
use crate::ua::transfer::MAX_REFERRALS;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Act {
    Ask(&'static str, u32, Vec<&'static str>, &'static str),
    Reply(usize, u16, &'static str, Vec<&'static str>, &'static str),
    Do(Command),
    Wait(u64),
}

const HEADERS: [&str; 30] = [
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
    "Refer-To: <sip:c@127.0.0.1:1>",
    "Refer-To: <sip:c@127.0.0.1:1?Replaces=1%3Bto-tag%3Da%3Bfrom-tag%3Db>",
    "Refer-Sub: false",
    "Event: refer",
    "Event: refer;id=2",
    "Event: refer;id=4294967296",
    "Subscription-State: active;expires=4294967295",
    "Subscription-State: active;expires=0",
    "Subscription-State: terminated;reason=noresource",
    "Replaces: 1;to-tag=a;from-tag=b",
    "P-Asserted-Identity: <sip:c@127.0.0.1>",
    "P-Asserted-Identity: nonsense <",
];
const BODIES: [&str; 8] = [
    "",
    "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 7000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\n",
    "v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 7000 RTP/AVP 0\r\na=inactive\r\n",
    "v=0\r\nm=audio 0 RTP/AVP 0\r\n",
    "v=0\r\nm=audio 7000 RTP/SAVP 0\r\n",
    "nonsense",
    "SIP/2.0 200 OK\r\n",
    "SIP/2.0 99999",
];

fn act() -> impl Strategy<Value = Act> {
    let headers = || prop::collection::vec(prop::sample::select(&HEADERS[..]), 0..4);
    let body = || prop::sample::select(&BODIES[..]);
    let methods = vec!["INVITE", "ACK", "BYE", "PRACK", "UPDATE", "INFO", "OPTIONS", "REFER", "NOTIFY"];
    let statuses: Vec<u16> =
        vec![100, 180, 183, 199, 200, 299, 302, 401, 407, 408, 422, 481, 487, 491, 500, 501, 603];
    let tags = prop::sample::select(&["", "b", "b1", "b2", "b3"][..]);
    let commands = vec![
        Command::Ring { status: 180, media: true },
        Command::Answer,
        Command::Hold(Hold::ZeroAddress),
        Command::Resume,
        Command::Info { token: 1, content_type: "application/dtmf".into(), body: vec![b'1'] },
        Command::Refer(Box::new(crate::ua::transfer::Refer::new(
            1,
            crate::ua::transfer::Target::new("sip:c@h"),
        ))),
        Command::Refer(Box::new(crate::ua::transfer::Refer::new(
            2,
            crate::ua::transfer::Target::new("no uri\r\n"),
        ))),
        Command::AcceptRefer { referral: 1 },
        Command::RefuseRefer { referral: 2, status: 603 },
        Command::Notify { referral: 1, status: 180, phrase: None },
        Command::Notify { referral: 1, status: 200, phrase: Some("a\r\nb".to_owned()) },
        Command::GiveWay { by: "x".to_owned() },
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
        world.sides[0].config.refers = Refers::Asked;
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
            prop_assert!(call.pending.len() <= MAX_WAITING + MAX_FORKS + MAX_REFERRALS + 2);
            prop_assert!(call.referrals.issued.len() <= MAX_REFERRALS && call.referrals.received.len() <= MAX_REFERRALS);
        }
        // Nobody answers any more, and we hang up: a CANCEL or BYE that times out ends it.
        world.command(0, HANG_UP).run(4_000_000);
        prop_assert!(world.sides[0].finished, "{:?} {:#?}", world.sides[0].events, world.ladder);
        prop_assert!(world.sides[0].layer.is_empty());
    }
}
