//! Counts as they are kept in the repository: CSV, below lines on what they depend on.

use std::{fmt, io, path::Path};

use crate::{error::BenchError, instructions::conditions::Conditions};

/// The counts of one run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) conditions: Conditions,
    pub(crate) counts: Vec<Count>,
}

/// The instructions of one hot path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Count {
    pub(crate) path: String,
    pub(crate) instructions: f64,
    /// What they are for one of.
    pub(crate) per: String,
}

const TITLE: &str = "# Made by `annals-bench count --record`; change the code, not this file.";
const HEADINGS: &str = "path,instructions,per";

impl Record {
    /// Reads a record from its file.
    pub(crate) fn read(file: &Path) -> Result<Self, BenchError> {
        let text = std::fs::read_to_string(file).map_err(unusable(file))?;
        parse(&text).map_err(|(line, what)| BenchError::Record {
            file: file.to_owned(),
            line,
            what,
        })
    }

    /// Writes the record into a file.
    pub(crate) fn write(&self, file: &Path) -> Result<(), BenchError> {
        std::fs::write(file, self.to_string()).map_err(unusable(file))
    }

    /// The count of a path, if it has one.
    pub(crate) fn find(&self, path: &str) -> Option<&Count> {
        self.counts.iter().find(|count| count.path == path)
    }
}

fn unusable(file: &Path) -> impl Fn(io::Error) -> BenchError {
    move |source| BenchError::RecordFile { file: file.to_owned(), source }
}

/// What is wrong, and in which line.
type Wrong = (usize, &'static str);

fn parse(text: &str) -> Result<Record, Wrong> {
    let (mut conditions, mut counts) = (Vec::new(), Vec::<Count>::new());
    for (line, number) in text.lines().zip(1..) {
        if let Some(condition) = line.strip_prefix("# ") {
            conditions
                .extend(condition.split_once(": ").map(|(k, v)| (k.to_owned(), v.to_owned())));
        } else if line != HEADINGS {
            let count = count(line).map_err(|what| (number, what))?;
            if counts.iter().any(|other| other.path == count.path) {
                return Err((number, "the path has a count already"));
            }
            counts.push(count);
        }
    }
    if counts.is_empty() {
        return Err((1, "there are no counts"));
    }
    Ok(Record { conditions: Conditions(conditions), counts })
}

fn count(line: &str) -> Result<Count, &'static str> {
    let cells: Vec<&str> = line.split(',').collect();
    let [path, instructions, per] = cells[..] else { return Err("it does not have three cells") };
    let count: f64 = instructions.parse().map_err(|_| "the count is not a number")?;
    if !(count.is_finite() && count > 0.0) {
        return Err("the count is not above 0");
    }
    Ok(Count { path: path.to_owned(), instructions: count, per: per.to_owned() })
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TITLE}")?;
        for (name, value) in &self.conditions.0 {
            writeln!(f, "# {name}: {value}")?;
        }
        writeln!(f, "{HEADINGS}")?;
        for Count { path, instructions, per } in &self.counts {
            writeln!(f, "{path},{instructions:.1},{per}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let conditions = Conditions(vec![("rustc".to_owned(), "1.95.0 (a: b)".to_owned())]);
        let count = |path: &str, instructions| Count {
            path: path.to_owned(),
            instructions,
            per: "event".to_owned(),
        };
        let counts = vec![count("scan of batches", 41.5), count("append 1 event", 2_000.0)];
        let record = Record { conditions, counts };
        assert_eq!(parse(&record.to_string()), Ok(record.clone()));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("counts.csv");
        record.write(&file).unwrap();
        assert_eq!(Record::read(&file).unwrap(), record);
    }

    #[test]
    fn damage_is_named_with_its_line() {
        let of = |lines: &str| parse(&format!("# rustc: 1\n{HEADINGS}\n{lines}")).unwrap_err();
        assert_eq!(of(""), (1, "there are no counts"));
        assert_eq!(of("a,1\n"), (3, "it does not have three cells"));
        assert_eq!(of("a,1,event\nb,x,event\n"), (4, "the count is not a number"));
        for number in ["0", "-1", "NaN", "inf"] {
            assert_eq!(of(&format!("a,{number},event")), (3, "the count is not above 0"));
        }
        assert_eq!(of("a,1,event\na,2,event"), (4, "the path has a count already"));
    }

    #[test]
    fn an_error_says_where_and_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("counts.csv");
        let error = Record::read(&file).unwrap_err().to_string();
        assert!(error.contains("counts.csv: No such file"), "{error}");
        std::fs::write(&file, "a,1").unwrap();
        let error = Record::read(&file).unwrap_err().to_string();
        assert!(error.contains("counts.csv, line 1: it does not have three cells"), "{error}");
        assert!(error.contains("count --record"), "{error}");
    }
}
