//! Those who append: a thread or a task for each request, as the system wants it.

use std::{thread, time::Instant};

use annals_bench::{Latency, Window};
use tokio::{runtime, task::JoinSet};

use crate::{
    append::{Append, Written},
    system::{Answer, Awaiting, Blocking, Caller, Failure, System},
};

/// What callers were told.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Acknowledged in the time that counts.
    pub(crate) acknowledged: u64,
    /// Acknowledged in all, warm-up included.
    pub(crate) acknowledged_in_all: u64,
    /// Conflicts in all.
    pub(crate) conflicts: u64,
    /// From the first attempt to the acknowledgement, in the time that counts.
    pub(crate) latency: Latency,
    /// What was acknowledged, by stream.
    pub(crate) written: Written,
}

impl Outcome {
    fn new() -> Result<Self, Failure> {
        let latency = Latency::new()?;
        let (written, none) = (Written::new(), 0);
        Ok(Self {
            acknowledged: none,
            acknowledged_in_all: none,
            conflicts: none,
            latency,
            written,
        })
    }

    fn add(&mut self, other: &Self) -> Result<(), Failure> {
        self.acknowledged += other.acknowledged;
        self.acknowledged_in_all += other.acknowledged_in_all;
        self.conflicts += other.conflicts;
        for (stream, events) in &other.written {
            *self.written.entry(*stream).or_default() += events;
        }
        Ok(self.latency.add(&other.latency)?)
    }
}

/// One caller's request and what came of it so far.
struct Course {
    append: Append,
    window: Window,
    started: Instant,
    now: Instant,
    outcome: Outcome,
}

impl Course {
    fn new(append: Append, window: Window) -> Result<Self, Failure> {
        let now = Instant::now();
        Ok(Self { append, window, started: now, now, outcome: Outcome::new()? })
    }

    fn is_over(&self) -> bool {
        self.window.is_over(self.now)
    }

    fn settle(&mut self, answer: &Answer) {
        self.now = Instant::now();
        match answer {
            Answer::Committed => {
                self.outcome.acknowledged_in_all += 1;
                if self.window.has(self.now) {
                    self.outcome.acknowledged += 1;
                    self.outcome.latency.record(self.now - self.started);
                }
                for event in &self.append.events {
                    if let Some(stream) = self.append.stream_of(event) {
                        *self.outcome.written.entry(stream.number).or_default() += 1;
                    }
                }
                self.append.acknowledge();
                self.started = self.now;
            }
            Answer::Conflict(conflicts) => {
                self.outcome.conflicts += 1;
                self.append.correct(conflicts);
            }
        }
    }
}

/// Has a caller for each request append until the window is over.
pub(crate) fn run(
    system: &dyn System,
    requests: Vec<Append>,
    warm_up: std::time::Duration,
    length: std::time::Duration,
) -> Result<Outcome, Failure> {
    let mut threads = Vec::new();
    let mut tasks = Vec::new();
    for request in requests {
        match system.caller()? {
            Caller::Thread(caller) => threads.push((caller, request)),
            Caller::Task(caller) => tasks.push((caller, request)),
        }
    }
    let window = Window::new(warm_up, length);
    let mut outcome = run_threads(threads, window)?;
    if !tasks.is_empty() {
        outcome.add(&run_tasks(tasks, window)?)?;
    }
    Ok(outcome)
}

fn run_threads(
    callers: Vec<(Box<dyn Blocking>, Append)>,
    window: Window,
) -> Result<Outcome, Failure> {
    let ended = thread::scope(|scope| {
        let call = |(mut caller, append): (Box<dyn Blocking>, Append)| {
            scope.spawn(move || {
                let mut course = Course::new(append, window)?;
                while !course.is_over() {
                    let answer = caller.append(&mut course.append)?;
                    course.settle(&answer);
                }
                Ok::<_, Failure>(course.outcome)
            })
        };
        let threads: Vec<_> = callers.into_iter().map(call).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut sum = Outcome::new()?;
    for outcome in ended {
        sum.add(&outcome.map_err(|_| "it panicked in a caller")??)?;
    }
    Ok(sum)
}

fn run_tasks(
    callers: Vec<(Box<dyn Awaiting>, Append)>,
    window: Window,
) -> Result<Outcome, Failure> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for (mut caller, append) in callers {
            tasks.spawn(async move {
                let mut course = Course::new(append, window)?;
                while !course.is_over() {
                    let answer = caller.append(&course.append).await?;
                    course.settle(&answer);
                }
                Ok::<_, Failure>(course.outcome)
            });
        }
        let mut ended = Vec::new();
        while let Some(outcome) = tasks.join_next().await {
            ended.push(outcome);
        }
        ended
    });
    let mut sum = Outcome::new()?;
    for outcome in ended {
        sum.add(&outcome.map_err(|_| "it panicked in a caller")??)?;
    }
    Ok(sum)
}

/// Has one caller make appends until `next` has no more; returns what was acknowledged.
pub(crate) fn fill(
    system: &dyn System,
    mut next: impl FnMut() -> Option<Append>,
) -> Result<(), Failure> {
    let is_committed = |answer| match answer {
        Answer::Committed => Ok(()),
        Answer::Conflict(conflicts) => Err(format!("an append conflicted: {conflicts:?}")),
    };
    match system.caller()? {
        Caller::Thread(mut caller) => {
            while let Some(mut append) = next() {
                is_committed(caller.append(&mut append)?)?;
            }
        }
        Caller::Task(mut caller) => {
            let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
            while let Some(append) = next() {
                is_committed(runtime.block_on(caller.append(&append))?)?;
            }
        }
    }
    Ok(())
}
