//! `annals-mirror`: copies the log of an Annals store into Postgres. See `annals-mirror --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    annals_postgres::run()
}
