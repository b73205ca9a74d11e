//! Financial and Orders: commands, decided on folded state, beside appends that decide nothing.

pub(crate) mod bank;
mod callers;
mod case;
mod goals;
mod load;
mod rounds;
pub(crate) mod shop;

pub(crate) use rounds::run;
