//! A segment whose name may not be on disk is made again under the same name.
//!
//! After a failed sync of the directory a later one may succeed without having written the names
//! of before; writing into a file that will have no name after a power failure would lose what is
//! then acknowledged. A new file, renamed over the old one, is a new entry of the directory.

use std::{io, sync::Arc};

use crate::{
    options::ReadMode,
    prepare::{self, Preparer},
    segment::Segment,
    storage::{self, Directory},
};

/// Makes the segment again, durably, with these bytes from its beginning and zeroes behind them.
/// May be interrupted and repeated: the name leads to the old file or to the new one.
pub(crate) fn remake(
    directory: &Arc<dyn Directory>,
    read_mode: ReadMode,
    segment: &Segment,
    bytes: &[u8],
) -> io::Result<Segment> {
    let name = Segment::name(segment.header.first_record);
    let temporary = format!("{name}{}", prepare::SUFFIX);
    storage::remove_if_there(&**directory, &temporary)?;
    let capacity = segment.header.capacity;
    let made = Preparer::new(directory.clone(), read_mode).make(&temporary, capacity)?;
    storage::write_all(&*made.file, 0, bytes)?;
    made.file.sync_data()?;
    directory.rename(&temporary, &name)?;
    directory.sync()?;
    let remade = Segment::new(segment.header, segment.path.clone(), made.file, made.map);
    remade.take_notes(segment);
    Ok(remade)
}
