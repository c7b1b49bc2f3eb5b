#![allow(clippy::unwrap_used)]
use super::*;
use crate::ua::dialog::DialogId;
use proptest::prelude::*;

fn dialog(call_id: &str, local: &str, remote: &str) -> DialogId {
    let bytes = |text: &str| text.as_bytes().into();
    DialogId { call_id: bytes(call_id), local_tag: bytes(local), remote_tag: bytes(remote) }
}

#[test]
fn a_replaces_names_the_dialog_as_its_receiver_sees_it() {
    let ours = dialog("1@h", "mine", "theirs");
    let replaces = Replaces::of_ours(&ours);
    assert_eq!(replaces.value(), b"1@h;to-tag=theirs;from-tag=mine");
    assert!(replaces.names(&dialog("1@h", "theirs", "mine")));
    for other in [&ours, &dialog("1@H", "theirs", "mine"), &dialog("1@h", "THEIRS", "mine")] {
        assert!(!replaces.names(other), "{other:?}");
    }
    // A peer of RFC 2543 has no tag, and is named by 0.
    let old = Replaces::of_ours(&dialog("1", "a", ""));
    assert_eq!(old.value(), b"1;to-tag=0;from-tag=a");
    assert!(Replaces::parse(&old.value()).unwrap().names(&dialog("1", "", "a")));
    assert!(Replaces::parse(b"1;to-tag=0;from-tag=a").unwrap().names(&dialog("1", "0", "a")));
}

#[test]
fn what_a_replaces_gets_is_as_the_rfc_says() {
    use DialogState::*;
    let any = Replaces::of_ours(&dialog("1", "a", "b"));
    let early = Replaces { early_only: true, ..any.clone() };
    for (state, plain, early_only) in [
        (Unknown, Err(481), Err(481)),
        (EarlyCaller, Ok(()), Ok(())),
        (EarlyCalled, Err(481), Err(481)),
        (Confirmed, Ok(()), Err(486)),
        (Ended, Err(603), Err(603)),
    ] {
        assert_eq!((any.judge(state), early.judge(state)), (plain, early_only), "{state:?}");
    }
}

#[test]
fn refer_to_loses_what_must_not_stand_in_a_start_line() {
    let target = Target::parse(b"Carol <sips:c@h:5061;method=BYE;transport=tcp?a=%20b&c>;x=y").unwrap();
    assert_eq!((target.uri.as_str(), target.method.as_str()), ("sips:c@h:5061;transport=tcp", "BYE"));
    assert_eq!(target.headers, [("a".to_owned(), " b".to_owned()), ("c".to_owned(), String::new())]);
    assert_eq!(Target::parse(b"<sip:c@h?>").unwrap().uri, "sip:c@h");
    assert_eq!(Target::parse(b"<sip:c@h;METHOD=INVITE>").unwrap().uri, "sip:c@h");
    let twice = b"<sip:c@h?Replaces=1%3Bto-tag%3Da%3Bfrom-tag%3Db&Replaces=1%3Bto-tag%3Da%3Bfrom-tag%3Db>";
    assert_eq!(Target::parse(twice), Err(TransferError::Repeated("Replaces in Refer-To")));
    let many = format!("<sip:c@h?{}>", ["a=b"; MAX_HEADERS + 1].join("&"));
    assert_eq!(Target::parse(many.as_bytes()), Err(TransferError::TooManyHeaders));
    assert!(!Target::new("tel:+15550100").is_sip() && Target::new(CALLABLE).is_sip());
}

const CALLABLE: &str = "sip:c@192.0.2.1;user=phone";

#[test]
fn only_harmless_headers_go_into_the_new_request() {
    let target =
        ["From", "via", "i", "body", "Route", "a b", "Replaces2", "X-Ok", "Content-Length", "Require"]
            .into_iter()
            .fold(Target::new(CALLABLE), |target, name| target.with_header(name, "replaces, x"))
            .with_header("X-Lines", "a\r\nVia: b");
    let usable: Vec<_> = target.usable_headers().map(|(name, _)| name).collect();
    assert_eq!(usable, ["Replaces2", "X-Ok"]);
    assert!(target.requires_replaces());
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        headers in prop::collection::vec(("[A-Za-z-]{1,12}", "\\PC{0,20}"), 0..5), call_id in "[a-zA-Z0-9.!%*_+`'~@:/?-]{1,30}",
        tags in prop::array::uniform2("[a-zA-Z0-9.~-]{1,12}"), early_only in any::<bool>(),
    ) {
        let mut replaces = Replaces::of_ours(&dialog(&call_id, &tags[0], &tags[1]));
        replaces.early_only = early_only;
        let mut target = Target::new(CALLABLE).with_replaces(replaces);
        for (name, value) in headers.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("replaces")) {
            target = target.with_header(name, value);
        }
        prop_assert_eq!(Target::parse(target.value().as_bytes()), Ok(target));
    }

    #[test]
    fn whatever_comes_is_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Target::parse(&text);
        let _ = Replaces::parse(&text);
    }
}

