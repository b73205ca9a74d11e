//! Annals itself, from threads and from tasks.

use std::{collections::HashMap, path::Path};

use annals::{
    Annals, Append as AnnalsAppend, AppendError, Committed, EventType, ExpectedVersion,
    InvalidName, LogQuery, NewEvent, Position, StreamId, StreamQuery, StreamVersion,
};

use crate::{
    append::{Append, Conflict, Stream},
    system::{
        Address, Answer, Appending, Awaiting, Blocking, Caller, Facts, Failure, Peer, Role, System,
        Visit,
    },
};

const FACTS: Facts = Facts {
    kind: "event store",
    durable: "each commit; groups commits itself",
    versions: "itself, of all streams of an append",
    index: "in memory for the active segment, beside each sealed one",
    order: "as appended",
    settings: "none",
};

/// One thread for each caller.
pub(crate) const THREADS: Peer = Peer {
    name: "annals",
    role: Role::System,
    open: |path| open(path, false),
    of_crate: "annals",
    facts: FACTS,
};

/// One task for each caller.
pub(crate) const TASKS: Peer = Peer {
    name: "annals-tasks",
    role: Role::Way("annals"),
    open: |path| open(path, true),
    facts: Facts { settings: "called from tokio tasks instead of threads", ..FACTS },
    ..THREADS
};

struct OfAnnals {
    annals: Annals,
    is_async: bool,
}

fn open(path: &Path, is_async: bool) -> Result<Box<dyn System>, Failure> {
    Ok(Box::new(OfAnnals { annals: Annals::open(path)?, is_async }))
}

impl System for OfAnnals {
    fn caller(&self) -> Result<Caller, Failure> {
        let maker = Maker { event_type: EventType::new("Happened")?, streams: HashMap::new() };
        let caller = OfCaller { annals: self.annals.clone(), maker };
        Ok(if self.is_async {
            Caller::Task(Box::new(caller))
        } else {
            Caller::Thread(Box::new(caller))
        })
    }

    fn read_all(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let events = self.annals.read_all(LogQuery::forward());
        Ok(events.visit(|event| visit(event.payload))?)
    }

    fn read_stream(&self, stream: &Stream, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let stream = StreamId::new(&stream.name)?;
        let events = self.annals.read_stream(&stream, StreamQuery::forward());
        Ok(events.visit(|event| visit(event.payload))?)
    }

    fn read_one(&self, address: &Address<'_>, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let query = LogQuery::forward().from(Position::new(address.position)).limit(1);
        Ok(self.annals.read_all(query).visit(|event| visit(event.payload))?)
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(self.annals.close()?)
    }
}

/// Makes a new request for each append, as an application does.
struct Maker {
    event_type: EventType,
    streams: HashMap<u32, StreamId>,
}

impl Maker {
    fn make(&mut self, append: &Append) -> Result<AnnalsAppend, InvalidName> {
        let mut expectations = Vec::with_capacity(append.targets.len());
        for target in &append.targets {
            let stream = match self.streams.get(&target.stream.number) {
                Some(stream) => stream.clone(),
                None => StreamId::new(&target.stream.name)?,
            };
            self.streams.insert(target.stream.number, stream.clone());
            let version = StreamVersion::new(target.version);
            expectations.push((stream, ExpectedVersion::Exactly(version)));
        }
        let event = |event: &crate::append::Event| {
            let (stream, _) = expectations.get(event.target)?;
            let (stream, event_type) = (stream.clone(), self.event_type.clone());
            Some(NewEvent::typed(stream, event_type, event.payload.to_vec()))
        };
        let events = append.events.iter().filter_map(event).collect();
        Ok(AnnalsAppend { events, expectations })
    }
}

struct OfCaller {
    annals: Annals,
    maker: Maker,
}

impl Blocking for OfCaller {
    fn append(&mut self, append: &mut Append) -> Result<Answer, Failure> {
        let request = self.maker.make(append)?;
        answer(append, self.annals.append(&request).wait())
    }
}

impl Awaiting for OfCaller {
    fn append<'a>(&'a mut self, append: &'a Append) -> Appending<'a> {
        Box::pin(async move {
            let request = self.maker.make(append)?;
            answer(append, self.annals.append(&request).await)
        })
    }
}

fn answer(append: &Append, result: Result<Committed, AppendError>) -> Result<Answer, Failure> {
    match result {
        Ok(_) => Ok(Answer::Committed),
        Err(AppendError::Conflict(conflicts)) => {
            let conflict = |conflict: &annals::Conflict| {
                let mut targets = append.targets.iter();
                let target = targets.position(|t| t.stream.name == conflict.stream.as_str())?;
                Some(Conflict { target, actual: conflict.actual.get() })
            };
            Ok(Answer::Conflict(conflicts.0.iter().filter_map(conflict).collect()))
        }
        Err(error) => Err(error.into()),
    }
}
