//! What a program's own recorder sees of a mirror.

#[path = "../../../tests/common/recorder.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod recorder;

use std::{collections::BTreeSet, fs, path::Path};

use annals::Annals;
use annals_postgres::Mirror;

use self::recorder::Recorder;
use crate::{
    mirroring::{fill, mirror_of},
    server::Server,
};

/// The names in the document.
fn documented() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/observability.md");
    let text = fs::read_to_string(path).unwrap();
    let names = text.split('`').filter(|word| word.starts_with("annals_mirror_"));
    names.map(str::to_owned).collect()
}

/// The lag grows while the server is away, and ends with nothing.
pub(crate) fn the_lag_of_a_mirror_is_seen(_: &Server) {
    let server = Server::start(crate::server::programs().unwrap());
    let (recorder, annals) = (Recorder::default(), Annals::in_memory().unwrap());
    fill(&annals, 1, 300);
    let settings = server.settings();
    mirror_of(&annals, &settings).wait_for(annals.position(), |_| {}).unwrap();
    let begun = annals.position();
    fill(&annals, 2, 300);
    let mirror =
        metrics::with_local_recorder(&recorder, || Mirror::start(&annals, settings).unwrap());
    mirror.wait_for(annals.position(), |_| {}).unwrap();
    let copied = annals.position();
    server.crash();
    fill(&annals, 3, 300);
    let behind = annals.position().get() - copied.get();
    let last = |name: &str| recorder.all().get(name).and_then(|all| all.last().copied());
    let lag = || last("annals_mirror_lag_events");
    let float = |count: u64| f64::from(u32::try_from(count).unwrap());
    while lag() != Some(float(behind)) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(mirror.lag().is_away);
    assert_eq!(mirror.lag().events(), behind);
    server.begin();
    mirror.wait_for(annals.position(), |_| {}).unwrap();
    // It is counted when it is told.
    while lag() != Some(0.0) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let all = recorder.all();
    assert_eq!(all.keys().cloned().collect::<BTreeSet<_>>(), documented());
    let events: f64 = all["annals_mirror_events_total"].iter().sum();
    let copied = annals.position().get() - begun.get();
    assert!((events - float(copied)).abs() < 0.5, "{events} of {copied}");
    assert!(!all["annals_mirror_waits_total"].is_empty());
}
