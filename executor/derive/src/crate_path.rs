//! Where what is derived finds `annals`.

use syn::{LitStr, Path, Result, meta::ParseNestedMeta, parse_quote};

/// The path of `crate = "path"`.
pub(crate) fn parse(meta: &ParseNestedMeta<'_>) -> Result<Path> {
    meta.value()?.parse::<LitStr>()?.parse()
}

/// The path, or `::annals`.
pub(crate) fn or_default(path: Option<Path>) -> Path {
    path.unwrap_or_else(|| parse_quote!(::annals))
}
