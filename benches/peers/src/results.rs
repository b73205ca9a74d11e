//! Everything that a run of this program found out.

use annals_bench::Machine;

use crate::{plan::Plan, reading::ReadingRow, rounds::CaseResult, system::Peer, trouble::Trouble};

/// Everything that a run of this program found out.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) plan: Plan,
    /// What to type to do the same elsewhere.
    pub(crate) command: String,
    pub(crate) peers: Vec<&'static Peer>,
    pub(crate) on_disk: Vec<CaseResult>,
    /// None, if there is no such directory.
    pub(crate) on_tmpfs: Vec<CaseResult>,
    pub(crate) readings: Vec<ReadingRow>,
}

/// What everything is compared with.
pub(crate) const ANNALS: &str = "annals";

impl Results {
    /// Everything that systems did that they must not do: who, where, what.
    pub(crate) fn troubles(&self) -> Vec<(&'static Peer, String, &Trouble)> {
        let mut troubles = Vec::new();
        for (cases, place) in [(&self.on_disk, ""), (&self.on_tmpfs, ", in memory")] {
            for result in cases {
                let rows = result.rows.iter();
                troubles.extend(rows.flat_map(|row| {
                    let where_to = format!("{}{place}", result.case);
                    row.troubles.iter().map(move |trouble| (row.peer, where_to.clone(), trouble))
                }));
            }
        }
        for row in &self.readings {
            let what = "opening and reading".to_owned();
            troubles.extend(row.troubles.iter().map(|trouble| (row.peer, what.clone(), trouble)));
        }
        troubles
    }
}
