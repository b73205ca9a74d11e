//! Does what the program was told.

use std::{path::PathBuf, time::Duration};

use crate::{
    arguments::{Arguments, Command, Compare, Disk, History, Place, Render, Report, Run, Soak},
    beside, catalogue, commands, disk,
    error::BenchError,
    instructions,
    interrupt::Interrupt,
    machine::Machine,
    memory, opening,
    plan::Plan,
    progress::Progress,
    reads,
    render::{self, Record},
    report::{
        self,
        make::{Making, make},
        own,
        results::Results,
    },
    rounds,
    row::Row,
    scratch::Scratch,
    sizes, soak,
    workload::Workload,
};

/// Does what the program was told.
///
/// # Errors
/// [`BenchError`]: a directory, the store, a log that does not hold what was acknowledged, or hot
/// paths that take more instructions than recorded.
pub fn execute(arguments: Arguments) -> Result<(), BenchError> {
    match arguments.command {
        Command::Run(run) => execute_run(&run),
        Command::Soak(soak) => execute_soak(&soak),
        Command::Disk(disk) => execute_disk(&disk),
        Command::Report(report) => execute_report(&report),
        Command::Compare(compare) => execute_compare(&compare),
        Command::History(history) => execute_history(&history),
        Command::Render(render) => execute_render(&render),
        Command::Commands(commands) => execute_commands(&commands),
        Command::Count(count) => instructions::run(&count),
        Command::Operate(operate) => instructions::operate(&operate),
    }
}

fn execute_run(run: &Run) -> Result<(), BenchError> {
    let Begun { scratch, record, progress, machine, .. } = begin(&run.place)?;
    let (plan, mut rows) = (run.plan(), Vec::new());
    for workload in run.workloads() {
        let of = measure(workload, &plan, &scratch, &progress)?;
        progress.print(&format!("\n{}\n\n{}", workload.title(), render::of_rows(&of)));
        rows.extend(of);
    }
    progress.end();
    let Some(record) = record else { return Ok(()) };
    let plots = render::run_plots(&rows, &machine)?;
    record.write("README.md", &render::run_markdown(&machine, &run.command(), &rows, &plots))?;
    record.write("results.csv", &render::results_csv(&rows))?;
    record.write("runs.csv", &render::runs_csv(&rows))?;
    record.write("machine.json", &render::machine_json(&machine, Some(&plan))?)?;
    finish(record, &machine.record_name(), &plots)
}

fn measure(
    workload: Workload,
    plan: &Plan,
    scratch: &Scratch,
    progress: &Progress,
) -> Result<Vec<Row>, BenchError> {
    match workload {
        Workload::W5 => {
            let mut rows = reads::run(plan, scratch, progress)?;
            rows.append(&mut beside::run(plan, scratch, progress)?);
            Ok(rows)
        }
        Workload::W6 => opening::run(plan, scratch, progress),
        Workload::W7 => sizes::run(plan, scratch, progress),
        Workload::Financial | Workload::Orders => commands::run(workload, plan, scratch, progress),
        _ => {
            let mut cases = catalogue::cases(workload);
            cases.retain(|case| plan.has(case));
            rounds::run(workload, &cases, plan, scratch, progress)
        }
    }
}

fn execute_soak(arguments: &Soak) -> Result<(), BenchError> {
    let Begun { scratch, record, progress, machine, .. } = begin(&arguments.place)?;
    let length = Duration::from_secs_f64(arguments.minutes * 60.0);
    let soak = soak::run(length, &scratch, &progress)?;
    progress.end();
    println!("every event that was acknowledged is in the log");
    let Some(record) = record else { return Ok(()) };
    let plots = render::soak_plots(&soak, &machine)?;
    let command = format!("annals-bench soak --minutes {}", arguments.minutes);
    record.write("README.md", &render::soak_markdown(&machine, &command, &soak, &plots))?;
    record.write("soak.csv", &render::soak_csv(&soak.intervals))?;
    record.write("machine.json", &render::machine_json(&machine, None::<&Plan>)?)?;
    finish(record, &format!("{}-soak", machine.record_name()), &plots)
}

fn execute_disk(arguments: &Disk) -> Result<(), BenchError> {
    let Begun { scratch, record, progress, machine, .. } = begin(&arguments.place)?;
    let (plan, mut rows) = (arguments.plan(), Vec::new());
    for part in arguments.parts() {
        let of = disk::run(part, &plan, &scratch, &progress)?;
        progress.print(&format!("\n{}\n\n{}", part.title(), render::of_rows(&of)));
        rows.extend(of);
    }
    progress.end();
    let Some(record) = record else { return Ok(()) };
    record.write("README.md", &render::disk_markdown(&machine, &arguments.command(), &rows))?;
    record.write("results.csv", &render::results_csv(&rows))?;
    record.write("runs.csv", &render::runs_csv(&rows))?;
    record.write("machine.json", &render::machine_json(&machine, Some(&plan))?)?;
    finish(record, &format!("{}-disk", machine.record_name()), &[])
}

fn execute_report(arguments: &Report) -> Result<(), BenchError> {
    let Begun { scratch, record, progress, machine, interrupt } = begin(&arguments.place)?;
    let making = Making {
        extent: arguments.extent(),
        rounds: arguments.rounds(),
        scale_rounds: arguments.scale_rounds(),
        only: &arguments.only,
        scenes: &arguments.scene,
        peers: arguments.peers.as_deref(),
        command: arguments.command(),
        dir: &arguments.place.dir,
    };
    let results = make(&making, machine, &scratch, &interrupt, &progress)?;
    progress.end();
    println!("{}", report::terminal::text(&results));
    let Some(record) = record else { return Ok(()) };
    for (name, text) in report::files::of(&results)? {
        record.write(&name, &text)?;
    }
    finish(record, &format!("{}-report", results.machine.record_name()), &[])
}

