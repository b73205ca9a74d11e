use annals::Command;
use annals_event::StreamId;

#[derive(Command)]
enum Move {
    Deposit { account: StreamId },
}

fn main() {}
