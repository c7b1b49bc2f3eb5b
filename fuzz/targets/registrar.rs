//! A registrar that answers what it likes: the registration machine ends each command within its limit of requests.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ringback::auth::Credentials;
use ringback::message::{Ids, Message};
use ringback::syntax::Limits;
use ringback::ua::registration::{Command, Config, Input, Output, Registration};
use std::time::{Duration, Instant};

fuzz_target!(|data: &[u8]| {
    let mut config = Config::new("sip:a@h", "sip:h", "sip:a@192.0.2.1:5060", Credentials::new("a", "p"));
    config.max_requests = 6;
    let mut machine = Registration::new(config, Ids::from_seed([7; 32]));
    let mut now = Instant::now();
    // Answers are separated by a zero byte; each is tried as it is and after a status line.
    let mut answers = data.split(|byte| *byte == 0);
    for command in [Command::Query, Command::Bind, Command::Bind, Command::Query, Command::Remove] {
        machine.handle_input(now, Input::Command(command));
        let (mut requests, mut finished) = (0, false);
        while let Some(output) = machine.poll_output() {
            now += Duration::from_millis(1);
            match output {
                Output::Send(request) => {
                    requests += 1;
                    assert!(requests <= 6, "more requests than allowed");
                    assert!(!request.as_bytes().windows(10).any(|part| part == b"Contact: *"));
                    let answer = answers.next().unwrap_or_default();
                    let parse = |bytes: Vec<u8>| Message::parse(Bytes::from(bytes), &Limits::default()).ok();
                    let input = match parse(answer.to_vec())
                        .or_else(|| parse([b"SIP/2.0 401 U\r\n", answer, b"\r\n\r\n"].concat()))
                    {
                        Some(message) if !message.is_request() => Input::Response(message),
                        Some(_) => Input::TransportFailed,
                        None => Input::Timeout,
                    };
                    machine.handle_input(now, input);
                }
                Output::Finished(_) => finished = true,
                _ => {}
            }
        }
        // A provisional answer leaves it waiting: then the transaction's timer ends it.
        if !finished {
            machine.handle_input(now, Input::Timeout);
            finished = std::iter::from_fn(|| machine.poll_output())
                .any(|output| matches!(output, Output::Finished(_)));
        }
        assert!(finished, "{command:?} did not end");
        let _ = machine.poll_timeout();
    }
});
