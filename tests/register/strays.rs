//! What came and could not be used is told, and is no silence.

use super::scene::assert_verdict;
use crate::scripted::{Registrar, Reply, Scripted, blamed, told};
use crate::seen::steps;
use ringback::check::{Outcome, Verdict};
use ringback::message::Message;
use ringback::message::Transport::{self, Tcp, Udp};

/// What nobody may be told who was answered, or whose wrong port was answered.
const SILENCE: [&str; 4] = ["may be blocked", "try another transport", "fail2ban", "no answer from"];

fn assert_told(outcome: &Outcome, verdicts: &[Verdict], sides: &[&str], words: &[&str]) {
    let text = told(outcome);
    assert!(verdicts.contains(&outcome.verdict), "{outcome}");
    if outcome.verdict != Verdict::Pass {
        assert!(sides.contains(&blamed(outcome).unwrap()), "{outcome}");
    }
    for word in words {
        assert!(text.contains(word), "{word:?} is not told:\n{outcome}");
    }
    for word in SILENCE {
        assert!(!text.contains(word), "{word:?} is told:\n{outcome}");
    }
}

type Change = fn(&mut Registrar, &Message) -> Vec<Reply>;

fn text(text: impl Into<String>) -> Vec<Reply> {
    vec![Reply::Bytes(text.into().into_bytes())]
}

