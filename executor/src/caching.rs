//! What of a command's state may be kept for later commands.

use std::{any::TypeId, fmt, marker::PhantomData};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    codec::Codec,
    per_stream::{Parts, PartsOf, PerStream, StreamState},
    snapshot::{Form, Snapshots},
};

/// What of a command's state of type `S` may be kept for later commands: by default nothing, so
/// that each command folds its streams from their first event.
///
/// State is the fold of events by the command's own `evolve`, which sees the command; a state may
/// serve another command only if that one would have folded the same. Only the command's author
/// knows, hence this.
pub struct Caching<S: 'static>(pub(crate) Kind<S>);

pub(crate) enum Kind<S: 'static> {
    Nothing,
    Whole(Whole<S>),
    PerStream { part: TypeId, parts: &'static dyn Parts<S>, snapshots: Option<Form> },
}

/// A state that is kept as one.
pub(crate) struct Whole<S> {
    pub(crate) name: TypeId,
    pub(crate) number: u64,
    pub(crate) bytes: fn(&S) -> usize,
}

impl<S: 'static> Caching<S> {
    /// Nothing is kept.
    pub fn nothing() -> Self {
        Self(Kind::Nothing)
    }

    /// The whole state is kept for commands that declare the same streams in the same order and
    /// have the same `Name`: a type of your choice, usually the command's own.
    ///
    /// It promises that all of them fold alike: `evolve` and `discover` look at nothing of the
    /// command but at its streams. Two kinds of command that fold differently need two names; a
    /// command that looks at another of its fields adds it with [`Caching::with`].
    pub fn whole<Name: 'static>() -> Self
    where
        S: Send,
    {
        let bytes = |_: &S| size_of::<S>();
        Self(Kind::Whole(Whole { name: TypeId::of::<Name>(), number: 0, bytes }))
    }

    /// Tells apart whole states of the same name and streams that are folded differently.
    #[must_use]
    pub fn with(mut self, number: u64) -> Self {
        if let Kind::Whole(whole) = &mut self.0 {
            whole.number = number;
        }
        self
    }

    /// How much memory a whole state takes, in bytes, what it points to included. Unless said,
    /// its size without what it points to.
    #[must_use]
    pub fn sized(mut self, bytes: fn(&S) -> usize) -> Self {
        if let Kind::Whole(whole) = &mut self.0 {
            whole.bytes = bytes;
        }
        self
    }
}

impl<P: StreamState> Caching<PerStream<P>> {
    /// The part of each stream is kept for all commands whose state has such parts, whatever
    /// other streams they read. There is nothing to promise: a part is folded by
    /// [`StreamState::evolve`], which does not see the command.
    pub fn per_stream() -> Self {
        let (part, parts) = (TypeId::of::<P>(), &PartsOf::<P>(PhantomData));
        Self(Kind::PerStream { part, parts, snapshots: None })
    }

    /// The parts are also saved now and then, written by codec `K`, if the executor has somewhere
    /// to save them. So the first command over a long stream after a restart need not read all
    /// of it.
    #[must_use]
    pub fn saved<K>(mut self, snapshots: Snapshots) -> Self
    where
        P: Serialize + DeserializeOwned,
        K: Codec + Default,
    {
        if let Kind::PerStream { snapshots: form, .. } = &mut self.0 {
            *form = Some(Form::new::<P, K>(snapshots));
        }
        self
    }
}

impl<S: 'static> fmt::Debug for Caching<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Nothing => "Caching::nothing",
            Kind::Whole(_) => "Caching::whole",
            Kind::PerStream { .. } => "Caching::per_stream",
        })
    }
}
