//! RFC 3261 figure 5 as RFC 6026 amends it, and CANCEL (sec. 9.1).
use super::*;

#[test]
fn an_invite_over_udp_is_sent_again_doubling_without_cap_until_timer_b_says_timeout() {
    let mut trial = Trial::new();
    let id = trial.send("INVITE", UDP);
    trial.until(31_999);
    assert_eq!(
        trial.log(),
        [
            "0 > INVITE",
            "500 > INVITE again 1",
            "1500 > INVITE again 2",
            "3500 > INVITE again 3",
            "7500 > INVITE again 4",
            "15500 > INVITE again 5",
            "31500 > INVITE again 6",
        ]
    );
    assert_eq!(trial.layer.retransmissions(id), Some(6));
    trial.until(100_000);
    assert_eq!(trial.log(), ["32000 timeout", "32000 gone"]);
    trial.assert_empty();
}

#[test]
fn an_invite_over_tcp_is_sent_once_and_times_out_by_timer_b() {
    let mut trial = Trial::new();
    trial.send("INVITE", TCP);
    trial.until(100_000);
    assert_eq!(trial.log(), ["0 > INVITE", "32000 timeout", "32000 gone"]);
    trial.assert_empty();
}

#[test]
fn a_provisional_response_stops_timers_a_and_b() {
    let mut trial = Trial::new();
    trial.send("INVITE", UDP);
    let invite = trial.sent();
    trial.until(600).answer(&invite, 100);
    trial.until(90_000).answer(&invite, 180);
    trial.until(3_600_599);
    assert_eq!(trial.log(), ["0 > INVITE", "500 > INVITE again 1", "600 response 100", "90000 response 180"]);
    // Our own limit: an hour after the first provisional response.
    trial.until(4_000_000);
    assert_eq!(trial.log(), ["3600600 timeout", "3600600 gone"]);
    trial.assert_empty();
}

#[test]
fn a_2xx_moves_to_accepted_where_each_further_2xx_goes_to_the_user_until_timer_m() {
    for provisional in [false, true] {
        let mut trial = Trial::new();
        trial.send("INVITE", UDP);
        let invite = trial.sent();
        if provisional {
            trial.answer(&invite, 180);
        }
        trial.log();
        trial.until(100).answer(&invite, 200);
        trial.until(600).answer(&invite, 200);
        // Neither a late provisional response nor another final one means anything now.
        trial.answer(&invite, 180).answer(&invite, 486);
        trial.until(32_099).answer(&invite, 200);
        trial.until(32_100).answer(&invite, 200);
        assert_eq!(
            trial.log(),
            ["100 response 200", "600 response 200", "32099 response 200", "32100 gone", "32100 stray"]
        );
        trial.assert_empty();
    }
}

#[test]
fn timer_m_runs_over_tcp_too() {
    let mut trial = Trial::new();
    trial.send("INVITE", TCP);
    let invite = trial.sent();
    trial.answer(&invite, 200);
    trial.until(100_000);
    assert_eq!(trial.log(), ["0 > INVITE", "0 response 200", "32000 gone"]);
}

#[test]
fn a_refusal_whose_to_is_folded_is_acknowledged_on_one_line() {
    let mut trial = Trial::new();
    trial.send("INVITE", UDP);
    let refusal = Builder::response(&trial.sent(), 486, "Whatever", Some("b1")).build().unwrap();
    let text = String::from_utf8(refusal.as_bytes().to_vec()).unwrap();
    trial.receive(parse(text.replace("To: <", "To: \"B\r\n o\rb\u{1}\"\r\n\t<")));
    assert_eq!(trial.log(), ["0 > INVITE", "0 > ACK", "0 response 486"]);
    let to = trial.sent().header(HeaderName::To).unwrap().to_vec();
    assert_eq!(to, b"\"B  o b\x01\" \t<sip:bob@lab.example>;tag=b1");
}

