//! Whether the versions of the streams go on from commit to commit, as opening checks it.

use std::collections::{BTreeMap, HashMap, HashSet};

use annals_event::EventId;

use crate::commit::Commit;

/// Where the streams stand.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    heads: HashMap<String, Head>,
    /// How many times commits were passed over that nobody can read.
    gaps: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Head {
    version: u64,
    last_segment: u64,
    /// The gaps before its last commit.
    gaps: u64,
}

/// The events of one segment, as its index image should have them.
#[derive(Debug, Default)]
pub(crate) struct SegmentEvents {
    pub(crate) streams: BTreeMap<String, StreamEvents>,
    /// Ids that were given, with their positions.
    pub(crate) ids: BTreeMap<EventId, u64>,
}

/// The events of one stream in one segment.
#[derive(Debug)]
pub(crate) struct StreamEvents {
    /// Its version before them.
    pub(crate) base: u64,
    /// The segment before this one that has events of it, 0 if none has; `None` if that cannot be
    /// known.
    pub(crate) previous_segment: Option<u64>,
    /// The position of each event, and the offset of its frame.
    pub(crate) places: Vec<(u64, u64)>,
}

impl Versions {
    /// How many streams there are.
    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.heads.len()).unwrap_or(u64::MAX)
    }

    /// Commits follow that nobody can read: any stream may have had events in them.
    pub(crate) fn pass_gap(&mut self) {
        self.gaps += 1;
    }

    /// Goes over a commit; its events go into `found`, if that is wanted.
    ///
    /// # Errors
    /// A version that does not go on. What the commit says is taken as true from then on.
    pub(crate) fn add(
        &mut self,
        commit: &Commit<'_>,
        found: Option<&mut SegmentEvents>,
    ) -> Result<(), String> {
        let wrong = self.wrong_version(commit);
        if let Some(found) = found {
            self.keep(commit, found);
        }
        let (last_segment, gaps) = (commit.address.segment, self.gaps);
        let before = commit.streams.iter();
        let mut heads: Vec<Head> =
            before.map(|(_, before)| Head { version: before.get(), last_segment, gaps }).collect();
        for event in &commit.events {
            if let Some(head) = heads.get_mut(event.stream_number) {
                head.version = event.version.get();
            }
        }
        for ((name, _), head) in commit.streams.iter().zip(heads) {
            match self.heads.get_mut(*name) {
                Some(known) => *known = head,
                None => drop(self.heads.insert((*name).to_owned(), head)),
            }
        }
        wrong.map_or(Ok(()), Err)
    }

    /// The first stream of a commit that does not go on where it stands.
    fn wrong_version(&self, commit: &Commit<'_>) -> Option<String> {
        let mut seen = HashSet::new();
        commit.streams.iter().find_map(|(name, before)| {
            if !seen.insert(*name) {
                return Some(format!("a stream is named twice: \"{name}\""));
            }
            let known = self.heads.get(*name).copied().unwrap_or_default();
            let goes_on = if known.gaps == self.gaps {
                before.get() == known.version
            } else {
                before.get() >= known.version
            };
            let version = known.version;
            (!goes_on).then(|| format!("stream \"{name}\" is at version {version}, not {before}"))
        })
    }

    /// Keeps the events of a commit, before the commit is gone over.
    fn keep(&self, commit: &Commit<'_>, found: &mut SegmentEvents) {
        for (name, before) in &commit.streams {
            if !found.streams.contains_key(*name) {
                let known = self.heads.get(*name).copied().unwrap_or_default();
                let stream = StreamEvents {
                    base: before.get(),
                    previous_segment: (known.gaps == self.gaps).then_some(known.last_segment),
                    places: Vec::new(),
                };
                found.streams.insert((*name).to_owned(), stream);
            }
        }
        for event in &commit.events {
            let position = event.position.get();
            if let Some(stream) = found.streams.get_mut(event.stream) {
                stream.places.push((position, commit.address.offset));
            }
            if event.id_given {
                found.ids.insert(event.id, position);
            }
        }
    }
}
