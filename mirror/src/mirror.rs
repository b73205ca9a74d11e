//! The mirror, as its users see it.

use std::sync::Arc;

use annals_engine::Annals;
use annals_event::{EventId, Position, Store};
use tokio::sync::watch;

use crate::{
    error::{ConnectError, MirrorError},
    follower::{Follower, Status},
    meters::Meters,
    runtime::Runtime,
    settings::Settings,
};

/// One task reads the log while the other copies.
const THREADS: usize = 2;

/// How far a mirror is behind its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// The last durable position of the log.
    pub log: Position,
    /// The last position that was copied, as far as is known.
    pub mirrored: Position,
    /// Whether the server is away, and waited for.
    pub is_away: bool,
}

impl Lag {
    /// How many events are yet to be copied.
    pub fn events(&self) -> u64 {
        self.log.get().saturating_sub(self.mirrored.get())
    }
}

/// Copies the durable events of a log into the tables of a schema, in the background, for as long
/// as it lives. The log does not wait for it, and goes on while the server is away; the mirror
/// goes on where it was when the server is there again.
///
/// Events and the position up to which they are copied are one transaction: each event is copied
/// once, whatever happens to connections, to the server or to this process.
///
/// ```no_run
/// use annals_engine::Annals;
/// use annals_postgres::{Mirror, Role, Settings, init};
///
/// let annals = Annals::open("log")?;
/// let settings = Settings::parse("postgresql://mirror@localhost/reports")?;
/// init(&settings, Role::Mirror { log: Mirror::log_id(&annals) })?;
/// let mirror = Mirror::start(&annals, settings)?;
/// println!("{} events behind", mirror.lag().events());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Mirror {
    annals: Annals,
    status: watch::Receiver<Status>,
    runtime: Arc<Runtime>,
}

impl Mirror {
    /// What a log is told by: its mirrors keep it.
    pub fn log_id(annals: &Annals) -> EventId {
        annals.derived_id(Position::ZERO)
    }

    /// Starts to copy. [`init`](crate::init) makes the tables.
    ///
    /// # Errors
    /// [`ConnectError::Threads`]. What is wrong with the server is said by [`Mirror::wait_for`].
    pub fn start(annals: &Annals, settings: Settings) -> Result<Self, ConnectError> {
        let runtime = Arc::new(Runtime::new(THREADS)?);
        let (told, status) = watch::channel(Status::default());
        let log = Self::log_id(annals);
        let follower =
            Follower { annals: annals.clone(), log, settings, told, meters: Meters::new() };
        runtime.spawn(follower.run());
        Ok(Self { annals: annals.clone(), status, runtime })
    }

    /// How far it is behind.
    pub fn lag(&self) -> Lag {
        let status = self.status.borrow();
        let Status { mirrored, is_away, .. } = *status;
        Lag { log: self.annals.position(), mirrored, is_away }
    }

    /// Blocks until everything up to a position is copied. `tell` is called when there is news.
    ///
    /// # Errors
    /// [`MirrorError`]: it has stopped before, and why.
    pub fn wait_for(
        &self,
        position: Position,
        mut tell: impl FnMut(Lag),
    ) -> Result<(), MirrorError> {
        let mut status = self.status.clone();
        loop {
            let now = status.borrow_and_update().clone();
            tell(self.lag());
            if now.mirrored >= position {
                return Ok(());
            }
            if let Some(error) = now.error {
                return Err(error);
            }
            if pollster::block_on(status.changed()).is_err() {
                return Err(MirrorError::Stopped);
            }
        }
    }

    /// Stops copying. What is on its way is copied or not; the next mirror goes on behind it.
    pub fn stop(self) {
        drop(self.runtime);
    }
}
