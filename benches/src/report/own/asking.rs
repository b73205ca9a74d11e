//! Commands that decide on folded state, as an application's do.

use annals::{Command, ExecuteError, Executed, Executor, Store};

use super::work::{Settled, Work, events_of};
use crate::{
    commands::{bank, shop},
    error::BenchError,
    report::plan::{Financial, Orders},
};

/// Which command has which number.
pub(crate) trait Asking: Send + Sync + 'static {
    type Command: Command<Rejection: std::fmt::Debug> + Send + Sync;

    fn command_of(&self, number: u64) -> Result<Self::Command, BenchError>;
}

impl Asking for Financial {
    type Command = bank::Request;

    fn command_of(&self, number: u64) -> Result<bank::Request, BenchError> {
        bank::Request::paying(self.command(number))
    }
}

impl Asking for Orders {
    type Command = shop::Request;

    fn command_of(&self, number: u64) -> Result<shop::Request, BenchError> {
        shop::Request::ordering(&self.command(number))
    }
}

/// Commands, and who executes them.
#[derive(Debug)]
pub(crate) struct Executing<A, S> {
    pub(crate) asking: A,
    pub(crate) executor: Executor<S>,
}

impl<A: Asking, S: Store + 'static> Work for Executing<A, S>
where
    <A::Command as Command>::State: Send,
{
    async fn carry_out(&self, number: u64) -> Result<Settled, BenchError> {
        let command = self.asking.command_of(number)?;
        Ok(settled(self.executor.execute(&command).await))
    }

    fn carry_out_blocking(&self, number: u64) -> Result<Settled, BenchError> {
        let command = self.asking.command_of(number)?;
        Ok(settled(self.executor.execute_blocking(&command)))
    }
}

fn settled<R, E: std::error::Error>(result: Result<Executed, ExecuteError<R, E>>) -> Settled {
    match result {
        Ok(executed) => {
            let events = executed.committed.as_ref().map_or(0, events_of);
            Settled::Accepted { events }
        }
        Err(ExecuteError::Rejected(_)) => Settled::Rejected,
        Err(ExecuteError::Contended { .. }) => Settled::GivenUp,
        Err(error) => Settled::Failed(error.to_string()),
    }
}
