//! How far it is, for who watches.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar for one workload after the other; nothing, where nobody watches.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// Without anything in it yet.
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style =
            ProgressStyle::with_template("{prefix:4} {bar:30} {pos}/{len} {eta} {wide_msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Begins a workload of so many steps.
    pub fn begin(&self, name: &str, steps: u64) {
        self.0.reset();
        self.0.set_length(steps);
        self.0.set_prefix(name.to_owned());
    }

    /// Says what is measured now.
    pub fn now(&self, what: &str) {
        self.0.set_message(what.to_owned());
        self.0.tick();
    }

    /// What was measured is done.
    pub fn done(&self) {
        self.0.inc(1);
    }

    /// Prints lines above the bar.
    pub fn print(&self, text: &str) {
        self.0.suspend(|| println!("{text}"));
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}
