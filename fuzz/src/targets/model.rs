//! Lives of a store: appends, expectations, repetitions, faults, power cuts and openings in any
//! order, on a simulated disk, against the ledger of what was promised.

use std::collections::BTreeMap;

use annals::{Annals, Append, AppendError, ExpectedVersion, Pending, StreamId, StreamVersion};
use annals_sim::{CrashPlan, Fault, Fill, SimDisk, Times};
use annals_wal::Directory;

use crate::common::{Fate, Ledger, Shown, Violation, numbered, open, stream, survive};

const STREAMS: [&str; 4] = ["a", "b", "c", "a-longer-name"];
/// How many operations an input has at most.
const OPERATIONS_MAX: usize = 48;

/// A store, its disk, and what became of the appends.
struct Life {
    disk: SimDisk,
    store: Option<Annals>,
    ledger: Ledger,
    /// By number, as in the ledger.
    appends: Vec<Append>,
    pending: Vec<(u64, Pending)>,
    seed: u64,
    /// Whether a call failed since the store was opened: then no append need succeed.
    struck_before: u64,
    /// Whether a bit of an image was flipped: then readers may refuse it, by its name.
    has_flipped: bool,
}

/// The input is a list of operations: one byte says which, the next three how.
pub fn model(input: &[u8]) {
    let mut life = Life {
        disk: SimDisk::new(),
        store: None,
        ledger: Ledger::default(),
        appends: Vec::new(),
        pending: Vec::new(),
        seed: 0,
        struck_before: 0,
        has_flipped: false,
    };
    life.open();
    for [what, a, b, c] in input.as_chunks::<4>().0.iter().take(OPERATIONS_MAX) {
        life.run(*what, [*a, *b, *c]);
    }
    life.cut(plan([0, 0, 0]));
    life.disk.clear_faults();
    life.mend_images();
    survive(&life.disk, &mut life.ledger, 1_000_000)
        .unwrap_or_else(|violation| panic!("{violation}"));
}

fn plan([a, b, c]: [u8; 3]) -> CrashPlan {
    let seed = u64::from(u16::from_le_bytes([a, b]));
    let plan = match seed {
        0 => CrashPlan::durable_only(),
        1 => CrashPlan::everything(),
        seed => CrashPlan::seeded(seed),
    };
    if c % 4 == 0 { plan.filled(Fill::Stale) } else { plan }
}

impl Life {
    fn run(&mut self, what: u8, how: [u8; 3]) {
        let [a, b, c] = how;
        match what % 16 {
            0..4 => self.append(numbered(self.ledger.next(), &events(how)), c % 2 == 0),
            4 => self.append(numbered(self.ledger.next(), &[("big", 40 * usize::from(a))]), true),
            5 | 6 => self.expect(how),
            7 => self.repeat(a),
            8 => self.settle(),
            9 => {
                self.settle();
                if let Some(store) = &self.store {
                    store.close().ok();
                }
                self.reopen();
            }
            10 => self.reopen(),
            11 | 12 => self.cut(plan(how)),
            13 => self.fail(how),
            14 => {
                self.disk.clear_faults();
                let room = u64::from(a) << 10;
                self.disk.set_capacity((a > 0).then_some(room));
            }
            _ => {
                self.disturb(b);
                self.look();
            }
        }
    }

    /// Opens the store, which must succeed unless a call fails, and holds it to the ledger.
    fn open(&mut self) {
        self.seed += 1;
        self.struck_before = self.disk.faults_struck();
        match open(&self.disk, self.seed) {
            Ok(store) => {
                match self.ledger.check(&store) {
                    Err(violation) if self.is_about_an_image(&violation) => {
                        drop(store);
                        self.mend_images();
                        return self.open();
                    }
                    Err(violation) if !self.is_struck() => panic!("{violation}"),
                    // What is there is known to the store and not to the ledger.
                    Err(_) => return,
                    Ok(()) => {}
                }
                self.store = Some(store);
            }
            // A disk that is full is no fault that struck.
            Err(error) => assert!(self.is_struck() || is_full(&error), "{error}"),
        }
    }

    fn is_struck(&self) -> bool {
        self.disk.faults_struck() > self.struck_before
    }

    fn reopen(&mut self) {
        self.pending.clear();
        self.store = None;
        self.open();
    }

    /// Cuts the power.
    fn cut(&mut self, plan: CrashPlan) {
        let disk = self.disk.crash(plan);
        self.pending.clear();
        self.store = None;
        disk.set_capacity(None);
        self.disk = disk;
        self.open();
    }

    fn fail(&mut self, [a, b, c]: [u8; 3]) {
        let fault = match c % 8 {
            7 => Fault::ShortWrite(usize::from(c)),
            index => Fault::ERRORS[usize::from(index) % Fault::ERRORS.len()],
        };
        let times = if b % 2 == 0 { Times::Once } else { Times::Forever };
        self.disk.fail_at(self.disk.calls() + 1 + u64::from(a % 32), fault, times);
    }

