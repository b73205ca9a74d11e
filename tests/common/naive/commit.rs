//! The body of a commit.

/// An event, with everything that the log says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) stream: String,
    pub(crate) version: u64,
    pub(crate) position: u64,
    pub(crate) time: i64,
    pub(crate) id: [u8; 16],
    /// Its type.
    pub(crate) kind: String,
    pub(crate) codec: u8,
    pub(crate) schema_version: u16,
    pub(crate) metadata: Vec<u8>,
    pub(crate) tags: Vec<String>,
    pub(crate) payload: Vec<u8>,
}

/// What the head of its frame says of a commit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) log_id: u128,
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) time: i64,
    pub(crate) stamps: &'a [u64],
}

/// Streams with their versions.
type Streams = Vec<(String, u64)>;

/// The streams of a commit with their versions before, and its events; `None`: it is malformed.
pub(crate) fn commit(head: &Head<'_>, body: &[u8]) -> Option<(Streams, Vec<Event>)> {
    let mut rest = body;
    let bytes = &mut rest;
    if head.stamps.is_empty() || head.count > 65_535 {
        return None;
    }
    let mut streams = Vec::new();
    for stamp in head.stamps {
        streams.push((name(bytes)?, *stamp));
    }
    let before = streams.clone();
    let type_count = varint(bytes).filter(|count| (1..=65_535).contains(count))?;
    let mut types = Vec::new();
    for _ in 0..type_count {
        let name = name(bytes)?;
        let [codec, low, high] = *take(bytes, 3)? else { return None };
        types.push((name, codec, u16::from_le_bytes([low, high])));
    }
    let mut events = Vec::new();
    for index in 0..u64::from(head.count) {
        let (stream, version) = streams.get_mut(varint(bytes)?)?;
        let (kind, codec, schema_version) = types.get(varint(bytes)?)?.clone();
        let [flags] = *take(bytes, 1)? else { return None };
        let position = head.first.saturating_add(index);
        let id = match flags & 1 {
            0 => (head.log_id ^ u128::from(position)).to_le_bytes(),
            _ => take(bytes, 16)?.try_into().ok()?,
        };
        let mut metadata = &[][..];
        if flags & 2 != 0 {
            let len = varint(bytes).filter(|len| *len > 0)?;
            metadata = take(bytes, len)?;
        }
        let mut tags = Vec::new();
        if flags & 4 != 0 {
            for _ in 0..varint(bytes).filter(|count| (1..=64).contains(count))? {
                tags.push(name(bytes)?);
            }
        }
        let len = varint(bytes)?;
        let payload = take(bytes, len)?.to_vec();
        if flags > 7 {
            return None;
        }
        *version = version.saturating_add(1);
        let (stream, version, metadata) = (stream.clone(), *version, metadata.to_vec());
        let time = head.time;
        events.push(Event {
            stream,
            version,
            position,
            time,
            id,
            kind,
            codec,
            schema_version,
            metadata,
            tags,
            payload,
        });
    }
    let is_padding = rest.len() < 8 && rest.iter().all(|byte| *byte == 0);
    is_padding.then_some((before, events))
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let taken = bytes.get(..len)?;
    *bytes = &bytes[len..];
    Some(taken)
}

fn name(bytes: &mut &[u8]) -> Option<String> {
    let len = usize::from(take(bytes, 1)?[0]);
    let name = String::from_utf8(take(bytes, len)?.to_vec()).ok()?;
    (!name.is_empty() && !name.chars().any(char::is_control)).then_some(name)
}

/// LEB128 in its shortest form, at most 32 bits.
fn varint(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0_u64;
    for index in 0..5 {
        let byte = take(bytes, 1)?[0];
        number |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            let is_shortest = byte != 0 || index == 0;
            let number = u32::try_from(number).ok().filter(|_| is_shortest)?;
            return usize::try_from(number).ok();
        }
    }
    None
}