#[test]
fn a_refusal_is_acknowledged_each_time_that_it_comes_until_timer_d() {
    for provisional in [false, true] {
        let mut trial = Trial::new();
        trial.send("INVITE", UDP);
        let invite = trial.sent();
        if provisional {
            trial.answer(&invite, 180);
        }
        trial.log();
        trial.until(100).answer(&invite, 486);
        trial.until(600).answer(&invite, 486);
        // Too late to mean anything; but a 2xx is a call that the peer believes in.
        trial.answer(&invite, 180).answer(&invite, 200);
        trial.until(32_099).answer(&invite, 486);
        trial.until(32_100).answer(&invite, 486);
        assert_eq!(
            trial.log(),
            [
                "100 > ACK",
                "100 response 486",
                "600 > ACK again 1",
                "600 stray",
                "32099 > ACK again 2",
                "32100 gone",
                "32100 stray",
            ]
        );
        trial.assert_empty();
    }
}

#[test]
fn a_refusal_over_tcp_is_acknowledged_once_and_ends_the_transaction() {
    let mut trial = Trial::new();
    trial.send("INVITE", TCP);
    let invite = trial.sent();
    trial.until(5).answer(&invite, 486);
    assert_eq!(trial.log(), ["0 > INVITE", "5 > ACK", "5 response 486", "5 gone"]);
    trial.assert_empty();
}

#[test]
fn the_ack_of_a_refusal_has_the_invites_via_route_and_number_and_the_responses_to() {
    let mut trial = Trial::new();
    trial.send("INVITE", UDP);
    let invite = trial.sent();
    trial.answer(&invite, 486);
    let ack = trial.sent();
    assert_eq!(ack.method(), Some(Method::Ack));
    assert_eq!(ack.request_uri_bytes(), invite.request_uri_bytes());
    assert_eq!(ack.vias().count(), 1);
    assert_eq!(ack.header(HeaderName::Via), invite.header(HeaderName::Via));
    assert_eq!(ack.header(HeaderName::From), invite.header(HeaderName::From));
    assert_eq!(ack.header(HeaderName::CallId), invite.header(HeaderName::CallId));
    assert_eq!(ack.to().unwrap().tag(), Some(&b"b1"[..]));
    assert_eq!(ack.header(HeaderName::CSeq), Some(&b"7 ACK"[..]));
    let routes = |m: &Message| -> Vec<Vec<u8>> {
        m.headers().filter(|h| h.name == HeaderName::Route).map(|h| h.value.to_vec()).collect()
    };
    assert_eq!(routes(&ack), routes(&invite));
    assert_eq!(routes(&ack).len(), 2);
    assert!(ack.body().is_empty());
}

#[test]
fn a_transport_error_ends_the_transaction_in_calling_proceeding_and_completed() {
    for status in [None, Some(180), Some(486)] {
        let mut trial = Trial::new();
        let id = trial.send("INVITE", UDP);
        let invite = trial.sent();
        if let Some(status) = status {
            trial.answer(&invite, status);
        }
        trial.log();
        trial.until(1).client_error(id);
        assert_eq!(trial.log(), ["1 failed", "1 gone"]);
        trial.assert_empty();
    }
}

#[test]
fn a_transport_error_in_accepted_changes_nothing() {
    let mut trial = Trial::new();
    let id = trial.send("INVITE", UDP);
    let invite = trial.sent();
    trial.answer(&invite, 200).client_error(id).answer(&invite, 200);
    assert_eq!(trial.log(), ["0 > INVITE", "0 response 200", "0 response 200"]);
}

fn cancel(trial: &mut Trial, id: ClientId) -> Result<ClientId, CancelError> {
    let result = trial.layer.cancel(trial.instant(), id, None);
    trial.drain();
    result
}

#[test]
fn a_cancel_after_a_provisional_response_is_sent_at_once_in_its_own_transaction() {
    let mut trial = Trial::new();
    let id = trial.send("INVITE", UDP);
    let invite = trial.sent();
    trial.until(100).answer(&invite, 180);
    trial.until(200);
    let cancel_id = cancel(&mut trial, id).unwrap();
    assert_ne!(cancel_id, id);
    let message = trial.sent();
    assert_eq!(message.header(HeaderName::Via), invite.header(HeaderName::Via));
    assert_eq!(message.request_uri_bytes(), invite.request_uri_bytes());
    assert_eq!(message.header(HeaderName::To), invite.header(HeaderName::To));
    assert_eq!(message.header(HeaderName::CSeq), Some(&b"7 CANCEL"[..]));
    trial.until(800).answer(&message, 200).answer(&invite, 487);
    trial.until(100_000);
    assert_eq!(
        trial.log(),
        [
            "0 > INVITE",
            "100 response 180",
            "200 > CANCEL",
            "700 > CANCEL again 1",
            "800 response 200",
            "800 > ACK",
            "800 response 487",
            "5800 gone",
            "32800 gone",
        ]
    );
    trial.assert_empty();
}

