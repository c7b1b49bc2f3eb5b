//! Descriptions of real peers, and two negotiations against each other.
#![allow(clippy::unwrap_used)]

mod peers;
mod properties;

use super::*;

fn local(rtp: &str) -> Local {
    Local::new(rtp.parse().unwrap())
}

fn alice() -> Negotiation {
    Negotiation::new(local("192.0.2.1:40000"), 1)
}

fn bob() -> Negotiation {
    Negotiation::new(local("192.0.2.2:50000"), 2)
}

/// One offer and its answer.
fn agree(from: &mut Negotiation, to: &mut Negotiation) -> (MediaPlan, MediaPlan) {
    let offer = from.offer();
    let (answer, theirs) = to.answer(offer.as_bytes()).unwrap();
    (from.accept(answer.as_bytes()).unwrap(), theirs)
}

fn version(text: &str) -> u64 {
    Description::parse(text.as_bytes()).unwrap().version()
}

#[test]
fn an_offer_is_written_as_the_rfc_says() {
    assert_eq!(
        alice().offer(),
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 0 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n\
         a=ptime:20\r\na=sendrecv\r\n"
    );
    let mut odd = Local { rtcp_port: 40_009, telephone_event: None, ..local("[2001:db8::1]:40000") };
    odd.codecs = vec![Codec::Pcmu];
    let offer = Negotiation::new(odd, 7).offer();
    assert!(offer.contains("c=IN IP6 2001:db8::1\r\n") && offer.contains("a=rtcp:40009\r\n"), "{offer}");
    assert!(offer.contains("RTP/AVP 0\r\n") && !offer.contains("event"), "{offer}");
}

#[test]
fn the_version_counts_up_only_when_something_changes() {
    let (mut alice, mut bob) = (alice(), bob());
    let first = alice.offer();
    assert_eq!(version(&first), 1);
    assert_eq!(alice.offer(), first);
    alice.set_direction(Direction::SendOnly);
    assert_eq!((version(&alice.offer()), version(&alice.offer())), (2, 2));
    let (answer, _) = bob.answer(alice.offer().as_bytes()).unwrap();
    assert_eq!((version(&answer), bob.answer(alice.offer().as_bytes()).unwrap().0), (1, answer));
}

#[test]
fn hold_and_resume_are_seen_from_both_sides() {
    let (mut alice, mut bob) = (alice(), bob());
    for (wish, seen) in [
        (Direction::SendRecv, Direction::SendRecv),
        (Direction::SendOnly, Direction::RecvOnly),
        (Direction::Inactive, Direction::Inactive),
    ] {
        alice.set_direction(wish);
        let (ours, theirs) = agree(&mut alice, &mut bob);
        assert_eq!((ours.direction, theirs.direction, &theirs), (wish, seen, &ours.mirrored()));
    }
    // Held from both sides: neither sends.
    alice.set_direction(Direction::SendOnly);
    bob.set_direction(Direction::SendOnly);
    assert_eq!(agree(&mut alice, &mut bob).1.direction, Direction::Inactive);
    alice.set_direction(Direction::SendRecv);
    bob.set_direction(Direction::SendRecv);
    assert_eq!(agree(&mut alice, &mut bob).0.direction, Direction::SendRecv);
}

#[test]
fn the_old_hold_stops_media_to_the_holder() {
    let (mut alice, mut bob) = (alice(), bob());
    agree(&mut alice, &mut bob);
    alice.set_zero_address();
    let offer = alice.offer();
    assert!(offer.contains("c=IN IP4 0.0.0.0\r\n"), "{offer}");
    let plan = bob.answer(offer.as_bytes()).unwrap().1;
    assert_eq!((plan.direction, plan.remote.ip().is_unspecified()), (Direction::RecvOnly, true));
    let old = offer.replace("a=sendonly\r\n", "").replace("IP4 0.0.0.0", "IP6 ::");
    assert_eq!(bob.answer(old.as_bytes()).unwrap().1.direction, Direction::RecvOnly);
    alice.set_direction(Direction::SendRecv);
    let (ours, theirs) = agree(&mut alice, &mut bob);
    assert_eq!((ours.direction, theirs), (Direction::SendRecv, ours.mirrored()));
}

