//! The atomics of `loom`, made sequentially consistent where that is asked for.
//!
//! `loom` takes `SeqCst` for `AcqRel` in all but fences: with it alone, two threads that each
//! write one number and read the other's may both miss the other's. So an access that is to be
//! `SeqCst` stands between two fences that are. All other accesses are as weak as they say.

pub use loom::sync::atomic::Ordering;

use loom::sync::atomic::{self, fence};

/// Does it, between fences if it is to be sequentially consistent.
fn fenced<T>(ordering: Ordering, access: impl FnOnce() -> T) -> T {
    if ordering != Ordering::SeqCst {
        return access();
    }
    fence(ordering);
    let value = access();
    fence(ordering);
    value
}

macro_rules! fenced {
    ($($name:ident: $value:ty { $($more:ident),* })+) => {
        $(
            /// As of the standard library.
            #[derive(Debug, Default)]
            pub struct $name(atomic::$name);

            impl $name {
                /// As of the standard library.
                #[must_use]
                pub fn new(value: $value) -> Self {
                    Self(atomic::$name::new(value))
                }

                /// As of the standard library.
                pub fn load(&self, ordering: Ordering) -> $value {
                    fenced(ordering, || self.0.load(ordering))
                }

                /// As of the standard library.
                pub fn store(&self, value: $value, ordering: Ordering) {
                    fenced(ordering, || self.0.store(value, ordering));
                }

                $(
                    /// As of the standard library.
                    pub fn $more(&self, value: $value, ordering: Ordering) -> $value {
                        fenced(ordering, || self.0.$more(value, ordering))
                    }
                )*
            }
        )+
    };
}

fenced! {
    AtomicBool: bool { swap }
    AtomicU32: u32 { swap, fetch_add, fetch_sub }
    AtomicU64: u64 { swap, fetch_add, fetch_sub, fetch_max }
    AtomicUsize: usize { swap, fetch_add, fetch_sub, fetch_max }
}
