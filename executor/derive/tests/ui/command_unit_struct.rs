use annals::Command;

#[derive(Command)]
struct Nothing;

fn main() {}
