use annals::Command;
use annals_event::StreamId;

#[derive(Command)]
struct Unmarked {
    from: StreamId,
    also: Vec<StreamId>,
    cents: u64,
}

#[derive(Command)]
struct None {
    cents: u64,
}

#[derive(Command)]
struct Tuple(StreamId, u64);

fn main() {}
