//! Fields of a command that say which streams it reads.

use std::sync::Arc;

use annals_event::StreamId;

/// A field that may be marked `#[stream]` under `#[derive(Command)]`: it names streams. Write it
/// for types of your own, such as an account's number that knows its stream.
#[diagnostic::on_unimplemented(
    message = "a field that is marked `#[stream]` must name streams, and `{Self}` does not",
    label = "not a `StreamId`, an `Option<StreamId>` or a `Vec<StreamId>`",
    note = "a type of your own can: implement `StreamField` for it"
)]
pub trait StreamField {
    /// Adds the streams that it names; perhaps none.
    fn add_to(&self, streams: &mut Vec<StreamId>);
}

impl StreamField for StreamId {
    fn add_to(&self, streams: &mut Vec<StreamId>) {
        streams.push(self.clone());
    }
}

impl<T: StreamField> StreamField for Option<T> {
    fn add_to(&self, streams: &mut Vec<StreamId>) {
        self.as_slice().add_to(streams);
    }
}

impl<T: StreamField> StreamField for [T] {
    fn add_to(&self, streams: &mut Vec<StreamId>) {
        for field in self {
            field.add_to(streams);
        }
    }
}

impl<T: StreamField> StreamField for Vec<T> {
    fn add_to(&self, streams: &mut Vec<StreamId>) {
        self.as_slice().add_to(streams);
    }
}

impl<T: StreamField, const N: usize> StreamField for [T; N] {
    fn add_to(&self, streams: &mut Vec<StreamId>) {
        self.as_slice().add_to(streams);
    }
}

impl<T: StreamField + ?Sized> StreamField for &T {
    fn add_to(&self, streams: &mut Vec<StreamId>) {
        (**self).add_to(streams);
    }
}

impl<T: StreamField + ?Sized> StreamField for Box<T> {
    fn add_to(&self, streams: &mut Vec<StreamId>) {
        (**self).add_to(streams);
    }
}

impl<T: StreamField + ?Sized> StreamField for Arc<T> {
    fn add_to(&self, streams: &mut Vec<StreamId>) {
        (**self).add_to(streams);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn id(name: &str) -> StreamId {
        StreamId::new(name).unwrap()
    }

    fn streams(field: &impl StreamField) -> Vec<StreamId> {
        let mut streams = vec![id("before")];
        field.add_to(&mut streams);
        assert_eq!(streams.remove(0), id("before"), "it adds");
        streams
    }

    #[test]
    fn every_kind_of_field_names_its_streams_in_order() {
        let both = vec![id("a"), id("b")];
        let (a, b) = both.split_at(1);
        assert_eq!(streams(&id("a")), a);
        assert_eq!(streams(&&id("a")), a);
        assert_eq!(streams(&Some(id("b"))), b);
        assert_eq!(streams(&None::<StreamId>), []);
        assert_eq!(streams(&both), both);
        assert_eq!(streams(&both.as_slice()), both);
        assert_eq!(streams(&[id("a"), id("b")]), both);
        assert_eq!(streams(&Box::new(id("a"))), a);
        assert_eq!(streams(&Arc::new(both.clone())), both);
        assert_eq!(streams(&vec![None, Some(id("b"))]), b);
    }
}
