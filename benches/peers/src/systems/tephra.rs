//! Tephra: an event store whose appends are conditional on queries. A stream is a tag.
//!
//! It has no versions. "Nothing with these tags since what I know" says the same: a caller
//! remembers up to where it knows the log, and after a conflict reads the newest event of each of
//! its streams.

use std::{collections::HashMap, ops::ControlFlow, path::Path};

use tephra::{
    AppendCondition, AppendError, Event, EventType, Position, PositionRange, Query, QueryItem,
    SegmentConfig, SegmentSet, Tag, Tags, WriteCoordinator, WriteHandle, WriterConfig,
};

use crate::{
    append::{Append, Conflict, Stream, stamped},
    system::{
        Address, Answer, Appending, Awaiting, Blocking, Caller, Facts, Failure, Peer, Role, System,
        Visit,
    },
};

const FACTS: Facts = Facts {
    kind: "event store",
    durable: "each commit; groups commits itself",
    versions: "itself, by query: nothing with the streams' tags since the position the caller knows",
    index: "in memory, of the newest segment remade at opening",
    order: "as appended",
    settings: "segments of 256 MiB, as in its documentation",
};

/// One thread for each caller.
pub(crate) const THREADS: Peer = Peer {
    name: "tephra",
    role: Role::System,
    open: |path| open(path, false),
    of_crate: "tephra",
    facts: FACTS,
};

/// One task for each caller.
pub(crate) const TASKS: Peer = Peer {
    name: "tephra-tasks",
    role: Role::Way("tephra"),
    open: |path| open(path, true),
    facts: Facts { settings: "called from tokio tasks instead of threads", ..FACTS },
    ..THREADS
};

const SEGMENT_BYTES: usize = 256 << 20;

struct Tephra {
    coordinator: WriteCoordinator,
    handle: WriteHandle,
    is_async: bool,
}

fn open(path: &Path, is_async: bool) -> Result<Box<dyn System>, Failure> {
    let segments = SegmentSet::open(path, SegmentConfig::new(SEGMENT_BYTES))?;
    let (coordinator, handle) = WriteCoordinator::start(segments, WriterConfig::default())?;
    Ok(Box::new(Tephra { coordinator, handle, is_async }))
}

impl System for Tephra {
    fn caller(&self) -> Result<Caller, Failure> {
        let caller = OfCaller {
            handle: self.handle.clone(),
            event_type: EventType::new("Happened")?,
            tags: HashMap::new(),
            known: Position::ZERO,
        };
        Ok(if self.is_async {
            Caller::Task(Box::new(caller))
        } else {
            Caller::Thread(Box::new(caller))
        })
    }

    fn read_all(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        show(self.handle.read(&Query::all(), Position::ZERO, None), visit)
    }

    fn read_stream(&self, stream: &Stream, visit: &mut Visit<'_>) -> Result<(), Failure> {
        show(self.handle.read(&of_tags(tags(stream)?), Position::ZERO, None), visit)
    }

    fn read_one(&self, address: &Address<'_>, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let before = Position::new(address.position - 1);
        show(self.handle.read(&Query::all(), before, Some(1)), visit)
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        drop(self.handle);
        drop(self.coordinator.shutdown());
        Ok(())
    }
}

fn show(mut reads: tephra::read::Reads, visit: &mut Visit<'_>) -> Result<(), Failure> {
    while let Some(event) = reads.next() {
        if visit(event?.event.data()) == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

fn tags(stream: &Stream) -> Result<Tags, Failure> {
    Ok(Tags::new([Tag::new(stream.name.as_str())?])?)
}

fn of_tags(tags: Tags) -> Query {
    Query::item(QueryItem::with_tags(tags))
}

struct OfCaller {
    handle: WriteHandle,
    event_type: EventType,
    tags: HashMap<u32, Tags>,
    /// Of what is up to here, it knows all that has its streams' tags.
    known: Position,
}

impl OfCaller {
    /// Makes a new request for each append, as an application does.
    fn make(&mut self, append: &Append) -> Result<(Vec<Event>, AppendCondition), Failure> {
        let mut of_targets = Vec::with_capacity(append.targets.len());
        for target in &append.targets {
            let tags = match self.tags.get(&target.stream.number) {
                Some(tags) => tags.clone(),
                None => tags(&target.stream)?,
            };
            self.tags.insert(target.stream.number, tags.clone());
            of_targets.push(tags);
        }
        let mut events = Vec::with_capacity(append.events.len());
        for event in &append.events {
            let tags = of_targets.get(event.target).ok_or("an event has no stream")?;
            events.push(Event::new(&self.event_type, tags, &event.payload)?);
        }
        let items: Vec<QueryItem> = of_targets.into_iter().map(QueryItem::with_tags).collect();
        Ok((events, AppendCondition::new(Query::items(items)).after(self.known)))
    }

    fn answer(
        &mut self,
        append: &Append,
        result: Result<PositionRange, AppendError>,
    ) -> Result<Answer, Failure> {
        match result {
            Ok(range) => {
                self.known = range.last;
                Ok(Answer::Committed)
            }
            Err(AppendError::Conflict { .. }) => self.look_again(append).map(Answer::Conflict),
            Err(error) => Err(error.into()),
        }
    }

    fn look_again(&mut self, append: &Append) -> Result<Vec<Conflict>, Failure> {
        // What comes while it reads conflicts once more.
        self.known = self.handle.head();
        let mut conflicts = Vec::new();
        for (index, target) in append.targets.iter().enumerate() {
            let mut actual = 0;
            let query = of_tags(tags(&target.stream)?);
            let newest = self.handle.read_back(&query, self.known.next(), Some(1));
            show(newest, &mut |payload| {
                actual = stamped(payload).map_or(0, |(_, version)| version);
                ControlFlow::Break(())
            })?;
            conflicts.push(Conflict { target: index, actual });
        }
        Ok(conflicts)
    }
}

impl Blocking for OfCaller {
    fn append(&mut self, append: &mut Append) -> Result<Answer, Failure> {
        let (events, condition) = self.make(append)?;
        let result = self.handle.append(events, Some(condition));
        self.answer(append, result)
    }
}

impl Awaiting for OfCaller {
    fn append<'a>(&'a mut self, append: &'a Append) -> Appending<'a> {
        Box::pin(async move {
            let (events, condition) = self.make(append)?;
            let result = self.handle.append_async(events, Some(condition)).await;
            self.answer(append, result)
        })
    }
}
