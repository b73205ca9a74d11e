//! What the derives say of mistakes, and where. The texts are the compiler's, too: after an update
//! of Rust, `TRYBUILD=overwrite cargo test -p annals-derive` writes them anew, to be looked at.
#![allow(missing_docs, reason = "a test")]

#[test]
fn a_mistake_is_marked_where_it_stands() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
