//! What a command is.

use annals_event::StreamId;

use crate::{caching::Caching, decision::Decision, event::Event, recorded::Recorded};

/// The streams that a command names itself. `#[derive(Command)]` writes this from the fields that
/// are marked `#[stream]`; written by hand it can name any.
pub trait CommandStreams {
    /// The streams to read first: the command's consistency boundary. At least one; named twice is
    /// as good as once.
    fn streams(&self) -> Vec<StreamId>;
}

/// A request to change something, with the rules that decide it. All of it is pure: no I/O, no
/// clock, no randomness; it may run several times.
pub trait Command: CommandStreams + Sync {
    /// What the decision is made on.
    type State: Default + Send + 'static;
    /// What can happen.
    type Event: Event;
    /// A business reason to refuse.
    type Rejection: Send;

    /// More streams to read, seen from the state so far. Asked again until it names none that
    /// was not read: all of them are read at one position.
    fn discover(&self, _state: &Self::State) -> Vec<StreamId> {
        Vec::new()
    }

    /// Folds an event into the state. Events come in the order of the log, those of discovered
    /// streams after those that led to them.
    fn evolve(&self, state: &mut Self::State, event: &Recorded<Self::Event>);

    /// What of the state may be kept for later commands. Nothing unless said: each command folds
    /// its streams from their first events on.
    fn caching(&self) -> Caching<Self::State> {
        Caching::nothing()
    }

    /// Decides.
    ///
    /// # Errors
    /// The rules do not allow it.
    fn decide(&self, state: &Self::State) -> Result<Decision<Self::Event>, Self::Rejection>;
}
