//! Two ways to append to a system that one writer at a time appends to: each caller by itself, and
//! grouped from outside, which is what one builds around such a system to make it fast.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread::{Builder, JoinHandle},
};

use parking_lot::{Condvar, Mutex};

use crate::{
    append::Append,
    system::{Answer, Blocking, Caller, Failure},
};

/// A writer that can take many appends at once.
pub(crate) trait Writer: Send + 'static {
    /// Checks appends and takes them in this order, with one commit; durable when it returns. An
    /// answer for each.
    fn commit(&mut self, group: &[Append]) -> Result<Vec<Answer>, Failure>;
}

/// How callers come to a writer.
pub(crate) enum Access<W> {
    /// Each locks it and commits by itself.
    Locked(Arc<Mutex<W>>),
    /// One thread gathers what callers bring while the group before is committed.
    Gathered(Gatherer),
}

impl<W: Writer> Access<W> {
    pub(crate) fn locked(writer: W) -> Self {
        Self::Locked(Arc::new(Mutex::new(writer)))
    }

    pub(crate) fn gathered(writer: W) -> Result<Self, Failure> {
        Gatherer::start(writer).map(Self::Gathered)
    }

    pub(crate) fn caller(&self) -> Caller {
        match self {
            Self::Locked(writer) => Caller::Thread(Box::new(Locked(Arc::clone(writer)))),
            Self::Gathered(gatherer) => {
                Caller::Thread(Box::new(Gathered(Arc::clone(&gatherer.shared))))
            }
        }
    }

    /// Ends the thread that gathers, if there is one.
    pub(crate) fn close(self) -> Result<(), Failure> {
        match self {
            Self::Locked(_) => Ok(()),
            Self::Gathered(gatherer) => gatherer.close(),
        }
    }
}

struct Locked<W>(Arc<Mutex<W>>);

impl<W: Writer> Blocking for Locked<W> {
    fn append(&mut self, append: &mut Append) -> Result<Answer, Failure> {
        let answers = self.0.lock().commit(std::slice::from_ref(append))?;
        answers.into_iter().next().ok_or_else(|| "the writer gave no answer".into())
    }
}

/// A thread that commits what callers bring, in groups.
pub(crate) struct Gatherer {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    gathering: Mutex<Gathering>,
    /// Something was brought, or it is over.
    changed: Condvar,
}

/// What is gathered for the next commit.
#[derive(Default)]
struct Gathering {
    appends: Vec<Append>,
    group: Arc<Group>,
    is_closed: bool,
}

/// Appends that share a commit.
#[derive(Default)]
struct Group {
    /// 1 when the outcomes are there. One system call wakes everyone who waits for it.
    is_done: AtomicU32,
    /// Each append back, with its answer.
    outcomes: OnceLock<Vec<Outcome>>,
}

type Outcome = Mutex<Option<(Append, Result<Answer, Failure>)>>;

impl Gatherer {
    fn start(writer: impl Writer) -> Result<Self, Failure> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = Builder::new().name("gatherer".into());
        let thread = thread.spawn(move || of_thread.run(writer))?;
        Ok(Self { shared, thread })
    }

    fn close(self) -> Result<(), Failure> {
        self.shared.gathering.lock().is_closed = true;
        self.shared.changed.notify_one();
        self.thread.join().map_err(|_| "the thread that gathers panicked".into())
    }
}

impl Shared {
    fn run(&self, mut writer: impl Writer) {
        while let Some((appends, group)) = self.next() {
            // Callers wait for this thread: they must hear of a panic.
            let commit = AssertUnwindSafe(|| writer.commit(&appends));
            let result = catch_unwind(commit).unwrap_or_else(|_| Err("the writer panicked".into()));
            group.end(appends, result);
        }
    }

    /// Waits for appends. `None`: there will be none.
    fn next(&self) -> Option<(Vec<Append>, Arc<Group>)> {
        let mut gathering = self.gathering.lock();
        while gathering.appends.is_empty() {
            if gathering.is_closed {
                return None;
            }
            self.changed.wait(&mut gathering);
        }
        let capacity = gathering.appends.capacity();
        let appends = std::mem::replace(&mut gathering.appends, Vec::with_capacity(capacity));
        Some((appends, std::mem::take(&mut gathering.group)))
    }

