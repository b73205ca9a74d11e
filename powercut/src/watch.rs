//! Sees when what was only told becomes durable: when a sync of the log's last segment that began
//! after it has ended well.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use annals::File;
use parking_lot::{Condvar, Mutex};

use crate::{
    meddled::{Meddler, is_segment},
    note::Note,
    notes::Notes,
};

/// How long somebody may take to sync what was told, before that counts as never. It is counted
/// in glances, so that a machine that stood still meanwhile is not taken for one that had time.
const PATIENCE: Duration = Duration::from_mins(2);
const GLANCE: Duration = Duration::from_millis(10);

/// Sees when what was only told becomes durable.
#[derive(Debug)]
pub(crate) struct Watch {
    notes: Arc<Notes>,
    told: Mutex<VecDeque<(u64, u64)>>,
    settled: Condvar,
}

impl Watch {
    pub(crate) fn new(notes: Arc<Notes>) -> Self {
        Self { notes, told: Mutex::default(), settled: Condvar::new() }
    }

    /// An append was acknowledged, at this position, before it is durable.
    pub(crate) fn tell(&self, number: u64, first: u64) -> io::Result<()> {
        // In this order: what is durable is told before.
        self.notes.put(&Note::Told { number, first })?;
        self.told.lock().push_back((number, first));
        Ok(())
    }

    /// Nobody knows what became of what was told: something may have failed, and a later sync says
    /// nothing of it.
    pub(crate) fn forget(&self) {
        self.told.lock().clear();
    }

    /// Returns when everything that was told is durable; says whether it is within a time that
    /// is long for any machine.
    pub(crate) fn wait(&self) -> bool {
        let mut told = self.told.lock();
        for _ in 0..PATIENCE.as_millis() / GLANCE.as_millis() {
            if told.is_empty() {
                break;
            }
            self.settled.wait_for(&mut told, GLANCE);
        }
        told.is_empty()
    }
}

impl Meddler for Watch {
    fn sync_data(&self, name: &str, file: &dyn File) -> io::Result<()> {
        let covered = self.told.lock().len();
        file.sync_data()?;
        if is_segment(name) {
            let durable: Vec<_> = self.told.lock().drain(..covered).collect();
            for (number, first) in durable {
                self.notes.put(&Note::Acknowledged { number, first })?;
            }
            self.settled.notify_all();
        }
        Ok(())
    }
}
