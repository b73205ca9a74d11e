//! Everything that a report measured, as it is recorded: `report.json`.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    error::BenchError,
    machine::Machine,
    report::{error::ReportError, measured::Measured, scene::Scene},
};

/// Which results this program reads and writes. Another number, another meaning.
pub(crate) const SCHEMA: u32 = 1;

/// The file's name in a record.
pub(crate) const FILE: &str = "report.json";

/// Everything that a report measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) schema: u32,
    pub(crate) machine: Machine,
    /// What to type to do the same elsewhere.
    pub(crate) command: String,
    pub(crate) rounds: u32,
    /// The version of the Postgres server, if there was one.
    pub(crate) server: Option<String>,
    /// How often a second one caller overwrote and synced 4 KiB, before and after.
    pub(crate) raw_syncs: [f64; 2],
    pub(crate) not_run: Vec<NotRun>,
    pub(crate) runs: Vec<Run>,
}

/// Why a backend has no rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NotRun {
    pub(crate) backend: String,
    pub(crate) why: String,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) scene: Scene,
    /// Where it stands on the picture's axis.
    pub(crate) x: f64,
    /// From 1.
    pub(crate) round: u32,
    #[serde(flatten)]
    pub(crate) row: Measured,
}

/// What all versions have in common.
#[derive(Deserialize)]
struct Version {
    schema: u32,
}

impl Results {
    pub(crate) fn json(&self) -> Result<String, BenchError> {
        let json = serde_json::to_string_pretty(self);
        let action = "write the results as JSON";
        Ok(json.map_err(|error| BenchError::Io { action, source: error.into() })? + "\n")
    }

    /// From a file, or from the file in a record's directory.
    pub(crate) fn read(path: &Path) -> Result<Self, BenchError> {
        let path = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
        let wrong =
            |what: String| BenchError::from(ReportError::Results { file: path.clone(), what });
        let text = fs::read_to_string(&path).map_err(|error| {
            wrong(format!("{error}; name the {FILE} of a record, or the record's directory"))
        })?;
        let damaged = |error: serde_json::Error| {
            wrong(format!("it is no result of `annals-bench report`: {error}"))
        };
        let Version { schema } = serde_json::from_str(&text).map_err(damaged)?;
        if schema != SCHEMA {
            let what = format!(
                "it has schema {schema}, and this program knows schema {SCHEMA}; compare with the \
                 version of annals-bench that wrote it, or measure again"
            );
            return Err(wrong(what));
        }
        serde_json::from_str(&text).map_err(damaged)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::report::measured::tests::row;

    pub(crate) fn results() -> Results {
        let run = |backend: &str, round: u32, seconds| Run {
            scene: Scene::Workloads,
            x: 2.0,
            round,
            row: Measured { backend: backend.to_owned(), seconds, ..row() },
        };
        let runs = [(1, 0.5), (2, 0.4), (3, 0.6)].into_iter().flat_map(|(round, seconds)| {
            [run("annals-memory", round, seconds), run("annals-disk", round, seconds * 4.0)]
        });
        Results {
            schema: SCHEMA,
            machine: Machine::look(Path::new("/")),
            command: "annals-bench report".to_owned(),
            rounds: 3,
            server: None,
            raw_syncs: [5_000.0, 6_000.0],
            not_run: vec![NotRun {
                backend: "annals-postgres".to_owned(),
                why: "no <Postgres> here".to_owned(),
            }],
            runs: runs.collect(),
        }
    }

    #[test]
    fn results_are_the_same_after_writing_and_reading() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE), results().json().unwrap()).unwrap();
        assert_eq!(Results::read(directory.path()).unwrap(), results());
        assert_eq!(Results::read(&directory.path().join(FILE)).unwrap(), results());
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("old.json");
        let refused = |text: &str| {
            fs::write(&file, text).unwrap();
            Results::read(&file).unwrap_err().to_string()
        };
        let newer = results().json().unwrap().replace("\"schema\": 1", "\"schema\": 2");
        let newer = refused(&newer);
        assert!(newer.contains("old.json") && newer.contains("schema 2"), "{newer}");
        assert!(refused(r#"{"schema": 7}"#).contains("knows schema 1"));
        for wrong in ["", "[]", "{}", r#"{"schema": 1}"#] {
            assert!(refused(wrong).contains("no result of `annals-bench report`"), "{wrong}");
        }
        let missing = Results::read(&directory.path().join("none")).unwrap_err().to_string();
        assert!(missing.contains("name the report.json"), "{missing}");
    }
}
