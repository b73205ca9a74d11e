//! How long things took.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer, V2DeflateSerializer},
};

use crate::{error::BenchError, number::float};

/// Up to a minute, in nanoseconds, to three digits.
const LONGEST: u64 = 60_000_000_000;

/// How long things took. As JSON: in the format of HDR histograms' logs, V2 with deflate, in base64.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Latency(Histogram<u64>);

/// What is shown of a [`Latency`], in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Percentiles {
    /// Half of all took no longer.
    pub p50: f64,
    /// 90 % of all.
    pub p90: f64,
    /// 95 %.
    pub p95: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// All of them.
    pub max: f64,
}

impl Latency {
    /// # Errors
    /// Only if a minute in nanoseconds were no valid bound.
    pub fn new() -> Result<Self, BenchError> {
        let histogram = Histogram::new_with_bounds(1, LONGEST, 3);
        histogram.map(Self).map_err(|error| BenchError::Latency(error.to_string()))
    }

    /// Counts one; a minute, if it took longer.
    pub fn record(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds what another one counted.
    ///
    /// # Errors
    /// Only if the other one had other bounds.
    pub fn add(&mut self, other: &Self) -> Result<(), BenchError> {
        self.0.add(&other.0).map_err(|error| BenchError::Latency(error.to_string()))
    }

    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency, in microseconds, that `share` of all, 0 to 1, did not exceed.
    pub(crate) fn micros_at(&self, share: f64) -> f64 {
        float(self.0.value_at_quantile(share)) / 1e3
    }

    /// What is shown of it.
    pub fn percentiles(&self) -> Percentiles {
        Percentiles {
            p50: self.micros_at(0.5),
            p90: self.micros_at(0.9),
            p95: self.micros_at(0.95),
            p99: self.micros_at(0.99),
            p999: self.micros_at(0.999),
            max: float(self.0.max()) / 1e3,
        }
    }

    /// Points of the curve for a plot: how many nines, and microseconds. As far as there are
    /// measurements to tell.
    pub(crate) fn curve(&self) -> Vec<(f64, f64)> {
        let nines_max = float(self.count().max(10)).log10();
        let steps = (0..).map(|step| float(step) / 20.0).take_while(|nines| *nines <= nines_max);
        steps.map(|nines| (nines, self.micros_at(1.0 - 10_f64.powf(-nines)))).collect()
    }
}

impl From<Latency> for String {
    fn from(latency: Latency) -> Self {
        let mut bytes = Vec::new();
        // Writing to memory does not fail.
        drop(V2DeflateSerializer::new().serialize(&latency.0, &mut bytes));
        STANDARD.encode(bytes)
    }
}

impl TryFrom<String> for Latency {
    type Error = BenchError;

    fn try_from(text: String) -> Result<Self, BenchError> {
        let unreadable = |error: String| BenchError::Latency(format!("no HDR histogram: {error}"));
        let bytes = STANDARD.decode(text).map_err(|error| unreadable(error.to_string()))?;
        let read = Deserializer::new().deserialize(&mut bytes.as_slice());
        let read: Histogram<u64> = read.map_err(|error| unreadable(error.to_string()))?;
        // Into bounds that others can be added to.
        let mut latency = Self::new()?;
        latency.0.add(&read).map_err(|error| unreadable(error.to_string()))?;
        Ok(latency)
    }
}

/// A collection of latencies for each of several workers, to be merged.
pub(crate) fn merge<'a>(
    latencies: impl IntoIterator<Item = &'a Latency>,
) -> Result<Latency, BenchError> {
    let mut merged = Latency::new()?;
    for latency in latencies {
        merged.add(latency)?;
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_the_same_after_writing_and_reading() {
        let mut latency = Latency::new().unwrap();
        (0..100).for_each(|n| latency.record(Duration::from_nanos(1 << (n % 36))));
        let text = String::from(latency.clone());
        assert!(text.starts_with("HISTFAAA"), "the cookie of V2 with deflate: {text}");
        assert_eq!(Latency::try_from(text.clone()).unwrap(), latency);
        for wrong in [text.get(..40).unwrap(), "HISTFAAA", "", "?"] {
            let error = Latency::try_from(wrong.to_owned()).unwrap_err();
            assert!(error.to_string().contains("no HDR histogram"), "{error}");
        }
    }

    #[test]
    fn percentiles_are_in_microseconds() {
        let mut latency = Latency::new().unwrap();
        for micros in 1..=1000 {
            latency.record(Duration::from_micros(micros));
        }
        let Percentiles { p50, p99, max, .. } = latency.percentiles();
        assert!((499.0..502.0).contains(&p50) && (989.0..992.0).contains(&p99), "{p50} {p99}");
        assert!((1000.0..1001.0).contains(&max), "{max}");
        assert_eq!(latency.curve().len(), 61, "three nines of a thousand, in steps of 1/20");
    }
}
