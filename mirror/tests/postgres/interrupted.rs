//! A mirror that is interrupted at each step of what it does.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use annals::Annals;
use annals_postgres::{Mirror, Role, Settings, init};

use crate::{
    mirroring::{assert_same, fill, mirror_of},
    proxy::Proxy,
    server::Server,
};

/// A batch takes about eight answers; the last is that to COMMIT, after which nobody knows whether
/// the batch was copied.
const ANSWERS: u32 = 12;

/// Each answer is lost once: to the look at the position, to COPY, to COMMIT, and while the mirror
/// connects again. Each event is copied once.
pub(crate) fn a_mirror_whose_answers_are_lost_copies_once(server: &Server) {
    let schema = server.schema();
    let direct = server.settings_of(&schema);
    let annals = Annals::in_memory().unwrap();
    init(&direct, Role::Mirror { log: Mirror::log_id(&annals) }).unwrap();
    let proxy = Proxy::before(server.socket());
    let through = Settings::parse(&proxy.connection()).unwrap().schema(schema);
    let mirror = Mirror::start(&annals, through).unwrap();
    for round in 0..3 {
        for answers in 0..ANSWERS {
            mirror.wait_for(annals.position(), |_| {}).unwrap();
            proxy.cut_after(answers);
            while !proxy.has_cut() {
                fill(&annals, u64::from(round * ANSWERS + answers), 20);
                mirror.wait_for(annals.position(), |_| {}).unwrap();
            }
        }
    }
    mirror.wait_for(annals.position(), |_| {}).unwrap();
    assert_same(&annals, &direct);
}

/// The server ends its process in the middle of a COPY, when rows have come already: they are not
/// there, and come again.
pub(crate) fn a_copy_that_is_broken_off_leaves_nothing(server: &Server) {
    let settings = server.settings_of("broken_off");
    let annals = Annals::in_memory().unwrap();
    let mirror = mirror_of(&annals, &settings);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut seed = 0;
            while !is_over.load(Ordering::Acquire) {
                fill(&annals, seed, 2_000);
                seed += 1;
                while mirror.lag().events() > 50_000 && !is_over.load(Ordering::Acquire) {
                    thread::sleep(Duration::from_millis(1));
                }
            }
        });
        for _ in 0..10 {
            server.sql(
                "DO $$ BEGIN LOOP
                    PERFORM pg_terminate_backend(pid) FROM pg_stat_progress_copy
                    WHERE relid = 'broken_off.events'::regclass AND tuples_processed > 0;
                    EXIT WHEN FOUND;
                    PERFORM pg_stat_clear_snapshot();
                END LOOP; END $$",
            );
            mirror.wait_for(mirror.lag().mirrored.plus(1), |_| {}).unwrap();
        }
        is_over.store(true, Ordering::Release);
    });
    mirror.wait_for(annals.position(), |_| {}).unwrap();
    assert_same(&annals, &settings);
}
