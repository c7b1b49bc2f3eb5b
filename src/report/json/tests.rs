#![allow(clippy::unwrap_used)]
//! Any outcome comes back from its line as it was, but for its transcript.

use super::{line, line_named, read};
use crate::check::{
    Bound, Details, DtmfResult, Fact, Finding, ForkReleased, ForkResult, ForkRung, ForkTrial,
    ForkTrialResult, Heard, HeardOnHold, HoldResult, Identity, Metric, MetricValue, Other, Outcome,
    RegisterResult, RingOrder, Sees, Severity, Shown, Side, Step, Transcript, TransferKind, TransferResult,
    Verdict,
};
use crate::media::digit::Digit;
use crate::media::dtmf::{By, Comparison, Defect, DigitResult, DtmfMethod, Observation, Rtp};
use crate::media::telephone_event::Seen;
use crate::ua::call::Hold as How;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::time::{Duration, Instant, SystemTime};

fn micros() -> BoxedStrategy<Duration> {
    (0_u64..1 << 40).prop_map(Duration::from_micros).boxed()
}

fn text() -> BoxedStrategy<String> {
    "[ -~\u{e4}\u{2028}\n\"\\\\\u{1}]{0,12}".boxed()
}

/// A metric's name says no unit.
fn name() -> BoxedStrategy<String> {
    "[a-z]{1,3}(-[a-z0-9]{1,3}){0,2}".boxed()
}

fn step() -> BoxedStrategy<Step> {
    (name(), verdict(), text(), micros(), 0_usize..9, 0_usize..9)
        .prop_map(|(name, verdict, detail, took, from, to)| {
            Step::new(name, verdict, detail).lasting(took).shown_by(from..from + to)
        })
        .boxed()
}

fn verdict() -> BoxedStrategy<Verdict> {
    select(vec![Verdict::Pass, Verdict::Fail, Verdict::Inconclusive, Verdict::NotRun]).boxed()
}

fn finding() -> BoxedStrategy<Finding> {
    let severity = select(vec![Severity::Info, Severity::Warning, Severity::Error]);
    let side = select(vec![Side::Peer, Side::Path, Side::Setup, Side::Probe]);
    (name(), severity, side, text(), text(), 0_usize..9)
        .prop_map(|(code, severity, side, seen, advice, from)| {
            Finding::new(code, severity, side, seen, advice).shown_by(from..from + 2)
        })
        .boxed()
}

fn metric() -> BoxedStrategy<Metric> {
    let value = prop_oneof![
        micros().prop_map(MetricValue::Duration),
        any::<u32>().prop_map(MetricValue::Seconds),
        any::<u64>().prop_map(MetricValue::Count),
        (0_u32..100_000).prop_map(|n| MetricValue::Percent(f64::from(n) / 1_000.0)),
    ];
    (name(), value).prop_map(|(name, value)| Metric::new(name, value)).boxed()
}

fn digit() -> BoxedStrategy<Digit> {
    select(Digit::all().collect::<Vec<_>>()).boxed()
}

fn way() -> BoxedStrategy<DtmfMethod> {
    select(vec![DtmfMethod::Rfc4733, DtmfMethod::InBand, DtmfMethod::Info]).boxed()
}

fn rtp() -> BoxedStrategy<Rtp> {
    let seen = || select(vec![Seen::Yes, Seen::No, Seen::MayBeLost]);
    let numbers = (any::<u8>(), any::<[u32; 7]>(), option::of(any::<u32>()));
    (numbers, seen(), seen())
        .prop_map(|((payload_type, n, clock_rate_hz), marker, end)| Rtp {
            payload_type,
            ssrc: n[0],
            timestamp: n[1],
            duration_units: n[2],
            marker,
            end,
            end_packets: n[3],
            markers: n[4],
            duration_resets: n[5],
            clock_rate_hz,
            longest_gap_ms: n[6],
            remote: (n[6] % 2 == 0).then(|| ([192, 0, 2, 1], payload_type.into()).into()),
            is_foreign: n[6] % 3 == 0,
        })
        .boxed()
}

fn observation(began: Instant) -> BoxedStrategy<Observation> {
    let level = option::of((-1_200_i16..100).prop_map(|tenths| f32::from(tenths) / 10.0));
    (way(), 0_u8..18, micros(), option::of(micros()), level, option::of(rtp()))
        .prop_map(move |(way, event, at, duration, level_dbm0, rtp)| Observation {
            way,
            digit: Digit::from_event(event),
            event,
            at: began + at,
            duration,
            level_dbm0,
            rtp,
        })
        .boxed()
}