fn execute_compare(arguments: &Compare) -> Result<(), BenchError> {
    let (old, new) = (Results::read(&arguments.old)?, Results::read(&arguments.new)?);
    print!("{}", report::compare::text(&old, &new));
    Ok(())
}

fn execute_history(arguments: &History) -> Result<(), BenchError> {
    list(&report::history::write(&arguments.records)?);
    Ok(())
}

fn execute_render(arguments: &Render) -> Result<(), BenchError> {
    list(&report::files::render(&arguments.record)?);
    Ok(())
}

fn list(files: &[PathBuf]) {
    for file in files {
        println!("{}", file.display());
    }
}

/// One row on standard output.
fn execute_commands(commands: &own::Commands) -> Result<(), BenchError> {
    let row = serde_json::to_string(&own::run(commands)?);
    let row =
        row.map_err(|error| BenchError::Io { action: "write a row", source: error.into() })?;
    println!("{row}");
    Ok(())
}

/// What every run has: where it measures, what it records, what it shows, and on which machine.
struct Begun {
    scratch: Scratch,
    record: Option<Record>,
    progress: Progress,
    machine: Machine,
    interrupt: Interrupt,
}

/// Begins a run: touches memory, and says where it is measured.
fn begin(place: &Place) -> Result<Begun, BenchError> {
    let interrupt = Interrupt::listen()?;
    let scratch = Scratch::new(&place.dir, &interrupt)?;
    let record = place.record.as_ref();
    let record = record.map(|parent| Record::begin(parent, &interrupt)).transpose()?;
    let progress = Progress::new();
    let mut machine = Machine::look(&place.dir);
    machine.memory_touched = memory::touch(place.touch, &scratch, &progress)?;
    for (name, value) in machine.lines() {
        progress.print(&format!("{name:<20} {value}"));
    }
    Ok(Begun { scratch, record, progress, machine, interrupt })
}

/// Adds the plots, and gives the record its name.
fn finish(record: Record, name: &str, plots: &[render::Plot]) -> Result<(), BenchError> {
    for plot in plots {
        record.write(&plot.file, &plot.svg)?;
    }
    println!("recorded in {}", record.finish(name)?.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use clap::Parser;

    use super::*;

    fn names(path: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(path).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn run(arguments: &[&str], scratch: &Path, record: &Path) -> String {
        let [dir, to] = [scratch, record].map(|path| path.to_str().unwrap());
        let options = ["--dir", dir, "--record", to, "--touch", "0.01"];
        let all = ["annals-bench"].iter().chain(arguments).chain(&options);
        execute(Arguments::parse_from(all)).unwrap();
        assert!(names(scratch).is_empty(), "measured logs are removed");
        let recorded = names(record);
        assert_eq!(recorded.len(), 1, "{recorded:?}");
        recorded.into_iter().next().unwrap()
    }

    #[test]
    fn a_run_leaves_a_record_and_nothing_else() {
        let [scratch, record] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let arguments = ["run", "--quick", "--workload", "w3", "--seconds", "0.1", "--runs", "1"];
        let name = run(&arguments, scratch.path(), record.path());
        let record = record.path().join(name);
        let expected = [
            "README.md",
            "latency-w3-tasks.svg",
            "latency-w3-threads.svg",
            "machine.json",
            "results.csv",
            "runs.csv",
            "throughput-w3.svg",
        ];
        assert_eq!(names(&record), BTreeSet::from(expected.map(str::to_owned)));
        let results = fs::read_to_string(record.join("results.csv")).unwrap();
        assert_eq!(results.lines().count(), 1 + 1 + 7, "headings, the raw disk, seven cases");
        let page = fs::read_to_string(record.join("README.md")).unwrap();
        assert!(page.contains("annals-bench run --quick --workload W3 --seconds 0.1 --runs 1"));
    }

    #[test]
    fn the_ways_to_write_leave_a_record_and_nothing_else() {
        let [scratch, record] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let arguments = ["disk", "--part", "lead", "--seconds", "0.1", "--runs", "1"];
        let name = run(&arguments, scratch.path(), record.path());
        assert!(name.ends_with("-disk"), "{name}");
        let record = record.path().join(name);
        let expected = ["README.md", "machine.json", "results.csv", "runs.csv"];
        assert_eq!(names(&record), BTreeSet::from(expected.map(str::to_owned)));
        let runs = fs::read_to_string(record.join("runs.csv")).unwrap();
        assert_eq!(runs.lines().count(), 1 + 12, "headings, four ways for three callers");
        let page = fs::read_to_string(record.join("README.md")).unwrap();
        let expected = ["memory touched first", "## D3: who writes", "| 16 threads, two syncs "];
        assert!(expected.iter().all(|text| page.contains(text)), "{page}");
    }

    #[test]
    fn a_soak_leaves_a_record_and_nothing_else() {
        let [scratch, record] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let name = run(&["soak", "--minutes", "0.02"], scratch.path(), record.path());
        assert!(name.ends_with("-soak"), "{name}");
        let lines = fs::read_to_string(record.path().join(name).join("soak.csv")).unwrap();
        assert!(lines.lines().count() >= 2, "{lines}");
    }
}
