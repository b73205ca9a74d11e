//! A check of what is left after a store was closed and opened again.

use annals_event::{Append, CodecId, SchemaVersion, Store};

use crate::contract::{
    subject::{Runner, Subject, event, exactly, id, stream},
    violation::{Verdict, holds, same},
};

/// What was acknowledged is there after the store was opened again, as it was, and is still
/// checked. `reopen` drops or closes the store and opens it anew. The store is empty at first.
///
/// # Errors
/// It is not so.
pub fn survives_reopening<S: Store, R: Runner>(
    store: S,
    runner: &R,
    mut reopen: impl FnMut(S) -> S,
) -> Verdict {
    let mut store = store;
    let with_ids = Append::new()
        .event(event("a", "id").with_id(id(1)).with_metadata(*b"why").with_tag("tag"))
        .event(event("b", "id").with_id(id(2)).with_codec(CodecId(9), SchemaVersion(3)));
    let first = Subject::awaited(&store, runner).append(&with_ids)?;
    for round in 1..=3 {
        let subject = Subject::awaited(&store, runner);
        subject.append_to(&["a", "c"])?;
        let before = subject.read(&["a", "b", "c", "none"])?;
        store = reopen(store);
        let subject = Subject::awaited(&store, runner);
        same("what is read", &before, &subject.read(&["a", "b", "c", "none"])?)?;
        same("the answer to a repetition", &first, &subject.append(&with_ids)?)?;
        let conflicting = Append::new().event(event("c", "no")).expect(stream("c"), exactly(0));
        holds(subject.try_append(&conflicting)?.is_err(), || {
            "a stream is empty for an expectation after it was opened again".to_owned()
        })?;
        same("versions", &vec![1 + round, 1, round], &subject.versions(&["a", "b", "c"])?)?;
    }
    Ok(())
}
