//! One thread that keeps a window of appends in flight and waits for the oldest.

use std::{collections::VecDeque, time::Instant};

use annals::{Annals, Pending};

use crate::{
    error::BenchError,
    outcome::{Outcome, of_append},
    request::Request,
    window::Window,
};

/// An append on its way.
struct InFlight {
    pending: Pending,
    request: Request,
    started: Instant,
}

/// Keeps all requests in flight.
pub(crate) fn run(
    annals: &Annals,
    requests: Vec<Request>,
    window: Window,
) -> Result<Outcome, BenchError> {
    let mut outcome = Outcome::new(window)?;
    let mut now = Instant::now();
    let start = |request: Request, started| {
        let pending = annals.append(request.append());
        InFlight { pending, request, started }
    };
    let mut in_flight: VecDeque<_> =
        requests.into_iter().map(|request| start(request, now)).collect();
    while let Some(InFlight { pending, mut request, mut started }) = in_flight.pop_front() {
        let attempt = of_append(pending.wait())?;
        now = Instant::now();
        outcome.tally.settle(&attempt, &mut request, &mut started, now);
        if window.is_over(now) {
            outcome.wrote(&request);
        } else {
            in_flight.push_back(start(request, now));
        }
    }
    Ok(outcome)
}
