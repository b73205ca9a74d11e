//! A commit as events: what is on the streams, and how to read it back.

use std::collections::HashSet;

use annals::{Annals, CodecId, Filter, LogQuery, NewEvent, RecordedEvent, SchemaVersion, StreamId};
use serde::{Deserialize, Serialize};

use crate::{
    history::Commit,
    names::{self, AUTHORS, FILES},
    raw::{Change, What},
    stop::Stop,
};

/// The payload of a file's event; paths are escaped as in the streams' names.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Touched {
    pub(crate) commit: String,
    /// The whole path, if the stream's name does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// How alike the two files are, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    similarity: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    submodule: Option<String>,
}

/// The payload of an author's event, the last one of its commit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Committed {
    pub(crate) commit: String,
    /// Seconds since 1970-01-01T00:00:00Z.
    time: i64,
    parents: usize,
    /// How many files it touched.
    pub(crate) files: usize,
    subject: String,
}

/// The events of a commit: one for each file, by path, then its author's.
pub(crate) fn of(commit: &Commit) -> Result<Vec<NewEvent>, Stop> {
    let mut events = Vec::with_capacity(commit.changes.len() + 1);
    for change in &commit.changes {
        events.push(touched(&commit.hash, change)?);
    }
    let committed = Committed {
        commit: commit.hash.clone(),
        time: commit.time,
        parents: commit.parents,
        files: commit.changes.len(),
        // Some subjects are whole messages.
        subject: commit.subject.chars().take(100).collect(),
    };
    let author = names::stream(AUTHORS, &commit.author)?;
    events.push(event(author, "Committed", &committed)?);
    Ok(events)
}

fn touched(commit: &str, change: &Change) -> Result<NewEvent, Stop> {
    let path = names::escaped(&change.path);
    let mut touched = Touched {
        commit: commit.to_owned(),
        path: (!names::is_short(FILES, &path)).then_some(path),
        mode: change.mode.clone(),
        submodule: change.submodule.clone(),
        ..Touched::default()
    };
    if let What::Renamed { from, similarity } = &change.what {
        touched.from = Some(names::escaped(from));
        touched.similarity = Some(*similarity);
    }
    if let What::RenamedAway { to } = &change.what {
        touched.to = Some(names::escaped(to));
    }
    event(names::stream(FILES, &change.path)?, type_of(&change.what), &touched)
}

fn type_of(what: &What) -> &'static str {
    match what {
        What::Added => "FileAdded",
        What::Modified => "FileModified",
        What::ModeChanged => "FileModeChanged",
        What::TypeChanged => "FileTypeChanged",
        What::Deleted => "FileDeleted",
        What::Renamed { .. } => "FileRenamed",
        What::RenamedAway { .. } => "FileRenamedAway",
    }
}

fn event<T: Serialize>(
    stream: StreamId,
    event_type: &'static str,
    payload: &T,
) -> Result<NewEvent, Stop> {
    let event = NewEvent::new(stream, event_type, serde_json::to_vec(payload)?)?;
    Ok(event.with_codec(CodecId::JSON, SchemaVersion::FIRST))
}

/// What a file's event says.
pub(crate) fn read_touched(event: &RecordedEvent) -> Result<Touched, Stop> {
    Ok(serde_json::from_slice(&event.payload)?)
}

/// What an author's event says.
pub(crate) fn read_committed(event: &RecordedEvent) -> Result<Committed, Stop> {
    let committed = serde_json::from_slice(&event.payload);
    committed.map_err(|_| {
        let position = event.position;
        Stop::failure(format!(
            "the event at position {position} is not one that this program wrote; \
             choose another directory with --dir"
        ))
    })
}

/// The commits that are in the log as a whole.
pub(crate) fn commits(annals: &Annals) -> Result<HashSet<String>, Stop> {
    let of_authors = LogQuery::forward().filter(Filter::all().stream_prefix(AUTHORS));
    annals.read_all(of_authors).map(|event| Ok(read_committed(&event?)?.commit)).collect()
}
