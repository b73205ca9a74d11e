//! Programs of the system.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use crate::error::PowercutError;

/// Where a program is. Those that make and mount filesystems are often not in the path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut places = env::split_paths(&path).chain(system).map(|place| place.join(program));
    places.find(|place| place.is_file())
}

/// Runs a program to its end; returns what it wrote.
///
/// # Errors
/// It cannot be run, or fails.
pub(crate) fn run<S: AsRef<OsStr>>(
    program: &str,
    arguments: &[S],
) -> Result<String, PowercutError> {
    let place = find(program).ok_or_else(|| PowercutError::Program {
        program: program.to_owned(),
        said: "it is not installed".to_owned(),
    })?;
    let output = Command::new(place).args(arguments).output();
    let output = output.map_err(PowercutError::io(&format!("run {program}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(PowercutError::Program { program: program.to_owned(), said })
}

/// This program.
///
/// # Errors
/// As the system says.
pub(crate) fn this() -> Result<PathBuf, PowercutError> {
    env::current_exe().map_err(PowercutError::io("find this program"))
}

/// Unmounts in a process of its own: this one may be serving the disk that is written to.
///
/// # Errors
/// As `umount` says.
pub(crate) fn unmount(at: &Path) -> Result<(), PowercutError> {
    run("umount", &[at.as_os_str()]).map(drop)
}
