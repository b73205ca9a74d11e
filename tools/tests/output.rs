//! What the commands show is what was appended: in number, in order, in content.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test"
)]

mod common;

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};

use annals_event::{CodecId, SchemaVersion};
use common::{EVENTS, closed_store, dump, event, json, lines, number, open, segment_files};

#[test]
fn segments_are_listed_with_their_sums() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let text = lines(&["segments"], dir.path());
    let json = json(&["segments"], dir.path());
    let count = segment_files(dir.path()).len();
    assert!(count >= 3);
    assert_eq!((text.len(), json.len()), (count + 1, count + 1));
    let (total, segments) = json.split_last().unwrap();
    let mut next = 1;
    for (index, segment) in segments.iter().enumerate() {
        assert_eq!(number(&segment["segment"]), index + 1);
        assert_eq!(number(&segment["first_position"]), next);
        next = number(&segment["last_position"]) + 1;
        assert_eq!(number(&segment["capacity"]), 16 << 10);
        assert!(number(&segment["bytes_used"]) <= 16 << 10);
        let state = if index + 1 == count { "closed cleanly" } else { "sealed" };
        assert_eq!(segment["state"], state);
        assert!(text[index].starts_with(&format!("segment {}  000", index + 1)));
        assert!(text[index].contains(state));
        let name = segment["file"].as_str().unwrap();
        assert!(dir.path().join(name).is_file());
        let has_image = dir.path().join(name.replace(".seg", ".idx")).is_file();
        assert_eq!(segment["has_image"], has_image);
    }
    let total = &total["total"];
    assert_eq!([&total["commits"], &total["events"]], [150, 450]);
    assert_eq!(number(&total["segments"]), count);
    assert!(text[count].starts_with(&format!("total {count} segments  150 commits  450 events")));
}

#[test]
fn an_open_store_is_active() {
    let dir = tempfile::tempdir().unwrap();
    let annals = open(dir.path());
    common::fill(&annals, 1);
    assert_eq!(json(&["segments"], dir.path())[0]["state"], "active");
    drop(annals);
}

#[test]
fn every_frame_is_a_line() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let text = lines(&["frames"], dir.path());
    let json = json(&["frames"], dir.path());
    let seals = segment_files(dir.path()).len() - 1;
    assert_eq!((text.len(), json.len()), (150 + seals + 1, 150 + seals + 1));
    let count = |kind: &str| json.iter().filter(|frame| frame["kind"] == kind).count();
    assert_eq!((count("commit"), count("seal"), count("close")), (150, seals, 1));
    let mut main = 0;
    for (n, frame) in json.iter().filter(|frame| frame["kind"] == "commit").enumerate() {
        assert_eq!(number(&frame["first_position"]), 3 * n + 1);
        assert_eq!(number(&frame["last_position"]), 3 * n + 3);
        let streams = frame["streams"].as_array().unwrap();
        assert_eq!(streams[0]["stream"], "main");
        assert_eq!(streams[0]["version_before"], main);
        assert_eq!(streams[1]["stream"], format!("other-{}", n % 7));
        assert_eq!(number(&streams[1]["version_before"]), n / 7);
        assert!(frame["time"].as_str().unwrap().ends_with('Z'));
        main += 2;
    }
    for pair in json.windows(2).filter(|pair| pair[0]["segment"] == pair[1]["segment"]) {
        let end = number(&pair[0]["offset"]) + number(&pair[0]["length"]);
        assert_eq!(end, number(&pair[1]["offset"]));
    }
    assert!(text[0].starts_with("segment 1 offset 4096  commit  "), "{}", text[0]);
    assert!(text[0].ends_with("  streams main@0 other-0@0"), "{}", text[0]);
    assert!(text.last().unwrap().contains("close  48 bytes  before position 451"));
}

