//! tokio tasks that await their append, on as many workers as there are cores.

use std::{
    cell::OnceCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use annals::{Annals, Store};
use parking_lot::Mutex;
use tokio::{runtime, task::JoinSet};

use crate::{
    case::Answer,
    error::{BenchError, io_error},
    outcome::{Attempt, Outcome, Tally, of_append, of_store},
    request::Request,
    window::Window,
};

/// A task for each request.
pub(crate) fn run(
    annals: &Annals,
    requests: Vec<Request>,
    answer: Answer,
    window: Window,
) -> Result<Outcome, BenchError> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(io_error("start tokio"))?;
    let tallies = Arc::new(Tallies::new(window)?);
    let mut outcome = Outcome::new(window)?;
    let ended = runtime.block_on(async {
        let call = |request| call(annals.clone(), request, answer, window, tallies.clone());
        let tasks: JoinSet<_> = requests.into_iter().map(call).collect();
        tasks.join_all().await
    });
    for request in ended {
        outcome.wrote(&request?);
    }
    for tally in &tallies.0 {
        outcome.tally.add(&tally.lock())?;
    }
    Ok(outcome)
}

async fn call(
    annals: Annals,
    mut request: Request,
    answer: Answer,
    window: Window,
    tallies: Arc<Tallies>,
) -> Result<Request, BenchError> {
    let mut now = Instant::now();
    let mut started = now;
    while !window.is_over(now) {
        let attempt = attempt(&annals, &request, answer).await?;
        now = Instant::now();
        tallies.of_this_worker(|tally| tally.settle(&attempt, &mut request, &mut started, now));
    }
    Ok(request)
}

async fn attempt(
    annals: &Annals,
    request: &Request,
    answer: Answer,
) -> Result<Attempt, BenchError> {
    match answer {
        Answer::Durable => of_append(annals.append(request.append()).await),
        Answer::AtOnce => of_store(Store::append(annals, request.append()).await),
    }
}

/// A tally for each worker, since ten thousand would not fit into the caches.
struct Tallies(Vec<Mutex<Tally>>);

const TALLIES: usize = 16;

thread_local! {
    /// Which tally this worker counts in.
    static TALLY: OnceCell<usize> = const { OnceCell::new() };
}

/// Workers that began to count.
static WORKERS: AtomicUsize = AtomicUsize::new(0);

impl Tallies {
    fn new(window: Window) -> Result<Self, BenchError> {
        (0..TALLIES).map(|_| Tally::new(window).map(Mutex::new)).collect::<Result<_, _>>().map(Self)
    }

    fn of_this_worker(&self, count: impl FnOnce(&mut Tally)) {
        // Relaxed: each worker only wants another number than its neighbour.
        let next = || WORKERS.fetch_add(1, Ordering::Relaxed) % TALLIES;
        let number = TALLY.with(|tally| *tally.get_or_init(next));
        if let Some(tally) = self.0.get(number) {
            count(&mut tally.lock());
        }
    }
}
