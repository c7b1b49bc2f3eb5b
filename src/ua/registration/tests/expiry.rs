//! Rules about time: 423, what was granted, and the refresh.

use super::*;

#[test]
fn a_423_is_obeyed_once_and_remembered() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("423 Interval Too Brief", &["Min-Expires: 1800"]);
    play.respond("200 OK", &["Contact: <OWN>;expires=1800"]);
    play.command(Command::Bind).respond("200 OK", &["Contact: <OWN>;expires=1800"]);
    play.ladder_is(
        "> 1 Contact: <OWN>;expires=300 Expires: 300
         < 423 Interval Too Brief
         > 2 Contact: <OWN>;expires=1800 Expires: 1800
         < 200 OK
         = Bind: Accepted, 2 sent
         > 3 Contact: <OWN>;expires=1800 Expires: 1800
         < 200 OK
         = Bind: Accepted, 1 sent",
    );
    assert_eq!(play.finished[0].min_expires, Some(1800));
    assert_eq!(play.finished[1].min_expires, None);
}

#[test]
fn a_second_423_after_obeying_ends_it() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("423 Interval Too Brief", &["Min-Expires: 600"]);
    play.respond("423 Interval Too Brief", &["Min-Expires: 900"]);
    assert_eq!(play.finished().end, End::IntervalTooBrief { without_min_expires: false });
    assert_eq!((play.sent(), play.finished().min_expires), (2, Some(600)));
    for again in [&["Min-Expires: 600"][..], &["Min-Expires: 60"], &[]] {
        let mut play = Play::new();
        play.command(Command::Bind).respond("423 Interval Too Brief", &["Min-Expires: 600"]);
        play.respond("423 Interval Too Brief", again);
        assert_eq!(play.finished().end, End::IntervalTooBrief { without_min_expires: false }, "{again:?}");
        assert_eq!(play.finished().asked_expires, Some(600));
    }
}

#[test]
fn a_423_that_names_no_usable_minimum_ends_it_at_once() {
    let too_long = format!("Min-Expires: {}", u64::from(MAX_MIN_EXPIRES) + 1);
    for headers in
        [&[][..], &["Min-Expires: soon"], &["Min-Expires: 0"], &["Min-Expires: 300"], &[&*too_long]]
    {
        let mut play = Play::new();
        play.command(Command::Bind).respond("423 Interval Too Brief", headers);
        assert_eq!(play.finished().end, End::IntervalTooBrief { without_min_expires: true }, "{headers:?}");
        assert_eq!(play.sent(), 1);
    }
}

#[test]
fn a_423_to_the_longest_time_that_can_be_asked_for_ends_it() {
    let mut config = config();
    config.expires = u32::MAX;
    let mut play = Play::of(config);
    play.command(Command::Bind).respond("423 Interval Too Brief", &["Min-Expires: 4294967295"]);
    assert_eq!(play.finished().end, End::IntervalTooBrief { without_min_expires: true });
}

#[test]
fn a_423_to_a_query_or_a_removal_is_a_plain_refusal() {
    for command in [Command::Query, Command::Remove] {
        let mut play = Play::new();
        play.command(command).respond("423 Interval Too Brief", &["Min-Expires: 600"]);
        assert_eq!(play.finished().end, End::Refused);
    }
}

#[test]
fn the_expiry_at_our_contact_goes_before_the_expires_header() {
    let mut play = Play::new();
    play.command(Command::Bind).respond("200 OK", &["Expires: 3600", "Contact: <OWN>;expires=59"]);
    assert_eq!(play.answer().granted, Some((59, GrantedBy::ContactParam)));
    play.command(Command::Bind).respond("200 OK", &["Expires: 3600", "Contact: <OWN>"]);
    assert_eq!(play.answer().granted, Some((3600, GrantedBy::ExpiresHeader)));
    play.command(Command::Bind).respond("200 OK", &["Expires: 120"]);
    assert_eq!(play.answer().granted, Some((120, GrantedBy::ExpiresHeader)), "no Contact at all");
}

#[test]
fn a_200_without_our_contact_grants_nothing_by_its_expires_header() {
    let mut play = Play::new();
    play.command(Command::Bind);
    play.respond("200 OK", &["Expires: 3600", "Contact: <sip:alice@192.0.2.77:5999>;expires=900"]);
    assert_eq!(play.answer().granted, None);
    assert_eq!(play.registration.poll_timeout(), None);
}

