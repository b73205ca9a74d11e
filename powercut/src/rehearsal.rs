//! Does once what everything rests on. Root of a container may not mount, and a kernel may know a
//! filesystem and yet refuse it: then nothing can be measured, and nothing is wrong with a store.

use std::{fs, path::Path};

use crate::{
    error::PowercutError, filesystem::Filesystem, loop_device::Slate, mount::Mounted,
    recorder::Recorder,
};

/// Makes and mounts one of each filesystem, and the disk in user space.
///
/// # Errors
/// [`PowercutError::NotMeasured`], with what the system said.
pub(crate) fn rehearse(filesystems: &[Filesystem], scratch: &Path) -> Result<(), PowercutError> {
    let try_all = || {
        drop(Recorder::new(scratch)?);
        filesystems.iter().try_for_each(|filesystem| {
            on_an_empty_one(*filesystem, scratch, "rehearsal", |_| Ok(()))
        })
    };
    try_all().map_err(|error| PowercutError::NotMeasured {
        what: error.to_string(),
        remedy: "run it where root may mount filesystems and attach loop devices".to_owned(),
    })
}

/// Mounts an empty filesystem at a directory of this name, does something with it, and takes it
/// away again.
///
/// # Errors
/// As `work` or the system says.
pub(crate) fn on_an_empty_one<T>(
    filesystem: Filesystem,
    scratch: &Path,
    name: &str,
    work: impl FnOnce(&Mounted) -> Result<T, PowercutError>,
) -> Result<T, PowercutError> {
    let io = PowercutError::io(&format!("mount {}", filesystem.name()));
    let at = scratch.join(format!("{name}-{}", filesystem.name()));
    fs::create_dir_all(&at).map_err(&io)?;
    let image = filesystem.make(scratch)?;
    let slate = Slate::new(&at.with_extension("disk"), image.size())?;
    slate.become_disk(&image).map_err(&io)?;
    let mounted = Mounted::new(filesystem, slate.device(), &at, false).map_err(&io)?;
    let done = work(&mounted)?;
    mounted.unmount().map_err(&io)?;
    drop(slate);
    fs::remove_file(at.with_extension("disk")).map_err(&io)?;
    Ok(done)
}
