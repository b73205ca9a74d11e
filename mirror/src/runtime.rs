//! Threads for the connections, whatever the caller's runtime is, if any.

use std::{fmt, future::Future};

use crate::error::ConnectError;

/// Threads that drive connections. They end when it is dropped, also inside another runtime.
pub(crate) struct Runtime(Option<tokio::runtime::Runtime>);

impl Runtime {
    pub(crate) fn new(threads: usize) -> Result<Self, ConnectError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("annals-postgres")
            .enable_all()
            .build();
        runtime
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| ConnectError::Threads { what: error.to_string() })
    }

    /// Starts a task.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            drop(runtime.spawn(task));
        }
    }

    /// Runs a future on these threads, and blocks until it ends.
    pub(crate) fn run<T: Send + 'static, E: From<ConnectError> + Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E> {
        let ended = |what: &str| E::from(ConnectError::Threads { what: what.to_owned() });
        let Some(runtime) = &self.0 else { return Err(ended("they have ended")) };
        let result = pollster::block_on(runtime.spawn(future));
        result.unwrap_or_else(|error| Err(ended(&error.to_string())))
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Runtime")
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
