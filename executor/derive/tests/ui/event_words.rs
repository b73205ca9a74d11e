use annals::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum Words {
    #[event(nam = "x")]
    Misspelt,
    #[event(name = "x", name = "y")]
    Twice,
    #[event(prefix = "x")]
    Elsewhere,
}

#[derive(Serialize, Deserialize, Event)]
#[event(name = "x")]
enum OnTheEnum {
    A,
}

#[derive(Serialize, Deserialize, Event)]
#[event(prefix = "x")]
struct OnTheStruct;

#[derive(Serialize, Deserialize, Event)]
enum OnAField {
    A {
        #[event(name = "x")]
        field: u64,
    },
}

#[derive(Serialize, Deserialize, Event)]
enum Bare {
    #[event]
    A,
}

fn main() {}
