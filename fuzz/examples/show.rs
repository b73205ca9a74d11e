//! Shows an input of `store` or `dump`: `cargo run --example show -- artifacts/store/crash-...`.

fn main() {
    for path in std::env::args().skip(1) {
        let input = std::fs::read(&path).expect("give files to show");
        println!("{path}\n{}", annals_fuzz::show(&input));
    }
}
