//! Steps, findings and metrics of a line.

use super::words::{Text, duration, milliseconds, pair, range, thousandths};
use crate::check::{Finding, Metric, MetricValue, Severity, Side, Step, Verdict};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;
use std::fmt;

#[derive(serde::Serialize, serde::Deserialize)]
struct StepRow<'a> {
    name: Text<'a>,
    verdict: Verdict,
    detail: Text<'a>,
    took_ms: f64,
    evidence: [usize; 2],
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = StepRow {
            name: (&*self.name).into(),
            verdict: self.verdict,
            detail: self.detail.as_str().into(),
            took_ms: milliseconds(self.took),
            evidence: pair(&self.evidence),
        };
        row.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Step, D::Error> {
        let row = StepRow::deserialize(deserializer)?;
        let step = Step::new(row.name.into_owned(), row.verdict, row.detail);
        Ok(step.lasting(duration(row.took_ms)).shown_by(range(row.evidence)))
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct FindingRow<'a> {
    code: Text<'a>,
    severity: Severity,
    side: Side,
    seen: Text<'a>,
    advice: Text<'a>,
    evidence: [usize; 2],
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = FindingRow {
            code: (&*self.code).into(),
            severity: self.severity,
            side: self.side,
            seen: self.seen.as_str().into(),
            advice: self.advice.as_str().into(),
            evidence: pair(&self.evidence),
        };
        row.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Finding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Finding, D::Error> {
        let row = FindingRow::deserialize(deserializer)?;
        let finding = Finding::new(row.code.into_owned(), row.severity, row.side, row.seen, row.advice);
        Ok(finding.shown_by(range(row.evidence)))
    }
}

/// An object; the unit ends the key.
pub(super) struct Metrics<'a>(pub(super) Cow<'a, [Metric]>);

impl Serialize for Metrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for metric in &*self.0 {
            let name = &metric.name;
            match metric.value {
                MetricValue::Duration(value) => {
                    map.serialize_entry(&format!("{name}_ms"), &milliseconds(value))?
                }
                MetricValue::Seconds(value) => map.serialize_entry(&format!("{name}_s"), &value)?,
                MetricValue::Count(value) => map.serialize_entry(&**name, &value)?,
                MetricValue::Percent(value) => {
                    map.serialize_entry(&format!("{name}_percent"), &thousandths(value))?
                }
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Metrics<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vec<Metric>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of measured values")
            }

            // In the order of the line, which a map would lose.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Metric>, A::Error> {
                let mut metrics = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    metrics.push(if let Some(name) = key.strip_suffix("_ms") {
                        Metric::new(name.to_owned(), MetricValue::Duration(duration(map.next_value()?)))
                    } else if let Some(name) = key.strip_suffix("_percent") {
                        let value: Option<f64> = map.next_value()?;
                        Metric::new(name.to_owned(), MetricValue::Percent(value.unwrap_or(f64::NAN)))
                    } else if let Some(name) = key.strip_suffix("_s") {
                        Metric::new(name.to_owned(), MetricValue::Seconds(map.next_value()?))
                    } else {
                        Metric::new(key, MetricValue::Count(map.next_value()?))
                    });
                }
                Ok(metrics)
            }
        }
        deserializer.deserialize_map(Entries).map(|metrics| Metrics(Cow::Owned(metrics)))
    }
}
