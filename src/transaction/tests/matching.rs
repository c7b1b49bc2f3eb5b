//! RFC 3261 sec. 17.1.3, 17.2.3, 8.2.2.2; what matches nothing; limits.
use super::*;
use crate::message::FieldError;
use std::collections::HashSet;

#[test]
fn the_top_via_of_a_request_is_ours_with_a_branch_that_nobody_has_seen_and_rport() {
    let mut trial = Trial::new();
    let mut branches = HashSet::new();
    for _ in 0..100 {
        trial.send("OPTIONS", UDP);
        let sent = trial.sent();
        let via = sent.top_via().unwrap();
        assert_eq!((via.transport(), via.port(), via.rport()), (&b"UDP"[..], Some(5070), Some(None)));
        let branch = via.branch().unwrap();
        assert!(branch.starts_with(b"z9hG4bK") && branch.len() >= 7 + 16);
        assert!(branches.insert(branch.to_vec()));
    }
}

#[test]
fn the_via_of_an_ipv6_flow_is_a_reference_without_scope() {
    let mut trial = Trial::new();
    let local = std::net::SocketAddrV6::new("fe80::1".parse().unwrap(), 5070, 0, 3);
    let flow = Flow { local: local.into(), ..flow(TCP) };
    trial.layer.send(trial.instant(), &outgoing("OPTIONS"), flow).unwrap();
    trial.drain();
    let via = trial.sent().header(HeaderName::Via).unwrap().to_vec();
    assert!(via.starts_with(b"SIP/2.0/TCP [fe80::1]:5070;branch=z9hG4bK"), "{}", via.escape_ascii());
}

#[test]
fn a_response_matches_by_branch_and_method_wherever_it_comes_from() {
    let mut trial = Trial::new();
    let first = trial.send("OPTIONS", UDP);
    let request = trial.sent();
    trial.send("OPTIONS", UDP);
    let response = Builder::response(&request, 200, "OK", Some("x")).build().unwrap();
    let elsewhere = Flow { remote: "127.0.0.1:9999".parse().unwrap(), ..flow(UDP) };
    trial.layer.handle_input(trial.instant(), Input::Received { message: response, flow: elsewhere });
    let Some(Output::Response { id, flow, .. }) = trial.layer.poll_output() else { panic!("no response") };
    assert_eq!((id, flow), (first, elsewhere));
}

#[test]
fn a_response_with_another_method_branch_or_status_than_can_be_is_stray() {
    let mut trial = Trial::new();
    trial.send("OPTIONS", UDP);
    let text = String::from_utf8(trial.sent().as_bytes().to_vec()).unwrap();
    trial.log();
    let answer = |text: &str| {
        let request = parse(text);
        Builder::response(&request, 200, "OK", Some("x")).build().unwrap()
    };
    trial.receive(answer(&text.replace("OPTIONS sip", "INFO sip").replace("7 OPTIONS", "7 INFO")));
    trial.receive(answer(&text.replace("branch=z9hG4bK", "branch=z9hG4bKx")));
    trial.receive(answer(&text.replace("branch=", "other=")));
    for status in ["999", "099"] {
        let response = String::from_utf8(answer(&text).as_bytes().to_vec()).unwrap();
        trial.receive(parse(response.replace("SIP/2.0 200", &format!("SIP/2.0 {status}"))));
    }
    assert_eq!(trial.log(), ["0 stray"; 5]);
    let unchanged = answer(&text);
    trial.receive(unchanged);
    assert_eq!(trial.log(), ["0 response 200"]);
}

#[test]
fn a_retransmission_matches_by_branch_sent_by_and_method_without_regard_to_what_case_means_nothing() {
    let via = |sent_by: &str, branch: &str| format!("SIP/2.0/UDP {sent_by};branch={branch}");
    let request = |via: &str| incoming_with("OPTIONS", via, ";tag=b1");
    let mut trial = Trial::new();
    trial.receive(request(&via("pc.lab.example", "z9hG4bKabc")));
    assert_eq!(trial.log(), ["0 request OPTIONS"]);
    trial.receive(request(&via("PC.lab.example:5060", "z9hG4bKABC")));
    trial.receive(request(&via("pc.lab.example;received=127.0.0.1", "z9hG4bKabc")));
    assert_eq!(trial.log(), [""; 0]);
    trial.receive(request(&via("pc.lab.example:5062", "z9hG4bKabc")));
    trial.receive(request(&via("mac.lab.example", "z9hG4bKabc")));
    trial.receive(request(&via("pc.lab.example", "z9hG4bKabd")));
    assert_eq!(trial.log(), ["0 request OPTIONS"; 3]);
    let info = incoming_with("INFO", &via("pc.lab.example", "z9hG4bKabc"), ";tag=b1");
    trial.receive(info);
    assert_eq!(trial.log(), ["0 request INFO"]);
    // Where no port is written, it is the transport's.
    for (transport, port) in [("TCP", 5060), ("TLS", 5061), ("tls", 5061)] {
        let request = |sent_by: &str| {
            request(&format!("SIP/2.0/{transport} {sent_by};branch=z9hG4bK{transport}{transport}"))
        };
        trial.receive(request("tls.lab.example"));
        trial.log();
        trial.receive(request(&format!("tls.lab.example:{port}")));
        assert_eq!(trial.log(), [""; 0], "{transport}");
    }
}

