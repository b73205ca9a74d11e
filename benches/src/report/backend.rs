//! Where events are kept: what the report compares.

/// Which program runs a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// This one.
    Own,
    /// `annals-peers`, a crate of its own.
    Peers,
}

/// Where events are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backend {
    /// As in rows and on the command line.
    pub(crate) name: &'static str,
    /// As in tables and pictures.
    pub(crate) title: &'static str,
    pub(crate) program: Program,
    pub(crate) needs_server: bool,
    /// What an acknowledgement means.
    pub(crate) promise: &'static str,
}

impl Backend {
    const fn new(name: &'static str, title: &'static str, promise: &'static str) -> Self {
        Self { name, title, program: Program::Own, needs_server: false, promise }
    }

    const fn peer(self) -> Self {
        Self { program: Program::Peers, ..self }
    }

    const fn on_server(self) -> Self {
        Self { needs_server: true, ..self }
    }
}

/// What an acknowledgement means in memory.
pub(crate) const IN_MEMORY: &str = "nothing is kept";

/// In the order of tables. Those that promise the same stand together.
pub(crate) const ALL: [Backend; 7] = [
    Backend::new("annals-memory", "Annals, memory", IN_MEMORY),
    Backend::new("eventcore-memory", "EventCore, memory", IN_MEMORY).peer(),
    Backend::new("annals-disk", "Annals, disk", "synced to disk"),
    Backend::new("eventcore-sqlite", "EventCore, SQLite", "synced to disk").peer(),
    Backend::new("eventcore-files", "EventCore, files", "synced to disk").peer(),
    Backend::new("annals-postgres", "Annals, Postgres", "synced to disk by the server").on_server(),
    Backend::new("eventcore-postgres", "EventCore, Postgres", "synced to disk by the server")
        .peer()
        .on_server(),
];

/// The backend of a row.
pub(crate) fn of(name: &str) -> Option<Backend> {
    ALL.into_iter().find(|backend| backend.name == name)
}

/// What a backend of a row is called in tables and pictures.
pub(crate) fn title(name: &str) -> &str {
    of(name).map_or(name, |backend| backend.title)
}

/// Where a backend of a row stands in tables.
pub(crate) fn place(name: &str) -> usize {
    ALL.iter().position(|backend| backend.name == name).unwrap_or(ALL.len())
}
