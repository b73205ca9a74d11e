//! A line to the server that can be cut at the worst moment: when the server has done what it was
//! asked for, and before its answer arrives.

use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// Sockets are named by a port.
const SOCKET: &str = ".s.PGSQL.5432";

/// What passes between the tests and the server.
pub(crate) struct Proxy {
    directory: TempDir,
    plan: Arc<Plan>,
}

/// What happens to answers.
#[derive(Default)]
struct Plan {
    /// So many are yet to be kept back.
    cuts: AtomicU32,
    /// So many pass before.
    passing: AtomicU32,
    /// What is said instead of something else of the same length.
    instead: Vec<(String, String)>,
    /// The next answer waits until it is let go.
    holds: AtomicU32,
    let_go: AtomicBool,
}

impl Plan {
    fn keeps_back(&self) -> bool {
        let less = |count: u32| count.checked_sub(1);
        let passes = || self.passing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        let is_cut = || self.cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        self.cuts.load(Ordering::SeqCst) > 0 && !passes() && is_cut()
    }

    fn hold(&self) {
        let less = |count: u32| count.checked_sub(1);
        if self.holds.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            while !self.let_go.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn say_instead(&self, answer: &mut [u8]) {
        for (said, instead) in &self.instead {
            assert_eq!(said.len(), instead.len());
            let at = answer.windows(said.len()).position(|bytes| bytes == said.as_bytes());
            if let Some(at) = at {
                answer[at..at + said.len()].copy_from_slice(instead.as_bytes());
            }
        }
    }
}

impl Proxy {
    pub(crate) fn before(server: PathBuf) -> Self {
        Self::saying(server, Vec::new())
    }

    /// Says something instead of something else of the same length.
    pub(crate) fn saying(server: PathBuf, instead: Vec<(String, String)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(SOCKET)).unwrap();
        let plan = Arc::new(Plan { instead, ..Plan::default() });
        let seen = plan.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = UnixStream::connect(server.join(SOCKET)) else { continue };
                let (to, from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || pass(client, to, &Plan::default()));
                let plan = seen.clone();
                thread::spawn(move || pass(server, from, &plan));
            }
        });
        Self { directory, plan }
    }

    pub(crate) fn connection(&self) -> String {
        format!("host={} user=owner dbname=postgres", self.directory.path().display())
    }

    /// Keeps back the next answer, whoever it is for, and ends that connection.
    pub(crate) fn cut(&self) {
        self.plan.cuts.fetch_add(1, Ordering::SeqCst);
    }

    /// As [`Proxy::cut`], after so many answers.
    pub(crate) fn cut_after(&self, answers: u32) {
        self.plan.passing.store(answers, Ordering::SeqCst);
        self.cut();
    }

    /// Keeps back the next answer, whoever it is for, until it is let go.
    pub(crate) fn hold(&self) {
        self.plan.holds.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn is_holding(&self) -> bool {
        self.plan.holds.load(Ordering::SeqCst) == 0
    }

    pub(crate) fn let_go(&self) {
        self.plan.let_go.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_cut(&self) -> bool {
        self.plan.cuts.load(Ordering::SeqCst) == 0
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream, plan: &Plan) {
    let mut buffer = [0; 1 << 14];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        plan.hold();
        plan.say_instead(&mut buffer[..count]);
        if plan.keeps_back() || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // Both directions, so that both sides hear of it.
    drop(from.shutdown(std::net::Shutdown::Both));
    drop(to.shutdown(std::net::Shutdown::Both));
}
