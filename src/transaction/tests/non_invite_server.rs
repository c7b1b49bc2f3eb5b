//! RFC 3261 figure 8 with the rules of RFC 4320.
use super::*;

fn opened(transport: Transport) -> (Trial, Message) {
    let mut trial = Trial::new();
    let request = incoming("OPTIONS", "z9hG4bK1");
    trial.receive_on(request.clone(), transport);
    assert_eq!(trial.log(), ["0 request OPTIONS"]);
    (trial, request)
}

#[test]
fn in_trying_retransmissions_are_absorbed() {
    let (mut trial, request) = opened(UDP);
    trial.until(500).receive(request.clone());
    trial.until(1_500).receive(request);
    assert_eq!(trial.log(), [""; 0]);
}

#[test]
fn a_final_response_is_sent_and_its_very_bytes_again_for_each_retransmission_until_timer_j() {
    let (mut trial, request) = opened(UDP);
    trial.until(10);
    trial.respond(&request, 200).unwrap();
    trial.until(500).receive(request.clone());
    trial.until(32_009).receive(request.clone());
    assert_eq!(trial.log(), ["10 > 200", "500 > 200 again 1", "32009 > 200 again 2"]);
    assert!(trial.all_sent.iter().all(|bytes| bytes.as_ptr() == trial.all_sent[0].as_ptr()));
    trial.until(32_010).receive(request);
    assert_eq!(trial.log(), ["32010 server gone", "32010 request OPTIONS"]);
}

#[test]
fn a_final_response_over_tcp_ends_the_transaction_at_once() {
    let (mut trial, request) = opened(TCP);
    trial.until(10);
    trial.respond(&request, 200).unwrap();
    assert_eq!(trial.log(), ["10 > 200", "10 server gone"]);
    trial.assert_empty();
}

#[test]
fn in_proceeding_the_100_is_sent_again_for_each_retransmission() {
    let (mut trial, request) = opened(UDP);
    trial.until(3_500);
    assert_eq!(trial.log(), ["3500 > 100"]);
    trial.until(3_600).receive(request.clone());
    trial.respond(&request, 100).unwrap();
    trial.receive(request.clone());
    assert_eq!(trial.log(), ["3600 > 100 again 1", "3600 > 100", "3600 > 100 again 1"]);
    trial.until(4_000);
    trial.respond(&request, 404).unwrap();
    trial.until(100_000);
    assert_eq!(trial.log(), ["4000 > 404", "36000 server gone"]);
    trial.assert_empty();
}

#[test]
fn a_100_is_sent_by_itself_when_timer_e_of_the_client_reaches_t2_and_copies_the_timestamp() {
    let (mut trial, _) = opened(TCP);
    trial.until(3_500);
    assert_eq!(trial.log(), ["3500 > 100"]);
    assert_eq!(trial.sent().header(HeaderName::Timestamp), Some(&b"54"[..]));
}

#[test]
fn a_100_is_refused_over_udp_before_timer_e_of_the_client_reaches_t2_and_sent_over_tcp() {
    let (mut trial, request) = opened(UDP);
    trial.until(3_499);
    assert_eq!(trial.respond(&request, 100), Err(RespondError::Forbidden));
    assert_eq!(trial.log(), [""; 0]);
    let (mut trial, request) = opened(TCP);
    trial.respond(&request, 100).unwrap();
    trial.until(10_000);
    assert_eq!(trial.log(), ["0 > 100"]);
}

#[test]
fn a_408_and_a_provisional_response_other_than_100_are_refused() {
    let (mut trial, request) = opened(TCP);
    for status in [101, 180, 183, 408] {
        assert_eq!(trial.respond(&request, status), Err(RespondError::Forbidden));
    }
    trial.respond(&request, 200).unwrap();
    assert_eq!(trial.log(), ["0 > 200", "0 server gone"]);
}

#[test]
fn what_is_no_response_is_refused() {
    let (mut trial, request) = opened(UDP);
    let result = trial.layer.respond(trial.instant(), trial.server.unwrap(), request);
    assert_eq!(result, Err(RespondError::Forbidden));
}

#[test]
fn a_second_final_response_is_refused_and_sends_nothing() {
    let (mut trial, request) = opened(UDP);
    trial.respond(&request, 200).unwrap();
    trial.log();
    assert_eq!(trial.respond(&request, 500), Err(RespondError::Answered));
    assert_eq!(trial.respond(&request, 100), Err(RespondError::Answered));
    assert_eq!(trial.log(), [""; 0]);
    trial.until(100_000);
    assert_eq!(trial.respond(&request, 500), Err(RespondError::Gone));
}

#[test]
fn a_transaction_that_nobody_answers_ends_after_64_t1_without_a_408() {
    let (mut trial, request) = opened(UDP);
    trial.until(100_000);
    assert_eq!(trial.log(), ["3500 > 100", "32000 server gone"]);
    assert_eq!(trial.respond(&request, 200), Err(RespondError::Gone));
    trial.assert_empty();
}

#[test]
fn an_abandoned_transaction_is_silent_absorbs_retransmissions_and_ends_after_64_t1() {
    let (mut trial, request) = opened(UDP);
    trial.until(100);
    trial.layer.abandon(trial.instant(), trial.server.unwrap());
    assert_eq!(trial.respond(&request, 200), Err(RespondError::Gone));
    trial.until(5_000).receive(request.clone());
    trial.until(32_099).receive(request);
    assert_eq!(trial.log(), [""; 0]);
    trial.until(32_100);
    assert_eq!(trial.log(), ["32100 server gone"]);
    trial.assert_empty();
}

#[test]
fn a_transport_error_ends_the_transaction_in_proceeding_and_completed() {
    for status in [100, 200] {
        let (mut trial, request) = opened(UDP);
        trial.until(3_600);
        trial.respond(&request, status).unwrap();
        trial.log();
        trial.server_error();
        assert_eq!(trial.log(), ["3600 server failed", "3600 server gone"]);
        trial.assert_empty();
    }
}
