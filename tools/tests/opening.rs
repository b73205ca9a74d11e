//! `verify` and opening agree: what opening refuses is damaged, what it takes is sound. Only what
//! opening does not look at may be damaged and be taken.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

use std::sync::Arc;

use annals_engine::{Directory, Memory, Options, Threads};
use annals_event::{Append, Encoder, NewEvent, StreamId};
use annals_tools::{Console, LogDirectory, Outcome};
use annals_wal::{Access, Log, LogOptions, NewFrame, NotPushed, body_checksum};

type Files = Vec<(String, Vec<u8>)>;

fn options() -> Options {
    Options::new().segment_bytes(8 << 10).threads(Threads::Inline)
}

/// The segments of a log of several, closed or not.
fn files(is_closed: bool) -> Files {
    let memory = Memory::default();
    let annals = options().open_on(Arc::new(memory.clone())).unwrap();
    for n in 0..60 {
        let stream = StreamId::new(&format!("stream-{}", n % 5)).unwrap();
        let event = NewEvent::new(stream, "Happened", vec![b'x'; 30 + 7 * n % 100]).unwrap();
        annals.append(&Append::new().event(event.clone()).event(event)).wait().unwrap();
    }
    if is_closed {
        annals.close().unwrap();
    }
    read(&memory)
}

fn read(directory: &Memory) -> Files {
    let read = |name: String| {
        let file = directory.open(&name, Access::Read).unwrap();
        let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
        assert_eq!(file.read_at(0, &mut bytes).unwrap(), bytes.len());
        (name, bytes)
    };
    let mut names = directory.names().unwrap();
    names.retain(|name| name.strip_suffix(".seg").is_some());
    names.into_iter().map(read).collect()
}

fn directory(files: &Files) -> Memory {
    let directory = Memory::default();
    for (name, bytes) in files {
        let file = directory.create(name).unwrap();
        assert_eq!(file.write_at(0, bytes).unwrap(), bytes.len());
    }
    directory
}

/// Whether both agree. Says which way.
fn agree(files: &Files, what: &str) -> Outcome {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let log = LogDirectory::open_on(Arc::new(directory(files))).unwrap();
    let mut console = Console { out: &mut out, err: &mut err };
    let outcome = annals_tools::verify(&log, &mut console).unwrap();
    let text = String::from_utf8(out).unwrap();
    let opened = options().open_on(Arc::new(directory(files)));
    match opened {
        Ok(annals) => {
            let is_unseen = text.contains("bytes follow the seal");
            assert!(outcome == Outcome::Sound || is_unseen, "{what}: opening takes it\n{text}");
            let events = text.split(", ").find_map(|part| part.strip_suffix(" events")).unwrap();
            assert_eq!(events.parse(), Ok(annals.position().get()), "{what}\n{text}");
        }
        Err(error) => {
            assert_eq!(outcome, Outcome::Damaged, "{what}: opening says {error}\n{text}");
            // Opening names the first thing that is wrong; it is among what verify names.
            let reason = error.to_string();
            let reason = reason.split("; ").next().unwrap();
            assert!(text.contains(reason), "{what}: opening says {error}\n{text}");
        }
    }
    outcome
}

/// G18: `verify` finds fault with what opening refuses, and with nothing else.
#[test]
fn they_agree_on_every_kind_of_damage() {
    for is_closed in [true, false] {
        let files = files(is_closed);
        assert!(files.len() >= 3, "{}", files.len());
        assert_eq!(agree(&files, "nothing"), Outcome::Sound);
        let (mut sound, mut damaged) = (0, 0);
        for index in 0..files.len() {
            for (step, name, change) in CHANGES {
                for at in (0..files[index].1.len()).step_by(*step) {
                    let mut files = files.clone();
                    change(&mut files[index].1, at);
                    let what = format!("{name} at {at} in {index}, closed: {is_closed}");
                    match agree(&files, &what) {
                        Outcome::Sound => sound += 1,
                        Outcome::Damaged => damaged += 1,
                    }
                }
            }
        }
        assert!(sound > 50 && damaged > 500, "{sound} {damaged}");
    }
}

type Change = fn(&mut Vec<u8>, usize);

const CHANGES: &[(usize, &str, Change)] = &[
    (37, "a flipped bit", |bytes, at| bytes[at] ^= 1 << (at % 8)),
    (512, "a zeroed sector", |bytes, at| bytes[at..at + 512].fill(0)),
    (512, "a sector of noise", |bytes, at| {
        for (byte, noise) in bytes[at..at + 512].iter_mut().zip(1_u32..) {
            *byte = noise.wrapping_mul(2_654_435_761).to_le_bytes()[3];
        }
    }),
    (1024, "a shifted rest", |bytes, at| bytes.copy_within(at.., at / 2)),
    (1111, "a cut", |bytes, at| bytes.truncate(at)),
    (4096, "a longer file", |bytes, at| bytes.resize(bytes.len() + at + 1, 0)),
];