mod without_a_call {
    use super::super::outside::{Config, Input, Output, Outside};
    use super::*;
    use crate::message::{Builder, Flow, Ids, Message, Transport};
    use crate::syntax::{HeaderName, Method};
    use crate::transaction::{ClientId, Input as LayerInput, Layer, Output as LayerOutput};
    use std::time::{Duration, Instant};

    /// One end, its layer, and what happened to it.
    struct End {
        layer: Layer,
        outside: Option<Outside>,
        client: Option<ClientId>,
        flow: Flow,
        ids: Ids,
        told: Vec<String>,
        finished: bool,
    }

    struct World {
        now: Instant,
        ends: [End; 2],
        lost: fn(&Message) -> bool,
        seen: Vec<String>,
    }

    impl World {
        fn new() -> World {
            let at = |port: u16| ([127, 0, 0, 1], port).into();
            let end = |seed: u8, local, remote| {
                let mut ids = Ids::from_seed([seed; 32]);
                End {
                    layer: Layer::new(Default::default(), ids.fork()),
                    outside: None,
                    client: None,
                    flow: Flow { transport: Transport::Udp, local: at(local), remote: at(remote) },
                    ids,
                    told: Vec::new(),
                    finished: false,
                }
            };
            let ends = [end(1, 4_000, 5_000), end(2, 5_000, 4_000)];
            World { now: Instant::now(), ends, lost: |_| false, seen: Vec::new() }
        }

        fn config(at: usize) -> Config {
            Config::new(
                format!("sip:p{at}@lab.example"),
                format!("sip:p{at}@127.0.0.1:{}", 4_000 + 1_000 * at),
            )
        }

        fn issue(refer: Refer) -> World {
            let mut world = World::new();
            let ids = world.ends[0].ids.fork();
            world.ends[0].outside =
                Some(Outside::issue(World::config(0), "sip:p1@127.0.0.1:5000", refer, ids));
            world.input(0, Input::Begin);
            world
        }

        fn input(&mut self, at: usize, input: Input) {
            self.ends[at].outside.as_mut().unwrap().handle_input(self.now, input);
            while self.pump(0) || self.pump(1) {}
        }

        /// Lets time pass in steps of 10 ms.
        fn run(&mut self, millis: u64) {
            for _ in 0..millis.div_ceil(10) {
                self.now += Duration::from_millis(10);
                for at in 0..2 {
                    let now = self.now;
                    self.ends[at].layer.handle_timeout(now);
                    let outside = self.ends[at].outside.as_mut();
                    if let Some(outside) = outside.filter(|o| o.poll_timeout().is_some_and(|due| due <= now))
                    {
                        outside.handle_timeout(now);
                    }
                }
                while self.pump(0) || self.pump(1) {}
            }
        }