    /// Adds an append to the next group; returns the group and its place there.
    fn bring(&self, append: Append) -> (Arc<Group>, usize) {
        let mut gathering = self.gathering.lock();
        gathering.appends.push(append);
        let place = gathering.appends.len() - 1;
        let group = Arc::clone(&gathering.group);
        drop(gathering);
        if place == 0 {
            self.changed.notify_one();
        }
        (group, place)
    }
}

impl Group {
    fn end(&self, appends: Vec<Append>, result: Result<Vec<Answer>, Failure>) {
        let answers: Vec<Result<Answer, Failure>> = match result {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(failure) => {
                let text = failure.to_string();
                appends.iter().map(|_| Err(text.clone().into())).collect()
            }
        };
        let outcomes = appends.into_iter().zip(answers);
        let outcomes = outcomes.map(|outcome| Mutex::new(Some(outcome))).collect();
        // Nobody else sets it.
        drop(self.outcomes.set(outcomes));
        // Release: who sees 1 sees the outcomes.
        self.is_done.store(1, Ordering::Release);
        atomic_wait::wake_all(&raw const self.is_done);
    }

    fn wait(&self, place: usize) -> Option<(Append, Result<Answer, Failure>)> {
        while self.is_done.load(Ordering::Acquire) == 0 {
            atomic_wait::wait(&self.is_done, 0);
        }
        self.outcomes.get()?.get(place)?.lock().take()
    }
}

struct Gathered(Arc<Shared>);

impl Blocking for Gathered {
    fn append(&mut self, append: &mut Append) -> Result<Answer, Failure> {
        let (group, place) = self.0.bring(std::mem::take(append));
        let (returned, answer) = group.wait(place).ok_or("the writer gave no answer")?;
        *append = returned;
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use annals_bench::{Random, SINGLE};

    use super::*;
    use crate::{append::Stream, versions::Versions};

    /// Refuses after so many commits.
    struct Counting {
        versions: Versions,
        commits: Arc<AtomicU32>,
        refuses_after: u32,
    }

    impl Writer for Counting {
        fn commit(&mut self, group: &[Append]) -> Result<Vec<Answer>, Failure> {
            if self.commits.fetch_add(1, Ordering::Relaxed) >= self.refuses_after {
                return Err("full".into());
            }
            group.iter().map(|append| self.versions.take(append, |_| Ok(0))).collect()
        }
    }

    fn append(number: u32) -> Append {
        Append::new(&SINGLE, vec![Stream::new(number)], &mut Random::new(1))
    }

    fn blocking(access: &Access<Counting>) -> Box<dyn Blocking> {
        match access.caller() {
            Caller::Thread(caller) => caller,
            Caller::Task(_) => panic!("a task"),
        }
    }

    #[test]
    fn everyone_gets_the_own_append_back_with_its_answer() {
        let commits = Arc::new(AtomicU32::new(0));
        let writer = Counting {
            versions: Versions::default(),
            commits: Arc::clone(&commits),
            refuses_after: u32::MAX,
        };
        let access = Access::gathered(writer).unwrap();
        thread::scope(|scope| {
            for number in 1..=8 {
                let mut caller = blocking(&access);
                scope.spawn(move || {
                    let mut append = append(number);
                    for version in 0..100 {
                        assert_eq!(append.targets[0].stream.number, number);
                        assert_eq!(append.targets[0].version, version);
                        assert_eq!(caller.append(&mut append).unwrap(), Answer::Committed);
                        append.acknowledge();
                    }
                });
            }
        });
        let mut late = append(1);
        let conflict = crate::append::Conflict { target: 0, actual: 100 };
        let answer = blocking(&access).append(&mut late).unwrap();
        assert_eq!(answer, Answer::Conflict(vec![conflict]));
        access.close().unwrap();
        assert!(commits.load(Ordering::Relaxed) <= 801);
    }

    #[test]
    fn a_failed_commit_is_told_to_everyone_of_the_group() {
        for is_gathered in [true, false] {
            let commits = Arc::default();
            let writer = Counting { versions: Versions::default(), commits, refuses_after: 1 };
            let access = if is_gathered {
                Access::gathered(writer).unwrap()
            } else {
                Access::locked(writer)
            };
            let mut caller = blocking(&access);
            let mut append = append(1);
            assert_eq!(caller.append(&mut append).unwrap(), Answer::Committed);
            append.acknowledge();
            assert_eq!(caller.append(&mut append).unwrap_err().to_string(), "full");
            access.close().unwrap();
        }
    }
}
