//! The checks of the contract as tests.

/// Makes a test of each check of [`contract`](crate::contract), in a module of this name, for the
/// store that an expression makes: a closure that returns an empty store, and what must live as
/// long as the store does, such as its directory.
///
/// ```
/// use annals::Annals;
///
/// annals_testkit::store_contract!(in_memory, || (Annals::in_memory().unwrap(), ()));
/// ```
///
/// A store that needs a runtime is given one as a third argument, a
/// [`Runner`](crate::contract::Runner).
#[macro_export]
macro_rules! store_contract {
    ($module:ident, $fresh:expr) => {
        $crate::store_contract!($module, $fresh, $crate::contract::NoRuntime);
    };
    ($module:ident, $fresh:expr, $runner:expr) => {
        mod $module {
            #[allow(unused_imports, reason = "the expressions may need them")]
            use super::*;

            $crate::__for_each_check! { __store_contract_tests ($fresh, $runner) }
        }
    };
}

/// A test for each name.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_contract_tests {
    (($fresh:expr, $runner:expr) $($name:ident)*) => {$(
        #[test]
        fn $name() {
            $crate::contract::run(&$fresh, &$runner, $crate::contract::$name);
        }
    )*};
}
