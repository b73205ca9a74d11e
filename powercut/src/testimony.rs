//! What a workload noted must agree with itself: what a store shows when it is opened again,
//! is what it acknowledged before.

use std::collections::BTreeMap;

use crate::{ledger::Fate, note::Note, recording::Recording, violation::Violation};

/// Holds a recording's notes to each other. Where the disk or calls of the system may fail, what was
/// only told may be gone when the store is opened again: a sync that fails may take it.
///
/// # Errors
/// The first that contradicts those before.
pub(crate) fn hold(recording: &Recording, may_fail: bool) -> Result<(), Violation> {
    let end = recording.happenings.len();
    let mut fates: BTreeMap<u64, Fate> = BTreeMap::new();
    for note in recording.notes(end, end) {
        match note {
            Note::Tried(request) => drop(fates.insert(request.number, Fate::Unknown)),
            Note::Told { number, first } => drop(fates.insert(*number, Fate::Told(*first))),
            Note::Acknowledged { number, first } => {
                fates.insert(*number, Fate::Acknowledged(*first));
            }
            Note::Refused { number } => drop(fates.insert(*number, Fate::Refused)),
            Note::Found(found) => {
                if may_fail {
                    forget_missing(&mut fates, found);
                }
                agree(&mut fates, found)?;
            }
            Note::PowerCut => forget_told(&mut fates),
            Note::Failed | Note::Healed | Note::BusError | Note::Unreadable => {}
        }
    }
    Ok(())
}

/// What was only told need not outlive a power cut.
fn forget_told(fates: &mut BTreeMap<u64, Fate>) {
    for fate in fates.values_mut().filter(|fate| matches!(fate, Fate::Told(_))) {
        *fate = Fate::Unknown;
    }
}

/// What was only told need not outlive a failure.
fn forget_missing(fates: &mut BTreeMap<u64, Fate>, found: &[(u64, u64)]) {
    let is_found = |number: &u64| found.iter().any(|(other, _)| other == number);
    for (_, fate) in fates.iter_mut().filter(|(number, _)| !is_found(number)) {
        if matches!(fate, Fate::Told(_)) {
            *fate = Fate::Unknown;
        }
    }
}

fn agree(fates: &mut BTreeMap<u64, Fate>, found: &[(u64, u64)]) -> Result<(), Violation> {
    let found: BTreeMap<u64, u64> = found.iter().copied().collect();
    for (number, fate) in fates.iter_mut() {
        let place = found.get(number).copied();
        match (*fate, place) {
            (Fate::Acknowledged(_) | Fate::Told(_), None) => return Err(Violation::Lost(*number)),
            (Fate::Acknowledged(first) | Fate::Told(first), Some(place)) if first != place => {
                return Err(Violation::Moved(*number));
            }
            (Fate::Refused, Some(_)) => return Err(Violation::Risen(*number)),
            _ => {}
        }
        *fate = place.map_or(Fate::Refused, Fate::Acknowledged);
    }
    match found.iter().find(|(number, _)| !fates.contains_key(number)) {
        Some((_, first)) => Err(Violation::Invented(*first)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{filesystem::Filesystem, image::Image, recording::Happening, request::Request};

    fn held(notes: &[Note]) -> Result<(), Violation> {
        hold(&recording(notes), false)
    }

    fn recording(notes: &[Note]) -> Recording {
        Recording {
            filesystem: Filesystem::Ext4,
            workload: "test".to_owned(),
            seed: 1,
            subsets: 0,
            cuts: 0,
            segment_bytes: 8192,
            base: Image::new(4096),
            before: Vec::new(),
            happenings: notes.iter().cloned().map(Happening::Note).collect(),
        }
    }

    fn tried(number: u64) -> Note {
        Note::Tried(Request { number, events: vec![(0, 20)] })
    }

    /// What was acknowledged for good outlives every failure; what was told stays where it is, or
    /// is gone for ever.
    #[test]
    fn a_failure_may_take_what_was_only_told() {
        let told = Note::Told { number: 1, first: 1 };
        let found = |found: &[(u64, u64)]| Note::Found(found.to_vec());
        let held = |notes: &[Note]| hold(&recording(notes), true);
        held(&[tried(1), told.clone(), found(&[])]).unwrap();
        let moved = held(&[tried(1), told.clone(), found(&[(1, 2)])]);
        assert!(matches!(moved, Err(Violation::Moved(1))), "{moved:?}");
        let risen = held(&[tried(1), told, found(&[]), found(&[(1, 1)])]);
        assert!(matches!(risen, Err(Violation::Risen(1))), "{risen:?}");
        let acknowledged = Note::Acknowledged { number: 1, first: 1 };
        let lost = held(&[tried(1), acknowledged, found(&[])]);
        assert!(matches!(lost, Err(Violation::Lost(1))), "{lost:?}");
    }

    #[test]
    fn a_store_that_forgets_moves_or_revives_contradicts_itself() {
        let told = Note::Told { number: 1, first: 1 };
        let acknowledged = Note::Acknowledged { number: 1, first: 1 };
        let refused = Note::Refused { number: 1 };
        let found = |found: &[(u64, u64)]| Note::Found(found.to_vec());
        held(&[tried(1), found(&[]), tried(2), found(&[(2, 1)])]).unwrap();
        held(&[tried(1), found(&[(1, 1)]), found(&[(1, 1)])]).unwrap();
        for word in [&told, &acknowledged] {
            held(&[tried(1), word.clone(), found(&[(1, 1)])]).unwrap();
            let lost = held(&[tried(1), word.clone(), found(&[])]);
            assert!(matches!(lost, Err(Violation::Lost(1))), "{lost:?}");
            let moved = held(&[tried(1), word.clone(), found(&[(1, 2)])]);
            assert!(matches!(moved, Err(Violation::Moved(1))), "{moved:?}");
        }
        held(&[tried(1), told, Note::PowerCut, found(&[])]).unwrap();
        let lost = held(&[tried(1), acknowledged, Note::PowerCut, found(&[])]);
        assert!(matches!(lost, Err(Violation::Lost(1))), "{lost:?}");
        let forgotten = held(&[tried(1), found(&[(1, 1)]), found(&[])]);
        assert!(matches!(forgotten, Err(Violation::Lost(1))), "{forgotten:?}");
        let risen = held(&[tried(1), refused, found(&[(1, 1)])]);
        assert!(matches!(risen, Err(Violation::Risen(1))), "{risen:?}");
        let risen = held(&[tried(1), found(&[]), found(&[(1, 1)])]);
        assert!(matches!(risen, Err(Violation::Risen(1))), "{risen:?}");
        let invented = held(&[found(&[(1, 1)])]);
        assert!(matches!(invented, Err(Violation::Invented(1))), "{invented:?}");
    }
}
