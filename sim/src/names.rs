//! The names of a directory: those that are durable, and the changes since.
//!
//! Invariant: `current` is `durable` with all of `changes` applied, in order.
//!
//! A change is atomic, and may reach the medium before an older one; but not before an older one
//! of the same name, or a file would have two names or lose its only one.

use std::{
    collections::{BTreeMap, BTreeSet},
    io, mem,
    sync::Arc,
};

use parking_lot::Mutex;

use crate::inode::{Choose, Inode};

/// A file, which lives as long as a name or a handle refers to it. The disk is locked before it.
pub(crate) type Node = Arc<Mutex<Inode>>;

/// The names of a directory.
#[derive(Default)]
pub(crate) struct Names {
    current: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    changes: Vec<Change>,
}

/// What one call does to the names: each of them gets a file or none, all at once.
struct Change {
    entries: Vec<(String, Option<Node>)>,
    /// A sync failed after it: later ones do not make it durable.
    abandoned: bool,
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        for (name, node) in &self.entries {
            match node {
                Some(node) => names.insert(name.clone(), node.clone()),
                None => names.remove(name),
            };
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }
}

impl FromIterator<(String, Inode)> for Names {
    /// Names that are all durable.
    fn from_iter<I: IntoIterator<Item = (String, Inode)>>(files: I) -> Self {
        let node = |(name, inode)| (name, Arc::new(Mutex::new(inode)));
        let durable: BTreeMap<_, _> = files.into_iter().map(node).collect();
        Self { current: durable.clone(), durable, changes: Vec::new() }
    }
}

impl Names {
    pub(crate) fn list(&self) -> Vec<String> {
        self.current.keys().cloned().collect()
    }

    pub(crate) fn get(&self, name: &str) -> io::Result<Node> {
        self.current.get(name).cloned().ok_or(io::ErrorKind::NotFound.into())
    }

    /// The sizes of all files together, in bytes.
    pub(crate) fn total_size(&self) -> u64 {
        let sizes = self.current.values().map(|node| node.lock().content().size());
        sizes.fold(0, u64::saturating_add)
    }

    pub(crate) fn create(&mut self, name: &str) -> io::Result<Node> {
        if self.current.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = Node::default();
        self.change(vec![(name.to_owned(), Some(node.clone()))]);
        Ok(node)
    }

    pub(crate) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let node = self.get(from)?;
        self.change(vec![(from.to_owned(), None), (to.to_owned(), Some(node))]);
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.get(name)?;
        self.change(vec![(name.to_owned(), None)]);
        Ok(())
    }

    /// Creates a file whose name is durable, like all others from now on.
    pub(crate) fn create_durable(&mut self, name: &str) -> Node {
        let node = Node::default();
        self.current.insert(name.to_owned(), node.clone());
        self.durable = self.current.clone();
        self.changes.clear();
        node
    }

    fn change(&mut self, entries: Vec<(String, Option<Node>)>) {
        let change = Change { entries, abandoned: false };
        change.apply(&mut self.current);
        self.changes.push(change);
    }

    /// Makes the changes durable, except for those that a failed sync abandoned.
    pub(crate) fn sync(&mut self) {
        let changes = mem::take(&mut self.changes);
        let reached = reached(&changes, |change| !change.abandoned);
        for (change, reached) in changes.into_iter().zip(reached) {
            if reached {
                change.apply(&mut self.durable);
            } else {
                self.changes.push(change);
            }
        }
    }

    /// After a failed sync, later ones know nothing of the changes so far.
    pub(crate) fn abandon(&mut self) {
        for change in &mut self.changes {
            change.abandoned = true;
        }
    }

    /// The names after a crash: `choose` says for each change whether it is lost.
    pub(crate) fn crashed(&self, choose: Choose<'_>) -> BTreeMap<String, Node> {
        let mut names = self.durable.clone();
        let reached = reached(&self.changes, |_| choose(2) != 0);
        for (change, _) in self.changes.iter().zip(reached).filter(|(_, reached)| *reached) {
            change.apply(&mut names);
        }
        names
    }
}

/// Which changes reach the medium: the wanted ones, and the older ones that they build on.
fn reached(changes: &[Change], mut wanted: impl FnMut(&Change) -> bool) -> Vec<bool> {
    let mut needed = BTreeSet::new();
    let mut reached = Vec::with_capacity(changes.len());
    for change in changes.iter().rev() {
        // Whether a needed change is wanted makes no difference, and is not asked.
        let reaches_medium = change.names().any(|name| needed.contains(name)) || wanted(change);
        if reaches_medium {
            needed.extend(change.names());
        }
        reached.push(reaches_medium);
    }
    reached.reverse();
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every set of names that a crash can leave.
    fn outcomes(names: &Names) -> BTreeSet<Vec<String>> {
        let crashed = |picks: u32| {
            let mut picks = picks;
            let mut choose = |_| {
                let pick = usize::from(picks % 2 == 1);
                picks /= 2;
                pick
            };
            names.crashed(&mut choose).into_keys().collect()
        };
        (0..1 << names.changes.len()).map(crashed).collect()
    }

    fn sets<const N: usize>(sets: [&[&str]; N]) -> BTreeSet<Vec<String>> {
        sets.iter().map(|set| set.iter().map(|name| (*name).to_owned()).collect()).collect()
    }

    fn durable(files: &[&str]) -> Names {
        files.iter().map(|name| ((*name).to_owned(), Inode::default())).collect()
    }

    #[test]
    fn changes_of_different_names_survive_in_any_subset() {
        let mut names = durable(&["a"]);
        names.rename("a", "b").unwrap();
        names.create("c").unwrap();
        assert_eq!(outcomes(&names), sets([&["a"], &["b"], &["a", "c"], &["b", "c"]]));
        names.sync();
        assert_eq!(outcomes(&names), sets([&["b", "c"]]));
    }

    #[test]
    fn a_file_never_has_two_names_and_keeps_one() {
        let mut names = durable(&["a"]);
        names.rename("a", "b").unwrap();
        names.rename("b", "c").unwrap();
        assert_eq!(outcomes(&names), sets([&["a"], &["b"], &["c"]]));
        names.create("a").unwrap();
        assert!(outcomes(&names).iter().all(|set| !set.is_empty()));
    }

    #[test]
    fn a_rename_replaces_or_does_not() {
        let mut names = durable(&["new", "old"]);
        let new = names.get("new").unwrap();
        names.rename("new", "old").unwrap();
        assert_eq!(outcomes(&names), sets([&["new", "old"], &["old"]]));
        assert!(Arc::ptr_eq(&names.crashed(&mut |_| 1)["old"], &new));
        assert!(Arc::ptr_eq(&names.crashed(&mut |_| 0)["new"], &new));
    }

    #[test]
    fn a_failed_sync_abandons_changes_until_they_are_made_again() {
        let mut names = Names::default();
        names.create("a").unwrap();
        names.create("b").unwrap();
        names.abandon();
        names.create("c").unwrap();
        names.rename("b", "d").unwrap();
        names.sync();
        assert_eq!(outcomes(&names), sets([&["c", "d"], &["a", "c", "d"]]));
    }

    #[test]
    fn a_name_is_created_once_and_missing_ones_are_not_found() {
        let mut names = durable(&["a"]);
        assert_eq!(names.create("a").map(drop).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(names.remove("b").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(names.rename("b", "a").unwrap_err().kind(), io::ErrorKind::NotFound);
        names.rename("a", "a").unwrap();
        assert_eq!(names.list(), ["a"]);
    }
}