#[test]
fn a_cancel_says_its_reason_and_nothing_that_is_none() {
    let mut trial = Trial::new();
    let id = trial.send("INVITE", UDP);
    let invite = trial.sent();
    trial.answer(&invite, 180);
    trial.log();
    for wrong in ["", ";cause=200", "SIP cause=200", "SIP;cause=200\r\nVia: x", "SIP;text=\"a\r\n b\""] {
        let result = trial.layer.cancel(trial.instant(), id, Some(wrong));
        assert_eq!(result, Err(CancelError::BadReason), "{wrong:?}");
    }
    trial.drain();
    assert_eq!(trial.log(), [""; 0]);
    let reason = "SIP;cause=200;text=\"Call completed elsewhere\"";
    trial.layer.cancel(trial.instant(), id, Some(reason)).unwrap();
    trial.drain();
    assert_eq!(trial.log(), ["0 > CANCEL"]);
    assert_eq!(trial.sent().header(HeaderName::Reason), Some(reason.as_bytes()));
}

#[test]
fn a_cancel_before_any_response_waits_for_a_provisional_one() {
    let mut trial = Trial::new();
    let id = trial.send("INVITE", UDP);
    let invite = trial.sent();
    trial.until(100);
    cancel(&mut trial, id).unwrap();
    trial.until(600).answer(&invite, 100);
    assert_eq!(trial.log(), ["0 > INVITE", "500 > INVITE again 1", "600 response 100", "600 > CANCEL"]);
}

#[test]
fn a_cancel_that_waits_is_dropped_when_the_invite_ends_without_a_provisional_response() {
    let mut trial = Trial::new();
    let id = trial.send("INVITE", UDP);
    let invite = trial.sent();
    cancel(&mut trial, id).unwrap();
    trial.until(100).answer(&invite, 200);
    assert_eq!(trial.log(), ["0 > INVITE", "100 response 200", "100 gone"]);
    trial.until(100_000);
    assert_eq!(trial.log(), ["32100 gone"]);
    trial.assert_empty();

    let id = trial.send("INVITE", TCP);
    cancel(&mut trial, id).unwrap();
    trial.until(200_000);
    assert_eq!(trial.log(), ["100000 > INVITE", "132000 timeout", "132000 gone", "132000 gone"]);
    trial.assert_empty();
}

#[test]
fn an_invite_that_gets_no_final_response_ends_64_t1_after_its_cancel() {
    let mut trial = Trial::new();
    let id = trial.send("INVITE", TCP);
    let invite = trial.sent();
    trial.answer(&invite, 180);
    trial.until(50_000);
    cancel(&mut trial, id).unwrap();
    let message = trial.sent();
    trial.answer(&message, 200);
    trial.log();
    trial.answer(&invite, 180);
    trial.until(200_000);
    assert_eq!(trial.log(), ["50000 response 180", "82000 timeout", "82000 gone"]);
    trial.assert_empty();
}

#[test]
fn only_an_invite_without_final_response_can_be_cancelled_and_only_once() {
    let mut trial = Trial::new();
    let other = trial.send("OPTIONS", UDP);
    assert_eq!(cancel(&mut trial, other), Err(CancelError::NotPending));
    let id = trial.send("INVITE", UDP);
    let invite = trial.sent();
    trial.answer(&invite, 180);
    cancel(&mut trial, id).unwrap();
    assert_eq!(cancel(&mut trial, id), Err(CancelError::NotPending));
    let id = trial.send("INVITE", UDP);
    let invite = trial.sent();
    trial.answer(&invite, 486);
    assert_eq!(cancel(&mut trial, id), Err(CancelError::NotPending));
    trial.until(100_000);
    assert_eq!(cancel(&mut trial, id), Err(CancelError::NotPending));
}
