//! RFC 3261 figure 7 as RFC 6026 amends it, and CANCEL (sec. 9.2).
use super::*;

const BRANCH: &str = "z9hG4bK1";

fn opened(transport: Transport) -> (Trial, Message) {
    let mut trial = Trial::new();
    let invite = incoming("INVITE", BRANCH);
    trial.receive_on(invite.clone(), transport);
    assert_eq!(trial.log(), ["0 request INVITE"]);
    (trial, invite)
}

#[test]
fn a_100_is_sent_by_itself_when_the_user_says_nothing_for_200_ms() {
    let (mut trial, invite) = opened(UDP);
    trial.until(199).receive(invite.clone());
    trial.until(300).receive(invite);
    assert_eq!(trial.log(), ["200 > 100", "300 > 100 again 1"]);
    assert_eq!(trial.sent().header(HeaderName::Timestamp), Some(&b"54"[..]));
}

#[test]
fn no_100_is_sent_when_the_user_has_answered() {
    let (mut trial, invite) = opened(UDP);
    trial.until(199);
    trial.respond(&invite, 180).unwrap();
    trial.until(5_000);
    assert_eq!(trial.log(), ["199 > 180"]);
}

#[test]
fn in_proceeding_a_retransmission_gets_the_last_provisional_response_again() {
    let (mut trial, invite) = opened(UDP);
    trial.respond(&invite, 180).unwrap();
    trial.respond(&invite, 183).unwrap();
    trial.until(500).receive(invite.clone()).receive(invite);
    assert_eq!(trial.log(), ["0 > 180", "0 > 183", "500 > 183 again 1", "500 > 183 again 2"]);
}

#[test]
fn an_invite_that_rings_for_the_whole_limit_ends_as_failed() {
    let (mut trial, invite) = opened(TCP);
    trial.respond(&invite, 180).unwrap();
    trial.until(5_000_000);
    assert_eq!(trial.log(), ["0 > 180", "3600000 server failed", "3600000 server gone"]);
    trial.assert_empty();
}

#[test]
fn a_2xx_moves_to_accepted_which_absorbs_retransmissions_until_timer_l() {
    for transport in [UDP, TCP] {
        let (mut trial, invite) = opened(transport);
        trial.until(100);
        trial.respond(&invite, 200).unwrap();
        trial.until(500).receive_on(invite.clone(), transport);
        trial.until(32_099).receive_on(invite, transport);
        trial.until(40_000);
        assert_eq!(trial.log(), ["100 > 200", "32100 server gone"]);
        trial.assert_empty();
    }
}

#[test]
fn in_accepted_the_user_sends_the_2xx_again_and_nothing_else() {
    let (mut trial, invite) = opened(UDP);
    trial.respond(&invite, 200).unwrap();
    trial.until(500);
    trial.respond(&invite, 200).unwrap();
    assert_eq!(trial.respond(&invite, 180), Err(RespondError::Answered));
    assert_eq!(trial.respond(&invite, 500), Err(RespondError::Answered));
    assert_eq!(trial.log(), ["0 > 200", "500 > 200 again 1"]);
}

#[test]
fn in_accepted_an_ack_goes_to_the_user_whatever_its_branch() {
    let (mut trial, invite) = opened(UDP);
    trial.respond(&invite, 200).unwrap();
    trial.receive(incoming("ACK", BRANCH)).receive(incoming("ACK", "z9hG4bKother"));
    assert_eq!(trial.log(), ["0 > 200", "0 ack", "0 ack"]);
}

#[test]
fn a_refusal_over_udp_is_sent_again_by_timer_g_up_to_t2_until_timer_h() {
    let (mut trial, invite) = opened(UDP);
    trial.respond(&invite, 486).unwrap();
    trial.until(600).receive(invite);
    trial.until(100_000);
    assert_eq!(
        trial.log(),
        [
            "0 > 486",
            "500 > 486 again 1",
            "600 > 486 again 2",
            "1500 > 486 again 3",
            "3500 > 486 again 4",
            "7500 > 486 again 5",
            "11500 > 486 again 6",
            "15500 > 486 again 7",
            "19500 > 486 again 8",
            "23500 > 486 again 9",
            "27500 > 486 again 10",
            "31500 > 486 again 11",
            "32000 server failed",
            "32000 server gone",
        ]
    );
    assert!(trial.all_sent.iter().all(|bytes| bytes.as_ptr() == trial.all_sent[0].as_ptr()));
    trial.assert_empty();
}

#[test]
fn a_refusal_over_tcp_is_sent_once_and_waits_for_its_ack_until_timer_h() {
    let (mut trial, invite) = opened(TCP);
    trial.respond(&invite, 486).unwrap();
    trial.until(100_000);
    assert_eq!(trial.log(), ["0 > 486", "32000 server failed", "32000 server gone"]);
    trial.assert_empty();
}

#[test]
fn an_ack_confirms_a_refusal_and_timer_i_absorbs_further_acks() {
    let (mut trial, invite) = opened(UDP);
    trial.respond(&invite, 486).unwrap();
    trial.until(100).receive(incoming("ACK", BRANCH));
    trial.until(5_099).receive(incoming("ACK", BRANCH)).receive(invite.clone());
    trial.server_error();
    assert_eq!(trial.respond(&invite, 200), Err(RespondError::Answered));
    trial.until(5_100).receive(incoming("ACK", BRANCH));
    assert_eq!(trial.log(), ["0 > 486", "5100 server gone", "5100 ack"]);
    trial.assert_empty();
}

