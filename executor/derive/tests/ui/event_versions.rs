use annals::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum Versions {
    #[event(version = 0)]
    Zero,
    #[event(version = 70000)]
    Large,
    #[event(version = 2)]
    Forgotten,
    #[event(version = 4, upcast(1 = from_old, 3 = from_old))]
    Hole,
    #[event(version = 2, upcast(1 = from_old, 2 = from_old))]
    NotOlder,
    #[event(version = 2, upcast(1 = from_old, 1 = _))]
    Doubled,
    #[event(upcast(1 = from_old))]
    First,
    #[event(version = 2, upcast(one = from_old))]
    NoNumber,
    #[event(version = 2, upcast(1 = "from_old"))]
    NoFunction,
}

fn from_old((): ()) -> Versions {
    Versions::Zero
}

fn main() {}
