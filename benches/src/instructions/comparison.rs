//! Counts of now beside those of a record.

use std::fmt;

use crate::{
    error::BenchError,
    instructions::record::{Count, Record},
    render::Table,
};

/// How much more than recorded is too much, and how much less is worth recording.
const TOLERANCE: f64 = 0.10;

/// Counts of now beside those of a record.
#[derive(Debug)]
pub(crate) struct Comparison {
    lines: Vec<Line>,
    /// What else is different.
    differences: Vec<String>,
}

/// One hot path.
#[derive(Debug)]
struct Line {
    path: String,
    recorded: Option<f64>,
    now: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    Better,
    Worse,
    /// It has no count in the record, or one for another unit.
    New,
    /// It is in the record, and nothing counts it any more.
    Gone,
}

impl Comparison {
    pub(crate) fn new(recorded: &Record, now: &Record) -> Self {
        let line = |count: &Count| {
            let before = recorded.find(&count.path).filter(|before| before.per == count.per);
            let before = before.map(|before| before.instructions);
            Line { path: count.path.clone(), recorded: before, now: Some(count.instructions) }
        };
        let gone = recorded.counts.iter().filter(|count| now.find(&count.path).is_none());
        let gone = gone.map(|count| Line {
            path: count.path.clone(),
            recorded: Some(count.instructions),
            now: None,
        });
        let lines = now.counts.iter().map(line).chain(gone).collect();
        Self { lines, differences: now.conditions.differences(&recorded.conditions) }
    }

    /// # Errors
    /// [`BenchError::Instructions`]: a path takes too many, or is in only one of the two.
    pub(crate) fn verdict(&self) -> Result<(), BenchError> {
        let fails = |line: &&Line| !matches!(line.verdict(), Verdict::Same | Verdict::Better);
        let failed: Vec<_> = self.lines.iter().filter(fails).map(|l| l.path.as_str()).collect();
        if failed.is_empty() { Ok(()) } else { Err(BenchError::Instructions(failed.join(", "))) }
    }
}

impl Line {
    /// By how much it changed, as a share of what is recorded.
    fn change(&self) -> Option<f64> {
        Some(self.now? / self.recorded? - 1.0)
    }

    fn verdict(&self) -> Verdict {
        match (self.change(), self.now) {
            (Some(change), _) if change > TOLERANCE => Verdict::Worse,
            (Some(change), _) if change < -TOLERANCE => Verdict::Better,
            (Some(_), _) => Verdict::Same,
            (None, Some(_)) => Verdict::New,
            (None, None) => Verdict::Gone,
        }
    }

    fn cells(&self) -> [String; 5] {
        let number = |count: Option<f64>| count.map(|count| format!("{count:.1}"));
        let change = self.change().map(|change| format!("{:+.1} %", change * 100.0));
        [
            self.path.clone(),
            number(self.recorded).unwrap_or_default(),
            number(self.now).unwrap_or_default(),
            change.unwrap_or_default(),
            self.verdict().to_string(),
        ]
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "",
            Self::Better => "better: record again",
            Self::Worse => "WORSE",
            Self::New => "NOT RECORDED: record again",
            Self::Gone => "NOT COUNTED ANY MORE: record again",
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["instructions of", "recorded", "now", "change", "verdict"]);
        self.lines.iter().for_each(|line| table.line(line.cells()));
        write!(f, "{table}")?;
        let note = |difference| writeln!(f, "note: {difference}; counts may differ by that");
        self.differences.iter().try_for_each(note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instructions::conditions::Conditions;

    fn record(counts: &[(&str, f64)]) -> Record {
        let count = |(path, instructions): &(&str, f64)| Count {
            path: (*path).to_owned(),
            instructions: *instructions,
            per: "event".to_owned(),
        };
        let conditions = Conditions(vec![("rustc".to_owned(), "1".to_owned())]);
        Record { conditions, counts: counts.iter().map(count).collect() }
    }

    fn compare(recorded: &[(&str, f64)], now: &[(&str, f64)]) -> Comparison {
        Comparison::new(&record(recorded), &record(now))
    }

    #[test]
    fn the_same_and_less_passes() {
        let recorded = [("append", 1_000.0), ("scan", 50.0)];
        for now in [[1_000.0, 50.0], [1_099.0, 54.9], [901.0, 45.1], [500.0, 1.0]] {
            let comparison = compare(&recorded, &[("append", now[0]), ("scan", now[1])]);
            comparison.verdict().unwrap();
        }
        let better = compare(&recorded, &[("append", 899.0), ("scan", 50.0)]);
        let expected = "\
            | instructions of | recorded |   now |  change | verdict              |\n\
            | --------------- | -------: | ----: | ------: | -------------------- |\n\
            | append          |   1000.0 | 899.0 | -10.1 % | better: record again |\n\
            | scan            |     50.0 |  50.0 |  +0.0 % |                      |\n";
        assert_eq!(better.to_string(), expected);
    }

    /// The check itself is checked: a planted slower count is found, among others that are not.
    #[test]
    fn a_planted_slower_count_fails_and_is_named() {
        let recorded = [("encode", 300.0), ("append", 1_000.0), ("scan", 50.0)];
        let now = [("encode", 200.0), ("append", 1_101.0), ("scan", 50.0)];
        let comparison = compare(&recorded, &now);
        let error = comparison.verdict().unwrap_err().to_string();
        assert!(error.contains("append") && !error.contains("scan"), "{error}");
        let table = comparison.to_string();
        assert!(
            table.contains("| append          |   1000.0 | 1101.0 | +10.1 % | WORSE"),
            "{table}"
        );
    }

    #[test]
    fn a_path_on_one_side_only_fails() {
        let both = [("append", 1.0), ("scan", 1.0)];
        let error = |comparison: Comparison| comparison.verdict().unwrap_err().to_string();
        assert!(error(compare(&both, &both[..1])).contains("scan"));
        assert!(error(compare(&both[..1], &both)).contains("scan"));
        let mut other_unit = record(&both);
        other_unit.counts[1].per = "operation".to_owned();
        let comparison = Comparison::new(&record(&both), &other_unit);
        assert!(comparison.to_string().contains("NOT RECORDED"));
        assert!(error(comparison).contains("scan"));
    }

    #[test]
    fn other_conditions_are_noted() {
        let mut elsewhere = record(&[("append", 1.0)]);
        elsewhere.conditions.0[0].1 = "2".to_owned();
        let comparison = Comparison::new(&record(&[("append", 1.0)]), &elsewhere);
        comparison.verdict().unwrap();
        assert!(comparison.to_string().contains("note: rustc: recorded with 1, now 2"));
    }
}
