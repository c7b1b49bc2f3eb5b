//! RFC 3261 figure 6.
use super::*;

#[test]
fn a_request_over_udp_is_sent_again_doubling_up_to_t2_until_timer_f_says_timeout() {
    let mut trial = Trial::new();
    let id = trial.send("OPTIONS", UDP);
    trial.until(31_999);
    assert_eq!(
        trial.log(),
        [
            "0 > OPTIONS",
            "500 > OPTIONS again 1",
            "1500 > OPTIONS again 2",
            "3500 > OPTIONS again 3",
            "7500 > OPTIONS again 4",
            "11500 > OPTIONS again 5",
            "15500 > OPTIONS again 6",
            "19500 > OPTIONS again 7",
            "23500 > OPTIONS again 8",
            "27500 > OPTIONS again 9",
            "31500 > OPTIONS again 10",
        ]
    );
    assert_eq!(trial.layer.retransmissions(id), Some(10));
    assert!(trial.all_sent.iter().all(|bytes| *bytes == trial.all_sent[0]));
    trial.until(100_000);
    assert_eq!(trial.log(), ["32000 timeout", "32000 gone"]);
    assert_eq!(trial.layer.retransmissions(id), None);
    trial.assert_empty();
}

#[test]
fn a_request_over_tcp_is_sent_once_and_times_out_by_timer_f() {
    let mut trial = Trial::new();
    trial.send("OPTIONS", TCP);
    trial.until(100_000);
    assert_eq!(trial.log(), ["0 > OPTIONS", "32000 timeout", "32000 gone"]);
    trial.assert_empty();
}

#[test]
fn a_final_response_in_trying_goes_to_the_user_and_timer_k_absorbs_its_copies() {
    let mut trial = Trial::new();
    trial.send("OPTIONS", UDP);
    let request = trial.sent();
    trial.until(600).answer(&request, 200);
    trial.until(700).answer(&request, 200).answer(&request, 100);
    trial.until(5_599).answer(&request, 404);
    trial.until(5_600).answer(&request, 200);
    assert_eq!(
        trial.log(),
        ["0 > OPTIONS", "500 > OPTIONS again 1", "600 response 200", "5600 gone", "5600 stray"]
    );
    trial.assert_empty();
}

#[test]
fn a_final_response_over_tcp_ends_the_transaction_at_once() {
    let mut trial = Trial::new();
    trial.send("OPTIONS", TCP);
    let request = trial.sent();
    trial.until(20).answer(&request, 404);
    assert_eq!(trial.log(), ["0 > OPTIONS", "20 response 404", "20 gone"]);
    trial.assert_empty();
}

#[test]
fn in_proceeding_timer_e_runs_out_as_it_was_set_and_is_then_t2_at_once() {
    let mut trial = Trial::new();
    trial.send("OPTIONS", UDP);
    let request = trial.sent();
    trial.until(600).answer(&request, 100).answer(&request, 100);
    trial.until(100_000);
    assert_eq!(
        trial.log(),
        [
            "0 > OPTIONS",
            "500 > OPTIONS again 1",
            "600 response 100",
            "600 response 100",
            "1500 > OPTIONS again 2",
            "5500 > OPTIONS again 3",
            "9500 > OPTIONS again 4",
            "13500 > OPTIONS again 5",
            "17500 > OPTIONS again 6",
            "21500 > OPTIONS again 7",
            "25500 > OPTIONS again 8",
            "29500 > OPTIONS again 9",
            "32000 timeout",
            "32000 gone",
        ]
    );
    trial.assert_empty();
}

#[test]
fn a_final_response_in_proceeding_completes_the_transaction() {
    let mut trial = Trial::new();
    trial.send("REGISTER", UDP);
    let request = trial.sent();
    trial.until(10).answer(&request, 100);
    trial.until(20).answer(&request, 401);
    trial.until(100_000);
    assert_eq!(trial.log(), ["0 > REGISTER", "10 response 100", "20 response 401", "5020 gone"]);
    trial.assert_empty();
}

#[test]
fn a_transport_error_in_trying_or_proceeding_ends_the_transaction() {
    for provisional in [false, true] {
        let mut trial = Trial::new();
        let id = trial.send("OPTIONS", TCP);
        let request = trial.sent();
        if provisional {
            trial.answer(&request, 100);
        }
        trial.log();
        trial.until(3).client_error(id);
        assert_eq!(trial.log(), ["3 failed", "3 gone"]);
        trial.assert_empty();
    }
}

#[test]
fn a_transport_error_in_completed_changes_nothing() {
    let mut trial = Trial::new();
    let id = trial.send("OPTIONS", UDP);
    let request = trial.sent();
    trial.answer(&request, 200).client_error(id);
    trial.until(100_000);
    assert_eq!(trial.log(), ["0 > OPTIONS", "0 response 200", "5000 gone"]);
}

#[test]
fn all_timers_follow_the_configuration() {
    let ms = Duration::from_millis;
    let mut trial = Trial::with(Config { t1: ms(10), t2: ms(30), t4: ms(50), ..Config::default() });
    trial.send("OPTIONS", UDP);
    let request = trial.sent();
    trial.until(100);
    trial.answer(&request, 200);
    trial.until(1_000);
    assert_eq!(
        trial.log(),
        [
            "0 > OPTIONS",
            "10 > OPTIONS again 1",
            "30 > OPTIONS again 2",
            "60 > OPTIONS again 3",
            "90 > OPTIONS again 4",
            "100 response 200",
            "150 gone",
        ]
    );
    trial.send("OPTIONS", TCP);
    trial.until(5_000);
    assert_eq!(trial.log(), ["1000 > OPTIONS", "1640 timeout", "1640 gone"]);
}

#[test]
fn a_layer_that_is_woken_late_sends_once_and_not_for_each_firing_that_it_missed() {
    let mut trial = Trial::new();
    trial.send("OPTIONS", UDP);
    trial.now = 20_000;
    trial.layer.handle_timeout(trial.instant());
    trial.drain();
    trial.until(24_000);
    assert_eq!(
        trial.log(),
        ["0 > OPTIONS", "20000 > OPTIONS again 1", "21000 > OPTIONS again 2", "23000 > OPTIONS again 3"]
    );
}

#[test]
fn times_between_milliseconds_make_nothing_come_early() {
    let mut layer = Layer::new(Config::default(), Ids::from_seed([1; 32]));
    let start = Instant::now();
    layer.handle_timeout(start);
    let sent = start + Duration::from_micros(1_300);
    layer.send(sent, &outgoing("OPTIONS"), flow(UDP)).unwrap();
    let due = layer.poll_timeout().unwrap() - sent;
    assert!(due >= Duration::from_millis(500) && due < Duration::from_millis(501), "{due:?}");
}
