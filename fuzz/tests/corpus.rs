//! What is in the corpus passes, without libFuzzer: `cargo test --manifest-path fuzz/Cargo.toml`.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use std::{fs, path::Path};

fn pass(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        run(&fs::read(path).unwrap());
        count += 1;
    }
    assert!(count > 0);
}

/// One test: the memory cap counts what other threads hold, too.
#[test]
fn the_corpus_passes() {
    pass("frame", annals_fuzz::frame);
    pass("commit", annals_fuzz::commit);
    pass("image", annals_fuzz::image);
    pass("store", annals_fuzz::store);
    pass("dump", annals_fuzz::dump);
    pass("model", annals_fuzz::model);
}
