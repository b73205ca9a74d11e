//! `#[derive(Command)]`.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, Generics, Member, Meta, Path, Result, Type,
    parse_quote, spanned::Spanned,
};

use crate::crate_path;

/// A field that is marked `#[stream]`.
struct StreamField<'a> {
    member: Member,
    ty: &'a Type,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let annals = crate_path(&input.attrs)?;
    if let Some(attribute) = input.attrs.iter().find(|a| a.path().is_ident("stream")) {
        return Err(Error::new_spanned(attribute, "`#[stream]` belongs on a field"));
    }
    let fields = stream_fields(fields(input)?)?;
    if fields.is_empty() {
        return Err(no_stream(input));
    }
    let add = fields.iter().map(|StreamField { member, ty }| {
        // At the field's type, so that a wrong one is marked there.
        quote_spanned!(ty.span()=> #annals::StreamField::add_to(&self.#member, &mut streams);)
    });
    let name = &input.ident;
    let generics = bounded(&input.generics, &fields, &annals);
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let stream_id = quote!(#annals::__private::StreamId);
    let count = fields.len();
    Ok(quote! {
        #[automatically_derived]
        impl #parameters #annals::CommandStreams for #name #arguments #bounds {
            fn streams(&self) -> ::std::vec::Vec<#stream_id> {
                let mut streams = ::std::vec::Vec::with_capacity(#count);
                #(#add)*
                streams
            }
        }
    })
}

fn crate_path(attributes: &[Attribute]) -> Result<Path> {
    let mut path = None;
    for attribute in attributes.iter().filter(|a| a.path().is_ident("command")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("crate") {
                path = Some(crate_path::parse(&meta)?);
                Ok(())
            } else {
                Err(meta.error("`#[command]` knows `crate = \"path\"` only"))
            }
        })?;
    }
    Ok(crate_path::or_default(path))
}

fn fields(input: &DeriveInput) -> Result<&Fields> {
    let (token, kind): (&dyn ToTokens, _) = match &input.data {
        Data::Struct(data) => return Ok(&data.fields),
        Data::Enum(data) => (&data.enum_token, "an enum"),
        Data::Union(data) => (&data.union_token, "a union"),
    };
    let message = format!(
        "`#[derive(Command)]` takes the streams from the fields of a struct, and this is {kind}; \
         write `impl CommandStreams for {}` instead",
        input.ident
    );
    Err(Error::new_spanned(token, message))
}

fn stream_fields(fields: &Fields) -> Result<Vec<StreamField<'_>>> {
    let mut found = Vec::new();
    let mut errors: Option<Error> = None;
    for (member, field) in fields.members().zip(fields) {
        match is_stream(field) {
            Ok(false) => {}
            Ok(true) => found.push(StreamField { member, ty: &field.ty }),
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            },
        }
    }
    errors.map_or(Ok(found), Err)
}

fn is_stream(field: &Field) -> Result<bool> {
    if let Some(attribute) = field.attrs.iter().find(|a| a.path().is_ident("command")) {
        return Err(Error::new_spanned(attribute, "`#[command]` belongs on the struct"));
    }
    let mut marks = field.attrs.iter().filter(|a| a.path().is_ident("stream"));
    let Some(mark) = marks.next() else { return Ok(false) };
    if let Some(second) = marks.next() {
        return Err(Error::new_spanned(second, "the field is marked `#[stream]` twice"));
    }
    match &mark.meta {
        Meta::Path(_) => Ok(true),
        Meta::List(list) => Err(no_arguments(list)),
        Meta::NameValue(value) => Err(no_arguments(value)),
    }
}

fn no_arguments(meta: &impl ToTokens) -> Error {
    Error::new_spanned(meta, "`#[stream]` takes no arguments: the field says which stream it is")
}

fn no_stream(input: &DeriveInput) -> Error {
    let candidates: Vec<String> = match &input.data {
        Data::Struct(data) => data
            .fields
            .members()
            .zip(&data.fields)
            .filter(|(_, field)| mentions(&field.ty, "StreamId"))
            .map(|(member, _)| format!("`{}`", member.to_token_stream()))
            .collect(),
        Data::Enum(_) | Data::Union(_) => Vec::new(),
    };
    let hint = if candidates.is_empty() {
        "mark a field that is a `StreamId`, an `Option<StreamId>` or a `Vec<StreamId>`, or write \
         `impl CommandStreams` by hand"
            .to_owned()
    } else {
        format!("is it {}?", candidates.join(" or "))
    };
    let message = format!("no field of `{}` is marked `#[stream]`; {hint}", input.ident);
    Error::new(input.ident.span(), message)
}

/// The generics, with a bound for each marked field that depends on them.
fn bounded(generics: &Generics, fields: &[StreamField<'_>], annals: &Path) -> Generics {
    let mut bounded = generics.clone();
    for StreamField { ty, .. } in fields {
        let parameters = generics.type_params().map(|parameter| parameter.ident.to_string());
        if parameters.into_iter().any(|parameter| mentions(ty, &parameter)) {
            let bound = parse_quote!(#ty: #annals::StreamField);
            bounded.make_where_clause().predicates.push(bound);
        }
    }
    bounded
}

/// Whether a type has this word in it.
fn mentions(ty: &Type, word: &str) -> bool {
    fn in_tokens(tokens: TokenStream, word: &str) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == word,
            TokenTree::Group(group) => in_tokens(group.stream(), word),
            TokenTree::Punct(_) | TokenTree::Literal(_) => false,
        })
    }
    in_tokens(ty.to_token_stream(), word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What only the compiler of the user's crate would tell otherwise.
    #[test]
    fn words_are_found_at_any_depth_and_whole() {
        let ty: Type = parse_quote!(Option<(Vec<[StreamId; 2]>, u8)>);
        assert!(mentions(&ty, "StreamId"));
        assert!(!mentions(&ty, "Stream"));
    }
}
