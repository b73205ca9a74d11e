//! Looks at a disk that a power cut may have left behind: mounts it, so that the kernel recovers
//! the filesystem, opens the store, so that it recovers itself, and holds it to what it said.

use std::{
    any::Any,
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use annals::{Annals, Options, ReadMode, Threads};
use annals_sim::Random;

use crate::{
    error::PowercutError, filesystem::Filesystem, full, ledger::Ledger, loop_device::Slate,
    mount::Mounted, note::Note, number::to_u64, recording::Recording, request::Request,
    shown::Shown, states::State, violation::Violation,
};

/// Looks at one disk after the other.
#[derive(Debug)]
pub(crate) struct Examiner {
    filesystem: Filesystem,
    slate: Slate,
    at: PathBuf,
}

impl Examiner {
    /// Makes one, in a directory of its own in memory, for disks of this size in bytes.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn new(
        filesystem: Filesystem,
        scratch: &Path,
        number: usize,
        bytes: u64,
    ) -> Result<Self, PowercutError> {
        let at = scratch.join(format!("{}-{number}", filesystem.name()));
        fs::create_dir_all(&at).map_err(PowercutError::io("make a mount point"))?;
        let slate = Slate::new(&at.with_extension("disk"), bytes)?;
        Ok(Self { filesystem, slate, at })
    }

    /// Looks at a state of a recording.
    ///
    /// # Errors
    /// How the store, or the filesystem, breaks its word.
    pub(crate) fn examine(&self, recording: &Recording, state: &State) -> Result<(), Violation> {
        self.slate.become_disk(&state.image).map_err(Violation::NotMounted)?;
        let mounted = Mounted::new(self.filesystem, self.slate.device(), &self.at, false);
        let mounted = mounted.map_err(Violation::NotMounted)?;
        let look = || look(&mounted.store(), recording, state);
        let outcome = catch_unwind(AssertUnwindSafe(look))
            .unwrap_or_else(|panic| Err(Violation::Panicked(what_it_said(&*panic))));
        let unmounted = mounted.unmount().map_err(Violation::NotUnmounted);
        outcome.and(unmounted)?;
        self.is_own(state).map_err(Violation::NotMounted)
    }

    /// What was mounted must have been this disk, and not a copy that somebody else looks at.
    fn is_own(&self, state: &State) -> io::Result<()> {
        if self.slate.differs_from(&state.image)? {
            return Ok(());
        }
        Err(io::Error::other("another copy of the disk was mounted in its place"))
    }
}

fn what_it_said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Opens the store in each reading mode, one after the other, and goes on with it in between.
fn look(place: &Path, recording: &Recording, state: &State) -> Result<(), Violation> {
    let make_room = || full::remove_ballast(place).map_err(Violation::NoRoomMade);
    if recording.filesystem == Filesystem::Btrfs {
        // Where overwriting needs room, so does opening.
        make_room()?;
    }
    let mut ledger = recording.ledger(state.cut, state.end);
    let mut random = Random::new(recording.seed ^ state.number);
    let mut modes = [ReadMode::Map, ReadMode::Pread];
    if random.below(2) == 0 {
        modes.reverse();
    }
    for mode in modes {
        let has_helpers = random.below(8) == 0;
        let threads = if has_helpers { Threads::Background } else { Threads::Inline };
        let store = open(place, recording.segment_bytes, mode, threads)?;
        let found = ledger.compare(&Shown::by(&store)?)?;
        ledger.apply(&Note::Found(found));
        make_room()?;
        go_on(&store, &mut ledger, recording.segment_bytes, &mut random)?;
        if random.below(2) == 0 {
            store.close()?;
        }
    }
    Ok(())
}

fn open(
    place: &Path,
    segment_bytes: u64,
    mode: ReadMode,
    threads: Threads,
) -> Result<Annals, Violation> {
    let options = Options::new().segment_bytes(segment_bytes).read_mode(mode);
    Ok(options.threads(threads).open(place)?)
}

/// Appends; now and then so much that a new segment begins.
fn go_on(
    store: &Annals,
    ledger: &mut Ledger,
    segment_bytes: u64,
    random: &mut Random,
) -> Result<(), Violation> {
    let large = if random.below(4) == 0 { segment_bytes } else { 200 };
    for events in [vec![(0, 40), (1, 20)], vec![(0, large)]] {
        let number = ledger.next_number();
        let request = Request { number, events };
        ledger.apply(&Note::Tried(request.clone()));
        let committed = store.append(&request.append()?).wait()?;
        let (first, last) = (committed.first.get(), committed.last.get());
        if last + 1 - first != to_u64(request.events.len()) {
            return Err(Violation::Moved(number));
        }
        ledger.apply(&Note::Acknowledged { number, first });
    }
    Ok(())
}
