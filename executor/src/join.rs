//! Many futures at once, each polled only when it was woken itself.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use annals_sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

/// Whoever waits for all.
#[derive(Default)]
struct Parent(Mutex<Option<Waker>>);

/// One of many.
struct Child {
    is_woken: AtomicBool,
    parent: Arc<Parent>,
}

impl Wake for Child {
    fn wake(self: Arc<Self>) {
        // Release pairs with the Acquire of the parent's swap: it sees what the waker wrote.
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            let waker = self.parent.0.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

enum State<F: Future> {
    Running(Pin<Box<F>>, Arc<Child>, Waker),
    Ready(Option<F::Output>),
}

/// Waits for all futures, which begin in their order.
pub(crate) async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let parent = Arc::<Parent>::default();
    let mut states: Vec<State<F>> = futures
        .map(|future| {
            let child = Child { is_woken: AtomicBool::new(true), parent: parent.clone() };
            let child = Arc::new(child);
            State::Running(Box::pin(future), child.clone(), Waker::from(child))
        })
        .collect();
    poll_fn(move |context| {
        // Before the children are looked at: one that is woken later wakes this task.
        *parent.0.lock() = Some(context.waker().clone());
        let mut is_ready = true;
        for state in &mut states {
            let State::Running(future, child, waker) = state else { continue };
            if !child.is_woken.swap(false, Ordering::AcqRel) {
                is_ready = false;
                continue;
            }
            match future.as_mut().poll(&mut Context::from_waker(waker)) {
                Poll::Ready(output) => *state = State::Ready(Some(output)),
                Poll::Pending => is_ready = false,
            }
        }
        if !is_ready {
            return Poll::Pending;
        }
        let output = |state: &mut State<F>| match state {
            State::Ready(output) => output.take(),
            State::Running(..) => None,
        };
        Poll::Ready(states.iter_mut().filter_map(output).collect())
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use super::*;
    use crate::block_on::block_on;

    /// Ready when it is polled for the `n`th time; wakes itself each time.
    async fn at_poll(n: u32, polls: Rc<Cell<u32>>) -> u32 {
        let mut seen = 0;
        poll_fn(|context| {
            seen += 1;
            polls.set(polls.get() + 1);
            context.waker().wake_by_ref();
            if seen == n { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        n
    }

    #[test]
    fn each_is_polled_as_often_as_it_was_woken() {
        let polls = Rc::new(Cell::new(0));
        let futures = [3, 1, 5, 2].into_iter().map(|n| at_poll(n, polls.clone()));
        assert_eq!(block_on(join_all(futures)), [3, 1, 5, 2]);
        assert_eq!(polls.get(), 3 + 1 + 5 + 2);
        assert_eq!(block_on(join_all(std::iter::empty::<std::future::Ready<()>>())), []);
    }

    #[test]
    fn a_wake_from_another_thread_is_not_lost() {
        for _ in 0..200 {
            let futures = (0..4).map(|_| {
                let flag = Arc::new(Mutex::new((false, None::<Waker>)));
                let other = flag.clone();
                let wake = move || {
                    let mut flag = other.lock();
                    flag.0 = true;
                    flag.1.take().into_iter().for_each(Waker::wake);
                };
                let thread = std::thread::Builder::new().spawn(wake).unwrap();
                poll_fn(move |context| {
                    let mut flag = flag.lock();
                    flag.1 = Some(context.waker().clone());
                    if flag.0 { Poll::Ready(thread.thread().id()) } else { Poll::Pending }
                })
            });
            assert_eq!(block_on(join_all(futures)).len(), 4);
        }
    }
}
