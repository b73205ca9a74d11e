//! Whether a log holds what was acknowledged, and nothing else.

use std::{collections::HashMap, ops::ControlFlow};

use crate::{
    append::{Written, stamped},
    system::System,
    trouble::Trouble,
};

/// Reads the whole log and counts: every stream has as many events as were acknowledged, of each
/// version one.
pub(crate) fn holds(system: &dyn System, written: &Written) -> Result<(), Trouble> {
    let mut found: HashMap<u32, Found> = HashMap::new();
    let mut foreign = 0_u64;
    system.read_all(&mut |payload| {
        match stamped(payload) {
            Some((stream, version)) => found.entry(stream).or_default().add(version),
            None => foreign += 1,
        }
        ControlFlow::Continue(())
    })?;
    if foreign > 0 {
        return Err(Trouble::Lost(format!("{foreign} events are not what was appended")));
    }
    if let Some(stream) = found.keys().find(|stream| !written.contains_key(stream)) {
        return Err(Trouble::Lost(format!("stream {stream} was never appended to")));
    }
    for (stream, events) in written {
        let found = found.get(stream).copied().unwrap_or_default();
        if found != Found::all(*events) {
            let Found { count, max, .. } = found;
            return Err(Trouble::Lost(format!(
                "{events} events of stream {stream} were acknowledged, {count} are there, up to \
                 version {max}"
            )));
        }
    }
    Ok(())
}

/// What is found of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Found {
    count: u64,
    max: u64,
    /// Of all versions: with the count and the largest one it says whether each is there once.
    sum: u64,
}

impl Found {
    fn add(&mut self, version: u64) {
        self.count += 1;
        self.max = self.max.max(version);
        self.sum = self.sum.wrapping_add(version);
    }

    fn all(events: u64) -> Self {
        Self { count: events, max: events, sum: events * (events + 1) / 2 }
    }
}

#[cfg(test)]
mod tests {
    use annals_bench::{Random, SINGLE};

    use super::*;
    use crate::{
        append::{Append, Stream},
        system::{Address, Caller, Failure, Visit},
    };

    /// Has these events, whatever was appended.
    struct Fixed(Vec<Vec<u8>>);

    impl System for Fixed {
        fn caller(&self) -> Result<Caller, Failure> {
            Err("nobody appends".into())
        }

        fn read_all(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
            let _ = self.0.iter().try_for_each(|payload| visit(payload));
            Ok(())
        }

        fn read_stream(&self, _: &Stream, _: &mut Visit<'_>) -> Result<(), Failure> {
            Err("nobody reads".into())
        }

        fn read_one(&self, _: &Address<'_>, _: &mut Visit<'_>) -> Result<(), Failure> {
            Err("nobody reads".into())
        }

        fn close(self: Box<Self>) -> Result<(), Failure> {
            Ok(())
        }
    }

    fn event(stream: u32, version: u64) -> Vec<u8> {
        let streams = vec![Stream::new(stream)];
        let mut append = Append::new(&SINGLE, streams, &mut Random::new(1));
        (1..version).for_each(|_| append.acknowledge());
        append.events[0].payload.to_vec()
    }

    #[test]
    fn what_is_missing_doubled_or_foreign_is_found() {
        let written = Written::from([(1, 3), (2, 1)]);
        let check = |events: &[(u32, u64)]| {
            holds(&Fixed(events.iter().map(|(s, v)| event(*s, *v)).collect()), &written)
        };
        let lost = |events: &[(u32, u64)]| check(events).unwrap_err().to_string();
        assert_eq!(check(&[(1, 1), (2, 1), (1, 2), (1, 3)]), Ok(()));
        let all_but_one = lost(&[(1, 1), (2, 1), (1, 2)]);
        assert!(all_but_one.contains("3 events of stream 1 were acknowledged, 2 are there"));
        let twice = lost(&[(1, 1), (1, 1), (1, 3), (2, 1)]);
        assert!(twice.contains("3 are there, up to version 3"), "{twice}");
        let never = lost(&[(1, 1), (2, 1), (1, 2), (1, 3), (7, 1)]);
        assert!(never.contains("stream 7 was never appended to"));
        let foreign = holds(&Fixed(vec![b"of someone else".to_vec()]), &Written::new());
        assert!(foreign.unwrap_err().to_string().contains("1 events are not what was appended"));
    }
}
