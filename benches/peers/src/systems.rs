//! The systems, each in a file of its own.

mod annals;
mod eventcore;
mod fjall;
mod lmdb;
mod okaywal;
mod raft_engine;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sqlite;
mod tephra;
mod umadb;

pub(crate) use self::eventcore::{Happened, sqlite_store};

use crate::system::Peer;

/// All of them, in the order of the page's tables.
pub(crate) const ALL: &[Peer] = &[
    annals::THREADS,
    annals::TASKS,
    tephra::THREADS,
    tephra::TASKS,
    umadb::UMADB,
    eventcore::MEMORY,
    eventcore::SQLITE,
    raft_engine::RAFT_ENGINE,
    okaywal::OKAYWAL,
    okaywal::GATHERED,
    fjall::FJALL,
    fjall::GATHERED,
    #[cfg(feature = "rocksdb")]
    rocksdb::ROCKSDB,
    sqlite::SQLITE,
    sqlite::GATHERED,
    lmdb::LMDB,
    lmdb::GATHERED,
    redb::REDB,
    redb::GATHERED,
];

/// What this program was built without, and why.
pub(crate) const MISSING: &[(&str, &str)] = &[
    #[cfg(not(feature = "rocksdb"))]
    (
        "rocksdb",
        "this program was built with `--no-default-features`, without a C++ compiler or libclang",
    ),
];

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, fs, time::Duration};

    use annals_bench::{MULTI, Random, SINGLE};
    use tokio::runtime::Builder;

    use super::*;
    use crate::{
        append::{Append, Conflict, Stream, Written},
        callers,
        case::Case,
        system::{Answer, Caller, Role, System},
        verify,
    };

    fn append(caller: &mut Caller, append: &mut Append) -> Answer {
        match caller {
            Caller::Thread(caller) => caller.append(append).unwrap(),
            Caller::Task(caller) => {
                let runtime = Builder::new_multi_thread().build().unwrap();
                runtime.block_on(caller.append(append)).unwrap()
            }
        }
    }

    fn request(streams: [u32; 4]) -> Append {
        Append::new(&MULTI, streams.map(Stream::new).to_vec(), &mut Random::new(1))
    }

    fn with_each(test: impl Fn(&Peer, Box<dyn System>) -> (Box<dyn System>, Written)) {
        for peer in ALL {
            println!("{}", peer.name);
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("log");
            fs::create_dir(&path).unwrap();
            let (mut system, written) = test(peer, (peer.open)(&path).unwrap());
            verify::holds(&*system, &written).unwrap();
            if peer.role != Role::Memory {
                system.close().unwrap();
                system = (peer.open)(&path).unwrap();
                verify::holds(&*system, &written).unwrap();
            }
            system.close().unwrap();
        }
    }

    #[test]
    fn every_system_refuses_what_is_stale_and_keeps_the_rest() {
        with_each(|peer, system| {
            let [mut first, mut second] = [(); 2].map(|()| system.caller().unwrap());
            let mut both = [request([1, 2, 3, 4]), request([9, 3, 8, 4])];
            let [of_first, of_second] = &mut both;
            assert_eq!(append(&mut first, of_first), Answer::Committed, "{}", peer.name);
            of_first.acknowledge();
            assert_eq!(append(&mut first, of_first), Answer::Committed, "{}", peer.name);
            let Answer::Conflict(conflicts) = append(&mut second, of_second) else {
                panic!("{}: streams 3 and 4 are not empty", peer.name);
            };
            // Some name one stream only, some name those as well that are as expected.
            let [third, fourth] = [1, 3].map(|target| Conflict { target, actual: 2 });
            assert!(conflicts.contains(&third) || conflicts.contains(&fourth), "{}", peer.name);
            of_second.correct(&[third, fourth]);
            assert_eq!(append(&mut second, of_second), Answer::Committed, "{}", peer.name);
            drop((first, second));
            (system, Written::from([(1, 2), (2, 2), (3, 3), (4, 3), (8, 1), (9, 1)]))
        });
    }

    #[test]
    fn every_system_orders_callers_that_share_a_stream() {
        with_each(|peer, system| {
            let case = Case { shape: SINGLE, callers: 4, is_hot: true };
            let (warm_up, length) = (Duration::ZERO, Duration::from_millis(200));
            let outcome = callers::run(&*system, case.requests(), warm_up, length).unwrap();
            assert!(outcome.acknowledged_in_all > 0, "{}", peer.name);
            (system, outcome.written)
        });
    }

    #[test]
    fn every_name_is_given_once_and_every_way_is_one_to_a_system() {
        let names: HashSet<&str> = ALL.iter().map(|peer| peer.name).collect();
        assert_eq!(names.len(), ALL.len());
        for peer in ALL {
            if let Role::Way(of) = peer.role {
                assert!(names.contains(of) && peer.name.starts_with(of), "{}", peer.name);
            }
        }
    }
}
