use annals::Command;
use annals_event::StreamId;

#[derive(Command)]
struct Wrong {
    #[stream]
    from: String,
    #[stream]
    to: StreamId,
    #[stream]
    also: Vec<Option<u64>>,
}

#[derive(Command)]
struct Generic<T> {
    #[stream]
    account: T,
}

fn streams(command: &Generic<u8>) -> Vec<StreamId> {
    annals::CommandStreams::streams(command)
}

fn main() {}
