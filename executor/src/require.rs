//! A rule, and what a command is refused with if it does not hold.

/// Returns `Err` unless a condition holds: with a rejection, or with text that is formatted, each
/// turned into the function's error by `Into`.
///
/// ```
/// use annals_executor::require;
///
/// fn decide(balance: u64, cents: u64) -> Result<u64, String> {
///     require!(cents > 0, "nothing to withdraw");
///     require!(balance >= cents, "{balance} cents are not enough for {}", cents);
///     Ok(balance - cents)
/// }
///
/// assert_eq!(decide(5, 3), Ok(2));
/// assert_eq!(decide(5, 7), Err("5 cents are not enough for 7".to_owned()));
/// assert_eq!(decide(5, 0), Err("nothing to withdraw".to_owned()));
/// ```
#[macro_export]
macro_rules! require {
    ($condition:expr, $rejection:expr $(,)?) => {
        if !$condition {
            return ::core::result::Result::Err(::core::convert::Into::into($rejection));
        }
    };
    ($condition:expr, $format:literal, $($argument:tt)+) => {
        if !$condition {
            return ::core::result::Result::Err(::core::convert::Into::into(::std::format!(
                $format,
                $($argument)+
            )));
        }
    };
}
