//! `UmaDB`, without its server: an event store whose appends are conditional on queries. A stream
//! is a tag, as in `tephra.rs`.
//!
//! Its `append` must not be called by two threads at once. Its server has one thread that writes,
//! which gathers requests; that thread is used here, too.

use std::{
    ops::ControlFlow,
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
};

use rustix::{
    fs::{Mode, OFlags},
    io::dup,
    stdio::{dup2_stdout, stdout},
};
use tokio::sync::{
    mpsc::{self, Sender},
    oneshot, watch,
};
use umadb_core::{
    db::UmaDb,
    mvcc::{Mvcc, StorageOptions},
    pager::ReadMethod,
    writer_thread_blocking::writer_thread_blocking,
    writer_thread_request::WriterThreadRequest,
};
use umadb_dcb::{
    DcbAppendCondition, DcbError, DcbEvent, DcbEventStoreSync, DcbQuery, DcbQueryItem,
};

use crate::{
    append::{Append, Conflict, Stream, stamped},
    system::{Address, Answer, Blocking, Caller, Facts, Failure, Peer, Role, System, Visit},
};

/// As its server uses it.
pub(crate) const UMADB: Peer = Peer {
    name: "umadb",
    role: Role::System,
    open,
    of_crate: "umadb-core",
    facts: Facts {
        kind: "event store",
        durable: "each commit, two syncs; groups commits itself",
        versions: "itself, by query: nothing with the streams' tags since the position the caller knows",
        index: "trees on disk",
        order: "as appended",
        settings: "the thread that its server writes with, since its append is not safe to call from \
                   several threads; mapped reads with 512 MiB of page cache",
    },
};

/// As in its server.
const QUEUE: usize = 1024;
const GROUP_EVENTS_MAX: usize = 2048;

/// Read at a time: it collects a whole answer in memory.
const PAGE_EVENTS: u32 = 5000;

struct Uma {
    database: Arc<UmaDb>,
    sender: Sender<WriterThreadRequest>,
    writer: JoinHandle<()>,
}

fn open(path: &Path) -> Result<Box<dyn System>, Failure> {
    let options = StorageOptions::default()
        .db_path(path)
        .read_method(ReadMethod::Mmap)
        .page_cache_max_mb(512);
    let mvcc = Arc::new(quietly(|| Mvcc::new(false, options))??);
    let database = Arc::new(UmaDb::from_arc(Arc::clone(&mvcc)));
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (head, _) = watch::channel(None);
    let write = move || writer_thread_blocking(mvcc, receiver, head, GROUP_EVENTS_MAX);
    let writer = thread::Builder::new().name("umadb-writer".into()).spawn(write)?;
    Ok(Box::new(Uma { database, sender, writer }))
}

/// Has what is printed go nowhere: opening prints on the standard output.
fn quietly<T>(act: impl FnOnce() -> T) -> Result<T, Failure> {
    let nowhere = rustix::fs::open("/dev/null", OFlags::WRONLY, Mode::empty())?;
    let kept = dup(stdout())?;
    dup2_stdout(nowhere)?;
    let result = act();
    dup2_stdout(kept)?;
    Ok(result)
}

impl System for Uma {
    fn caller(&self) -> Result<Caller, Failure> {
        Ok(Caller::Thread(Box::new(OfCaller {
            database: Arc::clone(&self.database),
            sender: self.sender.clone(),
            known: None,
        })))
    }

    fn read_all(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let mut from = 1;
        while let Some(next) = self.read_page(None, from, PAGE_EVENTS, visit)? {
            from = next;
        }
        Ok(())
    }

    fn read_stream(&self, stream: &Stream, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let mut from = 1;
        while let Some(next) = self.read_page(Some(of_stream(stream)), from, PAGE_EVENTS, visit)? {
            from = next;
        }
        Ok(())
    }

    fn read_one(&self, address: &Address<'_>, visit: &mut Visit<'_>) -> Result<(), Failure> {
        self.read_page(None, address.position, 1, visit).map(drop)
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.sender.blocking_send(WriterThreadRequest::Shutdown)?;
        self.writer.join().map_err(|_| "the thread that writes panicked".into())
    }
}

impl Uma {
    /// Reads so many events from a position on; returns where to go on, if there may be more.
    fn read_page(
        &self,
        query: Option<DcbQuery>,
        from: u64,
        limit: u32,
        visit: &mut Visit<'_>,
    ) -> Result<Option<u64>, Failure> {
        let mut next = None;
        for event in self.database.read(query, Some(from), false, Some(limit))? {
            let event = event?;
            next = Some(event.position + 1);
            if visit(&event.event.data) == ControlFlow::Break(()) {
                return Ok(None);
            }
        }
        Ok(next)
    }
}

fn of_stream(stream: &Stream) -> DcbQuery {
    DcbQuery::new().item(DcbQueryItem::new().tags([stream.name.as_str()]))
}

struct OfCaller {
    database: Arc<UmaDb>,
    sender: Sender<WriterThreadRequest>,
    /// Of what is up to here, it knows all that has its streams' tags.
    known: Option<u64>,
}

impl Blocking for OfCaller {
    fn append(&mut self, append: &mut Append) -> Result<Answer, Failure> {
        let event = |event: &crate::append::Event| {
            let stream = append.stream_of(event)?;
            let of_type = DcbEvent::new().event_type("Happened");
            Some(of_type.data(event.payload).tags([stream.name.as_str()]))
        };
        let events = append.events.iter().filter_map(event).collect();
        let items = append.targets.iter();
        let items = items.map(|target| DcbQueryItem::new().tags([target.stream.name.as_str()]));
        let query = DcbQuery::new().items(items);
        let (response_tx, response) = oneshot::channel();
        self.sender.blocking_send(WriterThreadRequest::Append {
            events,
            condition: Some(DcbAppendCondition::new(query).after(self.known)),
            tracking_info: None,
            response_tx,
            cancel: None,
        })?;
        match response.blocking_recv()? {
            Ok(last) => {
                self.known = Some(last);
                Ok(Answer::Committed)
            }
            Err(DcbError::IntegrityError(_)) => self.look_again(append).map(Answer::Conflict),
            Err(error) => Err(error.into()),
        }
    }
}

impl OfCaller {
    fn look_again(&mut self, append: &Append) -> Result<Vec<Conflict>, Failure> {
        // What comes while it reads conflicts once more.
        self.known = self.database.head()?;
        let mut conflicts = Vec::new();
        for (index, target) in append.targets.iter().enumerate() {
            let query = of_stream(&target.stream);
            let newest = self.database.read(Some(query), self.known, true, Some(1))?.next();
            let newest = newest.transpose()?.and_then(|event| stamped(&event.event.data));
            let actual = newest.map_or(0, |(_, version)| version);
            conflicts.push(Conflict { target: index, actual });
        }
        Ok(conflicts)
    }
}
