//! An index image, in all the ways in which an index uses one.

use annals_event::{EventId, Position};
use annals_index::{Image, ImageSource, Index};

use crate::{memory::capped, naive::number};

/// The input is an image, of whatever segment it says.
pub fn image(input: &[u8]) {
    let log_id = input.get(16..32).map_or([0; 16], |id| id.try_into().unwrap());
    let source = ImageSource {
        log_id: u128::from_le_bytes(log_id),
        segment: number(input, 32..40),
        first: Position::new(number(input, 40..48)),
    };
    let bytes = input.to_vec();
    // Names and heads of streams are kept; places are copied out.
    capped(input.len(), 64, || {
        let Ok(image) = Image::open(Box::new(bytes), source) else { return };
        let entries = image.entries().count();
        assert!(entries * 40 <= input.len() && image.ids().count() * 20 <= input.len());
        let mut places = Vec::new();
        for entry in image.entries() {
            places.clear();
            image.places(entry.name.as_str(), 0..usize::MAX, &mut places);
            assert!(places.len() * 8 <= input.len());
        }
        let index = Index::new(0);
        let ids: Vec<_> = image.ids().collect();
        if source.segment == 1
            && source.first.get() == 1
            && let Some(image) = index.continues(image)
        {
            index.adopt(image);
            search(&index, &ids);
        }
    });
}

fn search(index: &Index, ids: &[(EventId, Position)]) {
    let mut places = Vec::new();
    for (name, stream) in index.streams("") {
        let head = index.head(stream);
        for position in [Position::ZERO, head.last.previous(), head.last, Position::MAX] {
            assert!(index.version_at(stream, position).version <= head.version, "{name}");
        }
        let mut next = index.last_run(stream, name.as_str());
        while let Some(run) = next {
            places.clear();
            index.places(stream, &run, 0..=u64::MAX, &mut places);
            let version = head.version.get();
            index.places(stream, &run, version..=version, &mut places);
            next = index.run_before(stream, name.as_str(), &run);
        }
    }
    for (id, _) in ids {
        assert!(index.find_id(id).is_ok(), "the image did not change");
    }
    index.stats();
}
