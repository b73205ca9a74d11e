//! Makes a directory and those above it, so that all their names outlive a power failure.
//!
//! Invariant: a directory is made when the name of the one that it is in is durable. So of what a
//! run that ended early left behind, at most the last name is not.

use std::{
    fs::DirBuilder,
    io::{
        self,
        ErrorKind::{AlreadyExists, NotADirectory, NotFound, PermissionDenied},
    },
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use annals_planted::{Bug, planted};

use crate::names::{open_directory, sync_names};

/// How many of the directories that are there get their names synced: the last, which an earlier
/// run may have made, and the one above it, which somebody may have made for this.
const THERE: usize = 2;

/// What is asked of the system.
trait Tree {
    /// Whether there is something of that name.
    fn is_there(&self, path: &Path) -> bool;

    fn make(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory that was made, unless somebody has put something in there.
    fn remove(&self, path: &Path);

    /// Whether another filesystem begins there. The name that it has in its parent is not part of it.
    fn is_mount_point(&self, path: &Path) -> bool;

    /// Returns when the names in a directory are durable. `PermissionDenied` where it may not be
    /// read.
    fn sync(&self, directory: &Path) -> io::Result<()>;

    /// Whether this process may make names in a directory.
    fn may_write(&self, directory: &Path) -> bool;

    /// Returns when everything on the filesystem of a directory is durable.
    fn sync_filesystem(&self, directory: &Path) -> io::Result<()>;
}

/// Makes a directory, with its parents, where they are missing.
///
/// # Errors
/// As the system says.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    // The empty path is the working directory.
    let path = Path::new(".").join(path);
    let absolute = std::path::absolute(&path)?;
    match resolve(&absolute) {
        Ok(real) if real == absolute => create_in(&System, &real),
        // The names of links that lead there, too.
        Ok(real) => create_in(&System, &real).and_then(|()| create_in(&System, &absolute)),
        // Somewhere above is no way for this process, nor anything that it can sync.
        Err(error) if error.kind() == PermissionDenied => create_in(&System, &path),
        Err(error) => Err(error),
    }
}

/// An absolute path without links: of the directories that have the names which lead there.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let is_missing = |at: &Path| {
        let looked = at.symlink_metadata();
        looked.is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
    };
    let there = path.ancestors().find(|at| !is_missing(at)).unwrap_or(path);
    let below = path.strip_prefix(there).into_iter().flatten();
    // Name by name: to join nothing would put a `/` behind it.
    Ok(below.fold(there.canonicalize()?, |above, name| above.join(name)))
}

fn create_in(tree: &impl Tree, path: &Path) -> io::Result<()> {
    let missing = path.ancestors().take_while(|at| !tree.is_there(at)).count();
    let line: Vec<&Path> = path.ancestors().take(missing + THERE).collect();
    let mut made = Vec::new();
    let created = create_line(tree, &line, missing, &mut made);
    if created.is_err() {
        // What is refused leaves nothing behind.
        made.into_iter().rev().for_each(|directory| tree.remove(directory));
    }
    created
}

/// Makes the directories of a line, of which the first are missing and the last comes first. `made`:
/// those that this made, in order.
fn create_line<'a>(
    tree: &impl Tree,
    line: &[&'a Path],
    missing: usize,
    made: &mut Vec<&'a Path>,
) -> io::Result<()> {
    for (at, directory) in line.iter().enumerate().rev() {
        if at < missing {
            match tree.make(directory) {
                // Somebody else made it meanwhile.
                Err(error) if error.kind() == AlreadyExists && tree.is_there(directory) => {}
                result => {
                    result?;
                    made.push(*directory);
                }
            }
        } else if tree.is_mount_point(directory) {
            // Some filesystems that others are mounted on have no sync of names.
            continue;
        }
        if let Some(parent) = directory.parent().filter(|_| !planted(Bug::NoParentSync)) {
            sync_name(tree, parent, directory)?;
        }
    }
    Ok(())
}

