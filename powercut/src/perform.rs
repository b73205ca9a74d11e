//! Does what a workload says, on a mounted disk that is recorded: in a process of its own, since
//! whoever serves a disk must not wait for it.

use std::path::PathBuf;

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::{
    caller::Desk,
    error::PowercutError,
    failing,
    filesystem::Filesystem,
    full,
    mount::Mounted,
    notes::Notes,
    plant::Plant,
    script::Script,
    stage::Stage,
    unreadable,
    workload::{self, Workload},
};

/// What is to be performed, and where.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Performance {
    /// The name of the workload.
    #[arg(long)]
    pub(crate) workload: String,
    /// How it is gone through.
    #[arg(long)]
    pub(crate) script: Script,
    /// What its random choices follow from.
    #[arg(long)]
    pub(crate) seed: u64,
    /// The number of its first append.
    #[arg(long)]
    pub(crate) first_number: u64,
    /// The size of a segment in bytes.
    #[arg(long)]
    pub(crate) segment_bytes: u64,
    /// What is on the device.
    #[arg(long)]
    pub(crate) filesystem: Filesystem,
    /// The device.
    #[arg(long)]
    pub(crate) device: PathBuf,
    /// Where to mount it.
    #[arg(long)]
    pub(crate) at: PathBuf,
    /// The file that takes notes.
    #[arg(long)]
    pub(crate) notes: PathBuf,
    /// A planted defect.
    #[arg(long)]
    pub(crate) plant: Option<Plant>,
}

/// Performs a workload.
///
/// # Errors
/// The store breaks its word, or the system refuses.
pub(crate) fn perform(performance: &Performance) -> Result<(), PowercutError> {
    // Without the process that serves the disk there is nothing to perform on.
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| PowercutError::io("ask to end with the recorder")(error.into()))?;
    let name = &performance.workload;
    let workload = workload::by_name(name);
    let workload = workload.ok_or_else(|| PowercutError::NoSuchWorkload(name.clone()))?;
    let workload = Workload { segment_bytes: performance.segment_bytes, ..workload };
    let notes = Notes::open(&performance.notes).map_err(PowercutError::io("open the notes"))?;
    let Performance { filesystem, device, at, .. } = performance;
    let mounted = Mounted::new(*filesystem, device, at, workload.has_neighbours);
    let is_failing = performance.script != Script::Plain;
    let mounted = match mounted {
        // The disk failed already while it was mounted: there is nothing to perform on.
        Err(_) if matches!(performance.script, Script::Failing | Script::Sick) => return Ok(()),
        other => other.map_err(PowercutError::io("mount the recorded disk"))?,
    };
    let stage = Stage {
        desk: Desk::new(workload, notes, performance.first_number, is_failing),
        filesystem: *filesystem,
        seed: performance.seed,
        plant: performance.plant,
        place: mounted.store(),
        may_misread: performance.script == Script::Sick,
    };
    match performance.script {
        Script::Plain => stage.run()?,
        Script::Failing => failing::run(&stage)?,
        Script::Sick => {
            failing::be_sick(&stage)?;
            // Another process goes on in the same boot; the recorder unmounts it.
            mounted.leave();
            return Ok(());
        }
        Script::Unreadable => unreadable::run(&stage)?,
        Script::Full => full::run(&stage)?,
    }
    drop(stage);
    let unmounted = mounted.unmount();
    if performance.script == Script::Failing {
        // A filesystem whose disk failed may refuse that too; it is abandoned with the disk.
        return Ok(());
    }
    unmounted.map_err(PowercutError::io("unmount the recorded disk"))
}
