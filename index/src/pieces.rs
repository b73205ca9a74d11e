//! Lists that grow by pieces: nothing is moved to make room, so that an append never pays for the
//! events before it.

/// How many items a piece has.
const PIECE: usize = 512;

/// A list that grows by pieces of [`PIECE`] items. A short one takes little more than its items.
#[derive(Debug, Clone)]
pub(crate) struct Pieces<T> {
    /// The first piece, which grows until it is one: a few kilobytes at most are moved.
    first: Vec<T>,
    more: Vec<Vec<T>>,
}

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self { first: Vec::new(), more: Vec::new() }
    }
}

impl<T> Pieces<T> {
    pub(crate) fn len(&self) -> usize {
        let last = self.more.last().map_or(0, |last| last.len() + (self.more.len() - 1) * PIECE);
        self.first.len() + last
    }

    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        let last = self.more.last_mut().unwrap_or(&mut self.first);
        if last.len() < last.capacity() {
            last.push(item);
        } else {
            self.grow(item);
        }
    }

    /// Pushes where there is no room.
    #[inline(never)]
    fn grow(&mut self, item: T) {
        if self.first.len() < PIECE {
            let room = (self.first.len() / 2).max(3).min(PIECE - self.first.len());
            self.first.reserve_exact(room);
            self.first.push(item);
        } else {
            let mut piece = Vec::with_capacity(PIECE);
            piece.push(item);
            self.more.push(piece);
        }
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        match index.checked_sub(PIECE) {
            None => self.first.get(index),
            Some(index) => self.more.get(index / PIECE)?.get(index % PIECE),
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        match index.checked_sub(PIECE) {
            None => self.first.get_mut(index),
            Some(index) => self.more.get_mut(index / PIECE)?.get_mut(index % PIECE),
        }
    }

    pub(crate) fn last(&self) -> Option<&T> {
        self.more.last().unwrap_or(&self.first).last()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces().flatten()
    }

    /// The items from `start` to before `end`, as far as there are.
    pub(crate) fn range(&self, start: usize, end: usize) -> impl Iterator<Item = &T> {
        let end = end.min(self.len());
        let start = start.min(end);
        let skipped = start / PIECE;
        let pieces = self.pieces().skip(skipped);
        let rest = start - skipped * PIECE;
        pieces.flat_map(|piece| piece.iter()).skip(rest).take(end - start)
    }

    /// How many items come before the first that `is_before` does not say yes to.
    pub(crate) fn partition_point(&self, mut is_before: impl FnMut(&T) -> bool) -> usize {
        let full = self.more.partition_point(|piece| piece.first().is_some_and(&mut is_before));
        match full.checked_sub(1).and_then(|last| self.more.get(last)) {
            Some(piece) => full * PIECE + piece.partition_point(is_before),
            None => self.first.partition_point(is_before),
        }
    }

    fn pieces(&self) -> impl Iterator<Item = &Vec<T>> {
        std::iter::once(&self.first).chain(&self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_list() {
        let mut pieces = Pieces::default();
        for n in 0..3 * PIECE + 5 {
            assert_eq!((pieces.len(), pieces.get(n)), (n, None));
            pieces.push(n);
            assert_eq!((pieces.len(), pieces.last()), (n + 1, Some(&n)));
        }
        let len = pieces.len();
        assert!(pieces.iter().copied().eq(0..len));
        for n in 0..len {
            assert_eq!(pieces.get(n), Some(&n));
            *pieces.get_mut(n).unwrap() += 1;
            *pieces.get_mut(n).unwrap() -= 1;
            assert_eq!(pieces.partition_point(|item| *item < n), n);
        }
        assert_eq!(pieces.partition_point(|_| true), len);
        for start in (0..len + 50).step_by(31) {
            for end in (0..len + 50).step_by(29) {
                let expected = start.min(len)..end.min(len).max(start.min(len));
                assert!(pieces.range(start, end).copied().eq(expected), "{start}..{end}");
            }
        }
    }

    #[test]
    fn it_takes_little_more_than_its_items_and_does_not_move_a_full_piece() {
        let mut pieces = Pieces::default();
        let mut places = Vec::new();
        for n in 0..20 * PIECE {
            pieces.push(n);
            let room = pieces.pieces().map(Vec::capacity).sum::<usize>();
            let len = pieces.len();
            let most = if len <= PIECE { (len * 3 / 2 + 3).min(PIECE) } else { len + PIECE };
            assert!(room <= most, "room for {room} at {len}");
            if pieces.len().is_multiple_of(PIECE) {
                places.extend(pieces.pieces().last().map(Vec::as_ptr));
            }
        }
        let now: Vec<_> = pieces.pieces().map(Vec::as_ptr).collect();
        assert_eq!(places, now);
    }
}
