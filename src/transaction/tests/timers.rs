//! Each timer follows the configuration: other values than the RFC's make other times, by the same rules.
use super::*;

/// T1 10 ms, T2 30 ms, T4 50 ms, timer D 70 ms: 64*T1 is 640 ms.
fn trial() -> Trial {
    let ms = Duration::from_millis;
    Trial::with(Config {
        t1: ms(10),
        t2: ms(30),
        t4: ms(50),
        d: ms(70),
        proceeding: ms(900),
        ..Config::default()
    })
}

/// An INVITE of ours that was answered so after 5 ms, and its log from then on.
fn answered(status: u16) -> Vec<String> {
    let mut trial = trial();
    trial.send("INVITE", UDP);
    let invite = trial.sent();
    trial.log();
    trial.until(5).answer(&invite, status);
    trial.until(10_000);
    trial.assert_empty();
    trial.log()
}

/// A request of the peer's that our user answers so after 5 ms; its log from then on.
fn answering(method: &str, status: u16, ack: bool) -> Vec<String> {
    let mut trial = trial();
    let request = incoming(method, "z9hG4bK1");
    trial.receive(request.clone()).until(5);
    trial.log();
    trial.respond(&request, status).unwrap();
    if ack {
        trial.receive(incoming("ACK", "z9hG4bK1"));
    }
    trial.until(10_000);
    trial.assert_empty();
    trial.log()
}

#[test]
fn timers_a_and_b_follow_t1() {
    let mut trial = trial();
    trial.send("INVITE", UDP);
    trial.until(10_000);
    assert_eq!(
        trial.log(),
        [
            "0 > INVITE",
            "10 > INVITE again 1",
            "30 > INVITE again 2",
            "70 > INVITE again 3",
            "150 > INVITE again 4",
            "310 > INVITE again 5",
            "630 > INVITE again 6",
            "640 timeout",
            "640 gone",
        ]
    );
}

#[test]
fn timer_d_has_a_value_of_its_own() {
    assert_eq!(answered(486), ["5 > ACK", "5 response 486", "75 gone"]);
}

#[test]
fn timer_m_follows_t1() {
    assert_eq!(answered(200), ["5 response 200", "645 gone"]);
}

#[test]
fn the_limit_of_proceeding_follows_its_own_value_on_both_sides() {
    assert_eq!(answered(180), ["5 response 180", "905 timeout", "905 gone"]);
    assert_eq!(answering("INVITE", 180, false), ["5 > 180", "900 server failed", "900 server gone"]);
}

#[test]
fn timer_g_follows_t1_up_to_t2_and_timer_h_t1() {
    let mut wanted = vec!["5 > 486".to_owned(), "15 > 486 again 1".into(), "35 > 486 again 2".into()];
    wanted.extend((3..=22).map(|n| format!("{} > 486 again {n}", 35 + 30 * (n - 2))));
    wanted.extend(["645 server failed".into(), "645 server gone".into()]);
    assert_eq!(answering("INVITE", 486, false), wanted);
}

#[test]
fn timer_i_follows_t4() {
    assert_eq!(answering("INVITE", 486, true), ["5 > 486", "55 server gone"]);
}

#[test]
fn timer_l_follows_t1() {
    assert_eq!(answering("INVITE", 200, false), ["5 > 200", "645 server gone"]);
}

#[test]
fn timer_j_follows_t1() {
    assert_eq!(answering("OPTIONS", 200, false), ["5 > 200", "645 server gone"]);
}

#[test]
fn the_100_of_rfc_4320_comes_when_timer_e_reaches_t2() {
    let mut trial = trial();
    trial.receive(incoming("OPTIONS", "z9hG4bK1"));
    trial.until(10_000);
    // The client sends again after 10 and 30 ms; from then on every 30 ms.
    assert_eq!(trial.log(), ["0 request OPTIONS", "30 > 100", "640 server gone"]);
}