/// Returns when the name of a directory is durable, unless it is for somebody else to see to.
fn sync_name(tree: &impl Tree, parent: &Path, directory: &Path) -> io::Result<()> {
    match tree.sync(parent) {
        // Whoever may write there and not read may have made the name, and cannot sync it alone.
        Err(error) if error.kind() == PermissionDenied && tree.may_write(parent) => {
            tree.sync_filesystem(directory)
        }
        // Who may do neither did not make it.
        Err(error) if error.kind() == PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// The directories of the system.
struct System;

impl Tree for System {
    fn is_there(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }

    fn make(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)
    }

    fn remove(&self, path: &Path) {
        // Somebody else may have begun to use it.
        drop(std::fs::remove_dir(path));
    }

    fn is_mount_point(&self, path: &Path) -> bool {
        let device = |path: &Path| path.metadata().map(|found| found.dev()).ok();
        path.parent().is_some_and(|parent| device(path) != device(parent))
    }

    fn sync(&self, directory: &Path) -> io::Result<()> {
        sync_names(&open_directory(directory)?)
    }

    fn may_write(&self, directory: &Path) -> bool {
        use rustix::fs::{Access, AtFlags, CWD, accessat};
        accessat(CWD, directory, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
    }

    #[cfg(target_os = "linux")]
    fn sync_filesystem(&self, directory: &Path) -> io::Result<()> {
        Ok(rustix::fs::syncfs(open_directory(directory)?)?)
    }

    /// There is no such call that waits.
    #[cfg(not(target_os = "linux"))]
    fn sync_filesystem(&self, _directory: &Path) -> io::Result<()> {
        Err(io::Error::from(PermissionDenied))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{cell::RefCell, collections::BTreeSet, path::PathBuf};

    use super::*;

    /// Directories of which a power cut takes all names that were not synced, and what is below
    /// them. After so many calls the process ends.
    #[derive(Debug, Clone, Default)]
    struct Forgetful {
        there: RefCell<BTreeSet<PathBuf>>,
        durable: RefCell<BTreeSet<PathBuf>>,
        calls: RefCell<Vec<String>>,
        calls_max: usize,
        /// It may not be read.
        hidden: Option<&'static str>,
        /// Nothing may be made in it.
        is_foreign: bool,
        /// Another filesystem begins there.
        mount_point: Option<&'static str>,
        /// Nothing may be made of this name.
        refused: Option<&'static str>,
    }

    impl Forgetful {
        fn new(there: &[&str], calls_max: usize) -> Self {
            let there: BTreeSet<PathBuf> = there.iter().map(PathBuf::from).collect();
            let durable = RefCell::new(there.clone());
            Self { there: RefCell::new(there), durable, calls_max, ..Self::default() }
        }

        fn call(&self, verb: &str, path: &Path) -> io::Result<()> {
            let mut calls = self.calls.borrow_mut();
            if calls.len() == self.calls_max {
                return Err(io::Error::other("the process ended"));
            }
            calls.push(format!("{verb} {}", path.display()).trim_end().to_owned());
            Ok(())
        }

        /// What a power cut leaves of it.
        fn cut(&self) -> BTreeSet<PathBuf> {
            let durable = self.durable.borrow();
            let is_reached = |path: &&PathBuf| {
                let mut line = path.ancestors().filter(|at| !at.as_os_str().is_empty());
                line.all(|at| durable.contains(at))
            };
            durable.iter().filter(is_reached).cloned().collect()
        }
    }

    impl Tree for Forgetful {
        fn is_there(&self, path: &Path) -> bool {
            path.as_os_str().is_empty() || self.there.borrow().contains(path)
        }

        fn make(&self, path: &Path) -> io::Result<()> {
            self.call("make", path)?;
            if self.refused.is_some_and(|refused| path == Path::new(refused)) {
                return Err(io::ErrorKind::InvalidFilename.into());
            }
            assert!(self.is_there(path.parent().unwrap()));
            if !self.there.borrow_mut().insert(path.to_owned()) {
                return Err(AlreadyExists.into());
            }
            Ok(())
        }

        fn remove(&self, path: &Path) {
            if self.call("remove", path).is_ok() {
                self.there.borrow_mut().remove(path);
            }
        }

        fn is_mount_point(&self, path: &Path) -> bool {
            self.mount_point.is_some_and(|point| path == Path::new(point))
        }

        fn sync(&self, directory: &Path) -> io::Result<()> {
            self.call("sync", directory)?;
            if self.hidden.is_some_and(|hidden| directory == Path::new(hidden)) {
                return Err(PermissionDenied.into());
            }
            let there = self.there.borrow();
            let names = there.iter().filter(|path| path.parent() == Some(directory)).cloned();
            self.durable.borrow_mut().extend(names);
            Ok(())
        }

        fn may_write(&self, _directory: &Path) -> bool {
            !self.is_foreign
        }

        fn sync_filesystem(&self, directory: &Path) -> io::Result<()> {
            self.call("sync all around", directory)?;
            *self.durable.borrow_mut() = self.there.borrow().clone();
            Ok(())
        }
    }

    const STORE: &str = "a/b/c/store";

    fn created(tree: &Forgetful) -> Vec<String> {
        create_in(tree, Path::new(STORE)).unwrap();
        tree.calls.take()
    }

    /// A service was to keep its store in `a/b/c/store` and was killed while it made that: `a`
    /// was there, and not durable. Its second run made the rest, and synced the two directories
    /// above the store and no more. A power cut took `a`, and all that had been acknowledged.
    #[test]
    fn every_directory_outlives_a_power_cut_however_often_making_it_was_interrupted() {
        let all = created(&Forgetful::new(&[], usize::MAX)).len();
        assert_eq!(all, 8, "four are made, and four synced");
        for first in 0..=all {
            for second in 0..=all {
                let mut tree = Forgetful::new(&[], 0);
                for calls in [first, second, usize::MAX] {
                    tree.calls_max = calls;
                    tree.calls.take();
                    let ended = create_in(&tree, Path::new(STORE));
                    assert!(ended.is_ok() || calls < all);
                }
                let left = tree.cut();
                assert!(left.contains(Path::new(STORE)), "{first} and {second} calls: {left:?}");
            }
        }
    }

    #[test]
    fn a_directory_is_made_when_the_name_above_it_is_durable() {
        let tree = Forgetful::new(&["a", "a/b"], usize::MAX);
        let calls = ["sync", "sync a", "make a/b/c", "sync a/b", "make a/b/c/store", "sync a/b/c"];
        assert_eq!(created(&tree), calls);
        assert_eq!(created(&tree), ["sync a/b", "sync a/b/c"], "once it is there");
    }

    #[test]
    fn where_names_can_be_made_and_not_read_everything_is_synced() {
        let hidden = Some("a/b");
        let tree = Forgetful { hidden, ..Forgetful::new(&["a", "a/b"], usize::MAX) };
        assert!(created(&tree).contains(&"sync all around a/b/c".to_owned()));
        assert!(tree.cut().contains(Path::new(STORE)));
        let foreign = Forgetful {
            hidden,
            is_foreign: true,
            ..Forgetful::new(&["a", "a/b", "a/b/c"], usize::MAX)
        };
        assert!(!created(&foreign).iter().any(|call| call.contains("all around")));
    }

    /// A store below a mount point could not be made where the filesystem that has the mount point
    /// cannot sync names, as squashfs.
    #[test]
    fn the_name_of_a_mount_point_is_not_synced() {
        for there in [&["a", "a/b"][..], &["a", "a/b", "a/b/c"]] {
            let tree = Forgetful { mount_point: Some("a/b"), ..Forgetful::new(there, usize::MAX) };
            let calls = created(&tree);
            assert!(!calls.contains(&"sync a".to_owned()), "{calls:?}");
            assert!(calls.contains(&"sync a/b".to_owned()), "{calls:?}");
        }
        let here = tempfile::tempdir().unwrap();
        assert!(!System.is_mount_point(here.path()) && !System.is_mount_point(Path::new("/")));
        #[cfg(target_os = "linux")]
        assert!(System.is_mount_point(Path::new("/proc")));
    }

    /// A path with a name that is too long was refused, and left the directories above it.
    #[test]
    fn what_is_refused_leaves_nothing_behind() {
        for refused in ["a/b/c", STORE] {
            let tree = Forgetful { refused: Some(refused), ..Forgetful::new(&["a"], usize::MAX) };
            assert!(create_in(&tree, Path::new(STORE)).is_err());
            assert_eq!(*tree.there.borrow(), BTreeSet::from(["a".into()]));
        }
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("a/b").join("x".repeat(300));
        assert_eq!(create(&path).unwrap_err().kind(), io::ErrorKind::InvalidFilename);
        assert_eq!(here.path().read_dir().unwrap().count(), 0);
        create(&here.path().join("a/b")).unwrap();
        System.remove(&here.path().join("a"));
        assert!(here.path().join("a/b").is_dir(), "somebody uses it");
        System.remove(&here.path().join("a/b"));
        assert!(!here.path().join("a/b").exists());
    }

    /// A store was opened by a link: the directory that had its name was not synced, only that of the
    /// link.
    #[test]
    fn links_are_resolved() {
        let here = tempfile::tempdir().unwrap();
        let here = here.path().canonicalize().unwrap();
        std::fs::create_dir_all(here.join("real/made")).unwrap();
        std::fs::create_dir(here.join("links")).unwrap();
        std::os::unix::fs::symlink(here.join("real/made"), here.join("links/store")).unwrap();
        for (path, real) in [
            ("real/made", "real/made"),
            ("links/store", "real/made"),
            ("links/store/below/it", "real/made/below/it"),
            ("links/../other", "other"),
        ] {
            let resolved = resolve(&here.join(path)).unwrap();
            assert_eq!(resolved, here.join(real), "{path}");
        }
        create(&here.join("links/store/below")).unwrap();
        assert!(here.join("real/made/below").is_dir());
        std::os::unix::fs::symlink("nowhere", here.join("dangling")).unwrap();
        assert!(resolve(&here.join("dangling")).is_err());
    }

    #[test]
    fn a_directory_that_somebody_else_makes_meanwhile_is_taken() {
        struct Raced(Forgetful);
        impl Tree for Raced {
            fn is_there(&self, path: &Path) -> bool {
                self.0.is_there(path)
            }
            fn make(&self, path: &Path) -> io::Result<()> {
                self.0.make(path)?;
                self.0.make(path)
            }
            fn remove(&self, path: &Path) {
                self.0.remove(path);
            }
            fn is_mount_point(&self, path: &Path) -> bool {
                self.0.is_mount_point(path)
            }
            fn sync(&self, directory: &Path) -> io::Result<()> {
                self.0.sync(directory)
            }
            fn may_write(&self, directory: &Path) -> bool {
                self.0.may_write(directory)
            }
            fn sync_filesystem(&self, directory: &Path) -> io::Result<()> {
                self.0.sync_filesystem(directory)
            }
        }
        let tree = Raced(Forgetful::new(&[], usize::MAX));
        create_in(&tree, Path::new(STORE)).unwrap();
        assert!(tree.0.cut().contains(Path::new(STORE)));
    }
}
