//! Threads that block until their append is durable.

use std::{thread, time::Instant};

use annals::{Annals, Store};

use crate::{
    case::Answer,
    error::BenchError,
    outcome::{Attempt, Outcome, Tally, of_append, of_store},
    request::Request,
    window::Window,
};

/// A thread for each request.
pub(crate) fn run(
    annals: &Annals,
    requests: Vec<Request>,
    answer: Answer,
    window: Window,
) -> Result<Outcome, BenchError> {
    let mut outcome = Outcome::new(window)?;
    let ended = thread::scope(|scope| {
        let call = |request| scope.spawn(move || call(annals, request, answer, window));
        let callers: Vec<_> = requests.into_iter().map(call).collect();
        callers.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    for caller in ended {
        let (tally, request) = caller.map_err(|_| BenchError::Panicked)??;
        outcome.tally.add(&tally)?;
        outcome.wrote(&request);
    }
    Ok(outcome)
}

fn call(
    annals: &Annals,
    mut request: Request,
    answer: Answer,
    window: Window,
) -> Result<(Tally, Request), BenchError> {
    let mut tally = Tally::new(window)?;
    let mut now = Instant::now();
    let mut started = now;
    while !window.is_over(now) {
        let attempt = attempt(annals, &request, answer)?;
        now = Instant::now();
        tally.settle(&attempt, &mut request, &mut started, now);
    }
    Ok((tally, request))
}

fn attempt(annals: &Annals, request: &Request, answer: Answer) -> Result<Attempt, BenchError> {
    match answer {
        Answer::Durable => of_append(annals.append(request.append()).wait()),
        Answer::AtOnce => of_store(annals.append_blocking(request.append())),
    }
}
