//! Nothing that an attacker put into a log, or into its directory, reaches the terminal as it is.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test"
)]

mod common;

use std::fs;

use annals_event::{Append, EventType, NewEvent, StreamId};
use annals_tools::is_hidden;
use common::{dump, edit, json, lines, open, segment_files};

/// What must not be sent to a terminal: controls, a window title, colours, reordering, breaks.
const HOSTILE: &[&str] = &[
    "\u{1b}]0;owned\u{7}",
    "\u{1b}[31m\u{1b}[2J",
    "\u{9b}31m\u{9d}0;x\u{9c}",
    "\u{90}q\u{98}\u{9e}\u{9f}\u{85}",
    "\0\u{1}\u{8}\t\n\u{b}\u{c}\r\u{7f}",
    "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}txt.exe",
    "\u{2066}\u{2067}\u{2068}\u{2069}\u{200e}\u{200f}\u{61c}",
    "\u{2028}\u{2029}",
    "back\\slash \\u{1b} \\n",
];

/// Those that a name may have: names have no control characters.
fn names() -> impl Iterator<Item = String> + Clone {
    let is_name = |text: &&&str| !text.chars().any(char::is_control);
    HOSTILE.iter().filter(is_name).map(|text| format!("a {text}"))
}

fn shows_nothing_hidden(text: &[u8]) -> &str {
    let text = str::from_utf8(text).unwrap();
    let hidden = text.chars().find(|c| is_hidden(*c) && *c != '\n');
    assert_eq!(hidden, None, "{text}");
    text
}

/// Proves G18.
#[test]
fn hostile_contents_are_shown_escaped_and_come_back_from_json() {
    let dir = tempfile::tempdir().unwrap();
    let annals = open(dir.path());
    for (payload, name) in HOSTILE.iter().zip(names().cycle()) {
        let stream = StreamId::new(&name).unwrap();
        let event_type = EventType::new(name.clone()).unwrap();
        let event = NewEvent::typed(stream, event_type, *payload);
        let event = event.with_metadata(*payload).with_tag(name);
        annals.append(&Append::new().event(event)).wait().unwrap();
    }
    annals.close().unwrap();
    for command in ["segments", "frames", "events", "streams", "verify"] {
        shows_nothing_hidden(&dump(&[command], dir.path()).stdout);
        if command != "verify" {
            shows_nothing_hidden(&dump(&[command, "--json"], dir.path()).stdout);
        }
    }
    let text = lines(&["events"], dir.path());
    assert_eq!(text.len(), HOSTILE.len());
    assert!(text[0].ends_with(r"payload=\u{1b}]0;owned\u{7}"), "{}", text[0]);
    assert!(text[4].ends_with(r"payload=\u{0}\u{1}\u{8}\t\n\u{b}\u{c}\r\u{7f}"), "{}", text[4]);
    assert!(text[8].ends_with(r"payload=back\\slash \\u{1b} \\n"), "{}", text[8]);
    assert!(text[0].contains(r#" "a \u{202a}\u{202b}\u{202c}\u{202d}\u{202e}txt.exe"@1 "#));
    let events = json(&["events"], dir.path());
    for ((event, payload), name) in events.iter().zip(HOSTILE).zip(names().cycle()) {
        for (key, value) in [("payload", *payload), ("metadata", payload), ("stream", &name)] {
            assert_eq!(event[key], value);
        }
        assert_eq!((&event["type"], &event["tags"][0]), (&name.clone().into(), &name.into()));
    }
}

#[test]
fn hostile_paths_are_shown_escaped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log\u{1b}]0;owned\u{7}\u{202e}");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("\u{1b}[2J"), "x").unwrap();
    let output = dump(&["verify"], &path);
    assert_eq!(output.status.code(), Some(2));
    assert!(shows_nothing_hidden(&output.stderr).contains(r"log\u{1b}]0;owned\u{7}\u{202e}"));
    let missing = dump(&["verify"], &path.join("\u{9b}31m"));
    assert_eq!(missing.status.code(), Some(2));
    assert!(shows_nothing_hidden(&missing.stderr).contains(r"/\u{9b}31m: No such file"));

    fs::remove_file(path.join("\u{1b}[2J")).unwrap();
    common::closed_store(&path);
    edit(&segment_files(&path)[0], |bytes| bytes[5000] ^= 1);
    for command in ["segments", "frames", "events", "streams", "verify"] {
        let output = dump(&[command], &path);
        assert_eq!(output.status.code(), Some(1));
        let shown = shows_nothing_hidden(&output.stdout).to_owned();
        let shown = shown + shows_nothing_hidden(&output.stderr);
        assert!(shown.contains(r"log\u{1b}]0;owned\u{7}\u{202e}/0000"), "{shown}");
    }
}

#[test]
fn a_name_cannot_pass_for_other_parts_of_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let annals = open(dir.path());
    let stream = StreamId::new("a@7 Paid payload=\"5\"").unwrap();
    let event = NewEvent::new(stream, "Real", "x").unwrap();
    annals.append(&Append::new().event(event)).wait().unwrap();
    annals.close().unwrap();
    let text = &lines(&["events"], dir.path())[0];
    assert!(text.ends_with(r#"Z "a@7 Paid payload=\"5\""@1 Real payload=x"#), "{text}");
}
