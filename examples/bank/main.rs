//! A bank: many callers move money between accounts, and every acknowledgement is durable.
//!
//! `cargo run --release --example bank`
#![allow(clippy::print_stderr, clippy::disallowed_methods, reason = "a program for people")]

mod account;
mod audit;
mod yardstick;

use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use account::{InsufficientFunds, Request};
use annals::{Annals, ExecuteError, Executor, StreamId};
use clap::Parser;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};

/// Moves money between accounts, durably, and audits the books.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the log lies; made if missing, continued if not.
    #[arg(long, default_value = "target/bank")]
    dir: PathBuf,
    /// How many commands in all.
    #[arg(long, default_value_t = 10_000)]
    commands: u64,
    /// How many callers at once, a thread each.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    callers: u64,
    /// How many accounts.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    accounts: u64,
}

/// What became of a caller's commands.
struct Tally {
    accepted: u64,
    rejected: u64,
    /// Conflicts met, each followed by another attempt.
    conflicts: u64,
    /// Commands that met a conflict in every attempt.
    failed: u64,
    /// Microseconds from request to acknowledgement.
    latency: Histogram<u64>,
}

impl Tally {
    fn new() -> Result<Self, AnyError> {
        let latency = Histogram::new_with_bounds(1, 600_000_000, 3)?;
        Ok(Self { accepted: 0, rejected: 0, conflicts: 0, failed: 0, latency })
    }

    fn add(&mut self, other: &Self) -> Result<(), AnyError> {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.conflicts += other.conflicts;
        self.failed += other.failed;
        self.latency.add(&other.latency)?;
        Ok(())
    }
}

type AnyError = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match bank(&Arguments::parse(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A reader that has seen enough is no error.
            let io = error.downcast_ref::<io::Error>().map(io::Error::kind);
            if io == Some(io::ErrorKind::BrokenPipe) {
                return ExitCode::SUCCESS;
            }
            eprintln!("bank: {error}");
            ExitCode::from(2)
        }
    }
}

fn bank(arguments: &Arguments, out: &mut dyn Write) -> Result<(), AnyError> {
    let annals = Annals::open(&arguments.dir)?;
    let found = annals.position();
    if found.get() > 0 {
        writeln!(out, "{} has {found} events: continuing", arguments.dir.display())?;
    }
    if let Some(torn) = annals.stats().torn_tail {
        writeln!(out, "cut off {} bytes behind the last whole commit", torn.bytes)?;
    }
    let before = yardstick::measure(&arguments.dir, Duration::from_millis(500))?;
    let start = Instant::now();
    let tally = run(arguments, &annals, found.get())?;
    let elapsed = start.elapsed();
    let after = yardstick::measure(&arguments.dir, Duration::from_millis(500))?;
    report(out, arguments, &tally, elapsed, [&before, &after])?;
    writeln!(out, "{}", audit::audit(&annals)?)?;
    annals.close()?;
    let dir = arguments.dir.display();
    let tool = "cargo run --release -p annals-tools --bin log-dump";
    writeln!(out, "look inside    {tool} -- events '{dir}'")?;
    Ok(())
}

/// Runs all commands, each caller in a thread of its own.
fn run(arguments: &Arguments, annals: &Annals, seed: u64) -> Result<Tally, AnyError> {
    let style = "{bar:40} {pos}/{len} commands, {per_sec}";
    let bar = ProgressBar::new(arguments.commands).with_style(ProgressStyle::with_template(style)?);
    let executor = Executor::new(annals.clone());
    let mut total = Tally::new()?;
    let tallies = thread::scope(|scope| {
        let callers: Vec<_> = (0..arguments.callers)
            .map(|caller| {
                let bar = bar.clone();
                let random = Random(seed.wrapping_mul(31).wrapping_add(caller + 1));
                let share = arguments.commands / arguments.callers
                    + u64::from(caller < arguments.commands % arguments.callers);
                let executor = executor.clone();
                let call = move || call(&executor, arguments.accounts, share, random, &bar);
                thread::Builder::new().spawn_scoped(scope, call)
            })
            .collect::<Result<_, _>>()?;
        let joined = callers.into_iter().map(thread::ScopedJoinHandle::join);
        io::Result::Ok(joined.collect::<Vec<_>>())
    })?;
    for tally in tallies {
        total.add(&tally.map_err(|_| "a caller panicked")??)?;
    }
    bar.finish_and_clear();
    Ok(total)
}

/// One caller: a command after the other.
fn call(
    executor: &Executor<Annals>,
    accounts: u64,
    commands: u64,
    mut random: Random,
    bar: &ProgressBar,
) -> Result<Tally, AnyError> {
    let mut tally = Tally::new()?;
    for _ in 0..commands {
        let request = random.request(accounts)?;
        let start = Instant::now();
        match executor.execute_blocking(&request) {
            Ok(executed) => {
                tally.accepted += 1;
                tally.conflicts += u64::from(executed.attempts - 1);
            }
            Err(ExecuteError::Rejected(InsufficientFunds)) => tally.rejected += 1,
            Err(ExecuteError::Contended { attempts, .. }) => {
                tally.failed += 1;
                tally.conflicts += u64::from(attempts);
            }
            Err(ExecuteError::Store(error)) => return Err(error.into()),
            Err(other) => return Err(format!("{other:?}").into()),
        }
        tally.latency.saturating_record(u64::try_from(start.elapsed().as_micros())?);
        bar.inc(1);
    }
    Ok(tally)
}

fn report(
    out: &mut dyn Write,
    arguments: &Arguments,
    tally: &Tally,
    elapsed: Duration,
    raw: [&yardstick::Yardstick; 2],
) -> io::Result<()> {
    let Tally { accepted, rejected, conflicts, failed, latency } = tally;
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = (accepted + rejected) as f64 / elapsed.as_secs_f64();
    let Arguments { callers, accounts, .. } = arguments;
    let [p50, p90, p95, p99] =
        [0.5, 0.9, 0.95, 0.99].map(|quantile| latency.value_at_quantile(quantile));
    let [before, after] = raw;
    let ratio = |yardstick: &yardstick::Yardstick| rate / yardstick.rate;
    writeln!(out, "commands       {accepted} accepted, {rejected} rejected (insufficient funds)")?;
    writeln!(out, "conflicts      {conflicts} met and decided again; {failed} commands gave up")?;
    writeln!(
        out,
        "throughput     {rate:.0} commands/s durable, {callers} callers, {accounts} accounts"
    )?;
    let max = latency.max();
    writeln!(out, "latency        p50 {p50} p90 {p90} p95 {p95} p99 {p99} max {max} us")?;
    writeln!(out, "raw before     {before}")?;
    writeln!(out, "raw after      {after}")?;
    writeln!(
        out,
        "against it     {:.2} and {:.2} commands for each raw write + fdatasync",
        ratio(before),
        ratio(after)
    )
}

/// Splitmix64 (Steele, Lea and Flood 2014): the same requests for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % bound
    }

    fn request(&mut self, accounts: u64) -> Result<Request, AnyError> {
        let account = |number: u64| StreamId::new(&format!("account-{number:04}"));
        let number = self.below(accounts);
        let cents = 1 + self.below(10_000);
        Ok(match self.below(10) {
            0..4 => Request::Deposit { account: account(number)?, cents },
            4..6 => Request::Withdraw { account: account(number)?, cents },
            _ if accounts == 1 => Request::Withdraw { account: account(number)?, cents },
            _ => {
                let other = (number + 1 + self.below(accounts - 1)) % accounts;
                Request::Transfer { from: account(number)?, to: account(other)?, cents }
            }
        })
    }
}
