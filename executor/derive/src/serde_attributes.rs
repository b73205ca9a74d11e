//! What `#[serde(...)]` says that matters to how an event lies in its payload.

use syn::{Attribute, Error, Meta, Result, Token, punctuated::Punctuated};

/// What makes serde write an enum otherwise than as one variant of several.
const REPRESENTATIONS: &[&str] =
    &["tag", "content", "untagged", "from", "try_from", "into", "remote"];

/// What makes serde treat a variant otherwise than the others.
const EXCEPTIONS: &[&str] =
    &["skip", "skip_serializing", "skip_deserializing", "other", "untagged"];

/// Whether serde writes the enum as one variant of several.
pub(crate) fn is_plain(attributes: &[Attribute]) -> bool {
    find(attributes, REPRESENTATIONS).is_none()
}

/// # Errors
/// A variant that could not be written and read again as any other.
pub(crate) fn check_variant(attributes: &[Attribute]) -> Result<()> {
    match find(attributes, EXCEPTIONS) {
        None => Ok(()),
        Some(meta) => {
            let message = "a variant that serde treats so cannot be written and read again as an \
                           event; remove this, or move the variant to another enum";
            Err(Error::new_spanned(meta, message))
        }
    }
}

fn find(attributes: &[Attribute], names: &[&str]) -> Option<Meta> {
    let of_serde = attributes.iter().filter(|attribute| attribute.path().is_ident("serde"));
    // What cannot be read here, serde will complain of.
    let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
    of_serde
        .filter_map(|attribute| attribute.parse_args_with(parse).ok())
        .flatten()
        .find(|meta| names.iter().any(|name| meta.path().is_ident(name)))
}
