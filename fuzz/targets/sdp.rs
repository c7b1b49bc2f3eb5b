//! A body handed over to `sdp`, as an offer and as an answer. No panic; what we answer fits the offer, can be read again, and is bounded.
//!
//! The first bytes say who we are and what we want; a zero byte parts the descriptions of one session.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringback::sdp::{
    Codec, Description, Direction, Local, MAX_BYTES, MAX_SECTIONS, MediaPlan, Negotiation, SdpError,
};

fn local(byte: u8) -> Local {
    let rtp = if byte & 1 == 0 { "192.0.2.1:40000" } else { "[2001:db8::1]:40000" };
    let mut local = Local::new(rtp.parse().expect("an address"));
    local.codecs = match byte >> 1 & 3 {
        0 => vec![Codec::Pcma],
        1 => vec![Codec::Pcmu],
        2 => vec![Codec::Pcmu, Codec::Pcma],
        _ => local.codecs,
    };
    if byte & 8 != 0 {
        local.telephone_event = None;
    }
    if byte & 16 != 0 {
        local.rtcp_port = 40_005;
    }
    local.ptime_millis = 10 * (1 + u32::from(byte >> 5));
    local
}

fn direct(session: &mut Negotiation, byte: u8) {
    match byte & 7 {
        7 => session.set_zero_address(),
        bits => session.set_direction(Direction::new(bits & 1 != 0, bits & 2 != 0)),
    }
}

/// Values of the lines of this key.
fn lines<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.strip_prefix(key))
}

/// Media and transport of each section, without regard to case: we write `audio` however it came.
fn sections(offer: &[u8]) -> Vec<(String, String)> {
    let text: String = match std::str::from_utf8(offer) {
        Ok(text) => text.to_owned(),
        Err(_) => offer.iter().map(|&b| char::from(b)).collect(),
    };
    let medias = text.split('\n').filter_map(|line| line.strip_prefix("m="));
    let fields =
        medias.map(|media| media.split_ascii_whitespace().map(str::to_ascii_lowercase).collect::<Vec<_>>());
    fields.map(|f| (f.first().cloned().unwrap_or_default(), f.get(2).cloned().unwrap_or_default())).collect()
}

/// What we wrote: one audio section that is used, lines that end as they should, numbers that are declared.
fn check_written(text: &str, local: &Local) {
    assert!(text.len() <= 2 * MAX_BYTES && text.starts_with("v=0\r\n") && text.ends_with("\r\n"));
    assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']));
    let description = Description::parse(text.as_bytes()).expect("what we write we read");
    assert_eq!(description.other_lines(), ["t=0 0"]);
    let used: Vec<_> = lines(text, "m=").filter(|media| media.split(' ').nth(1) != Some("0")).collect();
    let [audio] = used[..] else { panic!("{} sections are used", used.len()) };
    let fields: Vec<_> = audio.split(' ').collect();
    assert_eq!((fields[0], fields[1]), ("audio", local.rtp.port().to_string().as_str()));
    assert!(fields.len() > 3, "no format");
    for number in &fields[3..] {
        assert!(number.parse::<u8>().is_ok_and(|number| number < 128));
        assert!(lines(text, "a=rtpmap:").any(|map| map.split(' ').next() == Some(number)));
    }
    let directions = ["sendrecv", "sendonly", "recvonly", "inactive"];
    assert_eq!(
        text.lines().filter(|line| directions.iter().any(|d| line.strip_prefix("a=") == Some(d))).count(),
        1
    );
}

fn check_plan(plan: &MediaPlan, session: &Negotiation, local: &Local) {
    assert_eq!((session.plan(), plan.local), (Some(plan), local.rtp));
    assert!(local.codecs.contains(&plan.codec));
    assert!(plan.remote.port() != 0 && plan.remote_rtcp.port() != 0);
    assert!(plan.remote.is_ipv4() == plan.local.is_ipv4() || plan.remote.ip().is_unspecified());
    assert!(plan.send_payload_type < 128 && plan.receive_payload_type < 128);
    assert_eq!(plan.send_telephone_event.is_some(), plan.receive_telephone_event.is_some());
    for event in [plan.send_telephone_event, plan.receive_telephone_event].into_iter().flatten() {
        assert!(event.payload_type < 128 && local.telephone_event.is_some());
    }
    let millis = plan.ptime.as_millis();
    assert!((10..=100).contains(&millis) && millis % 10 == 0);
    // Nobody sends more than both want.
    let wish = session.direction();
    assert!((wish.sends() || !plan.direction.sends()) && (wish.receives() || !plan.direction.receives()));
    assert!(!plan.remote.ip().is_unspecified() || !plan.direction.sends());
    assert!(plan.receive_payload_types.contains(&plan.receive_payload_type));
    // The mirror knows of all that is received only what is sent first.
    let mut back = plan.mirrored().mirrored();
    assert_eq!(back.receive_payload_types, [plan.receive_payload_type]);
    back.receive_payload_types.clone_from(&plan.receive_payload_types);
    assert_eq!(&back, plan);
}

fuzz_target!(|data: &[u8]| {
    let Some((head, rest)) = data.split_at_checked(4) else { return };
    let local = local(head[0]);
    let mut session = Negotiation::new(local.clone(), 7);
    for (turn, body) in rest.split(|&b| b == 0).take(4).enumerate() {
        direct(&mut session, head[1 + turn % 3] >> (turn / 3));
        let before = session.plan().cloned();
        let parsed = Description::parse(body);
        if let Ok(description) = &parsed {
            let _ = description.version();
            assert!(description.other_lines().len() <= body.len());
        }
        // As the answer to an offer of ours, in a copy: forks answer the same offer.
        let mut asking = session.clone();
        assert!(matches!(asking.accept(body), Err(SdpError::NoOffer)) || session.has_offered());
        let offer = asking.offer();
        check_written(&offer, &local);
        assert!(asking.has_offered());
        match asking.accept(body) {
            Ok(plan) => check_plan(&plan, &asking, &local),
            Err(error) => {
                assert_eq!(asking.plan(), before.as_ref());
                assert!(error.to_string().len() <= 8 * body.len() + 256);
            }
        }
        check_written(&asking.repeat(), &local);
        // As an offer.
        match session.answer(body) {
            Err(error) => {
                assert_eq!(session.plan(), before.as_ref());
                assert!(error.to_string().len() <= 8 * body.len() + 256);
            }
            Ok((answer, plan)) => {
                assert!(parsed.is_ok());
                check_plan(&plan, &session, &local);
                check_written(&answer, &local);
                let (offered, answered) = (sections(body), sections(answer.as_bytes()));
                assert!(offered.len() <= MAX_SECTIONS);
                assert_eq!(answered, offered);
                // Who reads our answer agrees with us.
                let ours = lines(&answer, "m=audio ").filter(|media| !media.starts_with("0 ")).next();
                let number = ours.and_then(|media| media.split(' ').nth(2)).and_then(|n| n.parse().ok());
                assert_eq!(number, Some(plan.send_payload_type));
                assert!(answer.contains(&format!("\r\na={}\r\n", plan.direction.as_str())));
                assert!(lines(&answer, "a=ptime:").eq([plan.ptime.as_millis().to_string().as_str()]));
            }
        }
    }
});