#[rustfmt::skip]
const CASES: &[(&str, Transport, Change, &[&str])] = &[
    ("second Via", Udp, |r, q| {
        let answer = r.healthy(q);
        text(match answer.contains("200 OK") {
            true => answer.replacen("Via:", "Via: SIP/2.0/UDP 192.0.2.9:10060;branch=z9hG4bKextra\r\nVia:", 1),
            false => answer,
        })
    }, &["second Via", "192.0.2.9:10060"]),
    ("other branch", Udp, |r, q| text(r.healthy(q).replacen("branch=z9hG4bK", "branch=z9hG4bKx", 1)), &["branch"]),
    ("other branch", Tcp, |r, q| text(r.healthy(q).replacen("branch=z9hG4bK", "branch=z9hG4bKx", 1)), &["branch"]),
    ("other branch and Call-ID", Udp, |r, q| {
        text(r.healthy(q).replacen("branch=z9hG4bK", "branch=z9hG4bKx", 1).replacen("Call-ID: ", "Call-ID: x", 1))
    }, &["branch"]),
    ("CSeq in lower case", Udp, |r, q| text(r.healthy(q).replacen(" REGISTER\r\n", " register\r\n", 1)), &["CSeq", "1 register"]),
    ("other CSeq number", Udp, |r, q| text(r.healthy(q).replacen("CSeq: ", "CSeq: 7", 1)), &["CSeq", "71 REGISTER"]),
    ("CSeq 0", Tcp, |r, q| text(r.healthy(q).replacen("CSeq: 1 ", "CSeq: 0 ", 1)), &["CSeq", "0 REGISTER"]),
    ("no SIP", Udp, |_, _| text("\0\u{1}\u{2}hello"), &["no SIP"]),
    ("HTTP", Udp, |_, _| text("HTTP/1.1 400 Bad Request\r\n\r\n"), &["HTTP", "400 Bad Request"]),
    ("HTTP", Tcp, |_, _| vec![Reply::Bytes(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".to_vec()), Reply::Close], &["HTTP"]),
    ("echo", Udp, |_, q| text(crate::scripted::text(q)), &["came back"]),
    ("half a message", Tcp, |r, q| text(r.healthy(q).replacen("Content-Length: 0", "Content-Length: 40", 1)), &["part of a message", "Content-Length is 40"]),
    ("half a head", Tcp, |r, q| text(r.healthy(q).split("CSeq").next().unwrap()), &["part of a message"]),
    ("SSH", Tcp, |_, _| text("SSH-2.0-OpenSSH_9.2\r\n"), &["SSH"]),
    ("TLS", Tcp, |_, _| vec![Reply::Bytes(vec![0x15, 3, 1, 0, 2, 2, 0x46]), Reply::Close], &["TLS"]),
    ("closes", Tcp, |_, _| vec![Reply::Close], &["closed the connection upon the", "without a byte"]),
    ("no Content-Length", Tcp, |r, q| text(r.healthy(q).replacen("Content-Length: 0\r\n", "", 1)), &["Content-Length"]),
    ("799", Udp, |r, q| text(r.answer(q, 200, "Odd", &[]).replacen("200", "799", 1)), &["799 Odd"]),
];

#[tokio::test(start_paused = true)]
async fn what_came_and_could_not_be_used_is_told_by_register() {
    for (name, transport, change, words) in CASES {
        let scene = Scripted::raw(Registrar::default(), *change).await;
        let outcome = scene.register(*transport).await;
        eprintln!("{name} {transport}: {}", outcome.summary);
        assert_told(&outcome, &[Verdict::Fail, Verdict::Inconclusive], &["peer", "path"], words);
        assert!(!told(&outcome).contains("keep-alive"), "{name}: {outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_and_could_not_be_used_is_told_by_reachable() {
    for (name, transport, change, words) in CASES.iter().filter(|(name, ..)| *name != "second Via") {
        let scene = Scripted::raw(Registrar { open: true, ..Registrar::default() }, *change).await;
        let outcome = scene.reachable(*transport).await;
        eprintln!("{name} {transport}: {}", outcome.summary);
        let words: Vec<String> = words.iter().map(|w| w.replace("REGISTER", "OPTIONS")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).filter(|w| *w != "1 register").collect();
        if *name == "CSeq in lower case" {
            continue;
        }
        assert_told(&outcome, &[Verdict::Fail, Verdict::Inconclusive], &["peer", "path"], &words);
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_is_cut_short_still_tells_what_came() {
    let scene = Scripted::raw(Registrar::default(), |_, _| text("hello")).await;
    let account = scene.account("alice", Udp);
    let check = ringback::check::Register::new(&account).timeout(std::time::Duration::from_secs(3));
    assert_told(&scene.check(check).await, &[Verdict::Fail], &["peer"], &["no SIP", "hello"]);
}

#[tokio::test(start_paused = true)]
async fn silence_stays_silence() {
    let scene = Scripted::raw(Registrar::default(), |_, _| Vec::new()).await;
    for transport in [Udp, Tcp] {
        let outcome = scene.register(transport).await;
        assert_verdict(&outcome, Verdict::Fail);
        assert_eq!(blamed(&outcome), Some("path"), "{outcome}");
        assert!(told(&outcome).contains("no answer from"), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn line_ends_around_answers_are_nothing() {
    for transport in [Udp, Tcp] {
        let scene = Scripted::new(Registrar::default(), |r, q| format!("\r\n\r\n{}\r\n", r.healthy(q))).await;
        let outcome = scene.register(transport).await;
        assert_eq!(steps(&outcome), crate::scene::ALL_PASS, "{outcome}");
    }
}

/// One request that is dropped is no ban, where the ones before and after it are answered.
#[tokio::test(start_paused = true)]
async fn a_bind_that_is_dropped_alone_is_no_silence() {
    let scene = Scripted::raw(Registrar::default(), |r, q| {
        let binds = q
            .header(ringback::syntax::HeaderName::Contact)
            .is_some_and(|contact| !String::from_utf8_lossy(contact).contains("expires=0"));
        if binds { Vec::new() } else { text(r.healthy(q)) }
    })
    .await;
    let outcome = scene.check(ringback::check::Register::new(&scene.account("alice", Udp))).await;
    assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Fail, Some("peer")), "{outcome}");
    let told = told(&outcome);
    assert!(
        told.contains("no answer to the bind") && told.contains("before and after it were answered"),
        "{outcome}"
    );
    assert!(!told.contains("fail2ban") && !told.contains("not at all"), "{outcome}");
}

/// A registrar that leaves ours unanswered, and asks itself: nothing blocks the port.
#[tokio::test(start_paused = true)]
async fn requests_from_who_does_not_answer_are_told_and_shown() {
    for method in ["OPTIONS", "NOTIFY"] {
        for transport in [Udp, Tcp] {
            let asks = move |_: &mut Registrar, q: &Message| {
                let number = q.cseq().unwrap().number;
                text(format!(
                    "{method} sip:alice@192.0.2.7 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.1;branch=z9hG4bKp{number}\r\n\
                     From: <sip:ping@h>;tag=1\r\nTo: <sip:alice@h>\r\nCall-ID: ping{number}\r\nCSeq: 1 {method}\r\n\
                     Content-Length: 0\r\n\r\n"
                ))
            };
            let scene = Scripted::raw(Registrar::default(), asks).await;
            for outcome in [scene.register(transport).await, scene.reachable(transport).await] {
                assert_eq!(outcome.verdict, Verdict::Fail, "{outcome}");
                assert_eq!(blamed(&outcome), Some("peer"), "{outcome}");
                let told = told(&outcome);
                assert!(told.contains("came from there") && told.contains(method), "{outcome}");
                assert!(!told.contains("may be blocked") && !told.contains("fail2ban"), "{outcome}");
                assert!(
                    outcome.to_string().contains(method) && ladder(&outcome).contains(method),
                    "{outcome}"
                );
            }
        }
    }
}

fn ladder(outcome: &Outcome) -> String {
    ringback::report::ladder(&outcome.transcript)
}

/// Line ends and empty datagrams say that the way is open, as any request does.
#[tokio::test(start_paused = true)]
async fn keep_alives_instead_of_an_answer_are_told_and_no_closed_port() {
    for (transport, bytes) in [(Udp, ""), (Udp, "\r\n\r\n"), (Udp, "\0\0\0\0"), (Tcp, "\r\n\r\n")] {
        let scene = || Scripted::raw(Registrar::default(), move |_, _| text(bytes));
        for outcome in [scene().await.register(transport).await, scene().await.reachable(transport).await] {
            assert_eq!((outcome.verdict, blamed(&outcome)), (Verdict::Fail, Some("peer")), "{outcome}");
            assert_told(
                &outcome,
                &[Verdict::Fail],
                &["peer"],
                &["keep-alive", "the way from there to here is open"],
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_in_pieces_is_told_as_that_and_a_whole_one_is_taken() {
    for gap in [500, 1_000, 3_000] {
        let slow = move |r: &mut Registrar, q: &Message| {
            let answer = r.healthy(q).into_bytes();
            let bytes = answer.into_iter().take(80).map(|byte| Reply::Bytes(vec![byte]));
            bytes.flat_map(|byte| [byte, Reply::Pause(std::time::Duration::from_millis(gap))]).collect()
        };
        let scene = Scripted::raw(Registrar::default(), slow).await;
        let check = ringback::check::Register::new(&scene.account("alice", Tcp));
        let outcome = scene.check(check.timeout(std::time::Duration::from_secs(20))).await;
        assert_told(&outcome, &[Verdict::Fail], &["peer"], &["in small pieces"]);
        assert!(!told(&outcome).contains("fixed buffer"), "{outcome}");
    }
    // In two halves, seconds apart: slow, and whole.
    let halves = |r: &mut Registrar, q: &Message| {
        let answer = r.healthy(q).into_bytes();
        let (first, second) = answer.split_at(answer.len() / 2);
        let pause = Reply::Pause(std::time::Duration::from_secs(2));
        vec![Reply::Bytes(first.to_vec()), pause, Reply::Bytes(second.to_vec())]
    };
    let outcome = Scripted::raw(Registrar::default(), halves).await.register(Tcp).await;
    assert_eq!(steps(&outcome), crate::scene::ALL_PASS, "{outcome}");
}
