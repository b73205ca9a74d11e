//! A disk that fails requests on purpose.

/// Which requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockRequest {
    /// Writes and discards.
    Write,
    /// Flushes.
    Flush,
}

/// Lets a request fail, or every request from that one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockFault {
    pub(crate) request: BlockRequest,
    /// Which of them, from 1.
    pub(crate) first: u64,
    /// Whether all that follow fail as well, of both kinds.
    pub(crate) is_lasting: bool,
}

/// Counts requests, and says which ones fail.
#[derive(Debug, Default)]
pub(crate) struct BlockFaults {
    armed: Option<BlockFault>,
    writes: u64,
    flushes: u64,
    has_struck: bool,
}

impl BlockFaults {
    pub(crate) fn new(armed: Option<BlockFault>) -> Self {
        Self { armed, ..Self::default() }
    }

    /// Counts a request; says whether it fails.
    pub(crate) fn strikes(&mut self, request: BlockRequest) -> bool {
        let count = match request {
            BlockRequest::Write => &mut self.writes,
            BlockRequest::Flush => &mut self.flushes,
        };
        *count += 1;
        let Some(fault) = self.armed else { return false };
        let is_first = fault.request == request && fault.first == *count;
        self.has_struck |= is_first;
        is_first || (fault.is_lasting && self.has_struck)
    }

    /// No request fails any more.
    pub(crate) fn heal(&mut self) {
        self.armed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(fault: BlockFault) -> Vec<bool> {
        let mut faults = BlockFaults::new(Some(fault));
        let requests = [BlockRequest::Write, BlockRequest::Flush].into_iter().cycle();
        requests.take(6).map(|request| faults.strikes(request)).collect()
    }

    #[test]
    fn a_fault_strikes_once_or_for_ever() {
        let fault = |request, is_lasting| BlockFault { request, first: 2, is_lasting };
        let once = struck(fault(BlockRequest::Write, false));
        assert_eq!(once, [false, false, true, false, false, false]);
        let lasting = struck(fault(BlockRequest::Flush, true));
        assert_eq!(lasting, [false, false, false, true, true, true]);
    }

    #[test]
    fn a_healed_disk_fails_nothing() {
        let mut faults = BlockFaults::new(Some(BlockFault {
            request: BlockRequest::Write,
            first: 1,
            is_lasting: true,
        }));
        assert!(faults.strikes(BlockRequest::Write));
        faults.heal();
        assert!(!faults.strikes(BlockRequest::Write));
    }
}
