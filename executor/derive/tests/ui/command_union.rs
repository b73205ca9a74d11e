use annals::Command;
use annals_event::StreamId;

#[derive(Command)]
union Move {
    cents: u64,
    euros: u64,
}

fn main() {
    let _: Option<StreamId> = None;
}