        /// Does one thing at this end; false when there is none.
        fn pump(&mut self, at: usize) -> bool {
            let now = self.now;
            let end = &mut self.ends[at];
            if let Some(output) = end.outside.as_mut().and_then(Outside::poll_output) {
                match output {
                    Output::Send(request) => end.client = end.layer.send(now, &request, end.flow).ok(),
                    Output::Respond { id, response } => {
                        let _ = end.layer.respond(now, id, response);
                    }
                    Output::Transferor(event) => end.told.push(format!("{event:?}")),
                    Output::Transferee(event) => end.told.push(format!("{event:?}")),
                    Output::Finished => end.finished = true,
                }
                return true;
            }
            let Some(output) = end.layer.poll_output() else { return false };
            let input = match output {
                LayerOutput::Transmit { bytes, .. } => {
                    let message = Message::parse(bytes, &Default::default()).unwrap();
                    if !(self.lost)(&message) {
                        let line = message.status().map_or_else(
                            || message.method().unwrap().to_string(),
                            |status| format!("{status} {}", message.cseq().unwrap().method),
                        );
                        self.seen.push(line);
                        let other = &mut self.ends[1 - at];
                        let flow = other.flow;
                        other.layer.handle_input(now, LayerInput::Received { message, flow });
                    }
                    return true;
                }
                LayerOutput::Response { id, message, .. } if Some(id) == end.client => {
                    Input::Response(message)
                }
                LayerOutput::Timeout { id } if Some(id) == end.client => Input::Timeout,
                LayerOutput::Request { id, message, .. } => match &mut end.outside {
                    None => {
                        let ids = end.ids.fork();
                        end.outside = Some(Outside::receive(now, World::config(at), ids, id, &message));
                        return true;
                    }
                    Some(outside) if outside.owns(&message) => Input::Request { id, request: message },
                    Some(_) => {
                        let gone = Builder::response(&message, 481, "Gone", Some("x")).build().unwrap();
                        let _ = end.layer.respond(now, id, gone);
                        return true;
                    }
                },
                _ => return true,
            };
            if let Some(outside) = &mut end.outside {
                outside.handle_input(now, input);
            }
            true
        }
    }

    fn refer() -> Refer {
        let mut refer = Refer::new(1, Target::new(CALLABLE));
        refer.target_dialog = Some(dialog("7@h", "mine", "theirs"));
        refer
    }

    #[test]
    fn a_refer_outside_any_call_is_accepted_notified_and_done() {
        let mut world = World::issue(refer());
        let named = format!("{:?}", Replaces::of_ours(&dialog("7@h", "mine", "theirs")));
        assert!(world.ends[1].told[0].contains(&named), "{:?}", world.ends[1].told);
        world.input(1, Input::Accept);
        world.input(1, Input::Notify { status: 180, phrase: None });
        world.input(1, Input::Notify { status: 200, phrase: None });
        world.run(100);
        assert_eq!(
            world.seen,
            ["REFER", "202 REFER", "NOTIFY", "200 NOTIFY", "NOTIFY", "200 NOTIFY", "NOTIFY", "200 NOTIFY"]
        );
        assert!(world.ends.iter().all(|end| end.finished), "{:?}", world.seen);
        let last = world.ends[0].told.last().unwrap();
        assert_eq!(last, "Over(Terminated { reason: Some(\"noresource\") })");
        assert!(world.ends[0].outside.as_ref().unwrap().poll_timeout().is_none());
    }

    #[test]
    fn a_202_that_is_lost_and_silence_both_end() {
        let mut world = World::issue(refer());
        world.lost = |message| message.status().is_some();
        world.input(1, Input::Accept);
        world.run(40_000);
        // The NOTIFY of 100 made the subscription; its answer is lost, so there is no second one.
        assert!(world.ends[0].told.contains(&"Unanswered".to_owned()), "{:?}", world.ends[0].told);
        assert!(world.ends[1].finished && !world.ends[0].finished);
        world.run(3_700_000);
        assert_eq!(world.ends[0].told.last().unwrap(), "Over(Expired)");
        assert!(world.ends[0].finished);
        let mut silent = World::issue(refer());
        silent.lost = |message| message.method() == Some(Method::Notify);
        silent.input(1, Input::Accept);
        silent.run(70_000);
        assert_eq!(silent.ends[0].told.last().unwrap(), "Over(NeverCame)");
        assert!(silent.ends.iter().all(|end| end.finished), "{:?}", silent.ends[1].told);
    }

    #[test]
    fn a_refusal_and_no_decision_are_told() {
        let mut world = World::issue(refer());
        world.input(1, Input::Refuse(603));
        assert!(world.ends[0].told[0].starts_with("Refused { status: 603"));
        assert!(world.ends.iter().all(|end| end.finished));
        let mut world = World::issue(refer());
        world.run(9_000);
        assert!(world.ends[0].told[0].starts_with("Refused { status: 480"));
        assert_eq!(world.ends[1].told.last().unwrap(), "Declined(Undecided)");
        let mut bad = Refer::new(1, Target::new("tel:+15550100"));
        bad.headers.push((HeaderName::Subject.as_str().to_owned(), "x".to_owned()));
        let world = World::issue(bad);
        assert!(world.ends[0].told[0].starts_with("Refused { status: 416"));
        assert!(world.ends.iter().all(|end| end.finished));
    }
}
