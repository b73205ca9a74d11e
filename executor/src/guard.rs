//! Calls the command's own code: a panic in it is an error of this command and nobody else's.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// The command's own code panicked.
#[derive(Debug)]
pub(crate) struct Panicked {
    pub(crate) place: &'static str,
    pub(crate) message: String,
}

/// Calls the command's function `place`. What it had in its hands when it panicked must not be
/// used any more.
pub(crate) fn guard<T>(place: &'static str, call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| Panicked { place, message: text(&*panic) })
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_says_what_and_where() {
        assert_eq!(guard("decide", || 7).unwrap(), 7);
        let said = guard("decide", || panic!("no such account")).unwrap_err();
        assert_eq!((said.place, said.message.as_str()), ("decide", "no such account"));
        let number = 7;
        let said = guard("decide", || panic!("no account {number}")).unwrap_err();
        assert_eq!(said.message, "no account 7");
        let said = guard("decide", || std::panic::panic_any(number)).unwrap_err();
        assert_eq!(said.message, "a panic without a text");
    }
}
