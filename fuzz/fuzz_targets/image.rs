#![no_main]
#![allow(clippy::disallowed_methods, reason = "the macro of libfuzzer-sys")]

use annals_fuzz::{Input, image, mutate_image};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|input: &[u8]| image(input));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_image(Input { data, size, max_size, seed, fuzzer: fuzzer_mutate })
});