#[test]
fn a_merged_request_is_answered_482_and_the_user_hears_nothing() {
    let mut trial = Trial::new();
    trial.receive(incoming("INVITE", "z9hG4bK1")).receive(incoming("INVITE", "z9hG4bK2"));
    trial.receive(incoming("ACK", "z9hG4bK2"));
    assert_eq!(trial.log(), ["0 request INVITE", "0 > 482"]);
    // Inside a dialog, or by another method, it is no copy.
    trial.receive(incoming_with("INVITE", "SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK3", ";tag=b1"));
    trial.receive(incoming("OPTIONS", "z9hG4bK4"));
    assert_eq!(trial.log(), ["0 request INVITE", "0 request OPTIONS"]);
    trial.receive(incoming("OPTIONS", "z9hG4bK5"));
    assert_eq!(trial.log(), ["0 > 482"]);
}

#[test]
fn after_the_first_copy_is_gone_the_next_is_a_new_request() {
    let mut trial = Trial::new();
    trial.receive_on(incoming("OPTIONS", "z9hG4bK1"), TCP);
    trial.respond(&incoming("OPTIONS", "z9hG4bK1"), 200).unwrap();
    trial.receive_on(incoming("OPTIONS", "z9hG4bK2"), TCP);
    assert_eq!(trial.log(), ["0 request OPTIONS", "0 > 200", "0 server gone", "0 request OPTIONS"]);
}

#[test]
fn without_a_unique_branch_the_rfc_2543_rules_match_retransmission_cancel_and_ack() {
    for branch in ["", ";branch=z9hG4bK", ";branch=1"] {
        let via = format!("SIP/2.0/UDP 127.0.0.1:5060{branch}");
        let from_peer = |method: &str, to: &str| incoming_with(method, &via, to);
        let mut trial = Trial::new();
        trial.receive(from_peer("INVITE", ""));
        trial.receive(from_peer("INVITE", ""));
        assert_eq!(trial.log(), ["0 request INVITE"]);
        trial.receive(from_peer("CANCEL", ""));
        assert_eq!(trial.log(), ["0 > 200", "0 cancelled"]);
        trial.respond(&from_peer("INVITE", ""), 487).unwrap();
        // Not the To tag of our response: not the ACK of this transaction.
        trial.receive(from_peer("ACK", ";tag=other"));
        assert_eq!(trial.log(), ["0 > 487", "0 ack"]);
        trial.receive(from_peer("ACK", ";tag=b1"));
        trial.until(4_999).receive(from_peer("ACK", ";tag=b1"));
        trial.until(100_000);
        assert_eq!(trial.log(), ["5000 server gone"]);
        trial.assert_empty();
    }
}

#[test]
fn by_the_rfc_2543_rules_another_uri_number_or_call_id_is_another_request() {
    let text =
        String::from_utf8(incoming_with("OPTIONS", "SIP/2.0/UDP 127.0.0.1:5060", "").as_bytes().to_vec())
            .unwrap();
    let mut trial = Trial::new();
    trial.receive(parse(text.clone()));
    trial.receive(parse(text.replace("Via: SIP/2.0/UDP 127.0.0.1:5060", "v: SIP/2.0/UDP 127.0.0.1")));
    assert_eq!(trial.log(), ["0 request OPTIONS"]);
    trial.receive(parse(text.replace("CSeq: 7", "CSeq: 8")));
    trial.receive(parse(text.replace("call-1", "call-2")));
    trial.receive(parse(text.replace("a1", "a2")));
    assert_eq!(trial.log(), ["0 request OPTIONS"; 3]);
    // Only the URI differs: not the same transaction, but the same request on another way.
    trial.receive(parse(text.replace("sip:bob@127.0.0.1:5070", "sip:rob@127.0.0.1:5070")));
    assert_eq!(trial.log(), ["0 > 482"]);
}

