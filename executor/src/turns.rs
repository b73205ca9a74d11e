//! Commands over the same streams take turns, so that inside one process they do not conflict.
//!
//! - A command takes its places in the queues of all its streams in one step. So all queues agree
//!   on who comes first: no two commands wait for each other, and nobody is overtaken. Its turn
//!   has come when it is first in all of them. (The lock manager of Calvin: Thomson et al. 2012.)
//! - Streams that turn out to be needed later are added only if nobody is in their queues;
//!   otherwise the command gives up its turn and queues for all of them again.
//! - A turn ends when it is dropped, on whatever way, and hands over to who comes next.
//!
//! Turns save work; they do not make anything correct. What a decision rests on is checked when
//! its events are appended. So hashes will do for names: streams that share one only wait longer.

use std::{
    collections::VecDeque,
    hint,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use annals_planted::{Bug, planted};
use annals_sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
    looks,
    thread::{self, Thread},
};
use hashbrown::{HashTable, hash_table::Entry};
use smallvec::SmallVec;

/// Hashes of streams, each once.
pub(crate) type Keys = SmallVec<[u64; 8]>;

/// How often a thread looks before it sleeps: long enough for a turn that is nearly over. With more
/// threads than cores, looking longer costs more than it saves.
const LOOKS_MAX: u32 = 50;

/// The queues of all streams that somebody is at.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    queues: Mutex<HashTable<Queue>>,
}

/// Those who are at one stream.
#[derive(Debug)]
struct Queue {
    key: u64,
    /// Behind the one whose turn it is.
    waiting: VecDeque<Arc<Waiter>>,
}

/// Somebody whose turn has not come.
#[derive(Debug, Default)]
struct Waiter {
    /// In how many queues others are before it.
    missing: AtomicUsize,
    sleeper: Mutex<Option<Sleeper>>,
}

#[derive(Debug)]
enum Sleeper {
    Thread(Thread),
    Task(Waker),
}

/// A place in the queues of some streams. Await it, or call [`Turn::wait`], before using it.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    keys: Keys,
    /// `None`: the turn has come.
    waiter: Option<Arc<Waiter>>,
}

impl Turns {
    /// Takes a place in the queues of streams.
    pub(crate) fn queue(self: &Arc<Self>, mut keys: Keys) -> Turn {
        keys.sort_unstable();
        keys.dedup();
        let mut waiter: Option<Arc<Waiter>> = None;
        let mut missing = 0;
        let mut queues = self.queues.lock();
        for key in &keys {
            match queues.entry(*key, |queue| queue.key == *key, |queue| queue.key) {
                Entry::Vacant(vacant) => drop(vacant.insert(Queue::new(*key))),
                Entry::Occupied(mut queue) => {
                    missing += 1;
                    let waiter = waiter.get_or_insert_default();
                    queue.get_mut().waiting.push_back(waiter.clone());
                }
            }
        }
        if let Some(waiter) = &waiter {
            // Relaxed: whoever counts it down holds the lock that is held here.
            let missing = if planted(Bug::TurnTooEarly) { 1 } else { missing };
            waiter.missing.store(missing, Ordering::Relaxed);
        }
        drop(queues);
        Turn { turns: self.clone(), keys, waiter }
    }
}

impl Queue {
    fn new(key: u64) -> Self {
        Self { key, waiting: VecDeque::new() }
    }

    /// Takes out one who waits; says whether it did.
    fn remove(&mut self, waiter: &Arc<Waiter>) -> bool {
        let found = self.waiting.iter().position(|other| Arc::ptr_eq(other, waiter));
        found.is_some_and(|at| self.waiting.remove(at).is_some())
    }
}

impl Waiter {
    fn has_come(&self) -> bool {
        // Acquire pairs with the Release in `hand_over`: what was done in the turns before is seen.
        self.missing.load(Ordering::Acquire) == 0
    }

