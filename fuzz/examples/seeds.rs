//! Writes the inputs that fuzzing begins with: `cargo run --example seeds -- corpus`.

fn main() {
    let corpus = std::env::args().nth(1).expect("give the folder to write to");
    annals_fuzz::write_seeds(corpus.as_ref());
}
