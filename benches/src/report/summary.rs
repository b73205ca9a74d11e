//! What the runs of one thing say together.

use crate::{
    latency::Latency,
    number::{Spread, float, per},
    report::{
        backend,
        measured::Measured,
        results::{Results, Run},
        scene::Scene,
    },
};

/// The runs of one workload on one backend at one point of a scale, a round each.
#[derive(Debug, Clone)]
pub(crate) struct Summary<'a> {
    pub(crate) x: f64,
    pub(crate) rows: Vec<&'a Measured>,
    /// The first of them: names and counts of callers are the same in all.
    pub(crate) first: &'a Measured,
}

/// A group of rows that are compared: a workload with so many callers.
#[derive(Debug, Clone)]
pub(crate) struct Group<'a> {
    pub(crate) workload: &'a str,
    pub(crate) callers: u64,
    pub(crate) summaries: Vec<Summary<'a>>,
}

/// All points of a scene, backends in the order of tables.
pub(crate) fn of_scene(results: &Results, scene: Scene) -> Vec<Summary<'_>> {
    let mut all: Vec<Summary<'_>> = Vec::new();
    for Run { row, x, .. } in results.runs.iter().filter(|run| run.scene == scene) {
        let is_same = |summary: &&mut Summary<'_>| {
            let first = summary.first;
            (&first.backend, &first.workload, first.callers)
                == (&row.backend, &row.workload, row.callers)
                && summary.x.total_cmp(x).is_eq()
        };
        match all.iter_mut().find(is_same) {
            Some(summary) => summary.rows.push(row),
            None => all.push(Summary { x: *x, rows: vec![row], first: row }),
        }
    }
    all.sort_by_key(|summary| backend::place(&summary.first.backend));
    all
}

/// The workloads, in the order in which they were measured.
pub(crate) fn workloads(results: &Results) -> Vec<Group<'_>> {
    let of = results.runs.iter().filter(|run| run.scene == Scene::Workloads);
    let summaries = of_scene(results, Scene::Workloads);
    let mut groups: Vec<Group<'_>> = Vec::new();
    for Run { row, .. } in of {
        let is_here =
            |group: &Group<'_>| (group.workload, group.callers) == (&row.workload, row.callers);
        if !groups.iter().any(is_here) {
            let is_of = |summary: &&Summary<'_>| {
                (&summary.first.workload, summary.first.callers) == (&row.workload, row.callers)
            };
            let summaries = summaries.iter().filter(is_of).cloned().collect();
            groups.push(Group { workload: &row.workload, callers: row.callers, summaries });
        }
    }
    // Small ones were measured in another order in each round.
    let place = |group: &Group<'_>| {
        (WORKLOADS.iter().position(|name| *name == group.workload), group.callers)
    };
    groups.sort_by_key(place);
    groups
}

const WORKLOADS: [&str; 4] = ["financial", "orders", "batch", "batch-200"];

impl Group<'_> {
    /// For headings and pictures.
    pub(crate) fn title(&self) -> String {
        let callers = if self.callers == 1 { "caller" } else { "callers" };
        let what = match self.workload {
            "financial" => "Financial: payments over 100 accounts",
            "orders" => "Orders: three to six streams of 50 products",
            "batch" => "Batches of 100 events over 5 streams",
            "batch-200" => "Batches of 200 events over 5 streams",
            other => other,
        };
        format!("{what}, {} {callers}", self.callers)
    }

    /// Whether its rate is one of events, since each append has many.
    pub(crate) fn is_of_events(&self) -> bool {
        self.workload.starts_with("batch")
    }

    pub(crate) fn unit(&self) -> &'static str {
        if self.is_of_events() { "events/s" } else { "commands/s" }
    }
}

