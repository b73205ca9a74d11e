//! The bugs. Where each is planted says the code: look for its name.

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $bug:ident = $name:literal,)+) => {
        /// A bug that can be planted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Bug {
            $($(#[doc = $doc])+ $bug,)+
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$bug,)+];

            /// As the environment names it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$bug => $name,)+
                }
            }
        }
    };
}

bugs! {
    // Writing.
    /// A commit is acknowledged without a sync.
    AckBeforeSync = "ack-before-sync",
    /// The same, every seventh time.
    AckBeforeSyncAtTimes = "ack-before-sync-at-times",
    /// The watermark rises before the group is written.
    WatermarkTooEarly = "watermark-too-early",
    /// A sync that failed is tried again, and believed.
    RetriedSync = "retried-sync",
    /// A sync that failed is taken for one that did not.
    SwallowedSyncError = "swallowed-sync-error",
    /// A write that failed is taken for one that did not.
    SwallowedWriteError = "swallowed-write-error",
    /// A write that wrote less than it should is taken for a whole one.
    ShortWriteIgnored = "short-write-ignored",
    /// The log goes on after a failure.
    GoesOnAfterFailure = "goes-on-after-failure",
    /// Who begins to wait for a rise while others are woken is forgotten.
    RiseLost = "rise-lost",
    /// Who waits for a rise is woken under the lock of those who wait.
    WokenUnderLock = "woken-under-lock",
    /// The log goes on after a panic in the midst of writing.
    PanicIgnored = "panic-ignored",
    /// The directory is not synced after a segment got its name.
    NoDirectorySync = "no-directory-sync",
    /// The directories that a new one is in are not synced.
    NoParentSync = "no-parent-sync",
    /// A segment gets its name before it is synced.
    NamedBeforeSync = "named-before-sync",
    /// Segments that end and begin are not synced where the policy does not ask for it.
    NoSyncBetweenSegments = "no-sync-between-segments",
    /// A segment ends without a seal.
    NoSeal = "no-seal",
    /// A frame says that the frames before it in its group are durable.
    ProofTooEarly = "proof-too-early",
    /// A frame goes to its file although frames before it gather.
    FrameOvertakes = "frame-overtakes",
    /// The sync of an interval is left out.
    IntervalNotKept = "interval-not-kept",
    /// Closing does not sync.
    NoSyncAtClose = "no-sync-at-close",

    // Opening.
    /// A head's checksum is not looked at.
    HeadChecksumIgnored = "head-checksum-ignored",
    /// A body's checksum is not looked at.
    BodyChecksumIgnored = "body-checksum-ignored",
    /// Whether a frame continues the one before it is not looked at.
    StaleFramesAccepted = "stale-frames-accepted",
    /// A segment that others follow may end anywhere.
    SealIgnored = "seal-ignored",
    /// Damage is taken for a torn tail, and cut off.
    CutsOffDamage = "cuts-off-damage",
    /// Nobody notices that the last segment is not the last.
    MissingEndIgnored = "missing-end-ignored",
    /// What the page cache shows after a failed sync is believed.
    TrustsPageCache = "trusts-page-cache",
    /// What a recovery zeroed, and the disk forgot, is taken for damage.
    LeftOverRefused = "left-over-refused",
    /// What was settled is not synced.
    SettledWithoutSync = "settled-without-sync",
    /// The name of the last segment is not renewed.
    NameNotRenewed = "name-not-renewed",
    /// A directory that another process writes to is opened all the same.
    LockIgnored = "lock-ignored",
    /// An index image is used whatever its segment has.
    ImageOfAnotherLife = "image-of-another-life",
    /// An index image is used whatever was before it.
    ImageUnchecked = "image-unchecked",

    // Answers.
    /// The ticket for everything in order says so one group too early.
    TicketTooEarly = "ticket-too-early",
    /// A conflict is told before what it conflicted with is durable.
    ConflictDoesNotWait = "conflict-does-not-wait",
    /// A rejection is told before what it rests on is durable.
    RejectionDoesNotWait = "rejection-does-not-wait",
    /// A command's success is told before it is durable.
    AnswerDoesNotWait = "answer-does-not-wait",

    // Consistency.
    /// Of several expectations the last is not looked at.
    OneStreamUnchecked = "one-stream-unchecked",
    /// Expectations of streams that are only read are not looked at.
    ReadStreamsUnchecked = "read-streams-unchecked",
    /// Streams that were discovered are not expected to be as they were read.
    DiscoveredUnchecked = "discovered-unchecked",
    /// Of several conflicts one is told.
    OneConflictOfMany = "one-conflict-of-many",
    /// A conflict names another stream.
    ConflictOfWrongStream = "conflict-of-wrong-stream",
    /// The log fails while a frame on its way to the file is between the look for a failure and the
    /// place where it is seen.
    FailsBesideTheTail = "fails-beside-the-tail",
    /// Ids of events are not looked for.
    IdsIgnored = "ids-ignored",
    /// Readers see what is in the index and not durable.
    IndexAheadOfLog = "index-ahead-of-log",
    /// An append tells those who wait only if the index has nothing newer.
    AnnouncedByTheLast = "announced-by-the-last",
    /// Readers see positions that are not in the index yet.
    LogAheadOfIndex = "log-ahead-of-index",
    /// A stream's version is the newest, whatever position is asked for.
    VersionOfNow = "version-of-now",
    /// A stream's version is what an image says, whatever the log has.
    ImageCountBelieved = "image-count-believed",
    /// The streams of a command are read at a position each.
    ReadAtManyPositions = "read-at-many-positions",
    /// State that is kept is taken for the newest.
    StateNotRefreshed = "state-not-refreshed",
    /// A command's own events are not folded into the state that it leaves.
    OwnEventsNotFolded = "own-events-not-folded",
    /// State is kept although the log failed.
    StateKeptAfterFailure = "state-kept-after-failure",

    // Waiting.
    /// A reader takes a segment that ended while it read for one without events.
    EndedMeanwhile = "ended-meanwhile",
    /// Who gives a stream a number does not look again whether it has one.
    NumberedTwice = "numbered-twice",
    /// Who waits for a group does not look again after saying so.
    NoSecondLook = "no-second-look",
    /// Who wants to be woken looks before saying so.
    RegisteredTooLate = "registered-too-late",
    /// A group ends before its records may be seen.
    GroupBeforeRecord = "group-before-record",
    /// The flusher does not hear that it is to go on.
    TakeOverLost = "take-over-lost",
    /// Where groups are quick, nobody writes what gathered while one was written.
    QuickGroupLeft = "quick-group-left",
    /// A command that waits for its turn does not look again after saying so.
    TurnAskedOnce = "turn-asked-once",
    /// A waker that waits in the flusher's thread sleeps there.
    FlusherSleeps = "flusher-sleeps",
    /// The flusher does not look again after it has stopped to lead.
    NoLookAfterLeading = "no-look-after-leading",
    /// Whoever ends a turn does not hand over.
    TurnNotReleased = "turn-not-released",
    /// A turn comes when one of its streams is free.
    TurnTooEarly = "turn-too-early",
}
