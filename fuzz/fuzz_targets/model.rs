#![no_main]
#![allow(clippy::disallowed_methods, reason = "the macro of libfuzzer-sys")]

use annals_fuzz::model;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| model(input));
