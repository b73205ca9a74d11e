//! The machine and the plan for other programs.

use serde::Serialize;

use crate::{error::BenchError, machine::Machine};

#[derive(Serialize)]
struct Circumstances<'a, P> {
    machine: &'a Machine,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a P>,
}

/// Where and how thoroughly it was measured.
pub(crate) fn machine_json<P: Serialize>(
    machine: &Machine,
    plan: Option<&P>,
) -> Result<String, BenchError> {
    let json = serde_json::to_string_pretty(&Circumstances { machine, plan });
    let json = json.map_err(|error| BenchError::Io {
        action: "write the machine as JSON",
        source: error.into(),
    })?;
    Ok(json + "\n")
}
