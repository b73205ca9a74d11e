//! What there is to know about each system.

use annals_bench::Table;

use crate::{results::Results, system::Peer, systems};

/// The table of all that were measured, and those that could not be.
pub(super) fn table(results: &Results) -> String {
    let mut table = Table::new([
        "system",
        "version",
        "is a",
        "durable",
        "versions are checked by",
        "index of streams",
        "order of the whole log",
        "settings",
    ]);
    for peer in &results.peers {
        let facts = peer.facts;
        let texts =
            [facts.kind, facts.durable, facts.versions, facts.index, facts.order, facts.settings];
        let head = [format!("`{}`", peer.name), version(peer)];
        table.line(head.into_iter().chain(texts.map(str::to_owned)));
    }
    let missing = |(name, why): &(&str, &str)| format!("\n`{name}` was not measured: {why}.\n");
    let missing: String = systems::MISSING.iter().map(missing).collect();
    format!("{table}{missing}")
}

/// As locked for the build.
fn version(peer: &Peer) -> String {
    let name = format!("name = \"{}\"", peer.of_crate);
    let mut lines = include_str!("../../Cargo.lock").lines();
    let version = lines.find(|line| *line == name).and_then(|_| lines.next());
    let version = version.and_then(|line| line.strip_prefix("version = \""));
    let version = version.map_or("unknown", |version| version.trim_end_matches('"'));
    // What is bundled with a crate is said after `+`, if it is.
    match peer.of_crate {
        "libsqlite3-sys" => format!("bundled with libsqlite3-sys {version}"),
        "librocksdb-sys" => version.split('+').next_back().unwrap_or(version).to_owned(),
        "heed" => format!("bundled with heed {version}"),
        _ => version.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_known() {
        for peer in systems::ALL {
            let version = version(peer);
            assert!(version.contains('.') && version.len() < 50, "{}: {version}", peer.name);
        }
    }
}