#[test]
fn nothing_granted_and_nothing_to_refresh() {
    for headers in [&["Contact: <OWN>"][..], &["Contact: <OWN>;expires=0"]] {
        let mut play = Play::new();
        play.command(Command::Bind).respond("200 OK", headers);
        assert_eq!(play.finished().end, End::Accepted);
        assert!(play.answer().granted.is_none_or(|(s, _)| s == 0), "{headers:?}");
        assert_eq!(play.registration.poll_timeout(), None, "{headers:?}");
    }
}

#[test]
fn a_refresh_is_due_a_tenth_before_the_end_at_least_five_seconds_and_never_before_half() {
    for (granted, due_ms) in
        [(3600, 3_240_000), (60, 54_000), (40, 35_000), (10, 5_000), (6, 3_000), (1, 500)]
    {
        let mut play = Play::new();
        let contact = format!("Contact: <OWN>;expires={granted}");
        play.command(Command::Bind).respond("200 OK", &[&contact]);
        assert_eq!(play.wait(), Duration::from_millis(due_ms), "{granted} s granted");
        assert_eq!(play.sent(), 2, "and it begins by itself");
    }
}

#[test]
fn a_refresh_follows_what_was_granted_and_not_what_was_asked() {
    let mut play = Play::new();
    play.command(Command::Bind).respond("200 OK", &["Contact: <OWN>;expires=100"]);
    play.wait();
    play.respond("200 OK", &["Contact: <OWN>;expires=1000"]);
    assert_eq!(play.wait(), Duration::from_secs(900));
}

#[test]
fn before_its_time_nothing_happens() {
    let mut play = Play::new();
    play.command(Command::Bind).respond("200 OK", &[GRANTED]);
    let due = play.registration.poll_timeout().unwrap();
    play.registration.handle_timeout(due - Duration::from_millis(1));
    assert!(play.registration.poll_output().is_none());
}

#[test]
fn while_a_command_runs_no_refresh_is_due() {
    let mut play = Play::new();
    play.command(Command::Bind).respond("200 OK", &[GRANTED]);
    let due = play.registration.poll_timeout();
    play.command(Command::Query);
    assert_eq!(play.registration.poll_timeout(), None);
    play.registration.handle_timeout(play.now + Duration::from_secs(999));
    assert!(play.registration.poll_output().is_none());
    play.respond("200 OK", &[GRANTED]);
    assert_eq!(play.registration.poll_timeout(), due, "a query moves no refresh");
}

#[test]
fn a_refresh_that_fails_is_reported_and_not_repeated_by_itself() {
    let mut play = Play::new();
    play.command(Command::Bind).respond("200 OK", &[GRANTED]);
    play.wait();
    play.input(Input::Timeout);
    assert_eq!((play.finished().command, &play.finished().end), (Command::Bind, &End::Timeout));
    assert_eq!(play.registration.poll_timeout(), None);
}

#[test]
fn after_a_removal_nothing_is_refreshed_whatever_came_of_it() {
    for status in ["200 OK", "500 Server Internal Error"] {
        let mut play = Play::new();
        play.command(Command::Bind).respond("200 OK", &[GRANTED]);
        play.command(Command::Remove).respond(status, &[GRANTED]);
        assert_eq!(play.registration.poll_timeout(), None);
    }
}

#[test]
fn an_expiry_that_cannot_be_read_counts_as_an_hour_and_is_kept_as_it_came() {
    for (headers, text) in [
        (&["Contact: <OWN>;expires=soon"][..], "soon"),
        (&["Contact: <OWN>;expires=300.000"], "300.000"),
        (&["Contact: <OWN>", "Expires: Fri, 31 Dec 2027 23:59:59 GMT"], "Fri, 31 Dec 2027 23:59:59 GMT"),
    ] {
        let mut play = Play::new();
        play.command(Command::Bind).respond("200 OK", headers);
        let answer = play.answer();
        assert_eq!(answer.granted.map(|(seconds, _)| seconds), Some(3_600), "{headers:?}");
        assert_eq!(answer.granted_text.as_deref(), Some(text), "{headers:?}");
    }
    let mut play = Play::new();
    play.command(Command::Bind).respond("200 OK", &["Contact: <OWN>;expires=99999999999"]);
    assert_eq!(play.answer().granted_text.as_deref(), Some("99999999999"));
}
