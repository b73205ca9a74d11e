//! Ctrl-C and `kill`: nothing half-written stays behind.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use parking_lot::Mutex;
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};

use crate::error::{BenchError, io_error};

/// What is removed when the program is interrupted.
#[derive(Debug, Clone)]
pub struct Interrupt {
    paths: Arc<Mutex<Vec<PathBuf>>>,
}

/// How a shell sees a program that Ctrl-C ended.
const EXIT_CODE: i32 = 130;

impl Interrupt {
    /// Waits for Ctrl-C and `kill` from now on.
    ///
    /// # Errors
    /// [`BenchError::Io`]: the system does not let it listen.
    pub fn listen() -> Result<Self, BenchError> {
        let paths = Arc::new(Mutex::new(Vec::new()));
        let interrupt = Self { paths: Arc::clone(&paths) };
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(io_error("listen for Ctrl-C"))?;
        let wait = move || {
            if runtime.block_on(signalled()).is_ok() {
                end(&paths.lock());
            }
        };
        let thread = thread::Builder::new().name("interrupt".into()).spawn(wait);
        thread.map_err(io_error("listen for Ctrl-C"))?;
        Ok(interrupt)
    }

    /// Has a directory removed.
    pub fn remove(&self, path: &Path) {
        self.paths.lock().push(path.to_owned());
    }

    /// Leaves a directory alone again.
    pub fn keep(&self, path: &Path) {
        self.paths.lock().retain(|listed| listed != path);
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

fn end(paths: &[PathBuf]) -> ! {
    for path in paths {
        // Stores in there may still write: what they make anew goes the second time.
        let removed = (0..3).any(|_| std::fs::remove_dir_all(path).is_ok());
        if !removed && path.exists() {
            eprintln!("{} is left over: delete it", path.display());
        }
    }
    eprintln!("interrupted: nothing was recorded");
    std::process::exit(EXIT_CODE)
}
