//! Ctrl-C and `kill`: nothing half-written stays behind.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};

use crate::error::{BenchError, io_error};

/// What is stopped and removed when the program is interrupted.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<Mutex<Left>>);

#[derive(Debug, Default)]
struct Left {
    processes: Vec<(Pid, Signal)>,
    paths: Vec<PathBuf>,
}

/// How often a directory is removed, and how long processes that write there get to end in between.
const TRIES: u32 = 10;
const PATIENCE: Duration = Duration::from_millis(50);

/// How a shell sees a program that Ctrl-C ended.
const EXIT_CODE: i32 = 130;

impl Interrupt {
    /// Waits for Ctrl-C and `kill` from now on.
    ///
    /// # Errors
    /// [`BenchError::Io`]: the system does not let it listen.
    pub fn listen() -> Result<Self, BenchError> {
        let left = Arc::new(Mutex::new(Left::default()));
        let interrupt = Self(Arc::clone(&left));
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(io_error("listen for Ctrl-C"))?;
        let wait = move || {
            if runtime.block_on(signalled()).is_ok() {
                end(&left.lock());
            }
        };
        let thread = thread::Builder::new().name("interrupt".into()).spawn(wait);
        thread.map_err(io_error("listen for Ctrl-C"))?;
        Ok(interrupt)
    }

    /// Has a directory removed.
    pub fn remove(&self, path: &Path) {
        self.0.lock().paths.push(path.to_owned());
    }

    /// Leaves a directory alone again.
    pub fn keep(&self, path: &Path) {
        self.0.lock().paths.retain(|listed| listed != path);
    }

    /// Has a process stopped by a signal, before directories are removed.
    pub(crate) fn stop(&self, process: Pid, signal: Signal) {
        self.0.lock().processes.push((process, signal));
    }

    /// A process has ended: its number may soon be another's.
    pub(crate) fn ended(&self, process: Pid) {
        self.0.lock().processes.retain(|(listed, _)| *listed != process);
    }
}

/// Returns when the program is to end.
async fn signalled() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn end(left: &Left) -> ! {
    for (process, signal) in &left.processes {
        // It may have ended by itself.
        let _ = kill_process(*process, *signal);
    }
    for path in &left.paths {
        // Stores in there may still write: what they make anew goes the second time.
        let removed = (0..TRIES).any(|_| {
            let removed = std::fs::remove_dir_all(path).is_ok();
            if !removed && !left.processes.is_empty() {
                thread::sleep(PATIENCE);
            }
            removed || !path.exists()
        });
        if !removed && path.exists() {
            eprintln!("{} is left over: delete it", path.display());
        }
    }
    eprintln!("interrupted: nothing was recorded");
    std::process::exit(EXIT_CODE)
}
