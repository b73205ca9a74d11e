//! Helper threads: work that no caller waits for.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use annals_sync::{Mutex, Sender, thread};

use crate::environment::Threads;

type Job = Box<dyn FnOnce() + Send>;

/// Runs jobs one after the other, on a thread of its own or at once.
#[derive(Debug)]
pub(crate) struct Background {
    /// `None`: jobs run at once, or no more at all.
    jobs: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
    threads: Threads,
}

impl Background {
    pub(crate) fn start(name: &str, threads: Threads) -> io::Result<Self> {
        let (mut jobs, mut thread) = (None, None);
        if threads == Threads::Background {
            let (sender, receiver) = annals_sync::unbounded::<Job>();
            let run = move || {
                for job in receiver {
                    // A job that panics must not take those behind it along.
                    drop(catch_unwind(AssertUnwindSafe(job)));
                }
            };
            thread = Some(thread::Builder::new().name(name.into()).spawn(run)?);
            jobs = Some(sender);
        }
        Ok(Self { jobs: Mutex::new(jobs), thread: Mutex::new(thread), threads })
    }

    /// Runs a job, now or later. Says whether it does: not after [`Background::stop`].
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> bool {
        if self.threads == Threads::Inline {
            job();
            return true;
        }
        self.jobs.lock().as_ref().is_some_and(|jobs| jobs.send(Box::new(job)).is_ok())
    }

    /// Returns when the jobs at hand are done. More are not taken.
    pub(crate) fn stop(&self) {
        drop(self.jobs.lock().take());
        let thread = self.thread.lock().take();
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id())
        {
            // A job that panicked has nothing left to say.
            drop(thread.join());
        }
    }
}

/// The helper threads. An append may have to wait for a segment, but never for other jobs.
#[derive(Debug)]
pub(crate) struct Helpers {
    /// Prepares segments.
    pub(crate) preparing: Background,
    /// Does what the log's owner wants.
    pub(crate) jobs: Background,
}

impl Helpers {
    pub(crate) fn start(threads: Threads) -> io::Result<Self> {
        Ok(Self {
            preparing: Background::start("annals-preparer", threads)?,
            jobs: Background::start("annals-helper", threads)?,
        })
    }
}
