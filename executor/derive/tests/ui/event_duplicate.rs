use annals::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum Twice {
    Deposited { cents: u64 },
    #[event(name = "Deposited")]
    PaidIn { cents: u64 },
    Other,
    #[event(name = "Other")]
    Another,
}

#[derive(Serialize, Deserialize, Event)]
#[event(prefix = "a")]
enum Prefixed {
    #[event(name = "aB")]
    A,
    B,
}

fn main() {}