#[test]
fn by_the_rfc_2543_rules_another_top_via_or_to_tag_is_another_request() {
    // Inside a dialog, so that none is taken for a merged copy.
    let request = |via: &str| incoming_with("OPTIONS", via, ";tag=b1");
    let via = "SIP/2.0/UDP pc.lab.example:5062;branch=1;x=y";
    let mut trial = Trial::new();
    trial.receive(request(via));
    trial.receive(request(&via.to_uppercase().replace("X=Y", "X=y")));
    // What a transport adds on the way is no part of the comparison.
    trial.receive(request(&format!("{via};received=192.0.2.9")));
    trial.receive(request(&format!("{via};rport=40000")));
    assert_eq!(trial.log(), ["0 request OPTIONS"]);
    let others = [
        ("UDP", "TCP"),
        ("pc.lab", "mac.lab"),
        (":5062", ""),
        ("branch=1", "branch=2"),
        (";x=y", ""),
        ("x=y", "x=z"),
        ("branch=1;x=y", "x=y"),
    ];
    for (part, other) in others {
        trial.receive(request(&via.replace(part, other)));
        assert_eq!(trial.log(), ["0 request OPTIONS"], "{part} {other}");
    }
    trial.receive(incoming_with("OPTIONS", via, ";tag=b2"));
    trial.receive(incoming_with("INFO", via, ";tag=b1"));
    assert_eq!(trial.log(), ["0 request OPTIONS", "0 request INFO"]);
}

#[test]
fn a_request_without_a_mandatory_field_is_answered_400_outside_any_transaction() {
    let text = String::from_utf8(incoming("OPTIONS", "z9hG4bK1").as_bytes().to_vec()).unwrap();
    let mut trial = Trial::new();
    trial.layer.handle_input(
        trial.instant(),
        Input::Received { message: parse(text.replace("Call-ID: call-1\r\n", "")), flow: flow(UDP) },
    );
    let Some(Output::Transmit { owner: Owner::None, bytes, .. }) = trial.layer.poll_output() else {
        panic!("no answer")
    };
    assert!(
        bytes.starts_with(b"SIP/2.0 400 Bad Request (no Call-ID header)\r\n"),
        "{}",
        bytes.escape_ascii()
    );
    let Some(Output::Refused { why, .. }) = trial.layer.poll_output() else { panic!("nobody is told") };
    assert_eq!(why, FieldError::Missing(HeaderName::CallId));
    trial.assert_empty();
    trial.receive(parse(text.replace("7 OPTIONS", "7 INFO")));
    assert_eq!(trial.log().len(), 2);
    assert_eq!(trial.sent().status(), Some(400));
    trial.assert_empty();
}

