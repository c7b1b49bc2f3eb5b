//! tshark reads what `--pcap` writes.

use crate::peer::kamailio::Kamailio;
use crate::peer::tshark;
use crate::ringback::ringback;
use std::fs;

#[test]
fn every_packet_of_a_capture_is_decoded_as_sip_and_holds_no_secret() {
    for algorithm in ["MD5", "SHA-256"] {
        let kamailio = Kamailio::start(&[&format!("ALGORITHM=\"{algorithm}\"")]);
        for (host, transport) in
            [("127.0.0.1", "udp"), ("[::1]", "udp"), ("127.0.0.1", "tcp"), ("[::1]", "tcp")]
        {
            let dir = tempfile::tempdir().unwrap();
            let capture = dir.path().join("run.pcap");
            let path = capture.display().to_string();
            let aor = format!("sip:alice@{host}:{}", kamailio.port());
            let bind = format!("udp:{host}:0");
            let command = ["register", &aor, "--json", "--password-env", "RINGBACK_TEST_PASSWORD"];
            let more = ["--transport", transport, "--bind", &bind, "--pcap", &path];
            let ran = ringback("alicepw", &[command.as_slice(), &more].concat());
            let outcome = ran.outcome();
            assert_eq!(outcome.verdict(), "pass", "{outcome}");

            let frames = tshark::read(&capture, kamailio.port());
            let objected: Vec<_> = frames.iter().filter(|frame| !frame.complaints.is_empty()).collect();
            assert!(objected.is_empty(), "{transport} {host}: {objected:#?}");
            let sip: Vec<_> =
                frames.iter().filter(|frame| frame.protocols.split(':').any(|name| name == "sip")).collect();
            assert_eq!(sip.len() as u64, outcome.number("messages"), "{transport} {host}: {frames:#?}");
            let mut spoilt = fs::read(&capture).unwrap();
            // The last block of the file may be padded by up to three bytes and ends with its length.
            let near_the_end = spoilt.len() - 12;
            spoilt[near_the_end] ^= 1;
            let copy = dir.path().join("spoilt.pcap");
            fs::write(&copy, spoilt).unwrap();
            let judged = tshark::read(&copy, kamailio.port());
            assert!(!judged.last().unwrap().complaints.is_empty(), "tshark sees a wrong byte: {judged:#?}");
            if transport == "udp" {
                assert_eq!(sip.len(), frames.len(), "{frames:#?}");
            }
            assert!(sip.iter().all(|frame| frame.method.is_empty() != frame.status.is_empty()), "{sip:#?}");
            assert_eq!((sip[0].method.as_str(), sip[1].status.as_str()), ("REGISTER", "401"));
            let answered: Vec<_> = sip.iter().filter(|frame| !frame.digest_response.is_empty()).collect();
            assert!(!answered.is_empty(), "the credentials' other parameters stay: {sip:#?}");
            for frame in answered {
                let response = frame.digest_response.trim_matches('"');
                assert!(
                    response.len() < 32 || !response.bytes().all(|byte| byte.is_ascii_hexdigit()),
                    "{frame:?}"
                );
            }
            let bytes = fs::read(&capture).unwrap();
            assert!(!bytes.windows(7).any(|window| window == b"alicepw"));
        }
    }
}

#[test]
fn the_media_of_a_call_is_decoded_as_rtp_and_rtcp_in_the_order_of_time() {
    let dir = tempfile::tempdir().unwrap();
    let capture = dir.path().join("call.pcap");
    let path = capture.display().to_string();
    let ran = ringback("unused-password", &["call", "alice", "bob", "--json", "--pcap", &path]);
    assert_eq!(ran.outcome().verdict(), "pass", "{ran:?}");
    // The lab's port is not 5060: tshark finds SIP by its looks, and RTP by the SDP.
    let frames = tshark::read(&capture, 5060);
    let objected: Vec<_> = frames.iter().filter(|frame| !frame.complaints.is_empty()).collect();
    assert!(objected.is_empty(), "{objected:#?}");
    let of = |name: &str| {
        frames.iter().filter(move |frame| frame.protocols.split(':').any(|known| known == name)).count()
    };
    assert_eq!(of("sip") as u64, ran.outcome().number("messages"));
    let received = |name: &str| ran.outcome().metric(name).unwrap();
    let heard = received("packets_a_to_b") + received("packets_b_to_a");
    // Each direction is there twice: from its sender to the PBX, and from the PBX to the other end.
    assert!(
        of("rtp") as f64 >= heard * 2.0 && of("rtp") as f64 <= heard * 2.0 + 20.0,
        "{} of {heard}",
        of("rtp")
    );
    assert!(of("rtcp") >= 2, "{}", of("rtcp"));
    let place = |wanted: fn(&tshark::Frame) -> bool| frames.iter().position(wanted).unwrap();
    let last_rtp = frames.iter().rposition(|frame| frame.protocols.ends_with(":rtp")).unwrap();
    assert!(place(|frame| frame.method == "INVITE") < place(|frame| frame.protocols.ends_with(":rtp")));
    assert!(last_rtp > place(|frame| frame.method == "ACK"));
    assert!(last_rtp < frames.iter().rposition(|frame| frame.method == "REGISTER").unwrap());
}