fn defect() -> BoxedStrategy<Defect> {
    (
        0_usize..9,
        digit(),
        any::<u32>(),
        way(),
        select(vec![By::InBand, By::Info, By::Rfc4733, By::Restart, By::Repeat]),
    )
        .prop_flat_map(|(position, digit, number, way, by)| {
            let small = number as u8;
            select(vec![
                Defect::NothingArrived,
                Defect::Converted { from: way, to: DtmfMethod::Info },
                Defect::Lost { position },
                Defect::Merged { position },
                Defect::Doubled { position, by },
                Defect::Swapped { position },
                Defect::Changed { position, into: digit },
                Defect::Invented { before: position, digit },
                Defect::NoDigit { event: small },
                Defect::Shortened { position, milliseconds: number },
                Defect::TooQuiet { position },
                Defect::NoEndPacket { position },
                Defect::NoMarker { position },
                Defect::WrongPayloadType { position, payload_type: small },
                Defect::WrongClockRate { position, hz: number },
                Defect::AnotherSsrc { position },
                Defect::AnotherAddress { position },
                Defect::SharedTimestamp { position },
                Defect::Late { position, milliseconds: number, is_overtaken: number % 2 == 0 },
                Defect::SparseUpdates { position, milliseconds: number },
                Defect::Broken { position, milliseconds: number },
            ])
        })
        .boxed()
}

fn digits(began: Instant) -> BoxedStrategy<DtmfResult> {
    let judged = (option::of(way()), "[0-9A-D*#]{0,5}", vec(defect(), 0..4), any::<bool>());
    let sent = vec((digit(), option::of((any::<bool>(), observation(began)))), 0..4);
    (name(), way(), option::of(judged), sent, vec(observation(began), 0..4), 0_u32..1_000, vec(name(), 0..3))
        .prop_map(|(step, way, judged, sent, mut observed, loss, defects)| {
            // What became of a digit mostly is among what was observed.
            observed.extend(
                sent.iter()
                    .filter_map(|(_, seen)| seen.clone())
                    .filter(|(in_it, _)| *in_it)
                    .map(|(_, one)| one),
            );
            let results = |way: Option<DtmfMethod>| {
                sent.iter()
                    .map(|(digit, seen)| DigitResult {
                        digit: *digit,
                        observed: seen.clone().map(|(in_it, one)| Observation {
                            way: if in_it { one.way } else { way.unwrap_or(one.way) },
                            ..one
                        }),
                    })
                    .collect()
            };
            DtmfResult {
                step: step.into(),
                way,
                sent: sent.iter().map(|(digit, _)| *digit).collect(),
                judged: judged.map(|(way, received, defects, lossy)| Comparison {
                    way,
                    received,
                    digits: results(way),
                    defects,
                    lossy,
                    belated: (0..usize::from(lossy)).collect(),
                    foreign: (0..usize::from(lossy) * 2).collect(),
                }),
                observed,
                loss: f64::from(loss) / 1_000.0,
                defects: defects.into_iter().map(Into::into).collect(),
            }
        })
        .boxed()
}

fn on_hold() -> BoxedStrategy<HeardOnHold> {
    let all = [
        HeardOnHold::NoPackets,
        HeardOnHold::Silence,
        HeardOnHold::ComfortNoise,
        HeardOnHold::OtherSound,
        HeardOnHold::Tone(0),
        HeardOnHold::Tone(1),
    ];
    select(all.to_vec()).boxed()
}

fn hold() -> BoxedStrategy<HoldResult> {
    let way = select(vec![How::SendOnly, How::Inactive, How::ZeroAddress]);
    let heard = (option::of(on_hold()), option::of(on_hold()));
    (0_usize..2, way, option::of(text()), option::of(any::<bool>()), heard, option::of(text()))
        .prop_map(|(holder, how, answer, passed_on, (heard_on_hold, holder_hears), resume_answer)| {
            HoldResult {
                parties: ["alice".into(), "b \"ob\"".into()],
                holder,
                how,
                answer,
                passed_on,
                heard_on_hold,
                holder_hears,
                resume_answer,
            }
        })
        .boxed()
}

fn shown() -> BoxedStrategy<Shown> {
    let more = (option::of(text()), option::of(text()), option::of(text()), option::of(text()));
    (text(), more)
        .prop_map(|(uri, (display_name, asserted, remote_party_id, referred_by))| Shown {
            uri,
            display_name,
            asserted,
            remote_party_id,
            referred_by,
        })
        .boxed()
}

fn sees() -> BoxedStrategy<Option<Sees>> {
    option::of(prop_oneof![
        Just(Sees::Right),
        Just(Sees::Transferor),
        Just(Sees::Nobody),
        text().prop_map(Sees::Other),
    ])
    .boxed()
}

