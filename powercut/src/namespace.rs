//! A mount namespace of its own: what this program mounts, nobody else sees, and when its processes
//! end, however they do, the kernel takes it all away. The loop devices go with the mounts.

use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::mount::{MountFlags, mount};

use crate::{error::PowercutError, programs};

/// Says to this program that it is in the namespace, and which one it came from.
const OUTSIDE: &str = "ANNALS_POWERCUT_OUTSIDE";
const OWN: &str = "/proc/self/ns/mnt";
/// A directory in memory that nearly every Linux has; in the namespace it is a new one.
const MEMORY: &str = "/dev/shm";

/// Goes on in a mount namespace of its own, as a new program of the same process. Returns a
/// directory in memory that is gone when the process ends.
///
/// # Errors
/// As the system says.
pub(crate) fn enter() -> Result<PathBuf, PowercutError> {
    let io = PowercutError::io("enter a mount namespace");
    let current = fs::read_link(OWN).map_err(&io)?.into_os_string();
    match env::var_os(OUTSIDE) {
        Some(outside) if outside != current => {
            mount("tmpfs", MEMORY, "tmpfs", MountFlags::empty(), None)
                .map_err(|error| io(error.into()))?;
            Ok(Path::new(MEMORY).to_owned())
        }
        _ => {
            let mut command = Command::new("unshare");
            command.args(["--mount", "--propagation", "private", "--"]);
            command.arg(programs::this()?).args(env::args_os().skip(1));
            Err(io(command.env(OUTSIDE, current).exec()))
        }
    }
}