#[test]
fn they_agree_on_what_is_missing_or_doubled() {
    let files = files(true);
    for index in 0..files.len() {
        let mut without = files.clone();
        let (name, bytes) = without.remove(index);
        let outcome = agree(&without, &format!("without {index}"));
        // Nothing says that a log once was longer.
        let is_last = index + 1 == files.len();
        assert_eq!(outcome, if is_last { Outcome::Sound } else { Outcome::Damaged });
        let mut doubled = files.clone();
        doubled.push(("00000000000000009999.seg".to_owned(), bytes.clone()));
        assert_eq!(agree(&doubled, &format!("{index} twice")), Outcome::Damaged);
        for other in 0..files.len() {
            let mut copied = files.clone();
            copied[other] = (files[other].0.clone(), bytes.clone());
            agree(&copied, &format!("{index} over {other}, {name}"));
        }
    }
}

/// A power cut while an opening gave the last segment its name anew left the file with a name
/// that only opening knew: `verify` took the log for one that ended a segment earlier, or for
/// none at all, and said that it was sound. And opening renamed the file back before it had
/// looked into it: what it refused had been changed.
#[test]
fn they_agree_on_a_segment_whose_name_was_being_renewed() {
    let files = files(true);
    for index in 0..files.len() {
        let mut moved = files.clone();
        moved[index].0.push_str(".moved");
        assert_eq!(agree(&moved, &format!("{index} was moved")), Outcome::Sound);
        moved[index].1[5000] ^= 1;
        assert_eq!(agree(&moved, &format!("{index} was moved and damaged")), Outcome::Damaged);
        let refused = directory(&moved);
        options().open_on(Arc::new(refused.clone())).unwrap_err();
        let names: Vec<_> = moved.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(refused.names().unwrap(), names, "nothing was changed");
        let mut twice = files.clone();
        twice.push((format!("{}.moved", files[index].0), vec![0; 5]));
        twice.sort();
        assert_eq!(agree(&twice, &format!("{index} is there, too")), Outcome::Sound);
    }
    let mut moved: Files = files.into_iter().take(1).collect();
    moved[0].0.push_str(".moved");
    agree(&moved, "the only segment was moved");
}

/// The files with one more frame, whose checksums are right, whatever is in it.
fn with_frame(files: &Files, stamps: &[u64], body: &[u8], record_count: u32) -> Files {
    let memory = directory(files);
    let options =
        LogOptions { segment_bytes: 8 << 10, threads: Threads::Inline, ..LogOptions::default() };
    let log = Log::open(Arc::new(memory.clone()), options, &mut ()).unwrap();
    let body_checksum = body_checksum(body);
    let frame = NewFrame { record_count, time: i64::MAX, stamps, body, body_checksum };
    loop {
        match log.push(&frame) {
            Ok(pushed) => break pushed.ticket.wait().unwrap(),
            Err(NotPushed::NoRoomYet { capacity }) => log.make_room(capacity).unwrap(),
            Err(NotPushed::Failed(error)) => panic!("{error}"),
        }
    }
    log.close().unwrap();
    read(&memory)
}

#[test]
fn they_agree_on_commits_that_are_whole_and_wrong() {
    let files = files(true);
    let event = |stream: &str| NewEvent::new(StreamId::new(stream).unwrap(), "T", "x").unwrap();
    let mut encoder = Encoder::default();
    encoder.encode(&Append::new().event(event("stream-0")).event(event("\u{202e}new"))).unwrap();
    let body = encoder.body();
    // 60 appends over 5 streams, two events each.
    let good = with_frame(&files, &[24, 0], body, 2);
    assert_eq!(agree(&good, "right versions"), Outcome::Sound);
    for stamps in [[23, 0], [25, 0], [24, 1], [0, 0], [u64::MAX, 0]] {
        let bad = with_frame(&files, &stamps, body, 2);
        assert_eq!(agree(&bad, "wrong versions"), Outcome::Damaged, "{stamps:?}");
    }
    let many = vec![0; 5000];
    for (stamps, body, count, what) in [
        (&[24, 0][..], body, 1, "fewer events than there are"),
        (&[24, 0], body, 3, "more events than there are"),
        (&[24], body, 2, "fewer streams than there are"),
        (&[24, 0, 0], body, 2, "more streams than there are"),
        (&[24, 0], &[0; 64], 1, "zeroes"),
        (&[24, 0], &[0xff; 64], 1, "ones"),
        (&many, &[1; 8], u32::MAX, "much"),
    ] {
        let bad = with_frame(&files, stamps, body, count);
        assert_eq!(agree(&bad, what), Outcome::Damaged, "{what}");
    }
    encoder.encode(&Append::new().event(event("stream-0"))).unwrap();
    let mut twice = encoder.body()[..9].to_vec();
    twice.extend_from_slice(encoder.body());
    let bad = with_frame(&files, &[24, 24], &twice[..twice.len() / 8 * 8], 1);
    assert_eq!(agree(&bad, "a stream twice"), Outcome::Damaged);
}
