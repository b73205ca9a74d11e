//! Derives for commands and events of Annals. Use them through `annals`, which says what they do.

mod command;
mod crate_path;
mod event;
mod serde_attributes;
mod upcasts;
mod variant;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Writes `CommandStreams` from the fields that are marked `#[stream]`.
///
/// Such a field is a `StreamId`, an `Option` or a `Vec` of them, or anything else that is a
/// `StreamField`.
///
/// ```
/// use annals::{Command, CommandStreams};
/// use annals_event::StreamId;
///
/// #[derive(Command)]
/// struct Transfer {
///     #[stream]
///     from: StreamId,
///     #[stream]
///     to: StreamId,
///     cents: u64,
/// }
///
/// let account = |name| StreamId::new(name);
/// let transfer = Transfer { from: account("account-1")?, to: account("account-2")?, cents: 500 };
/// assert_eq!(transfer.streams(), [account("account-1")?, account("account-2")?]);
/// # assert_eq!(transfer.cents, 500);
/// # Ok::<(), annals_event::InvalidName>(())
/// ```
///
/// `#[command(crate = "path")]` on the struct says where to find `annals`, if it has another name.
#[proc_macro_derive(Command, attributes(stream, command))]
pub fn derive_command(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    command::expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// Writes `Event`: for each variant of an enum, or for a struct, the name of its type and the
/// version of its schema.
///
/// ```
/// use annals::Event;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// #[event(prefix = "account.")]
/// enum AccountEvent {
///     Opened { owner: String },                                   // account.Opened, version 1
///     #[event(name = "account.paid-in", version = 2, upcast(1 = paid_in_euros))]
///     Deposited { cents: u64 },
/// }
///
/// /// What `Deposited` held in version 1.
/// #[derive(Deserialize)]
/// struct DepositedV1 {
///     euros: u64,
/// }
///
/// fn paid_in_euros(DepositedV1 { euros }: DepositedV1) -> AccountEvent {
///     AccountEvent::Deposited { cents: euros * 100 }
/// }
///
/// assert_eq!(AccountEvent::Opened { owner: "Ada".to_owned() }.event_type(), "account.Opened");
/// assert_eq!(paid_in_euros(DepositedV1 { euros: 1 }).event_type(), "account.paid-in");
/// ```
///
/// On a variant or a struct:
/// - `name = "..."`: the name of the type; unless given, what the variant or the struct is called,
///   as it is written. A name is for ever: rename the variant, and give it its old name.
/// - `version = n`: the version of what is written, 1 unless given. To be raised when fields change
///   in a way that the codec does not bear.
/// - `upcast(1 = function, 2 = _)`: what makes an event of each version before. A function takes
///   what the variant held then (a type that is `Deserialize`: a struct for named fields, the
///   field itself for one without a name, a tuple for several, `()` for none), and returns the
///   event or a `Result` of it. `_` says that no log has events of that version.
///
/// On an enum:
/// - `prefix = "..."`: before the names of variants that have no `name`.
///
/// On either:
/// - `skip_unknown`: where events are read as this type, those of types that it does not have are
///   skipped instead of refused.
/// - `crate = "path"`: where to find `annals`, if it has another name.
///
/// The payload of a variant is its content alone, so variants can be added, removed, renamed and
/// put in another order. It is what serde makes of the whole value, though, where a `#[serde(...)]`
/// on the enum says how that looks (`tag`, `untagged`, `from`, `into` and the like).
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    event::expand(&input).unwrap_or_else(Error::into_compile_error).into()
}
