//! Whether a log holds what was acknowledged, and nothing else.

use std::ops::ControlFlow;

use annals::{Annals, LogQuery};

use crate::{error::BenchError, outcome::Written, request};

/// Checks how many events there are, the version of every stream, and each event's payload.
pub(crate) fn holds(annals: &Annals, written: &Written) -> Result<(), BenchError> {
    let expected: u64 = written.values().sum();
    let position = annals.position().get();
    if position != expected {
        let what = format!("{expected} events were acknowledged, it ends at position {position}");
        return Err(BenchError::Lost(what));
    }
    for (stream, events) in written {
        let version = annals.stream_version(stream).get();
        if version != *events {
            let what = format!("{events} events of {stream} were acknowledged, it has {version}");
            return Err(BenchError::Lost(what));
        }
    }
    every_event(annals, expected)
}

/// Reads the log from its beginning.
fn every_event(annals: &Annals, expected: u64) -> Result<(), BenchError> {
    let (mut count, mut wrong) = (0, None);
    annals.read_all(LogQuery::forward()).visit(|event| {
        count += 1;
        if event.position.get() == count && request::is_stamped(event.payload, event.version) {
            return ControlFlow::Continue(());
        }
        wrong = Some(format!("position {count} has not what was appended there: {event:?}"));
        ControlFlow::Break(())
    })?;
    if count != expected && wrong.is_none() {
        wrong = Some(format!("{expected} events were acknowledged, {count} can be read"));
    }
    wrong.map_or(Ok(()), |what| Err(BenchError::Lost(what)))
}

#[cfg(test)]
mod tests {
    use annals::{Append, NewEvent, StreamId};

    use super::*;
    use crate::{request::Request, shape::SINGLE};

    fn lost(annals: &Annals, written: &Written) -> String {
        holds(annals, written).unwrap_err().to_string()
    }

    #[test]
    fn what_is_missing_or_wrong_is_found() {
        let annals = Annals::in_memory().unwrap();
        let stream = StreamId::new("s").unwrap();
        let mut request = Request::new(&SINGLE, vec![stream.clone()]).unwrap();
        request.acknowledge(&annals.append(request.append()).wait().unwrap());
        let mut written: Written = request.written().collect();
        assert!(holds(&annals, &written).is_ok());

        written.insert(stream.clone(), 2);
        assert!(lost(&annals, &written).contains("2 events were acknowledged, it ends at"));
        let other = StreamId::new("other").unwrap();
        let moved = Written::from([(other, 1)]);
        assert!(lost(&annals, &moved).contains("1 events of other were acknowledged, it has 0"));

        let foreign = NewEvent::new(stream.clone(), "Happened", "of someone else").unwrap();
        annals.append(&Append::new().event(foreign)).wait().unwrap();
        assert!(lost(&annals, &written).contains("position 2 has not what was appended there"));
    }
}
