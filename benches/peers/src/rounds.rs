//! Has systems append in rounds: each is run once in every round of every case, so that what is
//! compared is measured side by side while the machine drifts, and each time another one begins.
//! The raw disk is measured between any two runs.

use std::thread::sleep;

use annals_bench::{
    BenchError, Latency, Percentiles, Progress, Scratch, Spread, Yardstick, bytes_for, per, wide,
};

use crate::{
    case::Case,
    plan::{PAUSE, Plan, YARDSTICK},
    system::Peer,
    trouble::Trouble,
    writing::{self, Sample},
};

/// What all systems gave in one case.
#[derive(Debug)]
pub(crate) struct CaseResult {
    pub(crate) case: Case,
    /// The raw disk's rates, in units of the case: one caller that overwrites as many bytes and
    /// syncs. None, if there is no disk.
    pub(crate) raw: Vec<f64>,
    pub(crate) raw_latency: Option<Percentiles>,
    pub(crate) rows: Vec<CaseRow>,
}

/// What one system gave in one case.
#[derive(Debug)]
pub(crate) struct CaseRow {
    pub(crate) peer: &'static Peer,
    /// One for each round; `None`: there was trouble.
    pub(crate) runs: Vec<Option<Run>>,
    pub(crate) latency: Latency,
    pub(crate) acknowledged: u64,
    pub(crate) conflicts: u64,
    pub(crate) troubles: Vec<Trouble>,
}

/// What one run gave, in units of the case per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Run {
    pub(crate) value: f64,
    /// What the raw disk gave right before and right after.
    pub(crate) raw: Option<f64>,
}

impl CaseRow {
    fn new(peer: &'static Peer) -> Result<Self, BenchError> {
        let latency = Latency::new()?;
        let (runs, troubles) = (Vec::new(), Vec::new());
        Ok(Self { peer, runs, latency, acknowledged: 0, conflicts: 0, troubles })
    }

    pub(crate) fn value(&self) -> Option<Spread> {
        Spread::of(self.runs.iter().flatten().map(|run| run.value))
    }

    /// Value by raw disk, run by run.
    pub(crate) fn to_raw(&self) -> Option<Spread> {
        let ratio = |run: &Run| Some(run.value / run.raw?);
        Spread::of(self.runs.iter().flatten().filter_map(ratio))
    }

    /// Value by another system's, round by round.
    pub(crate) fn to(&self, other: &Self) -> Option<Spread> {
        let both = self.runs.iter().zip(&other.runs);
        Spread::of(both.filter_map(|(run, other)| Some((*run)?.value / (*other)?.value)))
    }

    pub(crate) fn conflicts_per_commit(&self) -> f64 {
        per(annals_bench::float(self.conflicts), self.acknowledged)
    }

    fn take(&mut self, result: Result<Sample, Trouble>, units: f64) -> Result<(), BenchError> {
        match result {
            Ok(sample) => {
                self.runs.push(Some(Run { value: sample.rate * units, raw: None }));
                self.acknowledged += sample.acknowledged_in_all;
                self.conflicts += sample.conflicts;
                self.latency.add(&sample.latency)
            }
            Err(trouble) => {
                self.runs.push(None);
                self.troubles.push(trouble);
                Ok(())
            }
        }
    }
}

impl CaseResult {
    /// What a system gave, by its name.
    pub(crate) fn of(&self, name: &str) -> Option<&CaseRow> {
        self.rows.iter().find(|row| row.peer.name == name)
    }
}

