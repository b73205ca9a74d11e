//! Financial and Orders: commands, decided on folded state, beside appends that decide nothing.

mod bank;
mod callers;
mod case;
mod goals;
mod load;
mod rounds;
mod shop;

pub(crate) use rounds::run;
