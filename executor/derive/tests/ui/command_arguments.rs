use annals::Command;
use annals_event::StreamId;

#[derive(Command)]
struct Arguments {
    #[stream(read)]
    from: StreamId,
    #[stream = "account"]
    to: StreamId,
    #[stream]
    #[stream]
    twice: StreamId,
}

#[derive(Command)]
#[stream]
struct Outside {
    from: StreamId,
}

#[derive(Command)]
#[command(retries = 3)]
struct Unknown {
    #[stream]
    from: StreamId,
}

#[derive(Command)]
struct OnAField {
    #[stream]
    #[command(crate = "annals")]
    from: StreamId,
}

fn main() {}
