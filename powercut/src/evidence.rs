//! What is kept of a broken promise, so that it can be seen again.

use std::{fs, path::Path};

use crate::{error::PowercutError, pool::Finding};

/// Keeps the recording of the first finding in a directory; returns the error that tells of all.
/// Nothing was found: `Ok`.
///
/// # Errors
/// What was found, or that the recording cannot be kept.
pub(crate) fn keep(findings: &[Finding], directory: &Path) -> Result<(), PowercutError> {
    let Some(finding) = findings.first() else { return Ok(()) };
    let path = save(finding, directory)?;
    Err(PowercutError::Broken {
        count: crate::number::to_u64(findings.len()),
        first: format!(
            "{}; see it again: annals-powercut replay {path} --state {}",
            describe(finding),
            finding.state.number
        ),
    })
}

/// What was found, and where.
pub(crate) fn describe(finding: &Finding) -> String {
    let Finding { recording, state, violation } = finding;
    format!(
        "{violation} (workload {} on {}, seed {}, state {}: {:?}, cut after happening {} of {})",
        recording.workload,
        recording.filesystem.name(),
        recording.seed,
        state.number,
        state.kept,
        state.cut,
        recording.happenings.len()
    )
}

fn save(finding: &Finding, directory: &Path) -> Result<String, PowercutError> {
    let recording = &finding.recording;
    let (filesystem, workload) = (recording.filesystem.name(), &recording.workload);
    let name = format!("{filesystem}-{workload}-{}.recording", recording.seed);
    let path = directory.join(name);
    let io = PowercutError::io("keep the recording of a broken promise");
    fs::create_dir_all(directory).map_err(&io)?;
    recording.save(&path).map_err(&io)?;
    Ok(path.display().to_string())
}