#[test]
fn an_ack_over_tcp_ends_the_transaction_at_once() {
    let (mut trial, invite) = opened(TCP);
    trial.respond(&invite, 486).unwrap();
    trial.until(9).receive_on(incoming("ACK", BRANCH), TCP);
    assert_eq!(trial.log(), ["0 > 486", "9 server gone"]);
    trial.assert_empty();
}

#[test]
fn an_ack_before_any_final_response_is_stray() {
    let (mut trial, invite) = opened(UDP);
    trial.respond(&invite, 180).unwrap();
    trial.receive(incoming("ACK", BRANCH));
    assert_eq!(trial.log(), ["0 > 180", "0 stray"]);
}

#[test]
fn a_transport_error_is_told_to_the_user_and_leaves_the_transaction_where_it_is() {
    for (status, resent) in [(180, true), (200, false), (486, true)] {
        let (mut trial, invite) = opened(UDP);
        trial.respond(&invite, status).unwrap();
        trial.log();
        trial.server_error().receive(invite);
        let mut expected = vec!["0 server failed".to_string()];
        if resent {
            expected.push(format!("0 > {status} again 1"));
        }
        assert_eq!(trial.log(), expected);
    }
}

#[test]
fn an_abandoned_invite_is_silent_and_so_is_its_cancel() {
    let (mut trial, invite) = opened(UDP);
    trial.layer.abandon(trial.instant(), trial.server.unwrap());
    trial.until(500).receive(invite.clone());
    trial.until(600).receive(incoming("CANCEL", BRANCH)).receive(incoming("CANCEL", BRANCH));
    assert_eq!(trial.respond(&invite, 486), Err(RespondError::Gone));
    trial.until(100_000);
    assert_eq!(trial.log(), ["32000 server gone"]);
    trial.assert_empty();
}

#[test]
fn a_cancel_is_answered_200_and_told_to_the_invites_user_once() {
    let (mut trial, invite) = opened(UDP);
    let id = trial.server;
    trial.respond(&invite, 180).unwrap();
    trial.until(50).receive(incoming("CANCEL", BRANCH));
    trial.until(90).receive(incoming("CANCEL", BRANCH));
    assert_eq!(trial.log(), ["0 > 180", "50 > 200", "50 cancelled", "90 > 200 again 1"]);
    assert_eq!(trial.cancelled, id);
    assert_eq!(trial.sent().cseq().unwrap().method, Method::Cancel);
    assert!(trial.sent().to().unwrap().tag().is_some());
    trial.respond(&invite, 487).unwrap();
    trial.receive(incoming("ACK", BRANCH));
    trial.until(100_000);
    // The CANCEL's own transaction ended unheard, as it began.
    assert_eq!(trial.log(), ["90 > 487", "5090 server gone"]);
    trial.assert_empty();
}

#[test]
fn a_cancel_after_the_final_response_is_answered_200_and_changes_nothing() {
    let (mut trial, invite) = opened(UDP);
    trial.respond(&invite, 200).unwrap();
    trial.receive(incoming("CANCEL", BRANCH));
    assert_eq!(trial.log(), ["0 > 200", "0 > 200"]);
    assert_eq!(trial.cancelled, None);
}

#[test]
fn a_cancel_that_matches_no_invite_is_answered_481() {
    let (mut trial, _) = opened(UDP);
    trial.receive(incoming("CANCEL", "z9hG4bKother"));
    trial.receive_on(incoming("CANCEL", "z9hG4bKtcp"), TCP);
    assert_eq!(trial.log(), ["0 > 481", "0 > 481"]);
}

#[test]
fn the_200_to_a_cancel_has_the_to_tag_of_the_responses_to_the_invite() {
    let tag = |message: &Message| message.to().unwrap().tag().map(<[u8]>::to_vec);
    let ringing = |trial: &mut Trial, status| {
        trial.receive(incoming("INVITE", BRANCH));
        trial.respond(&incoming("INVITE", BRANCH), status).unwrap();
        trial.receive(incoming("CANCEL", BRANCH));
        tag(&trial.sent())
    };
    // Ringing; refused; accepted, when nothing is left to cancel.
    for status in [180, 486, 200] {
        assert_eq!(ringing(&mut Trial::new(), status).unwrap(), b"b1");
    }
    // Before any response with a tag the layer gives one of its own.
    let mut trial = Trial::new();
    trial.receive(incoming("INVITE", BRANCH)).until(200);
    assert_eq!((trial.sent().status(), tag(&trial.sent())), (Some(100), None));
    trial.receive(incoming("CANCEL", BRANCH));
    assert_eq!(trial.sent().status(), Some(200));
    assert!(tag(&trial.sent()).is_some_and(|tag| tag.len() == 16));
    // The layer's own answer to a merged copy counts as well.
    trial.receive(incoming("INVITE", "z9hG4bKcopy"));
    let refused = trial.sent();
    assert_eq!(refused.status(), Some(482));
    trial.receive(incoming("CANCEL", "z9hG4bKcopy"));
    assert_eq!(trial.sent().status(), Some(200));
    assert_eq!(tag(&trial.sent()), tag(&refused));
}
