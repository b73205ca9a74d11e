//! What `#[event(...)]` says of a variant, or of a struct.

use syn::{Attribute, Error, Fields, Ident, LitInt, LitStr, Path, Result, meta::ParseNestedMeta};

use crate::{
    crate_path,
    upcasts::{self, Upcast},
};

/// The name of an event type is at most as long, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// An event type: a variant of an enum, or a struct.
pub(crate) struct EventType {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) version: u16,
    pub(crate) upcasts: Vec<Upcast>,
}

/// What stands in `#[event(...)]`, of a variant, a struct or an enum.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) annals: Option<Path>,
    pub(crate) prefix: Option<LitStr>,
    pub(crate) skips_unknown: bool,
    name: Option<LitStr>,
    version: Option<LitInt>,
    upcasts: Option<Vec<Upcast>>,
}

/// Where an attribute stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Variant,
    Struct,
    Enum,
}

impl Place {
    /// What may be said there.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Variant => &["name", "version", "upcast"],
            Self::Struct => &["name", "version", "upcast", "skip_unknown", "crate"],
            Self::Enum => &["prefix", "skip_unknown", "crate"],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Variant => "a variant",
            Self::Struct => "a struct",
            Self::Enum => "an enum",
        }
    }
}

impl Said {
    pub(crate) fn parse(attributes: &[Attribute], place: Place) -> Result<Self> {
        let mut said = Self::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("event")) {
            attribute.parse_nested_meta(|meta| said.add(&meta, place))?;
        }
        Ok(said)
    }

    /// # Errors
    /// A field has such an attribute: nothing is said of fields.
    pub(crate) fn check_fields(fields: &Fields) -> Result<()> {
        let attributes = fields.iter().flat_map(|field| &field.attrs);
        match attributes.into_iter().find(|attribute| attribute.path().is_ident("event")) {
            None => Ok(()),
            Some(attribute) => {
                let message = "`#[event]` belongs on a variant, an enum or a struct";
                Err(Error::new_spanned(attribute, message))
            }
        }
    }

    fn add(&mut self, meta: &ParseNestedMeta<'_>, place: Place) -> Result<()> {
        let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        if !place.words().contains(&word.as_str()) {
            let words = place.words().join("`, `");
            return Err(meta.error(format!("`#[event]` on {} knows `{words}`", place.name())));
        }
        let is_first = match word.as_str() {
            "name" => self.name.replace(meta.value()?.parse()?).is_none(),
            "version" => self.version.replace(meta.value()?.parse()?).is_none(),
            "upcast" => self.upcasts.replace(upcasts::parse(meta)?).is_none(),
            "prefix" => self.prefix.replace(meta.value()?.parse()?).is_none(),
            "crate" => self.annals.replace(crate_path::parse(meta)?).is_none(),
            _ => !std::mem::replace(&mut self.skips_unknown, true),
        };
        if is_first { Ok(()) } else { Err(meta.error(format!("`{word}` is here twice"))) }
    }

    /// What is said of the variant or struct that is called `ident`.
    pub(crate) fn of(self, ident: &Ident, prefix: Option<&LitStr>) -> Result<EventType> {
        let version = self.version.as_ref().map_or(Ok(1), upcasts::version)?;
        let upcasts = self.upcasts.unwrap_or_default();
        upcasts::check(&upcasts, version, ident)?;
        let name = match &self.name {
            Some(name) => name.value(),
            None => prefix.map(LitStr::value).unwrap_or_default() + &unraw(ident),
        };
        if let Err(message) = check_name(&name) {
            let span = self.name.as_ref().or(prefix).map_or(ident.span(), LitStr::span);
            return Err(Error::new(span, message));
        }
        Ok(EventType { ident: ident.clone(), name, version, upcasts })
    }
}

/// A name without `r#`.
fn unraw(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map_or(name.clone(), ToOwned::to_owned)
}

/// As the log will check it.
fn check_name(name: &str) -> std::result::Result<(), String> {
    if name.is_empty() {
        return Err("the name of an event type must not be empty".to_owned());
    }
    if name.len() > NAME_BYTES_MAX {
        let len = name.len();
        return Err(format!("the name of an event type has at most 255 bytes, this one has {len}"));
    }
    match name.chars().find(|character| character.is_control()) {
        None => Ok(()),
        Some(character) => Err(format!(
            "the name of an event type has no control characters, this one has U+{:04X}",
            u32::from(character)
        )),
    }
}
