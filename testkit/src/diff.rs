//! What differs between two texts, line by line.

/// Beyond this many pairs of lines no longest common part is looked for.
const PAIRS_MAX: usize = 4_000_000;

/// The lines of both, those of `expected` alone after `- `, those of `found` alone after `+ `.
pub(crate) fn diff(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<&str>, Vec<&str>) =
        (expected.lines().collect(), found.lines().collect());
    let mut diff = String::new();
    for (mark, line) in marked(&expected, &found) {
        diff.extend([mark, line, "\n"]);
    }
    diff
}

type Marked<'a> = (&'static str, &'a str);

fn marked<'a>(expected: &[&'a str], found: &[&'a str]) -> Vec<Marked<'a>> {
    let same = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
    let (before, expected) = expected.split_at(same);
    let (_, found) = found.split_at(same);
    let same = expected.iter().rev().zip(found.iter().rev()).take_while(|(a, b)| a == b).count();
    let (expected, after) = expected.split_at(expected.len() - same);
    let (found, _) = found.split_at(found.len() - same);

    let both = |lines: &[&'a str]| lines.iter().map(|line| ("  ", *line)).collect::<Vec<_>>();
    let mut marked = both(before);
    marked.extend(middle(expected, found));
    marked.extend(both(after));
    marked
}

/// Where neither the first nor the last lines agree: by the longest common subsequence.
fn middle<'a>(expected: &[&'a str], found: &[&'a str]) -> Vec<Marked<'a>> {
    if expected.len().saturating_mul(found.len()) > PAIRS_MAX {
        let gone = expected.iter().map(|line| ("- ", *line));
        return gone.chain(found.iter().map(|line| ("+ ", *line))).collect();
    }
    let lengths = lengths(expected, found);
    let length = |i: usize, j: usize| lengths.get(i).and_then(|row| row.get(j)).copied();
    let (mut i, mut j, mut marked) = (0, 0, Vec::new());
    loop {
        match (expected.get(i), found.get(j)) {
            (Some(a), Some(b)) if a == b => {
                marked.push(("  ", *a));
                (i, j) = (i + 1, j + 1);
            }
            (Some(_), Some(b)) if length(i, j + 1) > length(i + 1, j) => {
                marked.push(("+ ", *b));
                j += 1;
            }
            (Some(a), _) => {
                marked.push(("- ", *a));
                i += 1;
            }
            (None, Some(b)) => {
                marked.push(("+ ", *b));
                j += 1;
            }
            (None, None) => return marked,
        }
    }
}

/// `[i][j]`: how many lines the rests from `i` and `j` on have in common.
fn lengths(expected: &[&str], found: &[&str]) -> Vec<Vec<usize>> {
    let mut rows = vec![vec![0; found.len() + 1]];
    for a in expected.iter().rev() {
        let below = rows.last().cloned().unwrap_or_default();
        let mut row = vec![0; found.len() + 1];
        let mut right = 0;
        for (j, b) in found.iter().enumerate().rev() {
            let at = |j: usize| below.get(j).copied().unwrap_or_default();
            right = if a == b { at(j + 1) + 1 } else { right.max(at(j)) };
            if let Some(cell) = row.get_mut(j) {
                *cell = right;
            }
        }
        rows.push(row);
    }
    rows.reverse();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_marked() {
        assert_eq!(diff("a\nb\nc", "a\nb\nc"), "  a\n  b\n  c\n");
        assert_eq!(diff("a\nb\nc", "a\nx\nc"), "  a\n- b\n+ x\n  c\n");
        assert_eq!(diff("", "a"), "+ a\n");
        assert_eq!(diff("a", ""), "- a\n");
        assert_eq!(diff("a\nb\nc\nd", "b\nx\nd\ne"), "- a\n  b\n- c\n+ x\n  d\n+ e\n");
    }

    /// What is not marked `+` is the expected text, what is not marked `-` the found one; and no
    /// more is marked than needed.
    #[test]
    fn both_texts_can_be_read_from_it() {
        let mut bits = 1_u64;
        let mut text = |length: u64| {
            let mut lines = Vec::new();
            for _ in 0..length {
                bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                lines.push(["a", "b", "c"][usize::try_from(bits >> 33).unwrap() % 3]);
            }
            lines
        };
        for round in 0..200 {
            let (expected, found) = (text(round % 9), text(round % 7));
            let marked = marked(&expected, &found);
            let without = |mark| {
                let lines = marked.iter().filter(move |(m, _)| *m != mark);
                lines.map(|(_, line)| *line).collect::<Vec<_>>()
            };
            assert_eq!(without("+ "), expected);
            assert_eq!(without("- "), found);
            let common = marked.iter().filter(|(mark, _)| *mark == "  ").count();
            assert_eq!(common, longest_common(&expected, &found));
        }
    }

    fn longest_common(a: &[&str], b: &[&str]) -> usize {
        match (a, b) {
            ([x, a @ ..], [y, b @ ..]) if x == y => 1 + longest_common(a, b),
            ([_, rest_a @ ..], [_, rest_b @ ..]) => {
                longest_common(rest_a, b).max(longest_common(a, rest_b))
            }
            _ => 0,
        }
    }
}