#[test]
fn what_cannot_be_answered_is_stray() {
    let mut trial = Trial::new();
    let text = String::from_utf8(incoming("OPTIONS", "z9hG4bK1").as_bytes().to_vec()).unwrap();
    trial.receive(parse(text.replace("Via", "X-Via")));
    let ack = String::from_utf8(incoming("ACK", "z9hG4bK1").as_bytes().to_vec()).unwrap();
    trial.receive(parse(ack.replace("Call-ID: call-1\r\n", "")));
    trial.receive(parse("SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert_eq!(trial.log(), ["0 stray"; 3]);
    trial.assert_empty();
}

#[test]
fn an_ack_that_matches_nothing_goes_to_the_dialogs() {
    let mut trial = Trial::new();
    trial.receive(incoming("ACK", "z9hG4bK1"));
    assert_eq!(trial.log(), ["0 ack"]);
    trial.assert_empty();
}

#[test]
fn an_ack_of_ours_is_sent_once_and_leaves_nothing() {
    let mut trial = Trial::new();
    trial.layer.send_outside(&outgoing("ACK"), flow(UDP));
    trial.drain();
    assert_eq!(trial.log(), ["0 > ACK outside"]);
    trial.send("ACK", UDP);
    assert_eq!(trial.log(), ["0 > ACK", "0 gone"]);
    trial.assert_empty();
}

#[test]
fn what_is_no_request_is_not_sent() {
    let mut trial = Trial::new();
    let response = Builder::response(&incoming("OPTIONS", "z9hG4bK1"), 200, "OK", None).build().unwrap();
    trial.layer.send(trial.instant(), &response, flow(UDP)).unwrap();
    trial.drain();
    assert_eq!(trial.log(), ["0 failed", "0 gone"]);
    trial.assert_empty();
}

#[test]
fn a_response_with_more_vias_than_ours_is_stray() {
    let mut trial = Trial::new();
    trial.send("OPTIONS", UDP);
    trial.log();
    let response = Builder::response(&trial.sent(), 200, "OK", Some("x")).build().unwrap();
    let text = String::from_utf8(response.as_bytes().to_vec()).unwrap();
    let via = text.lines().find(|line| line.starts_with("Via:")).unwrap();
    let other = "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK9";
    let mut stray = 0;
    for more in [
        format!("{via}, {other}"),
        format!("{via}\r\nVia: {other}"),
        format!("{via}\r\nv: {other}"),
        format!("{via}\r\nVia: nonsense"),
    ] {
        trial.receive(parse(text.replace(via, &more)));
        stray += 1;
    }
    assert_eq!(trial.log(), vec!["0 stray"; stray]);
    // And what stands elsewhere among the headers, or ends with white space, is still ours alone.
    trial.receive(parse(text.replace(via, &format!("{via} \t"))));
    assert_eq!(trial.log(), ["0 response 200"]);
}

#[test]
fn a_full_layer_refuses_to_send_and_answers_503() {
    let mut trial = Trial::with(Config { max_transactions: 2, ..Config::default() });
    trial.send("OPTIONS", TCP);
    let invite = trial.send("INVITE", TCP);
    assert_eq!(trial.layer.send(trial.instant(), &outgoing("OPTIONS"), flow(TCP)), Err(Full));
    assert_eq!(trial.layer.cancel(trial.instant(), invite, None), Err(CancelError::Full(Full)));
    trial.log();
    trial.receive(incoming("INVITE", "z9hG4bK1"));
    trial.receive(incoming("ACK", "z9hG4bK1"));
    assert_eq!(trial.log(), ["0 > 503 outside", "0 ack"]);
    assert_eq!((trial.layer.refused(), trial.layer.len()), (1, 2));
    trial.until(32_000).receive(incoming("OPTIONS", "z9hG4bK1"));
    assert_eq!(trial.log().last().unwrap(), "32000 request OPTIONS");
}

#[test]
fn a_thousand_requests_with_one_hash_in_an_unkeyed_table_are_told_apart() {
    // Branches of very different lengths, also longer than what is folded at once.
    let mut trial = Trial::new();
    for n in 0..1_000 {
        let branch = format!("z9hG4bK{}{n}", "a".repeat(n % 200));
        trial.receive(incoming_with("OPTIONS", &format!("SIP/2.0/UDP 127.0.0.1;branch={branch}"), ";tag=x"));
    }
    assert_eq!(trial.log().len(), 1_000);
    assert_eq!(trial.layer.len(), 1_000);
    trial.until(40_000);
    trial.assert_empty();
}

#[test]
fn debug_output_shows_no_bytes_of_a_message() {
    let mut trial = Trial::new();
    let request = parse(
        String::from_utf8(outgoing("REGISTER").as_bytes().to_vec())
            .unwrap()
            .replace("Call-ID", "Authorization: Digest username=\"alice\", response=\"5ec7e7\"\r\nCall-ID"),
    );
    trial.layer.send(trial.instant(), &request, flow(UDP)).unwrap();
    let sent = trial.layer.poll_output().unwrap();
    let Output::Transmit { bytes, .. } = &sent else { panic!("nothing sent") };
    assert!(bytes.windows(6).any(|window| window == b"5ec7e7"));
    let incoming =
        Input::Received { message: request.with_top_via(b"SIP/2.0/UDP a;branch=z9hG4bK1"), flow: flow(UDP) };
    let shown = format!("{sent:?} {incoming:?} {:?}", trial.layer);
    trial.layer.handle_input(trial.instant(), incoming);
    let shown = format!("{shown} {:?}", trial.layer.poll_output().unwrap());
    assert!(shown.contains("Transmit") && shown.contains("Request") && shown.contains("live: 1"), "{shown}");
    assert!(!shown.contains("5ec7e7") && !shown.contains("alice"), "{shown}");
    // Numbers that a byte string would be printed as.
    assert!(!shown.contains("53, 101, 99"), "{shown}");
}

#[test]
fn slots_that_are_used_again_and_timers_that_move_leave_no_more_stale_entries_than_the_bound() {
    let mut trial = Trial::new();
    for round in 0..60 {
        // Over TCP timer F is far away, over UDP timer E comes soon: each change moves the slots' timers to an earlier moment.
        for transport in [TCP, UDP] {
            for _ in 0..100 {
                trial.send("OPTIONS", transport);
                let request = trial.sent();
                trial.answer(&request, 200);
                let (entries, armed) = trial.layer.timers_held();
                assert!(entries <= (2 * armed + 1_024) * 9 / 8, "{entries} entries for {armed} slots");
            }
        }
        trial.until(700 * (round + 1));
    }
    trial.until(100_000);
    trial.assert_empty();
}
