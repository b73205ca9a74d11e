//! What this needs of a machine.

use std::{fs, path::Path, process::Command};

use crate::{error::PowercutError, filesystem::Filesystem, programs};

/// Makes sure that this machine can do it.
///
/// # Errors
/// [`PowercutError::NotMeasured`], which says what is missing.
pub(crate) fn check(filesystems: &[Filesystem]) -> Result<(), PowercutError> {
    let missing = |what: String, remedy: &str| {
        Err(PowercutError::NotMeasured { what, remedy: remedy.to_owned() })
    };
    if !rustix::process::geteuid().is_root() {
        return missing("this user may not mount".to_owned(), "run it as root");
    }
    for device in ["/dev/fuse", "/dev/loop-control"] {
        if !Path::new(device).exists() {
            return missing(format!("there is no {device}"), "run it where the kernel has it");
        }
    }
    let tools = [
        ("unshare", "util-linux"),
        ("losetup", "mount"),
        ("umount", "mount"),
        ("strace", "strace"),
        ("xfs_io", "xfsprogs"),
    ];
    let makers = filesystems.iter().map(|filesystem| filesystem.maker());
    for (program, package) in tools.into_iter().chain(makers) {
        if programs::find(program).is_none() {
            return missing(format!("there is no {program}"), &format!("install {package}"));
        }
    }
    // Root of a container may not even look away from the others' mounts.
    if let Err(error) = programs::run("unshare", &["--mount", "--", "true"]) {
        return missing(error.to_string(), "run it where root may mount");
    }
    for filesystem in filesystems {
        let name = filesystem.name();
        if !is_known(name) {
            return missing(format!("this kernel has no {name}"), "run it where it has");
        }
    }
    Ok(())
}

/// Whether the kernel has a filesystem, or gets it from a module.
fn is_known(name: &str) -> bool {
    let is_listed = || {
        let list = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        list.split_whitespace().any(|known| known == name)
    };
    // Where there is no such module, the list says so.
    is_listed() || (Command::new("modprobe").arg(name).output().is_ok() && is_listed())
}
