//! `upcast(1 = function, 2 = _)`: what makes events of older versions new.

use syn::{
    Error, Ident, LitInt, Path, Result, Token,
    meta::ParseNestedMeta,
    parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

/// What makes events of one older version new.
pub(crate) struct Upcast {
    version: LitInt,
    pub(crate) from: u16,
    /// `None`: there are no such events.
    pub(crate) function: Option<Path>,
}

impl Parse for Upcast {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let version: LitInt = input.parse()?;
        let from = self::version(&version)?;
        input.parse::<Token![=]>()?;
        let function = if input.peek(Token![_]) {
            input.parse::<Token![_]>()?;
            None
        } else {
            Some(input.parse()?)
        };
        Ok(Self { version, from, function })
    }
}

/// A version: 1 to 65,535.
pub(crate) fn version(literal: &LitInt) -> Result<u16> {
    match literal.base10_parse::<u16>() {
        Ok(0) | Err(_) => Err(Error::new_spanned(literal, "a version is a number from 1 to 65535")),
        Ok(version) => Ok(version),
    }
}

/// The list of `upcast(...)`.
pub(crate) fn parse(meta: &ParseNestedMeta<'_>) -> Result<Vec<Upcast>> {
    let content;
    parenthesized!(content in meta.input);
    Ok(Punctuated::<Upcast, Token![,]>::parse_terminated(&content)?.into_iter().collect())
}

/// # Errors
/// A version below `newest` is missing or there twice, or one is not below it.
pub(crate) fn check(upcasts: &[Upcast], newest: u16, of: &Ident) -> Result<()> {
    for (index, Upcast { version, from, .. }) in upcasts.iter().enumerate() {
        if *from >= newest {
            let message = format!("version {from} is not older than version {newest} of `{of}`");
            return Err(Error::new_spanned(version, message));
        }
        if upcasts.iter().take(index).any(|other| other.from == *from) {
            let message = format!("version {from} of `{of}` is here twice");
            return Err(Error::new_spanned(version, message));
        }
    }
    let is_missing = |version: &u16| !upcasts.iter().any(|upcast| upcast.from == *version);
    match (1..newest).find(is_missing) {
        None => Ok(()),
        Some(missing) => {
            let message = format!(
                "`{of}` is in version {newest}, and nothing is said of events of version \
                 {missing}: add `upcast({missing} = function)`, or `upcast({missing} = _)` if no \
                 log has any"
            );
            Err(Error::new(of.span(), message))
        }
    }
}