    /// One queue less; says whether the turn has come.
    fn count_down(&self) -> bool {
        self.missing.fetch_sub(1, Ordering::Release) == 1
    }

    fn wake(&self) {
        let sleeper = self.sleeper.lock().take();
        match sleeper {
            Some(Sleeper::Thread(thread)) => thread.unpark(),
            // One that panics must not take along those who come later.
            Some(Sleeper::Task(waker)) => {
                drop(catch_unwind(AssertUnwindSafe(|| waker.wake())));
            }
            None => {}
        }
    }
}

impl Turn {
    /// Whether others are before it.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiter.is_some()
    }

    /// Blocks until the turn has come.
    pub(crate) fn wait(mut self) -> Self {
        let Some(waiter) = self.waiter.take() else { return self };
        for _ in 0..looks(LOOKS_MAX) {
            if waiter.has_come() {
                return self;
            }
            hint::spin_loop();
        }
        *waiter.sleeper.lock() = Some(Sleeper::Thread(thread::current()));
        while !waiter.has_come() {
            thread::park();
        }
        self
    }

    /// Whether all of these streams belong to the turn, or could be added to it at once.
    pub(crate) fn extend(&mut self, keys: &[u64]) -> bool {
        let mut queues = self.turns.queues.lock();
        let new = |key: &&u64| self.keys.binary_search(key).is_err();
        let mut new: Keys = keys.iter().filter(new).copied().collect();
        new.sort_unstable();
        new.dedup();
        if new.iter().any(|key| queues.find(*key, |queue| queue.key == *key).is_some()) {
            return false;
        }
        for key in &new {
            queues.insert_unique(*key, Queue::new(*key), |queue| queue.key);
        }
        drop(queues);
        self.keys.extend(new);
        self.keys.sort_unstable();
        true
    }

    /// The streams that it is for.
    pub(crate) fn keys(&self) -> &[u64] {
        &self.keys
    }
}

