//! `#[derive(Event)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{
    Data, DataEnum, DeriveInput, Error, Generics, Path, Result, parse_quote, spanned::Spanned,
};

use crate::{
    crate_path, serde_attributes,
    upcasts::Upcast,
    variant::{EventType, Place, Said},
};

/// What is said of an enum or a struct of events.
struct Events {
    annals: Path,
    skips_unknown: bool,
    types: Vec<(EventType, Form)>,
}

/// How an event lies in its payload.
#[derive(Clone, Copy)]
enum Form {
    /// The content of the variant with this number.
    Variant(u32),
    /// The variant, as serde writes the enum.
    WholeVariant,
    Struct,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let events = match &input.data {
        Data::Struct(data) => {
            Said::check_fields(&data.fields)?;
            of_struct(input)?
        }
        Data::Enum(data) => of_enum(input, data)?,
        Data::Union(data) => {
            let message = "`#[derive(Event)]` takes an enum or a struct, and this is a union";
            return Err(Error::new_spanned(data.union_token, message));
        }
    };
    Ok(implementation(input, &events))
}

fn of_struct(input: &DeriveInput) -> Result<Events> {
    let mut said = Said::parse(&input.attrs, Place::Struct)?;
    let annals = crate_path::or_default(said.annals.take());
    let skips_unknown = said.skips_unknown;
    let types = vec![(said.of(&input.ident, None)?, Form::Struct)];
    Ok(Events { annals, skips_unknown, types })
}

fn of_enum(input: &DeriveInput, data: &DataEnum) -> Result<Events> {
    let said = Said::parse(&input.attrs, Place::Enum)?;
    if data.variants.is_empty() {
        let message = format!("`{}` has no variants: nothing can happen", input.ident);
        return Err(Error::new(input.ident.span(), message));
    }
    let is_plain = serde_attributes::is_plain(&input.attrs);
    let mut types: Vec<(EventType, Form)> = Vec::new();
    let mut errors: Option<Error> = None;
    for (index, variant) in (0_u32..).zip(&data.variants) {
        let event_type = serde_attributes::check_variant(&variant.attrs)
            .and_then(|()| Said::check_fields(&variant.fields))
            .and_then(|()| Said::parse(&variant.attrs, Place::Variant))
            .and_then(|of_variant| of_variant.of(&variant.ident, said.prefix.as_ref()))
            .and_then(|event_type| distinct(event_type, &types));
        let form = if is_plain { Form::Variant(index) } else { Form::WholeVariant };
        match event_type {
            Ok(event_type) => types.push((event_type, form)),
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            },
        }
    }
    let (annals, skips_unknown) = (crate_path::or_default(said.annals), said.skips_unknown);
    errors.map_or(Ok(Events { annals, skips_unknown, types }), Err)
}

/// # Errors
/// Another type has this name.
fn distinct(event_type: EventType, others: &[(EventType, Form)]) -> Result<EventType> {
    match others.iter().find(|(other, _)| other.name == event_type.name) {
        None => Ok(event_type),
        Some((other, _)) => {
            let EventType { ident, name, .. } = &event_type;
            let message = format!(
                "the event type \"{name}\" is `{}` already; give `{ident}` another name",
                other.ident
            );
            Err(Error::new(ident.span(), message))
        }
    }
}

fn implementation(input: &DeriveInput, events: &Events) -> TokenStream {
    let Events { annals, skips_unknown, types } = events;
    let name = &input.ident;
    let generics = bounded(&input.generics, annals);
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let names = types.iter().map(|(event_type, form)| {
        let EventType { ident, name, .. } = event_type;
        match form {
            Form::Variant(_) | Form::WholeVariant => quote!(Self::#ident { .. } => #name,),
            Form::Struct => quote!(Self { .. } => #name,),
        }
    });
    let schemas = types.iter().map(|(EventType { name, version, .. }, form)| {
        let version = quote!(#annals::__private::SchemaVersion(#version));
        let schema = match form {
            Form::Variant(index) => quote!(variant(#index, #version)),
            Form::WholeVariant | Form::Struct => quote!(whole(#version)),
        };
        quote!(#name => ::core::option::Option::Some(#annals::EventSchema::#schema),)
    });
    let upcast = upcast(events);
    quote! {
        #[automatically_derived]
        impl #parameters #annals::Event for #name #arguments #bounds {
            const SKIPS_UNKNOWN: bool = #skips_unknown;

            fn event_type(&self) -> &'static str {
                match self {
                    #(#names)*
                }
            }

            fn schema(event_type: &str) -> ::core::option::Option<#annals::EventSchema> {
                match event_type {
                    #(#schemas)*
                    _ => ::core::option::Option::None,
                }
            }

            #upcast
        }
    }
}

/// The method that makes old events new; nothing if there are none.
fn upcast(Events { annals, types, .. }: &Events) -> TokenStream {
    let arms: Vec<TokenStream> = types
        .iter()
        .flat_map(|(EventType { name, upcasts, .. }, _)| upcasts.iter().map(move |u| (name, u)))
        .filter_map(|(name, Upcast { from, function, .. })| {
            let function = function.as_ref()?;
            // At the function, so that a wrong one is marked there.
            let make = quote_spanned!(function.span()=> old.with(#function));
            Some(quote!((#name, #from) => #make,))
        })
        .collect();
    if arms.is_empty() {
        return TokenStream::new();
    }
    quote! {
        fn upcast<__K: #annals::Codec>(
            old: #annals::OldEvent<'_, __K>,
        ) -> ::core::result::Result<Self, #annals::DecodeError> {
            match (old.event_type(), old.version().0) {
                #(#arms)*
                _ => ::core::result::Result::Err(old.not_known()),
            }
        }
    }
}

/// The generics; if there are any, with the bound that the whole can be written and read.
fn bounded(generics: &Generics, annals: &Path) -> Generics {
    let mut bounded = generics.clone();
    if generics.type_params().next().is_some() {
        let serde = quote!(#annals::__private::serde);
        bounded.make_where_clause().predicates.push(parse_quote! {
            Self: #serde::Serialize + #serde::de::DeserializeOwned + ::core::marker::Send
        });
    }
    bounded
}