impl Summary<'_> {
    /// A number of each run.
    pub(crate) fn each(&self, of: impl Fn(&Measured) -> f64) -> Vec<f64> {
        self.rows.iter().map(|row| of(row)).collect()
    }

    pub(crate) fn spread(&self, of: impl Fn(&Measured) -> f64) -> Spread {
        let spread = Spread::of(self.rows.iter().map(|row| of(row)));
        spread.unwrap_or(Spread { median: f64::NAN, min: f64::NAN, max: f64::NAN })
    }

    /// Of all rows that say so, the median.
    pub(crate) fn known(&self, of: impl Fn(&Measured) -> Option<f64>) -> Option<f64> {
        Spread::of(self.rows.iter().filter_map(|row| of(row))).map(|spread| spread.median)
    }

    /// Commands in a second that were accepted or rejected.
    pub(crate) fn rate(&self) -> Spread {
        self.spread(|row| float(row.settled()) / row.seconds)
    }

    pub(crate) fn events_rate(&self) -> Spread {
        self.spread(|row| float(row.events) / row.seconds)
    }

    /// The rate in the unit of its workload.
    pub(crate) fn own_rate(&self) -> Spread {
        if self.first.workload.starts_with("batch") { self.events_rate() } else { self.rate() }
    }

    pub(crate) fn total(&self, of: impl Fn(&Measured) -> u64) -> u64 {
        self.rows.iter().map(|row| of(row)).sum()
    }

    /// Of all runs together.
    pub(crate) fn latency(&self) -> Latency {
        let mut all = self.first.latency.clone();
        for row in self.rows.iter().skip(1) {
            // The same bounds: `Latency` reads every histogram into its own.
            drop(all.add(&row.latency));
        }
        all
    }

    /// The median of the runs' percentiles, in microseconds.
    pub(crate) fn micros_at(&self, share: f64) -> Spread {
        self.spread(|row| row.latency.micros_at(share))
    }

    pub(crate) fn attempts(&self) -> Option<f64> {
        self.known(|row| Some(per(float(row.attempts?), row.counts.asked)))
    }

    /// Processor time of a command, callers and store together, in microseconds.
    pub(crate) fn cpu_micros(&self) -> f64 {
        self.spread(|row| per(row.cpu_seconds * 1e6, row.counts.asked)).median
    }

    pub(crate) fn server_cpu_micros(&self) -> Option<f64> {
        self.known(|row| Some(per(row.server_cpu_seconds? * 1e6, row.counts.asked)))
    }

    pub(crate) fn written_bytes(&self) -> Option<f64> {
        self.known(|row| Some(per(float(row.written_bytes?), row.counts.asked)))
    }

    pub(crate) fn syncs(&self) -> Option<f64> {
        self.known(|row| Some(per(float(row.syncs?), row.counts.asked)))
    }

    pub(crate) fn syncs_a_second(&self) -> Option<f64> {
        self.known(|row| Some(float(row.syncs?) / row.seconds))
    }

    pub(crate) fn peak_megabytes(&self) -> Option<f64> {
        self.known(|row| Some(float(row.peak_memory_bytes?) / 1e6))
    }

    /// Which share of all cores' time was used, the server's processes included.
    pub(crate) fn cpu_share(&self, cores: usize) -> f64 {
        let cores = float(crate::number::wide(cores.max(1)));
        self.spread(|row| {
            (row.cpu_seconds + row.server_cpu_seconds.unwrap_or(0.0)) / row.seconds / cores
        })
        .median
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::results::tests::results;

    #[test]
    fn rounds_are_put_together() {
        let results = results();
        let [group] = &workloads(&results)[..] else { panic!("one workload") };
        assert_eq!((group.workload, group.callers, group.unit()), ("financial", 2, "commands/s"));
        let [memory, disk] = &group.summaries[..] else { panic!("two backends") };
        assert_eq!(memory.rate(), Spread { median: 20.0, min: 10.0 / 0.6, max: 25.0 });
        assert_eq!(disk.first.backend, "annals-disk");
        assert_eq!((memory.total(|row| row.counts.rejected), memory.latency().count()), (9, 30));
        assert_eq!((memory.attempts(), memory.syncs()), (Some(1.1), None));
        assert_eq!(memory.written_bytes(), Some(409.6));
    }
}