fn transfer() -> BoxedStrategy<TransferResult> {
    let kind = select(vec![TransferKind::Blind, TransferKind::Attended, TransferKind::SemiAttended]);
    let heard = || option::of(any::<[[bool; 3]; 3]>().prop_map(Heard));
    let identity =
        (option::of(shown()), option::of(shown()), option::of(shown()), option::of(shown()), sees(), sees());
    let words = (option::of(text()), option::of(text()), option::of(any::<u16>()), vec(any::<u16>(), 0..4));
    let times = (option::of(micros()), option::of(micros()), option::of(micros()));
    let first = (kind, 0_usize..3, heard(), heard(), option::of(on_hold()), heard());
    (first, words, times, identity, 0_usize..4, text())
        .prop_map(|(first, words, times, identity, legs_left, transferee)| TransferResult {
            kind: first.0,
            parties: ["alice".into(), "bob".into(), "carol".into()],
            transferor: first.1,
            before: first.2,
            during: first.3,
            heard_on_hold: first.4,
            after: first.5,
            keys: words.0,
            park: words.1,
            refer_status: words.2,
            notified: words.3,
            took: times.0,
            answered_after: times.1,
            told_after: times.2,
            identity: Identity {
                transferee_first: identity.0,
                transferor_first: identity.1,
                to_target: identity.2,
                to_transferee: identity.3,
                target_sees: identity.4,
                transferee_sees: identity.5,
            },
            legs_left,
            transferee,
        })
        .boxed()
}

const ENDS: usize = 3;

fn trial() -> BoxedStrategy<ForkTrialResult> {
    let end = || 0_usize..ENDS;
    let rung =
        (end(), micros(), text(), text(), text()).prop_map(|(end, after, request_uri, from, asserted)| {
            ForkRung { end, after, request_uri, from, asserted }
        });
    let released = (end(), select(vec!["CANCEL", "BYE"]), micros(), vec(text(), 0..3), any::<bool>())
        .prop_map(|(end, by, after, reasons, acknowledged)| ForkReleased {
            end,
            by: by.into(),
            after,
            reasons,
            acknowledged,
        });
    let order = option::of(select(vec![RingOrder::Parallel, RingOrder::Serial]));
    let who = (vec(end(), 0..3), vec(end(), 0..3), option::of(end()), vec(end(), 0..3));
    let heard = vec(vec(0..=ENDS, 0..3), 0..=ENDS + 1);
    let rest = (option::of(any::<u16>()), option::of(micros()), 0_usize..4);
    (select(ForkTrial::ALL.to_vec()), vec(rung, 0..3), order, who, vec(released, 0..3), heard, rest)
        .prop_map(|(trial, rang, order, who, released, heard, (refusal, answer, legs_left))| {
            ForkTrialResult {
                trial,
                rang,
                order,
                refused: who.0,
                answered: who.1,
                winner: who.2,
                released,
                heard,
                second_rang: who.3,
                refusal,
                answer,
                legs_left,
            }
        })
        .boxed()
}

fn fork() -> BoxedStrategy<ForkResult> {
    (text(), vec(trial(), 0..3), 0_usize..4)
        .prop_map(|(target, trials, legs_left)| ForkResult {
            target,
            caller: "alice".into(),
            ends: (0..ENDS).map(|end| format!("end {end}")).collect(),
            trials,
            legs_left,
        })
        .boxed()
}

fn bound() -> BoxedStrategy<Bound> {
    let numbers = (option::of(any::<u32>()), option::of(0_u16..=1_000));
    (text(), option::of(text()), numbers, option::of(text()))
        .prop_map(|(contact, user_agent, (expires_s, q_thousandths), instance)| Bound {
            contact,
            user_agent,
            expires_s,
            q_thousandths,
            instance,
        })
        .boxed()
}

fn details(began: Instant) -> BoxedStrategy<Option<Details>> {
    option::of(prop_oneof![
        vec(digits(began), 1..3).prop_map(Details::Dtmf),
        hold().prop_map(Details::from),
        option::of(vec(bound(), 0..3)).prop_map(|bindings| RegisterResult { bindings }.into()),
        transfer().prop_map(Details::from),
        fork().prop_map(Details::from),
        (name(), text()).prop_map(|(name, text)| Other::new(name, text).into()),
    ])
    .boxed()
}

