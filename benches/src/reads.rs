//! W5: the whole log, one stream, single events.

use std::{
    fmt,
    hint::black_box,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use annals::{Annals, Direction, Events, LogQuery, Options, Position, ReadMode, StreamQuery};

use crate::{
    cold,
    error::BenchError,
    latency::Latency,
    number::{float, wide},
    plan::Plan,
    progress::Progress,
    random::Random,
    row::{Row, Run},
    sample_log::{self, SCATTERED_EVENTS, STREAMS, SampleLog},
    scratch::Scratch,
    workload::Workload,
};

/// What is read, how, and of which log.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Case {
    log: Kind,
    what: What,
    style: Style,
    is_cold: bool,
    mode: ReadMode,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Singles,
    Batches,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Log(Direction),
    Scattered(Direction),
    /// One event by its position.
    Position,
    /// The newest event of a stream.
    Newest,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Style {
    Views,
    Owned,
}

/// The logs that are read.
struct Logs {
    singles: SampleLog,
    batches: SampleLog,
}

fn cases() -> Vec<Case> {
    use Direction::{Backward, Forward};
    let mode = ReadMode::default();
    let warm = |log, what, style| Case { log, what, style, is_cold: false, mode };
    let once = |case| Case { mode: ReadMode::MapCheckedOnce, ..case };
    let mut cases = Vec::new();
    for log in [Kind::Singles, Kind::Batches] {
        for direction in [Forward, Backward] {
            let views = warm(log, What::Log(direction), Style::Views);
            cases.push(Case { is_cold: true, ..views });
            cases.extend([views, once(views)]);
        }
        cases.push(warm(log, What::Log(Forward), Style::Owned));
    }
    for (what, style) in [
        (What::Scattered(Forward), Style::Views),
        (What::Scattered(Backward), Style::Views),
        (What::Scattered(Forward), Style::Owned),
        (What::Position, Style::Views),
        (What::Position, Style::Owned),
        (What::Newest, Style::Views),
    ] {
        let case = warm(Kind::Singles, what, style);
        cases.push(case);
        if style == Style::Views {
            cases.push(once(case));
        }
    }
    cases
}

/// Runs all cases as often as planned.
pub(crate) fn run(
    plan: &Plan,
    scratch: &Scratch,
    progress: &Progress,
) -> Result<Vec<Row>, BenchError> {
    let cases = cases();
    progress.begin("W5", u64::from(plan.runs) * wide(cases.len()));
    progress.now("filling the logs");
    let logs = Logs {
        singles: sample_log::singles(scratch.path("singles"), plan.read_events)?,
        batches: sample_log::batches(scratch.path("batches"), plan.read_events)?,
    };
    let row = |case: &Case| Row {
        series: case.to_string(),
        ..Row::new(Workload::W5, case.to_string(), case.unit())
    };
    let mut rows: Vec<Row> = cases.iter().map(row).collect();
    for _ in 0..plan.runs {
        for (case, row) in cases.iter().zip(&mut rows) {
            progress.now(&row.case);
            measure(*case, &logs, plan, row)?;
            progress.done();
        }
    }
    crate::scratch::remove(&logs.singles.path)?;
    crate::scratch::remove(&logs.batches.path)?;
    Ok(rows)
}

/// One run of a case: opens the store, reads once to warm up unless cold, then reads for a while.
fn measure(case: Case, logs: &Logs, plan: &Plan, row: &mut Row) -> Result<(), BenchError> {
    let log = match case.log {
        Kind::Singles => &logs.singles,
        Kind::Batches => &logs.batches,
    };
    if case.is_cold {
        cold::evict(&log.path)?;
    }
    let annals = Options::new().read_mode(case.mode).open(&log.path)?;
    let mut reader = Reader { annals: &annals, log, random: Random::new(wide(row.runs.len())) };
    if !case.is_cold {
        reader.read(case)?;
    }
    let mut latency = Latency::new()?;
    let (begin, mut count) = (Instant::now(), 0);
    let mut now = begin;
    while !case.is_done(latency.count(), now - begin, plan) {
        count += reader.read(case)?;
        let before = std::mem::replace(&mut now, Instant::now());
        latency.record(now - before);
    }
    row.runs.push(Run::of(float(count) / (now - begin).as_secs_f64()));
    if !matches!(case.what, What::Log(_)) {
        row.latency = Some(crate::latency::merge(row.latency.iter().chain([&latency]))?);
    }
    annals.close()?;
    Ok(())
}

impl Case {
    fn is_done(self, reads: u64, elapsed: Duration, plan: &Plan) -> bool {
        match self.what {
            _ if self.is_cold => reads > 0,
            What::Log(_) | What::Scattered(_) => elapsed >= plan.length(false),
            What::Position | What::Newest => reads >= plan.random_reads,
        }
    }

    fn unit(self) -> &'static str {
        match self.what {
            What::Log(_) => "events/s",
            What::Scattered(_) | What::Position | What::Newest => "reads/s",
        }
    }
}

/// Reads a log in one way or another.
struct Reader<'a> {
    annals: &'a Annals,
    log: &'a SampleLog,
    random: Random,
}

impl Reader<'_> {
    /// Reads once; returns how many of the case's unit that was.
    fn read(&mut self, case: Case) -> Result<u64, BenchError> {
        let (events, expected, units) = match case.what {
            What::Log(direction) => {
                let query = LogQuery { direction, ..LogQuery::default() };
                (self.annals.read_all(query), self.log.events, self.log.events)
            }
            What::Scattered(direction) => {
                let query = StreamQuery { direction, ..StreamQuery::default() };
                let stream = sample_log::scattered()?;
                (self.annals.read_stream(&stream, query), SCATTERED_EVENTS, 1)
            }
            What::Position => {
                let position = Position::new(1 + self.random.below(self.log.events));
                let query = LogQuery::forward().from(position).limit(1);
                (self.annals.read_all(query), 1, 1)
            }
            What::Newest => {
                let number = self.random.below(wide(STREAMS));
                let stream = sample_log::stream(usize::try_from(number).unwrap_or(0))?;
                (self.annals.read_stream(&stream, StreamQuery::backward().limit(1)), 1, 1)
            }
        };
        let found = count(events, case.style)?;
        if found == expected {
            return Ok(units);
        }
        Err(BenchError::Lost(format!("{case}: {expected} events are there, {found} were read")))
    }
}

/// Reads events to their end.
fn count(events: Events, style: Style) -> Result<u64, BenchError> {
    let mut found = 0;
    match style {
        Style::Views => events.visit(|event| {
            black_box(event.payload);
            found += 1;
            ControlFlow::Continue(())
        })?,
        Style::Owned => {
            for event in events {
                black_box(event?.payload);
                found += 1;
            }
        }
    }
    Ok(found)
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = |direction| match direction {
            Direction::Forward => "forward",
            Direction::Backward => "backward",
        };
        let log = match self.log {
            Kind::Singles => "single events",
            Kind::Batches => "batches",
        };
        match self.what {
            What::Log(to) => write!(f, "log of {log}, {}", direction(to))?,
            What::Scattered(to) => write!(f, "stream of 1,000 events, {}", direction(to))?,
            What::Position => f.write_str("event by position")?,
            What::Newest => f.write_str("newest event of a stream")?,
        }
        let style = match self.style {
            Style::Views => "views",
            Style::Owned => "owned",
        };
        let checks = if self.mode == ReadMode::MapCheckedOnce { ", checked once" } else { "" };
        write!(f, ", {style}{checks}{}", if self.is_cold { ", cold" } else { "" })
    }
}
