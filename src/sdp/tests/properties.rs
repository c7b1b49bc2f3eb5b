//! Whatever comes: no panic, and both sides see the same.
use super::*;
use proptest::prelude::*;

fn side() -> impl Strategy<Value = Local> {
    let codecs = prop_oneof![
        Just(vec![Codec::Pcma]),
        Just(vec![Codec::Pcmu]),
        Just(vec![Codec::Pcma, Codec::Pcmu]),
        Just(vec![Codec::Pcmu, Codec::Pcma]),
    ];
    let event = prop::option::of(96..=127_u8);
    (codecs, event, 1..=10_u32, 1024..60_000_u16, 1024..60_000_u16).prop_map(
        |(codecs, telephone_event, ptime, rtp, rtcp_port)| Local {
            rtcp_port,
            codecs,
            telephone_event,
            ptime_millis: ptime * 10,
            ..Local::new(([192, 0, 2, 1], rtp).into())
        },
    )
}

fn wish() -> impl Strategy<Value = Direction> {
    (any::<bool>(), any::<bool>()).prop_map(|(sends, receives)| Direction::new(sends, receives))
}

/// A line that might stand in a description.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[vosctmiabkrz]=[ -~]{0,40}",
        "m=(audio|video) [0-9]{1,6}(/[0-9])? (RTP/AVP|RTP/SAVP|x) [0-9 ]{0,12}",
        "c=IN IP[46] [0-9a-f.:/]{0,20}",
        "a=(rtpmap|fmtp):[0-9]{1,3} (PCMU|PCMA|telephone-event|[0-9,-]{1,12})(/8000)?",
        "a=(ptime|maxptime|rtcp):[0-9]{1,12}",
        "a=(sendonly|recvonly|inactive|sendrecv|rtcp-mux)",
        "\\PC{0,20}",
    ]
}

proptest! {
    #[test]
    fn our_offer_answered_by_our_answerer_gives_equal_plans(
        mut steps in prop::collection::vec((any::<bool>(), wish(), wish()), 1..6), a in side(), b in side(),
    ) {
        let common = a.codecs.iter().any(|codec| b.codecs.contains(codec));
        let (mut a, mut b) = (Negotiation::new(a, 1), Negotiation::new(b, 2));
        for (turned, a_wish, b_wish) in steps.drain(..) {
            a.set_direction(a_wish);
            b.set_direction(b_wish);
            let (from, to) = if turned { (&mut b, &mut a) } else { (&mut a, &mut b) };
            let offer = from.offer();
            match to.answer(offer.as_bytes()) {
                Err(error) => prop_assert!(!common && matches!(error, SdpError::NoCommonCodec(_))),
                Ok((answer, theirs)) => {
                    prop_assert!(common);
                    let ours = from.accept(answer.as_bytes()).unwrap();
                    prop_assert_eq!(ours.mirrored(), theirs);
                    prop_assert_eq!(ours.direction, from.direction().and(to.direction().reversed()));
                }
            }
        }
    }

    #[test]
    fn no_description_makes_a_negotiation_panic(
        lines in prop::collection::vec(line(), 0..24), cut in 0..800_usize, noise in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut bytes = format!("v=0\n{}", lines.join("\r\n")).into_bytes();
        for bytes in [bytes.clone(), noise.clone(), { bytes.truncate(cut); bytes.extend(noise); bytes }] {
            let mut negotiation = Negotiation::new(Local::new(([192, 0, 2, 1], 4000).into()), 1);
            if let Ok((answer, plan)) = negotiation.answer(&bytes) {
                // What we answer can be read by us.
                let again = Description::parse(answer.as_bytes()).unwrap();
                prop_assert_eq!(again.other_lines(), ["t=0 0"]);
                prop_assert!(plan.ptime.as_millis() >= 10 && plan.ptime.as_millis() <= 100);
            }
            negotiation.offer();
            let _ = negotiation.accept(&bytes);
        }
    }
}
