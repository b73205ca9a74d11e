//! Instructions of each hot path, counted by valgrind and compared with a record.
//!
//! Unlike time, a count does not depend on what else the machine does: it can fail a build. Each
//! path runs twice in a process of its own, with few operations and with many, in one thread
//! without helpers; the difference is what the operations in between took, so that starting,
//! filling logs and warming up do not count.

mod bank;
mod comparison;
mod conditions;
mod hot_path;
mod operations;
mod record;
mod valgrind;

use std::path::Path;

use crate::{
    arguments,
    error::BenchError,
    interrupt::Interrupt,
    number::{float, per, wide},
    process,
    progress::Progress,
    scratch::{self, Scratch},
};
use comparison::Comparison;
use conditions::Conditions;
use hot_path::{HOT_PATHS, HotPath};
use record::{Count, Record};

/// Counts every hot path; records the counts or compares them with a record, if asked to.
pub(crate) fn run(arguments: &arguments::Count) -> Result<(), BenchError> {
    if cfg!(debug_assertions) {
        return Err(BenchError::DebugBuild);
    }
    let recorded = arguments.check.as_deref().map(Record::read).transpose()?;
    let interrupt = Interrupt::listen()?;
    let scratch = Scratch::new(&arguments.dir, &interrupt)?;
    let (progress, dir) = (Progress::new(), scratch.path("log"));
    let mut now = Record { conditions: Conditions::look()?, counts: Vec::new() };
    progress.begin("instructions", wide(HOT_PATHS.len()));
    for path in &HOT_PATHS {
        progress.now(path.name);
        let (name, per) = (path.name.to_owned(), path.unit.to_owned());
        now.counts.push(Count { path: name, instructions: count(path, &dir)?, per });
        progress.done();
    }
    progress.end();
    if let Some(recorded) = recorded {
        let comparison = Comparison::new(&recorded, &now);
        print!("{comparison}");
        return comparison.verdict();
    }
    print!("{now}");
    let Some(file) = &arguments.record else { return Ok(()) };
    now.write(file)?;
    println!("recorded in {}", file.display());
    Ok(())
}

/// Does the operations of one hot path: what runs below valgrind.
pub(crate) fn operate(arguments: &arguments::Operate) -> Result<(), BenchError> {
    let path = HOT_PATHS.iter().find(|path| path.name == arguments.path);
    let unknown = || BenchError::UnknownPath(arguments.path.clone());
    let path = path.ok_or_else(unknown)?;
    let operation = path.ready(&arguments.dir)?;
    let threads = process::threads();
    if threads > 1 {
        return Err(BenchError::Threads { path: path.name, threads });
    }
    path.run(operation, arguments.operations)
}

/// Instructions for each unit of a path, whose log lies in `dir` meanwhile.
fn count(path: &HotPath, dir: &Path) -> Result<f64, BenchError> {
    let run = |operations| -> Result<u64, BenchError> {
        let instructions = valgrind::instructions(path.name, operations, dir)?;
        if dir.exists() {
            scratch::remove(dir)?;
        }
        Ok(instructions)
    };
    let (few, many) = (run(path.few)?, run(path.many)?);
    Ok(per(float(many.saturating_sub(few)), (path.many - path.few) * path.units))
}
