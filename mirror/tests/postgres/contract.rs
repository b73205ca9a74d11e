//! The store keeps the contract of stores.

use std::sync::Arc;

use annals_postgres::{PostgresStore, Role, Settings, init};
use annals_testkit::contract::{self, Check, NoRuntime};
use libtest_mimic::Trial;

use crate::server::Server;

/// An empty store in a schema of its own.
pub(crate) fn fresh(settings: &Settings) -> PostgresStore {
    init(settings, Role::Store).unwrap();
    PostgresStore::open(settings.clone()).unwrap()
}

/// How a store is set.
type Set = fn(Settings) -> Settings;

/// How the store is used: with everything on, and without what it can do without.
fn ways() -> [(&'static str, Set); 3] {
    [
        ("as_it_is", |settings| settings),
        ("one_by_one", |settings| settings.gathered_max(1)),
        ("unprepared", |settings| settings.prepared(false).readers(1)),
    ]
}

/// Each check of the contract, in each way.
pub(crate) fn trials(server: Option<&Arc<Server>>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (way, set) in ways() {
        for (name, check) in contract::checks::<PostgresStore, NoRuntime>() {
            let server = server.cloned();
            let run = move || {
                // There is none when tests are only listed.
                if let Some(server) = server {
                    run(&server, set, check);
                }
                Ok(())
            };
            trials.push(Trial::test(format!("contract::{way}::{name}"), run));
        }
    }
    trials
}

fn run(server: &Server, set: Set, check: Check<PostgresStore, NoRuntime>) {
    contract::run(&|| (fresh(&set(server.settings())), ()), &NoRuntime, check);
}

pub(crate) fn it_survives_reopening(server: &Server) {
    let settings = server.settings();
    let verdict = contract::survives_reopening(fresh(&settings), &NoRuntime, |store| {
        drop(store);
        PostgresStore::open(settings.clone()).unwrap()
    });
    assert_eq!(verdict, Ok(()));
}
