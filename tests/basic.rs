//! The store as its users use it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]
use annals::*;
fn ev(s: &str, t: &'static str, p: &str) -> NewEvent {
    NewEvent::new(StreamId::new(s).unwrap(), t, p).unwrap()
}
#[test]
fn smoke() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3u64 {
        let a = Options::new().segment_bytes(16 << 10).open(dir.path()).unwrap();
        assert_eq!(a.position().get(), round * 300);
        for n in 0..100u64 {
            let c = a
                .append(
                    &Append::new()
                        .event(ev("a", "A", "x"))
                        .event(ev(&format!("b-{}", n % 7), "B", "y"))
                        .event(ev("a", "A", "z")),
                )
                .wait()
                .unwrap();
            assert_eq!(c.last.get(), round * 300 + n * 3 + 3);
            assert_eq!(c.versions[0].get(), round * 200 + n * 2 + 2);
        }
        let id = StreamId::new("a").unwrap();
        let f: Vec<u64> =
            a.read_stream(&id, StreamQuery::forward()).map(|e| e.unwrap().version.get()).collect();
        assert_eq!(f, (1..=(round + 1) * 200).collect::<Vec<_>>());
        let f: Vec<u64> = a
            .read_stream(&id, StreamQuery::backward().limit(7))
            .map(|e| e.unwrap().version.get())
            .collect();
        assert_eq!(f, ((round + 1) * 200 - 6..=(round + 1) * 200).rev().collect::<Vec<_>>());
        let f: Vec<u64> =
            a.read_all(LogQuery::forward()).map(|e| e.unwrap().position.get()).collect();
        assert_eq!(f, (1..=(round + 1) * 300).collect::<Vec<_>>());
        let f: Vec<u64> =
            a.read_all(LogQuery::backward()).map(|e| e.unwrap().position.get()).collect();
        assert_eq!(f, (1..=(round + 1) * 300).rev().collect::<Vec<_>>());
        assert_eq!(a.stream_version(&id).get(), (round + 1) * 200);
        a.close().unwrap();
        println!("{:?}", a.stats());
    }
}
