//! What the log says of the repository, and what it takes.

use std::{cmp::Reverse, path::Path};

use annals::{Annals, StreamId, StreamQuery, StreamVersion};

use crate::{
    events,
    import::Imported,
    names::{AUTHORS, FILES},
    stop::Stop,
    words::{counted, grouped},
};

/// How many rows a table has.
const ROWS: usize = 10;

/// Everything that is told of a log, read from it.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) annals: &'a Annals,
    pub(crate) imported: &'a Imported,
    pub(crate) dir: &'a Path,
}

impl Report<'_> {
    /// The files with most events, and the newest event of each.
    pub(crate) fn files(&self) -> Result<String, Stop> {
        let mut table = vec!["The most changed files".to_owned()];
        table.push("   events  last event       commit      file".to_owned());
        for (stream, version) in self.longest(FILES) {
            let newest = self.annals.read_stream(&stream, StreamQuery::backward().limit(1));
            for event in newest {
                let event = event?;
                let touched = events::read_touched(&event)?;
                let name = stream.as_str().strip_prefix(FILES).unwrap_or_default();
                let path = touched.path.as_deref().unwrap_or(name);
                let (count, kind) = (grouped(version.get()), event.event_type.as_str());
                table.push(format!("{count:>9}  {kind:<15}  {:.10}  {path}", touched.commit));
            }
        }
        Ok(table.join("\n") + "\n")
    }

    /// The authors with most commits, and how many files these touched.
    pub(crate) fn authors(&self) -> Result<String, Stop> {
        let mut table = vec!["The busiest authors".to_owned()];
        table.push("  commits      files  author".to_owned());
        for (stream, version) in self.longest(AUTHORS) {
            let mut files = 0;
            for event in self.annals.read_stream(&stream, StreamQuery::forward()) {
                files += u64::try_from(events::read_committed(&event?)?.files)?;
            }
            let author = stream.as_str().strip_prefix(AUTHORS).unwrap_or_default();
            let (commits, files) = (grouped(version.get()), grouped(files));
            table.push(format!("{commits:>9}  {files:>9}  {author}"));
        }
        Ok(table.join("\n") + "\n")
    }

    /// The longest streams; of those equally long, the first by name.
    fn longest(&self, prefix: &str) -> Vec<(StreamId, StreamVersion)> {
        let mut streams = self.annals.streams(prefix);
        streams.sort_by_key(|(_, version)| Reverse(*version));
        streams.truncate(ROWS);
        streams
    }

    /// What the log takes, how fast it was written, and how to look into it.
    pub(crate) fn figures(&self) -> String {
        let stats = self.annals.stats();
        let (events, bytes) = (stats.position.get(), stats.log.bytes_used);
        let mut lines = vec![format!(
            "{} in {}; {} bytes of log on disk, {} for each event",
            counted(events, "event"),
            counted(stats.streams, "stream"),
            grouped(bytes),
            bytes.checked_div(events).unwrap_or(0),
        )];
        let Imported { new, took, .. } = self.imported;
        if *new > 0 {
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
            let rate = grouped(new.saturating_mul(1000) / millis);
            let (new, syncs) = (counted(*new, "commit"), counted(stats.log.syncs, "sync"));
            let seconds = took.as_secs_f64();
            lines.push(format!("{new} durable in {seconds:.2} s with {syncs}: {rate} a second"));
        }
        lines.push(format!("\nLook into the log:\n  {}", dump(self.dir)));
        lines.join("\n")
    }
}

/// The command that lists the events.
fn dump(dir: &Path) -> String {
    let dir = dir.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/\\:._-+".contains(c);
    let dir = if dir.chars().all(is_plain) { dir } else { format!("'{dir}'") };
    format!("cargo run --release -p annals-tools --bin log-dump -- events {dir}")
}
