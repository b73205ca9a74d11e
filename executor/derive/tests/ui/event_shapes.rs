use annals::Event;
use serde::{Deserialize, Serialize};

#[derive(Event)]
union Either {
    a: u64,
    b: u64,
}

#[derive(Serialize, Deserialize, Event)]
enum Nothing {}

#[derive(Serialize, Deserialize, Event)]
enum Skipped {
    A,
    #[serde(skip)]
    B,
    #[serde(untagged)]
    C(u64),
}

fn main() {}
