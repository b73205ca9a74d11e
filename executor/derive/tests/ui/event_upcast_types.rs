use annals::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum Upcasts {
    #[event(version = 2, upcast(1 = to_text))]
    Wrong,
    #[event(version = 2, upcast(1 = missing))]
    Missing,
}

fn to_text((): ()) -> String {
    String::new()
}

fn main() {}
