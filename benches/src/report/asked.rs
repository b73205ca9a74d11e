//! Which workload a child process is asked for.

use clap::ValueEnum;

use super::plan::{Batch, Financial, Orders, Workload};

/// The name of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// Payments over 100 accounts.
    Financial,
    /// Orders over 50 products.
    Orders,
    /// 100 events in each append, over five streams.
    Batch,
    /// 200 events in each append, over five streams.
    #[value(name = "batch-200")]
    Batch200,
}

/// Which workload a child process is asked for: what the report tells every backend, and what
/// people can tell by hand.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Asked {
    /// Which workload.
    #[arg(long, value_enum)]
    pub workload: Kind,
    /// How many callers at a time [default: 100 for financial, 50 for orders, 1 for batches].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    callers: Option<u64>,
    /// How many commands [default: 10,000, or 5,000 orders, or 100,000 events in appends].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    commands: Option<u64>,
    /// How many accounts of financial.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(2..=9_999_999))]
    pub accounts: u64,
    /// How many products of orders.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(4..=9_999_999))]
    pub products: u64,
    /// Over how many streams the events of an append of batches go.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub streams: u64,
    /// How many events of each stream an append of batches has [default: 20, or 40 of batch-200].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    events_per_stream: Option<u64>,
    /// How long each payload of batches is.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(0..=1 << 20))]
    pub payload_bytes: u64,
    /// Other seeds, other commands.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// How many events the appends of a batch workload have in all, unless told otherwise.
const BATCH_EVENTS: u64 = 100_000;

impl Asked {
    /// A workload as it is without further options.
    pub fn of(workload: Kind) -> Self {
        Self {
            workload,
            callers: None,
            commands: None,
            accounts: 100,
            products: 50,
            streams: 5,
            events_per_stream: None,
            payload_bytes: 100,
            seed: 1,
        }
    }

    /// With so many callers.
    #[must_use]
    pub fn with_callers(self, callers: u64) -> Self {
        Self { callers: Some(callers), ..self }
    }

    /// With so many commands.
    #[must_use]
    pub fn with_commands(self, commands: u64) -> Self {
        Self { commands: Some(commands), ..self }
    }

    /// With so many events of each stream in an append.
    #[must_use]
    pub fn with_events_per_stream(self, events: u64) -> Self {
        Self { events_per_stream: Some(events), ..self }
    }

    /// How many callers at a time.
    pub fn callers(&self) -> u64 {
        self.callers.unwrap_or(match self.workload {
            Kind::Financial => 100,
            Kind::Orders => 50,
            Kind::Batch | Kind::Batch200 => 1,
        })
    }

    /// How many commands.
    pub fn commands(&self) -> u64 {
        self.commands.unwrap_or_else(|| match self.workload {
            Kind::Financial => 10_000,
            Kind::Orders => 5_000,
            Kind::Batch | Kind::Batch200 => {
                BATCH_EVENTS.div_ceil(self.streams * self.events_per_stream())
            }
        })
    }

    /// How many events of each stream an append of batches has.
    pub fn events_per_stream(&self) -> u64 {
        self.events_per_stream.unwrap_or(if self.workload == Kind::Batch200 { 40 } else { 20 })
    }

    /// What it is.
    pub fn plan(&self) -> Workload {
        let Self { accounts, products, streams, seed, .. } = *self;
        let commands = self.commands();
        match self.workload {
            Kind::Financial => Workload::Financial(Financial { commands, accounts, seed }),
            Kind::Orders => Workload::Orders(Orders { commands, products, seed }),
            Kind::Batch | Kind::Batch200 => Workload::Batch(Batch {
                appends: commands,
                callers: self.callers(),
                streams,
                events_per_stream: self.events_per_stream(),
                payload_bytes: usize::try_from(self.payload_bytes).unwrap_or(usize::MAX),
                seed,
            }),
        }
    }

    /// The workload's name on the command line.
    pub fn name(&self) -> String {
        let value = self.workload.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What to give a child process so that it is asked for the same, whatever its defaults are.
    pub fn arguments(&self) -> Vec<String> {
        let numbers = [
            ("--callers", self.callers()),
            ("--commands", self.commands()),
            ("--accounts", self.accounts),
            ("--products", self.products),
            ("--streams", self.streams),
            ("--events-per-stream", self.events_per_stream()),
            ("--payload-bytes", self.payload_bytes),
            ("--seed", self.seed),
        ];
        let numbers =
            numbers.into_iter().map(|(option, number)| [option.into(), number.to_string()]);
        ["--workload".to_owned(), self.name()].into_iter().chain(numbers.flatten()).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        asked: Asked,
    }

    fn parse<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<Asked, String> {
        let all = ["program"].into_iter().chain(arguments);
        Program::try_parse_from(all).map(|it| it.asked).map_err(|error| error.to_string())
    }

    #[test]
    fn a_child_is_asked_for_the_same() {
        for kind in [Kind::Financial, Kind::Orders, Kind::Batch, Kind::Batch200] {
            let asked = Asked::of(kind).with_callers(8);
            let arguments = asked.arguments();
            let child = parse(arguments.iter().map(String::as_str)).unwrap();
            assert_eq!((child.plan(), child.callers()), (asked.plan(), 8));
            assert_eq!(parse(["--workload", &asked.name()]).unwrap(), Asked::of(kind));
        }
        let plan = parse(["--workload", "batch-200"]).unwrap().plan();
        assert!(matches!(plan, Workload::Batch(Batch { appends: 500, events_per_stream: 40, .. })));
    }

    #[test]
    fn what_is_impossible_is_refused_with_what_is_possible() {
        let error = |arguments: &[&str]| parse(arguments.iter().copied()).unwrap_err();
        assert!(error(&["--workload", "order"]).contains("financial, orders, batch, batch-200"));
        assert!(error(&["--workload", "orders", "--products", "3"]).contains("is not in 4.."));
        assert!(error(&["--workload", "batch", "--callers", "0"]).contains("0 is not in 1.."));
        assert!(error(&[]).contains("--workload"));
    }
}
