//! Bugs that are planted: the harness must find each, or it finds nothing.

use std::{collections::BTreeMap, env};

use annals_wal::{FrameKind, list_segments};

use crate::{memory::capped, plain::Plain, targets::frame::segment};

/// The input is that of [`crate::frame`]. `CANARY` says which bug there is.
pub fn canary(input: &[u8]) {
    let bug = env::var("CANARY").expect("CANARY is panic, memory or hang");
    let bytes = segment(input);
    let directory = Plain::from(&BTreeMap::from([(format!("{:020}.seg", 1), bytes.clone())]));
    let read = list_segments(&directory).unwrap()[0].read(&directory).unwrap();
    // Behind two checksums and the order of the frames.
    let commits = read.frames().filter(|frame| frame.head.kind == FrameKind::Commit);
    let Some(second) = commits.skip(1).find(|frame| frame.body.first() == Some(&b'Z')) else {
        return;
    };
    match bug.as_str() {
        "panic" => panic!("the canary sings: {second:?}"),
        // Memory by a length that was read.
        "memory" => drop(capped(bytes.len(), 4, || vec![1_u8; 64 << 20])),
        "hang" => loop {
            std::hint::spin_loop();
        },
        other => panic!("there is no bug {other:?}"),
    }
}
