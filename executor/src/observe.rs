//! What a command did, for people: a span of `tracing` for each, and with the feature `metrics`
//! numbers for whatever recorder is installed. `docs/observability.md` has both as a table.

use std::{any::type_name, time::Duration};

use tracing::{Span, field::Empty};

use crate::{
    error::ExecuteError,
    meter::{Distribution, Meter},
    outcome::Executed,
    timer::Timer,
};

/// How a command can end, as it is counted.
const OUTCOMES: [&str; 9] = [
    "accepted",
    "nothing",
    "repeated",
    "rejected",
    "contended",
    "timed_out",
    "invalid",
    "failed",
    "dropped",
];
const DROPPED: usize = OUTCOMES.len() - 1;

/// What an executor counts.
#[derive(Debug)]
pub(crate) struct Meters {
    commands: [Meter; OUTCOMES.len()],
    seconds: Distribution,
    pub(crate) conflicts: Meter,
    pub(crate) retries: Meter,
    pub(crate) queued: Meter,
}

impl Meters {
    pub(crate) fn new() -> Self {
        let of = |outcome| Meter::labelled("annals_commands_total", "outcome", outcome);
        Self {
            commands: OUTCOMES.map(of),
            seconds: Distribution::new("annals_command_seconds"),
            conflicts: Meter::new("annals_command_conflicts_total"),
            retries: Meter::new("annals_command_retries_total"),
            queued: Meter::new("annals_commands_queued_total"),
        }
    }
}

/// A command that is looked at.
#[derive(Debug)]
pub(crate) struct Observation<'a> {
    pub(crate) span: Span,
    meters: &'a Meters,
    timer: &'a dyn Timer,
    began: Option<Duration>,
    has_ended: bool,
}

impl<'a> Observation<'a> {
    /// A command begins.
    pub(crate) fn begin<C>(meters: &'a Meters, timer: &'a dyn Timer) -> Self {
        let span = tracing::debug_span!(
            "command",
            command = type_name::<C>(),
            outcome = Empty,
            attempts = Empty,
            position = Empty,
        );
        let began = Distribution::IS_RECORDED.then(|| timer.now());
        Self { span, meters, timer, began, has_ended: false }
    }

    /// It ended.
    pub(crate) fn end<R, E>(mut self, result: &Result<Executed, ExecuteError<R, E>>) {
        self.has_ended = true;
        self.count(outcome(result));
        if self.span.is_disabled() {
            return;
        }
        match result {
            Ok(executed) => {
                let position = executed.committed.as_ref().map(|committed| committed.last);
                self.span.record("attempts", executed.attempts);
                self.span.record("position", position.unwrap_or(executed.position).get());
            }
            Err(ExecuteError::Contended { attempts, .. }) => {
                self.span.record("attempts", attempts);
            }
            Err(_) => {}
        }
    }

    fn count(&self, number: usize) {
        if let Some(meter) = self.meters.commands.get(number) {
            meter.add(1);
        }
        if let Some(began) = self.began {
            self.meters.seconds.record(self.timer.now().saturating_sub(began));
        }
        self.span.record("outcome", OUTCOMES.get(number).copied().unwrap_or_default());
    }
}

/// Nobody waits for it any more.
impl Drop for Observation<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.count(DROPPED);
        }
    }
}

/// Which of [`OUTCOMES`] it is.
fn outcome<R, E>(result: &Result<Executed, ExecuteError<R, E>>) -> usize {
    match result {
        Ok(Executed { is_repeat: true, .. }) => 2,
        Ok(Executed { committed: None, .. }) => 1,
        Ok(_) => 0,
        Err(ExecuteError::Rejected(_)) => 3,
        Err(ExecuteError::Contended { .. }) => 4,
        Err(ExecuteError::TimedOut { .. }) => 5,
        Err(ExecuteError::Invalid(_) | ExecuteError::Panicked { .. }) => 6,
        Err(ExecuteError::Decode { .. } | ExecuteError::Store(_)) => 7,
    }
}
