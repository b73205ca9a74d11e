//! Reading the content of an event.

use std::{cell::Cell, marker::PhantomData};

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, VariantAccess,
    Visitor,
};

use crate::content::Form;

/// Reads a `T` from the content of an event of a type.
pub(crate) struct ContentSeed<'a, T> {
    event_type: &'a str,
    form: Form,
    is_unknown: &'a Cell<bool>,
    reads: PhantomData<T>,
}

impl<'a, T> ContentSeed<'a, T> {
    /// `is_unknown` becomes true if serde knows no variant of this name.
    pub(crate) fn new(event_type: &'a str, form: Form, is_unknown: &'a Cell<bool>) -> Self {
        Self { event_type, form, is_unknown, reads: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for ContentSeed<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        let Self { event_type, form, is_unknown, .. } = self;
        let variant = match form {
            Form::Whole => return T::deserialize(deserializer),
            Form::Named => Variant::Named(event_type, is_unknown),
            Form::Variant(index) => Variant::Index(index),
        };
        T::deserialize(ContentDeserializer { inner: deserializer, variant })
    }
}

/// The answer to which variant it is.
#[derive(Clone, Copy)]
enum Variant<'a> {
    Named(&'a str, &'a Cell<bool>),
    Index(u32),
}

/// Says which variant an enum is, and leaves everything else as it is.
struct ContentDeserializer<'a, D> {
    inner: D,
    variant: Variant<'a>,
}

/// Methods that only hand on.
macro_rules! hand_on {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            self.inner.$method($($argument,)* visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ContentDeserializer<'_, D> {
    type Error = D::Error;

    hand_on! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if let Variant::Named(name, is_unknown) = self.variant
            && !variants.contains(&name)
        {
            is_unknown.set(true);
            return Err(D::Error::unknown_variant(name, variants));
        }
        visitor.visit_enum(self)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<'de, D: Deserializer<'de>> EnumAccess<'de> for ContentDeserializer<'_, D> {
    type Error = D::Error;
    type Variant = VariantContent<D>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, VariantContent<D>), D::Error> {
        let variant = match self.variant {
            Variant::Named(name, _) => seed.deserialize(name.into_deserializer()),
            Variant::Index(index) => seed.deserialize(index.into_deserializer()),
        }?;
        Ok((variant, VariantContent(self.inner)))
    }
}

/// What follows the name of a variant: here, everything there is.
struct VariantContent<D>(D);

impl<'de, D: Deserializer<'de>> VariantAccess<'de> for VariantContent<D> {
    type Error = D::Error;

    fn unit_variant(self) -> Result<(), D::Error> {
        <()>::deserialize(self.0)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, D::Error> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct("", fields, visitor)
    }
}