#[test]
fn every_event_is_a_line() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let json = json(&["events"], dir.path());
    assert_eq!(json.len(), 450);
    for (event, position) in json.iter().zip(1..) {
        assert_eq!(event["position"], position);
        let n = (position - 1) / EVENTS;
        let (stream, version) = match (position - 1) % EVENTS {
            0 => ("main".to_owned(), 2 * n + 1),
            1 => (format!("other-{}", n % 7), n / 7 + 1),
            _ => ("main".to_owned(), 2 * n + 2),
        };
        assert_eq!((&event["stream"], &event["version"]), (&stream.into(), &version.into()));
    }
    let first = &json[0];
    assert_eq!((&first["type"], &first["payload"]), (&"Counted".into(), &"{\"n\": 0}".into()));
    assert_eq!((&json[1]["payload_hex"], &json[1]["metadata"]), (&"ff0001".into(), &"who".into()));
    assert_eq!(json[2]["tags"], serde_json::json!(["a tag"]));
    assert_eq!(first["id"], "00000000-0000-0000-0707-070707070700");
    let text = lines(&["events"], dir.path());
    assert_eq!(text.len(), 450);
    let id = "id=00000000-0000-0000-0707-0707070707";
    assert!(text[0].ends_with(&format!("Z main@1 Counted {id}00 payload={{\"n\": 0}}")));
    let rest = format!("Z other-0@1 Seen {id}01 metadata=\"who\" payload_hex=ff0001");
    assert!(text[1].ends_with(&rest), "{}", text[1]);
}

#[test]
fn events_are_selected() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let positions = |arguments: &[&str]| -> Vec<u64> {
        let arguments = [&["events"], arguments].concat();
        json(&arguments, dir.path()).iter().map(|e| e["position"].as_u64().unwrap()).collect()
    };
    for from in [0, 1, 2, 200, 449, 450] {
        let expected: Vec<u64> = (from.max(1)..=450).collect();
        assert_eq!(positions(&["--from", &from.to_string()]), expected);
    }
    assert_eq!(positions(&["--from", "451"]), Vec::<u64>::new());
    assert_eq!(positions(&["--from", "199", "--to", "203"]), [199, 200, 201, 202, 203]);
    assert_eq!(positions(&["--from", "9", "--to", "8"]), Vec::<u64>::new());
    assert_eq!(positions(&["--limit", "2", "--from", "5"]), [5, 6]);
    assert_eq!(positions(&["--limit", "0"]), Vec::<u64>::new());
    assert_eq!(positions(&["--to", "9", "--stream", "oth"]), [2, 5, 8]);
    assert_eq!(positions(&["--to", "9", "--type", "Checked"]), [3, 6, 9]);
    let both = ["--to", "4", "--type", "Checked", "--type", "Seen"];
    assert_eq!(positions(&both), [2, 3]);
    assert_eq!(positions(&["--stream", "nobody"]), Vec::<u64>::new());
    let last = ["--stream", "main", "--type", "Counted", "--from", "440", "--limit", "1"];
    assert_eq!(positions(&last), [442]);
}

#[test]
fn codecs_and_schemas_show_where_they_are_not_the_default() {
    let dir = tempfile::tempdir().unwrap();
    let annals = open(dir.path());
    let coded = event("a", "B", "").with_codec(CodecId::JSON, SchemaVersion(3));
    annals.append(&annals_event::Append::new().event(coded)).wait().unwrap();
    annals.close().unwrap();
    assert!(lines(&["events"], dir.path())[0].ends_with("Z a@1 B codec=2 schema=3 payload="));
    let event = &json(&["events"], dir.path())[0];
    assert_eq!((&event["codec"], &event["schema_version"]), (&2.into(), &3.into()));
    assert_eq!(event["id_given"], false);
}

#[test]
fn streams_have_their_versions() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let all = json(&["streams"], dir.path());
    assert_eq!(all.len(), 8);
    assert_eq!(
        all[0],
        serde_json::json!({
            "stream": "main", "version": 300, "first_position": 1, "last_position": 450
        })
    );
    let others = json(&["streams", "--prefix", "other-"], dir.path());
    assert_eq!(others, all[1..]);
    assert_eq!(others.iter().map(|stream| number(&stream["version"])).sum::<usize>(), 150);
    let text = lines(&["streams", "--prefix", "main"], dir.path());
    assert_eq!(text, ["main  version 300  first position 1  last position 450"]);
    let annals = open(dir.path());
    for stream in &all {
        let id = annals_event::StreamId::new(stream["stream"].as_str().unwrap()).unwrap();
        assert_eq!(stream["version"], annals.stream_version(&id).get());
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    // More than a pipe holds.
    for _ in 0..4 {
        let annals = open(dir.path());
        common::fill(&annals, 300);
        annals.close().unwrap();
    }
    for arguments in [["events", "--json"], ["frames", "--json"]] {
        assert!(dump(&arguments, dir.path()).stdout.len() > 200_000);
        let mut child = Command::new(env!("CARGO_BIN_EXE_log-dump"))
            .args(arguments)
            .arg(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with('{') && line.ends_with("}\n"));
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!(told, "");
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}