fn outcome() -> BoxedStrategy<Outcome> {
    let began = Instant::now();
    let lists = (vec(step(), 0..4), vec(finding(), 0..4), vec((name(), text()), 0..4), vec(metric(), 0..5));
    let whole =
        (name(), text(), verdict(), text(), vec(text(), 0..3), micros(), 0_u64..1 << 41, any::<u64>());
    (whole, lists, details(began))
        .prop_map(move |(whole, lists, details)| {
            let started = SystemTime::UNIX_EPOCH + Duration::from_millis(whole.6);
            let mut transcript = Transcript::empty(began, started);
            transcript.dropped = whole.7;
            let mut outcome = Outcome::new(whole.0, whole.1, whole.2, whole.3, transcript);
            outcome.accounts = whole.4;
            outcome.took = whole.5;
            outcome.steps = lists.0;
            outcome.findings = lists.1;
            outcome.facts = lists.2.into_iter().map(|(name, value)| Fact::new(name, value)).collect();
            outcome.metrics = lists.3;
            outcome.details = details;
            outcome
        })
        .boxed()
}

/// Instants mean something only among themselves: the same outcome, begun when the other began.
fn begun_with(mut outcome: Outcome, other: &Outcome) -> Outcome {
    let began = std::mem::replace(&mut outcome.transcript.began, other.transcript.began);
    let shift = |seen: &mut Observation| seen.at = other.transcript.began + seen.at.duration_since(began);
    if let Some(Details::Dtmf(results)) = &mut outcome.details {
        for result in results {
            result.observed.iter_mut().for_each(shift);
            let judged = result.judged.iter_mut().flat_map(|judged| &mut judged.digits);
            judged.filter_map(|digit| digit.observed.as_mut()).for_each(shift);
        }
    }
    outcome
}

proptest! {
    #[test]
    fn any_outcome_comes_back_from_its_line(outcome in outcome()) {
        let written = line(&outcome);
        let back = read(&written).unwrap();
        prop_assert_eq!(&line(&back), &written);
        let back = begun_with(back, &outcome);
        prop_assert_eq!(format!("{back:?}"), format!("{outcome:?}"));
        let value: Outcome = serde_json::from_value(serde_json::to_value(&outcome).unwrap()).unwrap();
        prop_assert_eq!(value.findings, outcome.findings);
    }

    #[test]
    fn a_line_that_was_cut_or_changed_is_refused_and_breaks_nothing(
        outcome in outcome(), cut in 0.0..1.0_f64, byte in any::<char>(),
    ) {
        let written = line(&outcome);
        let at = written.floor_char_boundary((written.len() as f64 * cut) as usize);
        prop_assert!(read(&written[..at]).is_err());
        let mut changed = written.clone();
        changed.insert(at, byte);
        if let Ok(back) = read(&changed) {
            line(&back);
        }
    }
}

#[test]
fn a_line_of_an_earlier_version_is_read_as_far_as_it_goes() {
    let old = r##"{"schema":"ringback.outcome/1","check":"dtmf","subject":"a","name":"alice","verdict":"fail","summary":"s",
        "steps":[],"findings":[],"facts":[],"metrics":{"digits_sent":2,"srd_ms":1.5,"expires_s":300,"loss_percent":null},
        "dtmf":[{"step":"info","method":"info","sent":"1#","received":"1","arrived_by":"info","defects":["digit-lost"],"loss":0.0,
        "digits":[{"digit":"1","at_ms":2.0,"duration_ms":100.0},{"digit":"#"}],
        "observed":[{"digit":"1","by":"info","at_ms":2.0,"duration_ms":100.0}]}],
        "took_ms":12.5,"started":"2026-09-21T14:13:20.123Z","messages":7,"records":9,"records_dropped":0,"new_key":[1]}"##;
    let outcome = read(old).unwrap();
    assert_eq!(outcome.account(), Some("alice"));
    let judged = outcome.dtmf()[0].judged.as_ref().unwrap();
    assert_eq!((judged.received.as_str(), judged.digits[1].observed.as_ref()), ("1", None));
    assert_eq!(judged.digits[0].observed.as_ref(), outcome.dtmf()[0].observed.first());
    assert_eq!((outcome.messages(), outcome.transcript.left_out.records), (7, 9));
    assert_eq!(outcome.metrics[1], Metric::new("srd", MetricValue::Duration(Duration::from_micros(1_500))));
    assert_eq!(
        outcome.transcript.began_at,
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_123)
    );
}

#[test]
fn what_is_no_line_of_this_schema_is_refused_with_the_reason() {
    let transcript = Transcript::empty(Instant::now(), SystemTime::UNIX_EPOCH);
    let good = line_named("x", &Outcome::new("hold", "a", Verdict::Pass, "", transcript));
    for (from, to, why) in [
        ("outcome/1", "outcome/2", "schema"),
        ("\"pass\"", "\"passed\"", "passed"),
        ("1970-01-01", "yesterday", "started"),
        ("\"check\"", "\"chick\"", "check"),
        (
            "\"took_ms\"",
            r#""hold":{"parties":["a","b"],"holder":"c","way":"zero"},"took_ms""#,
            "none of the parties",
        ),
    ] {
        assert!(good.contains(from), "{good}");
        let error = read(&good.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