/// How many runs there are in a round.
pub(crate) fn steps(cases: &[Case], peers: &[&'static Peer]) -> u64 {
    let admitted = |case: &Case| peers.iter().filter(|peer| case.admits(peer)).count();
    wide(cases.iter().map(admitted).sum())
}

/// Runs all cases with all systems, as often as planned.
pub(crate) fn run(
    cases: &[Case],
    peers: &[&'static Peer],
    plan: &Plan,
    scratch: &Scratch,
    disk: Disk,
    progress: &Progress,
) -> Result<Vec<CaseResult>, BenchError> {
    let mut results = Vec::new();
    for case in cases {
        let admitted = peers.iter().filter(|peer| case.admits(peer));
        let rows = admitted.map(|peer| CaseRow::new(peer)).collect::<Result<Vec<_>, _>>()?;
        let raw = Raw::new(case, scratch, disk)?;
        results.push((CaseResult { case: *case, raw: Vec::new(), raw_latency: None, rows }, raw));
    }
    for round in 0..plan.rounds {
        for (result, raw) in &mut results {
            run_case(result, raw, round, plan, scratch, progress)?;
        }
    }
    let finished = |(mut result, raw): (CaseResult, Raw)| {
        result.raw_latency = raw.yardstick.map(|yardstick| yardstick.latency.percentiles());
        result
    };
    Ok(results.into_iter().map(finished).collect())
}

/// Whether there is a disk, whose speed is to be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    Real,
    None,
}

fn run_case(
    result: &mut CaseResult,
    raw: &mut Raw,
    round: u32,
    plan: &Plan,
    scratch: &Scratch,
    progress: &Progress,
) -> Result<(), BenchError> {
    let case = result.case;
    let mut before = raw.rate()?;
    result.raw.extend(before);
    for index in order(result.rows.len(), round) {
        let Some(row) = result.rows.get_mut(index) else { continue };
        progress.now(&format!("{case}: {}", row.peer.name));
        let sample = writing::measure(row.peer, &case, plan, scratch);
        row.take(sample, case.units())?;
        sleep(PAUSE);
        let after = raw.rate()?;
        if let Some(Some(run)) = row.runs.last_mut() {
            run.raw = before.zip(after).map(|(before, after)| f64::midpoint(before, after));
        }
        result.raw.extend(after);
        before = after;
        progress.done();
    }
    Ok(())
}

/// Another one begins in each round.
fn order(count: usize, round: u32) -> impl Iterator<Item = usize> {
    let round = usize::try_from(round).unwrap_or(0);
    // Not by one: else everyone would always follow the same one.
    let step = (1..count.max(2)).rev().filter(|step| is_coprime(*step, count)).nth(round % 2);
    let step = step.unwrap_or(1);
    (0..count).map(move |index| (round + index * step) % count)
}

fn is_coprime(a: usize, b: usize) -> bool {
    let (mut a, mut b) = (a, b);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}

/// The raw disk with writes of one size.
struct Raw {
    yardstick: Option<Yardstick>,
    units: f64,
}

impl Raw {
    fn new(case: &Case, scratch: &Scratch, disk: Disk) -> Result<Self, BenchError> {
        let yardstick = match disk {
            Disk::Real => Some(Yardstick::new(scratch, bytes_for(&case.shape)?)?),
            Disk::None => None,
        };
        Ok(Self { yardstick, units: case.units() })
    }

    fn rate(&mut self) -> Result<Option<f64>, BenchError> {
        let Some(yardstick) = &mut self.yardstick else { return Ok(None) };
        Ok(Some(yardstick.rate(YARDSTICK)? * self.units))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_has_a_turn_in_every_round_and_not_always_after_the_same_one() {
        for count in 1..20 {
            let mut firsts = Vec::new();
            for round in 0..4 {
                let mut order: Vec<usize> = order(count, round).collect();
                firsts.push(order[0]);
                order.sort_unstable();
                assert_eq!(order, (0..count).collect::<Vec<_>>(), "{count} {round}");
            }
            let expected: Vec<usize> = (0..4).map(|round| round % count).collect();
            assert_eq!(firsts, expected);
        }
        let follows = |round| order(5, round).collect::<Vec<_>>();
        assert_ne!(follows(0)[1..3], follows(1)[1..3]);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let row = |runs: &[Option<(f64, f64)>]| {
            let run =
                |run: &Option<(f64, f64)>| run.map(|(value, raw)| Run { value, raw: Some(raw) });
            let mut row = CaseRow::new(&crate::systems::ALL[0]).unwrap();
            row.runs = runs.iter().map(run).collect();
            row
        };
        let annals = row(&[Some((10.0, 10.0)), Some((60.0, 100.0)), Some((8.0, 10.0))]);
        let other = row(&[Some((5.0, 10.0)), None, Some((2.0, 10.0))]);
        assert_eq!(annals.to_raw(), Some(Spread { median: 0.8, min: 0.6, max: 1.0 }));
        assert_eq!(other.to(&annals), Some(Spread { median: 0.375, min: 0.25, max: 0.5 }));
        assert_eq!(annals.to(&row(&[None, None, None])), None);
    }
}
