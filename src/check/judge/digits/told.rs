//! Data of digits beside the verdict: for programs, and in one line for people.

use super::{Arrived, DigitsVerdict, Fate, Pressed, words};
use crate::check::DtmfResult;
use crate::media::digit::Digit;
use crate::media::dtmf::{Comparison, DtmfMethod, Observation};

/// For programs: everything.
pub(in crate::check) fn result(step: &'static str, pressed: &Pressed, verdict: &DigitsVerdict) -> DtmfResult {
    let (observed, loss) = match &pressed.fate {
        Fate::Sent(arrived) => (arrived.observed.clone(), arrived.expected.around.loss),
        _ => (Vec::new(), 0.0),
    };
    DtmfResult {
        step: step.into(),
        way: pressed.way,
        sent: pressed.sent.clone(),
        judged: verdict.judged.clone(),
        observed,
        loss,
        defects: verdict.findings.iter().map(|finding| finding.code.clone()).collect(),
    }
}

/// E.g. `12# -> 12# by RFC 4733; 98 to 102 ms; payload type 101; -10 dBm0`.
pub(in crate::check) fn evidence(sent: &[Digit], judged: &Comparison, arrived: &Arrived) -> String {
    let (observed, loss) = (&arrived.observed, arrived.expected.around.loss);
    let sent: String = sent.iter().map(|digit| digit.character()).collect();
    let by = judged.way.map(|way| format!(" by {way}")).unwrap_or_default();
    let mut text = format!("{sent} -> {}{by}", words::shown(&judged.received));
    let of_way = || observed.iter().filter(|seen| Some(seen.way) == judged.way);
    let mut durations: Vec<u128> = of_way().filter_map(|seen| Some(seen.duration?.as_millis())).collect();
    durations.sort_unstable();
    if let (Some(first), Some(last)) = (durations.first(), durations.last()) {
        text += &if first == last { format!("; {last} ms") } else { format!("; {first} to {last} ms") };
    }
    let mut types: Vec<u8> = of_way().filter_map(|seen| Some(seen.rtp?.payload_type)).collect();
    types.dedup();
    if !types.is_empty() {
        let types: Vec<String> = types.iter().map(u8::to_string).collect();
        text += &format!("; payload type {}", types.join(", "));
    }
    let levels = of_way().filter_map(|seen: &Observation| seen.level_dbm0);
    if let Some(weakest) = levels.reduce(f32::min) {
        text += &format!("; {weakest:.0} dBm0");
    }
    for way in [DtmfMethod::Rfc4733, DtmfMethod::InBand, DtmfMethod::Info]
        .into_iter()
        .filter(|way| Some(*way) != judged.way)
    {
        let of_other = observed.iter().filter(|seen| seen.way == way);
        let also: String = of_other.filter_map(|seen| Some(seen.digit?.character())).collect();
        if !also.is_empty() {
            text += &format!("; also {also} by {way}");
        }
    }
    if loss > 0.0 {
        text += &format!("; {:.1} % of the voice packets lost", loss * 100.0);
    }
    text
}
