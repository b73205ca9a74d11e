//! The content of an event, without the name of its variant: that is the event's type, and the
//! log records it. So variants can be added, reordered and renamed, and a payload is what its type
//! says in every codec: `{"cents":5}` under `Deposited`, not `{"Deposited":{"cents":5}}`.
//!
//! serde's data model makes it possible without a hand in the user's types: an enum is written by
//! one call that names the variant, here turned into that of a struct with the same fields; it is
//! read by one call that asks which variant it is, answered here by the event's type.

pub(crate) mod read;
pub(crate) mod write;

/// How an event of a type lies in its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As the content of the variant that serde calls as the event's type is called; anything
    /// that is no enum as it is.
    Named,
    /// As the content of the variant with this index.
    Variant(u32),
    /// As serde writes it, with the name of the variant if it is an enum.
    Whole,
}
