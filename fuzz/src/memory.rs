//! How much memory Annals may take for what it is given.

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Runs something that is given so many bytes, and panics if at any moment it held more memory
/// than `per_byte` for each of them and a fixed amount. No other thread may be running.
pub(crate) fn capped<T>(given: usize, per_byte: usize, run: impl FnOnce() -> T) -> T {
    const FIXED: usize = 256 << 10;
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let result = run();
    let held = ALLOCATOR.peak_usage().saturating_sub(before);
    let cap = FIXED + per_byte * given;
    assert!(held <= cap, "the memory cap: {held} bytes held for {given} bytes given, not {cap}");
    result
}
