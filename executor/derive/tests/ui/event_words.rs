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

fn main() {}