#[test]
fn the_numbers_of_the_peer_are_taken_for_what_we_send() {
    let mut alice = alice();
    alice.offer();
    let answer = "v=0\no=- 5 5 IN IP4 192.0.2.9\nm=audio 7000 RTP/AVP 96 120\nc=IN IP4 192.0.2.9\n\
                  a=rtpmap:96 pcmu/8000/1\na=rtpmap:120 telephone-event/8000\na=fmtp:120 0-15\n";
    let plan = alice.accept(answer.as_bytes()).unwrap();
    assert_eq!((plan.codec, plan.send_payload_type, plan.receive_payload_type), (Codec::Pcmu, 96, 0));
    assert_eq!(plan.send_telephone_event, Some(TelephoneEvent { payload_type: 120, events: DIGITS }));
    let ours = plan.receive_telephone_event.unwrap();
    assert_eq!((ours.payload_type, ours.takes(16), ours.takes(17)), (101, true, false));
    // A later answer to the same offer counts.
    let moved = answer.replace("7000", "7002").replace("120", "121");
    let plan = alice.accept(moved.as_bytes()).unwrap();
    assert_eq!((plan.remote.port(), plan.send_telephone_event.unwrap().payload_type), (7002, 121));
    alice.withdraw();
    assert_eq!(alice.accept(moved.as_bytes()), Err(SdpError::NoOffer));
    assert_eq!(alice.plan(), Some(&plan));
}

#[test]
fn an_offer_after_an_answer_keeps_sections_and_numbers_where_they_are() {
    let offer = "v=0\r\no=- 5 5 IN IP4 192.0.2.9\r\nc=IN IP4 192.0.2.9\r\nm=image 0 udptl\r\nm=audio 7000 RTP/AVPF 9 0 96\r\n\
                 a=rtpmap:96 telephone-event/8000\r\na=sendonly\r\na=ptime:30\r\nm=video 7002 RTP/AVP 99\r\n";
    let mut bob = bob();
    let (answer, plan) = bob.answer(offer.as_bytes()).unwrap();
    let sections: Vec<&str> = answer.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(sections, ["m=image 0 udptl 0", "m=audio 50000 RTP/AVPF 0 96", "m=video 0 RTP/AVP 99"]);
    assert_eq!((plan.direction, plan.ptime.as_millis()), (Direction::RecvOnly, 30));
    let again = bob.offer();
    assert!(
        again.contains("m=audio 50000 RTP/AVPF 8 0 96\r\n") && again.ends_with("m=video 0 RTP/AVP 99\r\n")
    );
}

#[test]
fn what_was_sent_last_can_be_offered_again_without_a_change() {
    let (mut alice, mut bob) = (alice(), bob());
    let offer = alice.offer();
    let (answer, plan) = bob.answer(offer.as_bytes()).unwrap();
    alice.accept(answer.as_bytes()).unwrap();
    assert_eq!((alice.repeat(), bob.repeat()), (offer, answer));
    let (answer, _) = alice.answer(bob.repeat().as_bytes()).unwrap();
    assert_eq!(bob.accept(answer.as_bytes()), Ok(plan));
}

#[test]
fn why_an_answer_gives_no_plan_is_told_apart() {
    let answer = |media: &str, connection: &str| {
        let text =
            format!("v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN {connection}\r\nt=0 0\r\nm={media}\r\n");
        let mut alice = alice();
        alice.offer();
        alice.accept(text.as_bytes())
    };
    let plan = answer("audio 4000 RTP/AVP 8", "IP4 LOCALHOST").unwrap();
    assert_eq!(plan.remote, "127.0.0.1:4000".parse().unwrap());
    assert_eq!(answer("audio 0 RTP/AVP 8", "IP4 192.0.2.2"), Err(SdpError::Refused));
    assert_eq!(answer("audio 4000 RTP/AVP 8", "IP6 ::1"), Err(SdpError::Family("::1".parse().unwrap())));
    let name = answer("audio 4000 RTP/AVP 8", "IP4 media.example.com").unwrap_err();
    assert_eq!((&name, name.is_our_limit()), (&SdpError::Name("media.example.com".to_owned()), true));
    for text in ["192.0.2.256", "%", "[::1", "a..b"] {
        let wrong = answer("audio 4000 RTP/AVP 8", &format!("IP4 {text}")).unwrap_err();
        assert_eq!((&wrong, wrong.is_our_limit()), (&SdpError::Address(text.to_owned()), false));
    }
    let only = answer("audio 4000 RTP/AVP 18", "IP4 192.0.2.2").unwrap_err();
    assert_eq!(only, SdpError::NoCommonCodec("G729/8000".to_owned()));
}

#[test]
fn a_description_is_summed_up_in_a_line() {
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\na=rtpmap:111 opus/48000/2\r\n\
                m=video 0 UDP/TLS/RTP/SAVPF 96\r\n";
    assert_eq!(
        summary(text.as_bytes()),
        "audio over UDP/TLS/RTP/SAVPF: OPUS/48000/2, PCMU/8000; video over UDP/TLS/RTP/SAVPF (port 0): 96"
    );
    assert_eq!(summary(b"not a description"), "");
}