    fn append(&mut self, append: Append, is_waited_for: bool) {
        let Some(store) = &self.store else { return self.open() };
        let pending = store.append(&append);
        let number = self.ledger.tried(append.clone());
        self.appends.push(append);
        self.pending.push((number, pending));
        if is_waited_for {
            self.settle();
        }
    }

    /// Waits for everything that is on its way.
    fn settle(&mut self) {
        for (number, pending) in std::mem::take(&mut self.pending) {
            let outcome = pending.wait();
            if let Err(error) = &outcome {
                let is_no_room = matches!(error, AppendError::NoRoom(_));
                assert!(self.is_struck() || is_no_room, "{error}");
            }
            self.ledger.heard(number, &outcome);
        }
    }

    /// The versions of the streams, with everything that is on its way.
    fn versions(&self) -> BTreeMap<StreamId, u64> {
        let mut versions = BTreeMap::new();
        for (append, fate) in self.appends.iter().zip(self.ledger.fates()) {
            for event in append.events.iter().filter(|_| fate != Fate::Refused) {
                *versions.entry(event.stream.clone()).or_default() += 1;
            }
        }
        versions
    }

    /// Appends on a condition, which must be judged as it is.
    fn expect(&mut self, [a, b, c]: [u8; 3]) {
        self.settle();
        let Some(store) = self.store.clone() else { return self.open() };
        let read = stream(STREAMS[usize::from(a) % STREAMS.len()]);
        let actual = self.versions().get(&read).copied().unwrap_or_default();
        let version = (actual + u64::from(b % 4)).saturating_sub(1);
        let (expected, holds) = match b / 4 % 4 {
            0 => (ExpectedVersion::NoStream, actual == 0),
            1 => (ExpectedVersion::Exists, actual > 0),
            2 => (ExpectedVersion::Any, true),
            _ => (ExpectedVersion::Exactly(StreamVersion::new(version)), actual == version),
        };
        let append = numbered(self.ledger.next(), &events([c, a, b])).expect(read, expected);
        let outcome = store.append(&append).wait();
        let number = self.ledger.tried(append.clone());
        self.appends.push(append);
        self.ledger.heard(number, &outcome);
        match &outcome {
            Ok(_) => assert!(holds, "{expected:?} does not hold at {actual}"),
            Err(AppendError::Conflict(conflicts)) => {
                assert!(!holds && conflicts.0[0].actual.get() == actual, "{conflicts}");
            }
            Err(AppendError::NoRoom(_)) => {}
            Err(error) => assert!(self.is_struck(), "{error}"),
        }
    }

    /// Appends again what was appended: the answer is the first one.
    fn repeat(&mut self, which: u8) {
        self.settle();
        let Some(store) = &self.store else { return };
        let known = self.appends.iter().zip(self.ledger.fates());
        let identified = known.filter(|(append, _)| append.events[0].id.is_some());
        let acknowledged: Vec<_> = identified
            .filter_map(|(append, fate)| match fate {
                Fate::Acknowledged(first) if append.expectations.is_empty() => {
                    Some((append, first))
                }
                _ => None,
            })
            .collect();
        let Some((append, first)) = acknowledged.get(usize::from(which)) else { return };
        match store.append(append).wait() {
            Ok(committed) => assert_eq!(committed.first, *first),
            Err(error) => assert!(self.is_struck(), "{error}"),
        }
    }

    /// Takes away, or damages, what is derived.
    fn disturb(&mut self, how: u8) {
        let mut images = self.disk.file_names();
        images.retain(|name| name.ends_with(".idx"));
        if let Some(image) = images.get(usize::from(how / 4) % images.len().max(1)) {
            match how % 4 {
                0 => self.disk.write_file(image, b""),
                1 => drop(self.disk.truncate(image, how.into())),
                2 => {
                    self.has_flipped = true;
                    drop(self.disk.flip_bit(image, how.into(), 3));
                }
                _ => {}
            }
        }
    }

    /// Reads everything.
    fn look(&self) {
        let Some(store) = &self.store else { return };
        match Shown::by(store) {
            Ok(shown) => drop(self.ledger.compare(&shown).unwrap_or_else(|v| panic!("{v}"))),
            Err(violation) => {
                assert!(self.is_struck() || self.is_about_an_image(&violation), "{violation}");
            }
        }
    }

    /// Whether a reader refused an image that was damaged.
    fn is_about_an_image(&self, violation: &Violation) -> bool {
        self.has_flipped && violation.to_string().contains("index image")
    }

    /// Does as the error says: deletes the images.
    fn mend_images(&mut self) {
        if std::mem::take(&mut self.has_flipped) {
            for name in self.disk.file_names().iter().filter(|name| name.ends_with(".idx")) {
                self.disk.remove(name).ok();
            }
        }
    }
}

/// One to three events.
fn events([a, b, c]: [u8; 3]) -> Vec<(&'static str, usize)> {
    let name = |byte: u8| STREAMS[usize::from(byte) % STREAMS.len()];
    let all = [(name(a), 16 + usize::from(b)), (name(b), 16 + usize::from(c) * 4), (name(c), 16)];
    all[..=usize::from(a / 4) % 3].to_vec()
}

fn is_full(error: &annals::OpenError) -> bool {
    matches!(error, annals::OpenError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull)
}
