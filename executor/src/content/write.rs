//! Writing the content of an event.

use std::cell::Cell;

use serde::ser::{
    Serialize, SerializeStruct, SerializeStructVariant, SerializeTupleStruct,
    SerializeTupleVariant, Serializer,
};

/// A value to be written as its content alone.
pub(crate) struct Content<'a, T> {
    value: &'a T,
    variant: Cell<Option<WrittenVariant>>,
}

/// The variant that was written without its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrittenVariant {
    pub(crate) index: u32,
    pub(crate) name: &'static str,
}

impl<'a, T> Content<'a, T> {
    pub(crate) fn new(value: &'a T) -> Self {
        Self { value, variant: Cell::new(None) }
    }

    /// The variant that was left out; `None` if it was no enum as serde derives it.
    pub(crate) fn variant(&self) -> Option<WrittenVariant> {
        self.variant.get()
    }
}

impl<T: Serialize> Serialize for Content<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(ContentSerializer { inner: serializer, variant: &self.variant })
    }
}

/// Writes a variant as a struct of the same fields, and everything else as it is.
struct ContentSerializer<'a, S> {
    inner: S,
    variant: &'a Cell<Option<WrittenVariant>>,
}

impl<S> ContentSerializer<'_, S> {
    fn leave_out(&self, index: u32, name: &'static str) {
        self.variant.set(Some(WrittenVariant { index, name }));
    }
}

/// Methods that only hand on.
macro_rules! hand_on {
    ($($method:ident($($argument:ident: $type:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self, $($argument: $type),*) -> Result<$ok, S::Error> {
            self.inner.$method($($argument),*)
        }
    )*};
}

impl<S: Serializer> Serializer for ContentSerializer<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = S::SerializeSeq;
    type SerializeTuple = S::SerializeTuple;
    type SerializeTupleStruct = S::SerializeTupleStruct;
    type SerializeTupleVariant = AsVariant<S::SerializeTupleStruct>;
    type SerializeMap = S::SerializeMap;
    type SerializeStruct = S::SerializeStruct;
    type SerializeStructVariant = AsVariant<S::SerializeStruct>;

    hand_on! {
        serialize_bool(v: bool) -> S::Ok;
        serialize_i8(v: i8) -> S::Ok;
        serialize_i16(v: i16) -> S::Ok;
        serialize_i32(v: i32) -> S::Ok;
        serialize_i64(v: i64) -> S::Ok;
        serialize_i128(v: i128) -> S::Ok;
        serialize_u8(v: u8) -> S::Ok;
        serialize_u16(v: u16) -> S::Ok;
        serialize_u32(v: u32) -> S::Ok;
        serialize_u64(v: u64) -> S::Ok;
        serialize_u128(v: u128) -> S::Ok;
        serialize_f32(v: f32) -> S::Ok;
        serialize_f64(v: f64) -> S::Ok;
        serialize_char(v: char) -> S::Ok;
        serialize_str(v: &str) -> S::Ok;
        serialize_bytes(v: &[u8]) -> S::Ok;
        serialize_none() -> S::Ok;
        serialize_unit() -> S::Ok;
        serialize_unit_struct(name: &'static str) -> S::Ok;
        serialize_seq(len: Option<usize>) -> S::SerializeSeq;
        serialize_tuple(len: usize) -> S::SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> S::SerializeTupleStruct;
        serialize_map(len: Option<usize>) -> S::SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> S::SerializeStruct;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(value)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, value)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.leave_out(index, variant);
        self.inner.serialize_unit()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.leave_out(index, variant);
        value.serialize(self.inner)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.leave_out(index, variant);
        self.inner.serialize_tuple_struct(variant, len).map(AsVariant)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.leave_out(index, variant);
        self.inner.serialize_struct(variant, len).map(AsVariant)
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The fields of a struct, called those of a variant.
struct AsVariant<S>(S);

impl<S: SerializeTupleStruct> SerializeTupleVariant for AsVariant<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.0.serialize_field(value)
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

impl<S: SerializeStruct> SerializeStructVariant for AsVariant<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), S::Error> {
        self.0.serialize_field(key, value)
    }

    fn skip_field(&mut self, key: &'static str) -> Result<(), S::Error> {
        self.0.skip_field(key)
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fmt;

    use super::*;

    /// What a struct's fields were called, those that were left out in brackets.
    #[derive(Default)]
    struct Fields(Vec<String>);

    impl SerializeStruct for Fields {
        type Ok = Vec<String>;
        type Error = fmt::Error;

        fn serialize_field<T: Serialize + ?Sized>(
            &mut self,
            key: &'static str,
            _: &T,
        ) -> Result<(), fmt::Error> {
            self.0.push(key.to_owned());
            Ok(())
        }

        fn skip_field(&mut self, key: &'static str) -> Result<(), fmt::Error> {
            self.0.push(format!("[{key}]"));
            Ok(())
        }

        fn end(self) -> Result<Vec<String>, fmt::Error> {
            Ok(self.0)
        }
    }

    /// A codec of the user's own may write something where a field is left out.
    #[test]
    fn a_field_that_is_left_out_is_told() {
        let mut variant = AsVariant(Fields::default());
        SerializeStructVariant::serialize_field(&mut variant, "a", &1).unwrap();
        SerializeStructVariant::skip_field(&mut variant, "b").unwrap();
        assert_eq!(SerializeStructVariant::end(variant).unwrap(), ["a", "[b]"]);
    }
}
