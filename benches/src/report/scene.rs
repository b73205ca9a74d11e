//! What the report measures: the workloads on every backend, and how they scale.

use serde::{Deserialize, Serialize};

use crate::{
    number::float,
    report::{
        asked::{Asked, Kind},
        backend::{ALL, Backend, Program},
    },
};

/// What a run is measured for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scene {
    /// The workloads as they are: the tables.
    Workloads,
    /// Financial by the number of callers.
    Callers,
    /// Financial by the number of accounts.
    Accounts,
    /// Appends of an event for each of so many streams.
    Streams,
    /// Appends of an event, by its size.
    Payload,
    /// Financial at fixed rates.
    Load,
}

/// One run that is to be made in every round.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) scene: Scene,
    /// Where it stands on the picture's axis.
    pub(crate) x: f64,
    pub(crate) backend: Backend,
    pub(crate) asked: Asked,
    /// So many commands in a second; `None`: as fast as they are answered.
    pub(crate) rate: Option<f64>,
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    /// Under a minute.
    Quick,
}

/// Callers of appends where streams or payloads scale.
const APPENDERS: u64 = 16;

impl Extent {
    fn of<T>(self, whole: T, quick: T) -> T {
        match self {
            Self::Whole => whole,
            Self::Quick => quick,
        }
    }

    /// Every run of a round: workload by workload, so that backends take turns.
    pub(crate) fn steps(self) -> Vec<Step> {
        let scenes: [fn(Self) -> Vec<Step>; 6] = [
            Self::workloads,
            Self::callers,
            Self::accounts,
            Self::streams,
            Self::payload,
            Self::load,
        ];
        scenes.iter().flat_map(|scene| scene(self)).collect()
    }

    fn workloads(self) -> Vec<Step> {
        let batch = |kind, callers| {
            // As many events by one caller as by eight.
            let asked = Asked::of(kind).with_callers(callers);
            let commands = asked.commands();
            asked.with_commands(self.of(commands, commands / 5))
        };
        let workloads = [
            Asked::of(Kind::Financial).with_commands(self.of(10_000, 2_000)),
            Asked::of(Kind::Orders).with_commands(self.of(5_000, 500)),
            batch(Kind::Batch, 1),
            batch(Kind::Batch, 8),
            batch(Kind::Batch200, 1),
            batch(Kind::Batch200, 8),
        ];
        let steps = workloads.into_iter().flat_map(|asked| {
            ALL.map(|backend| step(Scene::Workloads, asked.callers(), backend, asked.clone()))
        });
        steps.collect()
    }

    fn callers(self) -> Vec<Step> {
        let steps = self.of(&[1, 10, 100, 1000][..], &[1, 100]).iter().flat_map(|callers| {
            let is_wanted = move |backend: &Backend| self == Self::Whole || is_embedded(backend);
            ALL.into_iter().filter(is_wanted).map(move |backend| {
                // About as long for each.
                let commands = match backend.program {
                    Program::Own if !backend.needs_server => (callers * 5_000).min(50_000),
                    _ => (callers * 500).min(5_000),
                };
                let asked = Asked::of(Kind::Financial).with_callers(*callers);
                let asked = asked.with_commands(self.of(commands, commands / 10));
                step(Scene::Callers, *callers, backend, asked)
            })
        });
        steps.collect()
    }

    fn accounts(self) -> Vec<Step> {
        let accounts: &[u64] = &[10, 100, 1_000, 10_000, 100_000, 1_000_000];
        let steps = self.of(accounts, &[10, 10_000]).iter().flat_map(|accounts| {
            let mut asked = Asked::of(Kind::Financial);
            asked.accounts = *accounts;
            let asked = asked.with_commands(self.of(50_000, 2_000));
            own(Scene::Accounts, *accounts, &asked)
        });
        steps.collect()
    }

    fn streams(self) -> Vec<Step> {
        let streams: &[u64] = &[1, 2, 4, 8, 16, 32];
        let steps = self.of(streams, &[1, 32]).iter().flat_map(|streams| {
            let mut asked = Asked::of(Kind::Batch);
            asked.streams = *streams;
            let asked = asked.with_events_per_stream(1).with_callers(APPENDERS);
            own(Scene::Streams, *streams, &asked.with_commands(self.of(20_000, 1_000)))
        });
        steps.collect()
    }

    fn payload(self) -> Vec<Step> {
        let sizes: &[u64] = &[16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10];
        let steps = self.of(sizes, &[16, 64 << 10]).iter().flat_map(|bytes| {
            let mut asked = Asked::of(Kind::Batch);
            (asked.payload_bytes, asked.streams) = (*bytes, 1);
            // At most 256 MiB.
            let commands = ((256 << 20) / bytes).min(self.of(20_000, 500));
            let asked = asked.with_events_per_stream(1).with_callers(APPENDERS);
            own(Scene::Payload, *bytes, &asked.with_commands(commands))
        });
        steps.collect()
    }

    fn load(self) -> Vec<Step> {
        let rates: &[u64] = &[100, 300, 1_000, 3_000, 10_000, 20_000, 40_000];
        let disk = ALL.into_iter().filter(|backend| backend.name == "annals-disk");
        let steps = disk.flat_map(|backend| {
            self.of(rates, &[1_000, 10_000]).iter().map(move |rate| {
                // For two seconds, or a fifth of one.
                let commands = self.of(rate * 2, rate / 5).max(20);
                let asked = Asked::of(Kind::Financial).with_commands(commands);
                Step { rate: Some(float(*rate)), ..step(Scene::Load, *rate, backend, asked) }
            })
        });
        steps.collect()
    }
}

fn step(scene: Scene, x: u64, backend: Backend, asked: Asked) -> Step {
    Step { scene, x: float(x), backend, asked, rate: None }
}

fn is_embedded(backend: &Backend) -> bool {
    backend.program == Program::Own && !backend.needs_server
}

/// On Annals in memory and on disk.
fn own(scene: Scene, x: u64, asked: &Asked) -> Vec<Step> {
    let backends = ALL.into_iter().filter(is_embedded);
    backends.map(|backend| step(scene, x, backend, asked.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_have_the_ends_that_they_are_said_to_have() {
        let ends = |scene| {
            let steps = Extent::Whole.steps().into_iter().filter(|step| step.scene == scene);
            let xs: Vec<f64> = steps.map(|step| step.x).collect();
            (xs.iter().copied().fold(f64::MAX, f64::min), xs.iter().copied().fold(0.0, f64::max))
        };
        assert_eq!(ends(Scene::Callers), (1.0, 1e3));
        assert_eq!(ends(Scene::Accounts), (10.0, 1e6));
        assert_eq!(ends(Scene::Streams), (1.0, 32.0));
        assert_eq!(ends(Scene::Payload), (16.0, 65_536.0));
        let of = |extent: Extent| extent.steps().len();
        assert!(of(Extent::Quick) < of(Extent::Whole));
    }

    #[test]
    fn workloads_are_the_same_on_all_backends() {
        let steps = Extent::Whole.workloads();
        assert_eq!(steps.len(), 6 * ALL.len());
        for steps in steps.chunks(ALL.len()) {
            assert!(steps.iter().all(|step| step.asked == steps[0].asked));
        }
        assert_eq!(steps[0].asked.commands(), 10_000);
        assert_eq!(steps[ALL.len()].asked.commands(), 5_000);
        let events = |asked: &Asked| asked.commands() * asked.streams * asked.events_per_stream();
        assert!(steps[2 * ALL.len()..].iter().all(|step| events(&step.asked) == 100_000));
    }
}