/// Ready when the turn has come.
impl Future for &mut Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(waiter) = &self.waiter else { return Poll::Ready(()) };
        if !waiter.has_come() {
            *waiter.sleeper.lock() = Some(Sleeper::Task(context.waker().clone()));
            // Again, now that whoever hands over sees the waker.
            if !waiter.has_come() || planted(Bug::TurnAskedOnce) {
                return Poll::Pending;
            }
        }
        self.waiter = None;
        Poll::Ready(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut woken: SmallVec<[Arc<Waiter>; 4]> = SmallVec::new();
        let mut queues = self.turns.queues.lock();
        for key in &self.keys {
            let Ok(mut entry) = queues.find_entry(*key, |queue| queue.key == *key) else {
                continue;
            };
            let queue = entry.get_mut();
            if self.waiter.as_ref().is_some_and(|waiter| queue.remove(waiter)) {
                continue;
            }
            match queue.waiting.pop_front() {
                Some(_) if planted(Bug::TurnNotReleased) => {}
                Some(next) if next.count_down() => woken.push(next),
                Some(_) => {}
                None => drop(entry.remove()),
            }
        }
        drop(queues);
        woken.iter().for_each(|waiter| waiter.wake());
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicBool, task::Wake};

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Bell {
        fn rang(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    fn has_come(turn: &mut Turn, bell: &Arc<Bell>) -> bool {
        let waker = Waker::from(bell.clone());
        Pin::new(&mut &mut *turn).poll(&mut Context::from_waker(&waker)).is_ready()
    }

    fn keys(keys: &[u64]) -> Keys {
        keys.into()
    }

    fn nobody(turns: &Turns) -> bool {
        turns.queues.lock().is_empty()
    }

    #[test]
    fn turns_come_in_the_order_of_the_queue() {
        let (turns, bell) = (Arc::new(Turns::default()), Arc::new(Bell::default()));
        let mut first = turns.queue(keys(&[1, 2, 1]));
        let mut others = [&[2][..], &[1], &[2, 1], &[1, 2]].map(|of| turns.queue(keys(of)));
        let mut apart = turns.queue(keys(&[3]));
        assert!(has_come(&mut first, &bell) && has_come(&mut apart, &bell));
        assert!(!others.iter_mut().any(|turn| has_come(turn, &bell)));
        drop(first);
        assert_eq!(bell.rang(), 2);
        let [second, third, mut fourth, mut fifth] = others;
        drop(second.wait());
        assert!(!has_come(&mut fourth, &bell), "it needs both");
        drop(third.wait());
        assert!(has_come(&mut fourth, &bell) && !has_come(&mut fifth, &bell));
        drop(fourth);
        assert!(has_come(&mut fifth, &bell));
        drop((fifth, apart));
        assert!(nobody(&turns));
    }

    #[test]
    fn who_leaves_the_queue_holds_nobody_up() {
        let (turns, bell) = (Arc::new(Turns::default()), Arc::new(Bell::default()));
        let first = turns.queue(keys(&[1]));
        // It is first at 2 and waits at 1; somebody waits for it at 2.
        let waiting = turns.queue(keys(&[1, 2]));
        let mut behind_it = turns.queue(keys(&[2]));
        let mut last = turns.queue(keys(&[1]));
        assert!(!has_come(&mut behind_it, &bell) && !has_come(&mut last, &bell));
        drop(waiting);
        assert!(has_come(&mut behind_it, &bell) && !has_come(&mut last, &bell));
        drop(first);
        assert!(has_come(&mut last, &bell));
        drop((behind_it, last));
        assert!(nobody(&turns));
    }

    #[test]
    fn a_turn_is_extended_only_where_nobody_is() {
        let (turns, bell) = (Arc::new(Turns::default()), Arc::new(Bell::default()));
        let mut turn = turns.queue(keys(&[5]));
        let other = turns.queue(keys(&[7]));
        assert!(turn.extend(&[5, 6, 6]));
        assert!(!turn.extend(&[7, 8]), "not even in part");
        assert_eq!(turn.keys(), [5, 6]);
        let mut at_eight = turns.queue(keys(&[8]));
        assert!(has_come(&mut at_eight, &bell));
        let mut at_six = turns.queue(keys(&[6]));
        assert!(!has_come(&mut at_six, &bell));
        drop((turn, other, at_eight));
        assert!(has_come(&mut at_six, &bell));
        drop(at_six);
        assert!(nobody(&turns));
    }

    /// G21: many threads and tasks over few streams: nobody is at a stream at the same time as another,
    /// everybody's turn comes, whatever the order in which streams are named and whoever gives up.
    #[test]
    fn everybody_has_a_turn_alone() {
        const STREAMS: u64 = 5;
        let turns = Arc::new(Turns::default());
        let busy: [AtomicBool; 5] = Default::default();
        thread::scope(|scope| {
            for worker in 0..8_u64 {
                let (turns, busy) = (&turns, &busy);
                scope.spawn(move || {
                    for step in 0..2_000_u64 {
                        let mix = (worker * 7919 + step).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
                        let wanted = [mix % STREAMS, mix / 7 % STREAMS, mix / 63 % STREAMS];
                        let turn = turns.queue(keys(&wanted));
                        if mix.is_multiple_of(11) {
                            continue;
                        }
                        let turn = if worker % 2 == 0 {
                            turn.wait()
                        } else {
                            let mut turn = turn;
                            block_on(&mut turn);
                            turn
                        };
                        let at = |key: &u64| &busy[usize::try_from(*key).unwrap()];
                        for key in turn.keys() {
                            assert!(!at(key).swap(true, Ordering::SeqCst), "somebody is there");
                        }
                        thread::yield_now();
                        for key in turn.keys() {
                            at(key).store(false, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert!(nobody(&turns));
    }

    fn block_on(turn: &mut Turn) {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut turn = turn;
        while Pin::new(&mut turn).poll(&mut Context::from_waker(&waker)).is_pending() {
            thread::park();
        }
    }
}
