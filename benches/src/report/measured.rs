//! One row: one run of one workload on one backend.

use serde::{Deserialize, Serialize};

use crate::{latency::Latency, report::error::ReportError};

/// What came of commands. They add up: see [`Measured::check`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// How many commands were to run.
    pub asked: u64,
    /// How many happened.
    pub accepted: u64,
    /// How many the rules refused, as some must be.
    pub rejected: u64,
    /// How many gave up because others came in between each time they tried.
    pub conflicts: u64,
    /// How many failed otherwise.
    pub failed: u64,
}

/// One run of one workload on one backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Where the events are kept.
    pub backend: String,
    /// What was asked for.
    pub workload: String,
    /// How many ask at once.
    pub callers: u64,
    /// What came of it.
    #[serde(flatten)]
    pub counts: Counts,
    /// How often commands were tried, all together; `None`: the backend does not say.
    pub attempts: Option<u64>,
    /// How many events were appended.
    pub events: u64,
    /// From the first command to the last answer.
    pub seconds: f64,
    /// Processor time of this process meanwhile, in seconds.
    pub cpu_seconds: f64,
    /// Processor time of the server's processes meanwhile, in seconds, if there is a server.
    pub server_cpu_seconds: Option<f64>,
    /// Bytes that this process, and the server's, had the system write meanwhile.
    pub written_bytes: Option<u64>,
    /// How often something was synced meanwhile; `None`: nobody counts.
    pub syncs: Option<u64>,
    /// The most memory that this process had, in bytes, pages of mapped files included.
    pub peak_memory_bytes: Option<u64>,
    /// From the moment at which a caller meant to ask until the answer: an HDR histogram in
    /// nanoseconds, V2 with deflate, in base64.
    pub latency: Latency,
    /// Of the streams, values and versions that were found afterwards, in hexadecimal digits.
    pub digest: String,
    /// The same of the state that must be there, without what commands that gave up would have done.
    pub expected_digest: String,
    /// What else there is to say.
    pub notes: Vec<String>,
}

impl Measured {
    /// Whether the row can be: outcomes add up to what was asked, there was a latency for each,
    /// and the state is the one that follows from the commands, without those that gave up.
    ///
    /// # Errors
    /// [`ReportError::Sums`], [`ReportError::Impossible`], [`ReportError::State`].
    pub fn check(&self) -> Result<(), ReportError> {
        let Counts { asked, accepted, rejected, conflicts, failed } = self.counts;
        let (workload, backend) = (self.workload.clone(), self.backend.clone());
        let parts = [accepted, rejected, conflicts, failed];
        let sum = parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(*part));
        if sum != Some(asked) {
            let sums = ReportError::Sums {
                workload,
                backend,
                asked,
                accepted,
                rejected,
                conflicts,
                failed,
            };
            return Err(sums);
        }
        if let Some(what) = self.impossible() {
            return Err(ReportError::Impossible { workload, backend, what });
        }
        if self.digest != self.expected_digest {
            let (expected, actual) = (self.expected_digest.clone(), self.digest.clone());
            return Err(ReportError::State { workload, backend, expected, actual });
        }
        Ok(())
    }

    /// Commands that were accepted or rejected.
    pub fn settled(&self) -> u64 {
        self.counts.accepted + self.counts.rejected
    }

    fn impossible(&self) -> Option<String> {
        let (asked, latencies) = (self.counts.asked, self.latency.count());
        if latencies != asked {
            return Some(format!("{asked} commands and {latencies} latencies"));
        }
        if !(self.seconds.is_finite() && self.seconds > 0.0) {
            return Some(format!("it took {} s", self.seconds));
        }
        if !(self.cpu_seconds.is_finite() && self.cpu_seconds >= 0.0) {
            return Some(format!("it took {} s of processor time", self.cpu_seconds));
        }
        let attempts = self.attempts.filter(|attempts| *attempts < asked);
        attempts.map(|attempts| format!("{asked} commands in {attempts} attempts"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;

    pub(crate) fn row() -> Measured {
        let mut latency = Latency::new().unwrap();
        (1..=10).for_each(|micros| latency.record(Duration::from_micros(micros)));
        Measured {
            backend: "annals-memory".to_owned(),
            workload: "financial".to_owned(),
            callers: 2,
            counts: Counts { asked: 10, accepted: 7, rejected: 3, conflicts: 0, failed: 0 },
            attempts: Some(11),
            events: 9,
            seconds: 0.5,
            cpu_seconds: 0.25,
            server_cpu_seconds: None,
            written_bytes: Some(4096),
            syncs: None,
            peak_memory_bytes: Some(1 << 20),
            latency,
            digest: "ab".to_owned(),
            expected_digest: "ab".to_owned(),
            notes: vec!["a note".to_owned()],
        }
    }

    #[test]
    fn a_row_is_the_same_after_writing_and_reading() {
        let text = serde_json::to_string(&row()).unwrap();
        assert!(!text.contains('\n') && text.contains(r#""asked":10,"accepted":7"#), "{text}");
        let again: Measured = serde_json::from_str(&text).unwrap();
        assert_eq!(again, row());
        again.check().unwrap();
    }

    /// The harness that this report answers counted 134.6 % of its commands as successes.
    #[test]
    fn outcomes_that_do_not_add_up_are_refused() {
        for (accepted, rejected, conflicts, failed) in
            [(8, 3, 0, 0), (7, 2, 0, 0), (7, 3, 1, 0), (7, 3, 0, 1), (u64::MAX, 11, 0, 0)]
        {
            let counts = Counts { asked: 10, accepted, rejected, conflicts, failed };
            let error = Measured { counts, ..row() }.check().unwrap_err();
            assert!(matches!(error, ReportError::Sums { asked: 10, .. }), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut more = row();
        more.latency.record(Duration::from_micros(1));
        let rows = [
            more,
            Measured { seconds: 0.0, ..row() },
            Measured { seconds: f64::NAN, ..row() },
            Measured { cpu_seconds: -1.0, ..row() },
            Measured { attempts: Some(9), ..row() },
        ];
        for row in rows {
            let error = row.check().unwrap_err();
            assert!(matches!(error, ReportError::Impossible { .. }), "{error}");
        }
    }

    #[test]
    fn another_state_than_must_be_is_refused() {
        let error = Measured { digest: "cd".to_owned(), ..row() }.check().unwrap_err();
        assert!(matches!(error, ReportError::State { .. }), "{error}");
    }
}
