//! git's raw diff format: `:100644 100755 <blob before> <blob after> M`, then one path, or two.

use crate::stop::Stop;

/// How a commit touched a file. There is one for each path, old and new.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) path: Vec<u8>,
    pub(crate) what: What,
    /// The file's mode, where it was changed.
    pub(crate) mode: Option<String>,
    /// The commit that a submodule is at, or was at when it was deleted.
    pub(crate) submodule: Option<String>,
}

/// What happened to a file.
#[derive(Debug)]
pub(crate) enum What {
    Added,
    Modified,
    /// Its contents are the same.
    ModeChanged,
    /// From a file to a symbolic link or a submodule, say.
    TypeChanged,
    Deleted,
    Renamed {
        from: Vec<u8>,
        similarity: u8,
    },
    /// The other end of a rename.
    RenamedAway {
        to: Vec<u8>,
    },
}

/// One line of the format.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    mode_before: &'a str,
    mode: &'a str,
    blob_before: &'a str,
    blob: &'a str,
    status: char,
    similarity: u8,
}

impl<'a> Line<'a> {
    /// `None`: it is no such line. git puts a line end before a commit's first one.
    pub(crate) fn parse(token: &'a [u8]) -> Option<Result<Self, Stop>> {
        let token = token.strip_prefix(b"\n").unwrap_or(token);
        let line = str::from_utf8(token.strip_prefix(b":")?).unwrap_or_default();
        let mut fields = line.split(' ');
        let mut field = || fields.next().unwrap_or_default();
        let [mode_before, mode, blob_before, blob, status] = [(); 5].map(|()| field());
        let mut letters = status.chars();
        let Some(status) = letters.next() else {
            return Some(Err(Stop::failure(format!("git's raw format has changed: `{line}`"))));
        };
        let similarity = letters.as_str().parse().unwrap_or(0);
        Some(Ok(Self { mode_before, mode, blob_before, blob, status, similarity }))
    }

    /// Whether two paths follow.
    pub(crate) fn is_rename(&self) -> bool {
        self.status == 'R'
    }

    /// The change of the file that the last path names; the first, if any, is `source`.
    pub(crate) fn change(&self, path: Vec<u8>, source: Vec<u8>) -> Result<Change, Stop> {
        let similarity = self.similarity;
        let what = match self.status {
            'A' => What::Added,
            'M' if self.blob == self.blob_before => What::ModeChanged,
            'M' => What::Modified,
            'T' => What::TypeChanged,
            'D' => What::Deleted,
            'R' => What::Renamed { from: source, similarity },
            other => return Err(Stop::failure(format!("git speaks of a change `{other}`"))),
        };
        let (mode, submodule) = (self.new_mode(), self.submodule());
        Ok(Change { path, what, mode, submodule })
    }

    /// The change of the file that a rename leaves behind.
    pub(crate) fn change_of_source(&self, source: &[u8], path: &[u8]) -> Option<Change> {
        let what = What::RenamedAway { to: path.to_owned() };
        let change = Change { path: source.to_owned(), what, mode: None, submodule: None };
        self.is_rename().then_some(change)
    }

    fn new_mode(&self) -> Option<String> {
        let is_changed = self.mode != self.mode_before;
        let is_one_file = !matches!(self.status, 'A' | 'D');
        (is_changed && is_one_file).then(|| self.mode.to_owned())
    }

    fn submodule(&self) -> Option<String> {
        const SUBMODULE: &str = "160000";
        let is_deleted = self.status == 'D' && self.mode_before == SUBMODULE;
        let commit = if is_deleted { self.blob_before } else { self.blob };
        (is_deleted || self.mode == SUBMODULE).then(|| commit.to_owned())
    }
}
