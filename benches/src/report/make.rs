//! Makes a report: runs everything in rounds, and writes what came of it.

use std::{
    collections::HashMap,
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    error::{BenchError, io_error},
    interrupt::Interrupt,
    machine::Machine,
    number::wide,
    progress::Progress,
    report::{
        backend::{ALL, Program},
        child::Children,
        error::ReportError,
        measured::Measured,
        results::{NotRun, Results, Run, SCHEMA},
        scene::{Extent, Scene, Step},
        server::Server,
    },
    scratch::Scratch,
    yardstick::{PAGE_BYTES, Yardstick},
};

/// What is to be made.
#[derive(Debug)]
pub(crate) struct Making<'a> {
    pub(crate) extent: Extent,
    pub(crate) rounds: u32,
    /// In how many of them scales and fixed rates are run.
    pub(crate) scale_rounds: u32,
    /// Names of backends; empty: all.
    pub(crate) only: &'a [String],
    /// Empty: all.
    pub(crate) scenes: &'a [Scene],
    /// Where `annals-peers` is said to be.
    pub(crate) peers: Option<&'a Path>,
    pub(crate) command: String,
    /// Where data lie while they are measured.
    pub(crate) dir: &'a Path,
}

/// Runs everything.
pub(crate) fn make(
    making: &Making<'_>,
    machine: Machine,
    scratch: &Scratch,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Results, BenchError> {
    let mut steps = making.extent.steps();
    steps.retain(|step| making.scenes.is_empty() || making.scenes.contains(&step.scene));
    steps.retain(|step| {
        making.only.is_empty() || making.only.iter().any(|n| n == step.backend.name)
    });
    let mut why_not: HashMap<&str, String> = HashMap::new();
    let peers = find_peers(making.peers)?;
    if let Err(why) = &peers {
        let of_peers = ALL.iter().filter(|backend| backend.program == Program::Peers);
        why_not.extend(of_peers.map(|backend| (backend.name, why.clone())));
    }
    let is_asked =
        |step: &Step| step.backend.needs_server && !why_not.contains_key(step.backend.name);
    let is_needed = steps.iter().any(is_asked);
    let server = is_needed.then(|| Server::start(making.dir, interrupt));
    if let Some(Err(error)) = &server {
        let of_server = ALL.iter().filter(|backend| backend.needs_server);
        why_not.extend(of_server.map(|backend| (backend.name, error.to_string())));
    }
    let server = server.and_then(Result::ok);
    let children = Children {
        own: env::current_exe().map_err(io_error("find this program"))?,
        peers: peers.ok(),
        server: server.as_ref(),
        scratch,
        interrupt,
    };
    let raw_before = raw_syncs(scratch)?;
    let rounds = [making.rounds, making.scale_rounds];
    let gathered = run_all(rounds, &steps, &children, &mut why_not, progress)?;
    let raw_after = raw_syncs(scratch)?;
    Ok(Results {
        schema: SCHEMA,
        machine,
        command: making.command.clone(),
        rounds: making.rounds,
        server: server.as_ref().map(|server| server.version.clone()),
        raw_syncs: [raw_before, raw_after],
        not_run: not_run(&steps, &why_not).into_iter().chain(gathered.not_run).collect(),
        runs: gathered.runs,
    })
}

/// What came of all steps.
#[derive(Debug, Default)]
struct Gathered {
    runs: Vec<Run>,
    /// Points of scales that a backend could not do.
    not_run: Vec<NotRun>,
}

fn run_all(
    [rounds, scale_rounds]: [u32; 2],
    steps: &[Step],
    children: &Children<'_>,
    why_not: &mut HashMap<&'static str, String>,
    progress: &Progress,
) -> Result<Gathered, BenchError> {
    progress.begin("report", u64::from(rounds) * wide(steps.len()));
    let mut gathered = Gathered::default();
    for round in 1..=rounds {
        for step in in_turn(steps, round) {
            let is_due = step.scene == Scene::Workloads || round <= scale_rounds;
            if is_due && !why_not.contains_key(step.backend.name) {
                progress.now(&format!("{}, {}", step.asked.name(), step.backend.title));
                let result = children.run(&step.backend, &step.asked, step.rate);
                gathered.take(step, round, result, why_not)?;
            }
            progress.done();
        }
    }
    Ok(gathered)
}

impl Gathered {
    /// Others may be missing what they need; what this project makes may not.
    fn take(
        &mut self,
        step: &Step,
        round: u32,
        result: Result<Measured, BenchError>,
        why_not: &mut HashMap<&'static str, String>,
    ) -> Result<(), BenchError> {
        let Step { scene, x, backend, .. } = *step;
        match result {
            Ok(row) => self.runs.push(Run { scene, x, round, row }),
            Err(BenchError::Report(error @ ReportError::Child { .. }))
                if backend.program == Program::Peers =>
            {
                if scene == Scene::Workloads {
                    why_not.insert(backend.name, error.to_string());
                    self.runs.retain(|run| run.row.backend != backend.name);
                } else {
                    let why = format!("{scene:?} at {x}: {error}");
                    self.not_run.push(NotRun { backend: backend.name.to_owned(), why });
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Each round begins with another backend, in each workload.
fn in_turn(steps: &[Step], round: u32) -> Vec<&Step> {
    let is_same = |a: &Step, b: &Step| a.scene == b.scene && a.asked.plan() == b.asked.plan();
    let turned = steps.chunk_by(is_same).flat_map(|chunk| {
        let mut chunk: Vec<&Step> = chunk.iter().collect();
        let by = usize::try_from(round).unwrap_or_default() % chunk.len().max(1);
        chunk.rotate_left(by);
        chunk
    });
    turned.collect()
}

fn not_run(steps: &[Step], why_not: &HashMap<&'static str, String>) -> Vec<NotRun> {
    let is_asked = |name: &str| steps.iter().any(|step| step.backend.name == name);
    let asked = ALL.iter().filter(|backend| is_asked(backend.name));
    let not = asked.filter_map(|backend| {
        let why = why_not.get(backend.name)?.clone();
        Some(NotRun { backend: backend.name.to_owned(), why })
    });
    not.collect()
}

fn raw_syncs(scratch: &Scratch) -> Result<f64, BenchError> {
    Yardstick::new(scratch, PAGE_BYTES)?.rate(Duration::from_millis(300))
}

/// Where `annals-peers` is: where it is said to be, or where cargo builds it, or beside this program.
/// Within: why it is not there.
fn find_peers(said: Option<&Path>) -> Result<Result<PathBuf, String>, ReportError> {
    if let Some(said) = said {
        let missing = || ReportError::NoPeers { program: said.to_owned() };
        let found = said.is_file().then(|| said.to_owned());
        return found.map(Ok).ok_or_else(missing);
    }
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/target/release/annals-peers");
    let beside = env::current_exe().ok().map(|own| own.with_file_name("annals-peers"));
    let mut places = [Some(PathBuf::from(built)), beside].into_iter().flatten();
    Ok(places.find(|path| path.is_file()).ok_or_else(|| NOT_BUILT.to_owned()))
}

const NOT_BUILT: &str = "annals-peers is not built: build it with `cargo build --release \
                         --manifest-path benches/peers/Cargo.toml`, or name it with --peers";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::measured::tests as tests_of_rows;

    #[test]
    fn what_fails_at_one_end_of_a_scale_keeps_the_rest() {
        let steps = Extent::Whole.steps();
        let of = |scene| {
            let is_it =
                |step: &&Step| step.scene == scene && step.backend.name == "eventcore-memory";
            steps.iter().find(is_it).unwrap()
        };
        let failed = || {
            let (workload, backend) = ("financial".to_owned(), "eventcore-memory".to_owned());
            Err(ReportError::Child { workload, backend, said: "too many".to_owned() }.into())
        };
        let (mut gathered, mut why_not) = (Gathered::default(), HashMap::new());
        let row = Measured { backend: "eventcore-memory".to_owned(), ..tests_of_rows::row() };
        gathered.take(of(Scene::Workloads), 1, Ok(row), &mut why_not).unwrap();
        gathered.take(of(Scene::Callers), 1, failed(), &mut why_not).unwrap();
        assert_eq!((gathered.runs.len(), gathered.not_run.len(), why_not.len()), (1, 1, 0));
        gathered.take(of(Scene::Workloads), 2, failed(), &mut why_not).unwrap();
        assert!(gathered.runs.is_empty() && why_not["eventcore-memory"].contains("too many"));
        let own = steps.iter().find(|step| step.backend.program == Program::Own).unwrap();
        gathered.take(own, 1, failed(), &mut why_not).unwrap_err();
    }

    #[test]
    fn backends_take_turns() {
        let steps = Extent::Quick.steps();
        let first = |round| in_turn(&steps, round)[0].backend.name;
        assert_ne!(first(1), first(2));
        let mut sorted: Vec<String> = in_turn(&steps, 2).iter().map(|s| format!("{s:?}")).collect();
        let mut all: Vec<String> = steps.iter().map(|step| format!("{step:?}")).collect();
        sorted.sort();
        all.sort();
        assert_eq!(sorted, all, "each once");
    }

    #[test]
    fn peers_that_are_not_there_are_told() {
        let error = find_peers(Some(Path::new("/nowhere/annals-peers"))).unwrap_err();
        assert!(error.to_string().contains("/nowhere/annals-peers"), "{error}");
    }

    #[test]
    fn what_was_not_run_says_why() {
        let why = HashMap::from([("annals-postgres", "no server".to_owned())]);
        let [not] = &not_run(&Extent::Quick.steps(), &why)[..] else { panic!("one") };
        assert_eq!((not.backend.as_str(), not.why.as_str()), ("annals-postgres", "no server"));
        assert!(not_run(&[], &why).is_empty(), "nobody asked");
    }
}
