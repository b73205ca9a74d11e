//! Where what is derived finds `annals`.

use proc_macro2::Span;
use syn::{LitStr, Path, Result, meta::ParseNestedMeta, parse_quote};

/// The path of `crate = "path"`.
pub(crate) fn parse(meta: &ParseNestedMeta<'_>) -> Result<Path> {
    let written = meta.value()?.parse::<LitStr>()?;
    // A path that is none is marked where it stands; what comes of it is not the user's code.
    written.parse::<Path>()?;
    LitStr::new(&written.value(), Span::mixed_site()).parse()
}

/// The path, or `::annals`.
pub(crate) fn or_default(path: Option<Path>) -> Path {
    path.unwrap_or_else(|| parse_quote!(::annals))
}
