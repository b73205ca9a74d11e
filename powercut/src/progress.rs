//! How far it is, for who watches.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar; nothing, where nobody watches.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar of so many steps.
    pub(crate) fn new(what: &str, steps: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        let template = "{prefix:16} {bar:30} {pos}/{len} {per_sec} {eta} {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(what.to_owned());
        Self(bar)
    }

    /// So many steps are done.
    pub(crate) fn at(&self, steps: u64) {
        self.0.set_position(steps);
    }

    /// One more step is done.
    pub(crate) fn advance(&self) {
        self.0.inc(1);
    }

    /// Says what is done now.
    pub(crate) fn now(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
