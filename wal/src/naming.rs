//! Which files of a directory are segments, by their names.

use crate::segment::Segment;

/// While a segment gets its name anew, its name ends with this.
const MOVED_SUFFIX: &str = ".moved";

/// The file of a segment, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentName {
    /// The number of the segment's first record.
    pub(crate) first_record: u64,
    /// The name that the file has: another than [`Segment::name`], if it was about to get that
    /// one anew.
    pub(crate) name: String,
}

/// The name that a segment has while it gets its name anew.
pub(crate) fn moved(name: &str) -> String {
    format!("{name}{MOVED_SUFFIX}")
}

/// The segments among the names in a directory, in order. A file that was about to get its name
/// anew is one, unless another has that name.
pub(crate) fn segments(names: &[String]) -> Vec<SegmentName> {
    let parse = |name: &String| {
        let original = name.strip_suffix(MOVED_SUFFIX).unwrap_or(name);
        let first_record = Segment::parse_name(original)?;
        Some(SegmentName { first_record, name: name.clone() })
    };
    let mut found: Vec<SegmentName> = names.iter().filter_map(parse).collect();
    // The name without the suffix is the shorter one.
    found.sort_unstable_by_key(|segment| (segment.first_record, segment.name.len()));
    found.dedup_by_key(|segment| segment.first_record);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_being_renewed_counts_unless_another_has_it() {
        let names = |names: &[&str]| -> Vec<String> {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            segments(&names).into_iter().map(|segment| segment.name).collect()
        };
        let (one, two) = (Segment::name(1), Segment::name(20));
        let (one_moved, two_moved) = (moved(&one), moved(&two));
        assert_eq!(names(&["x.seg", "1.seg", "00000000000000000001.seg.moved.moved"]), [""; 0]);
        assert_eq!(names(&[&two, &one_moved]), [&*one_moved, &two]);
        assert_eq!(names(&[&two, &one_moved, &one, &two_moved]), [one, two]);
    }
}
