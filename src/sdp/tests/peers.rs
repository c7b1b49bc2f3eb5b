//! What peers write, and what is wrong with it.
use super::*;

const HEAD: &str = "v=0\r\no=- 5 5 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\n";

fn answered(offer: &str) -> Result<MediaPlan, SdpError> {
    bob().answer(offer.as_bytes()).map(|(_, plan)| plan)
}

fn with(rest: &str) -> Result<MediaPlan, SdpError> {
    answered(&format!("{HEAD}c=IN IP4 192.0.2.9\r\n{rest}"))
}

#[test]
fn a_description_of_a_desk_phone_gives_a_plan() {
    let plan = with(
        "m=audio 40376 RTP/AVP 9 8 0 18 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-16\r\na=ptime:20\r\na=rtcp:40399 IN IP4 192.0.2.10\r\na=sendrecv\r\n",
    )
    .unwrap();
    assert_eq!((plan.codec, plan.send_payload_type), (Codec::Pcma, 8));
    assert_eq!(plan.remote_rtcp, "192.0.2.10:40399".parse().unwrap());
    assert!(plan.send_telephone_event.unwrap().takes(16));
}

#[test]
fn odd_but_readable_descriptions_are_read() {
    let media = "m=audio 7000 RTP/AVP 0\n";
    let c = "c=IN IP4 192.0.2.9\n";
    for text in [
        format!("v=0\n{media}{c}"),
        format!("\r\nv=0 \r\n{c}{media}"),
        format!("v=0\no=J\u{fc}rgen 1 2\n{c}s=a\ns=b\nnonsense\nX-Line: 5\nk=clear:\nq=\n{media}"),
        format!("v=0\no=- 99999999999999999999 1 IN IP4 x\n{c}c=IN IP4 1.1.1.1\n{media}i=a\ni=b\na=\n"),
        format!("v=0\n{c}m=audio   7000  RTP/AVP  0 \na=rtpmap:0   PCMU/8000\n"),
        "v=0\nc=IN IP4 192.0.2.9/127\nm=audio 0 RTP/SAVP 0\nm=audio 7000/2 rtp/avp 0\n".to_owned(),
    ] {
        let plan = answered(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(plan.remote, "192.0.2.9:7000".parse().unwrap(), "{text}");
    }
    let mut latin = format!("v=0\ns=J\u{fc}rgen\n{c}{media}").into_bytes();
    latin.retain(|b| *b != 0xc3);
    assert!(bob().answer(&latin).is_ok());
    let kept = Description::parse(b"v=0\nb=AS:64\nfoo\nm=audio 7000 RTP/AVP 0\nz=1\n").unwrap();
    assert_eq!(kept.other_lines(), ["b=AS:64", "foo", "z=1"]);
}

#[test]
fn what_cannot_be_used_is_named() {
    assert_eq!(with("m=video 7000 RTP/AVP 99\r\n"), Err(SdpError::NoAudio));
    assert_eq!(with("m=audio 0 RTP/AVP 0\r\n"), Err(SdpError::Refused));
    assert_eq!(with("m=audio 7000 RTP/SAVP 0\r\n"), Err(SdpError::Transport("RTP/SAVP".into())));
    let only = Err(SdpError::NoCommonCodec("G729/8000, G722/8000, PCMU/16000".into()));
    let maps = "a=rtpmap:18 G729/8000\r\na=rtpmap:97 pcmu/16000\r\n";
    assert_eq!(with(&format!("m=audio 7000 RTP/AVP 18 9 97\r\n{maps}")), only);
    assert_eq!(answered(&format!("{HEAD}m=audio 7000 RTP/AVP 0\r\n")), Err(SdpError::NoAddress));
    let named = format!("{HEAD}c=IN IP4 pbx.example\r\nm=audio 7000 RTP/AVP 0\r\n");
    assert_eq!(answered(&named), Err(SdpError::Name("pbx.example".into())));
    let other = format!("{HEAD}c=IN IP6 2001:db8::9\r\nm=audio 7000 RTP/AVP 0\r\n");
    assert_eq!(answered(&other), Err(SdpError::Family("2001:db8::9".parse().unwrap())));
    assert_eq!(with(&"m=video 0 RTP/AVP 9\r\n".repeat(17)), Err(SdpError::TooLarge(Limit::Sections)));
    assert_eq!(answered(&" ".repeat(70_000)), Err(SdpError::TooLarge(Limit::Bytes)));
    for text in
        ["", "hello", "v=1\r\n", "o=- 1 1 IN IP4 1.1.1.1\r\nv=0\r\n", "v=0\r\nm=audio 70000 RTP/AVP 0\r\n"]
    {
        assert!(matches!(answered(text), Err(SdpError::Syntax(_))), "{text:?}");
    }
}

#[test]
fn telephone_events_are_left_out_where_the_peer_has_none_for_us() {
    let media = "m=audio 7000 RTP/AVP 0 97\r\na=rtpmap:97 telephone-event/";
    assert_eq!(with(&format!("{media}48000\r\n")).unwrap().send_telephone_event, None);
    assert_eq!(with("m=audio 7000 RTP/AVP 0\r\n").unwrap().receive_telephone_event, None);
    // Without fmtp: the digits (RFC 4733 sec. 2.4.1).
    let plan = with(&format!("{media}8000\r\n")).unwrap();
    assert_eq!(plan.send_telephone_event, Some(TelephoneEvent { payload_type: 97, events: DIGITS }));
    let listed = with(&format!("{media}8000\r\na=fmtp:97 0-11,16,70-80\r\n")).unwrap();
    assert_eq!(listed.receive_telephone_event.unwrap().events, 0x1_0fff);
}

#[test]
fn a_direction_of_the_session_holds_where_the_section_says_none() {
    let plan = with("a=sendonly\r\nm=audio 7000 RTP/AVP 0\r\n").unwrap();
    assert_eq!(plan.direction, Direction::RecvOnly);
    let plan = with("a=sendonly\r\nm=audio 7000 RTP/AVP 0\r\na=recvonly\r\n").unwrap();
    assert_eq!(plan.direction, Direction::SendOnly);
}

#[test]
fn a_ptime_that_cannot_be_kept_is_replaced() {
    let media = "m=audio 7000 RTP/AVP 0\r\n";
    for (lines, millis) in [
        ("", 20),
        ("a=ptime:40\r\n", 40),
        ("a=ptime:0\r\n", 20),
        ("a=ptime:35\r\n", 20),
        ("a=ptime:4000000000\r\n", 20),
        ("a=ptime:60\r\na=maxptime:35\r\n", 30),
        ("a=ptime:20.5\r\n", 20),
    ] {
        assert_eq!(with(&format!("{media}{lines}")).unwrap().ptime.as_millis(), millis, "{lines}");
    }
}
