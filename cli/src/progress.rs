//! The progress bar: bytes, rate and time left, on standard error, if that is a terminal.

use flatrec::exchange::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that is gone when it is dropped. Where standard error is no terminal, it never shows.
#[derive(Clone)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar for work on bytes of which there are `total_bytes`, if that is known.
    pub(crate) fn new(what: &'static str, total_bytes: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total_bytes, ProgressDrawTarget::stderr());
        bar.set_style(style(total_bytes.is_some()));
        bar.set_message(what);
        Self(bar)
    }

    /// Shows how far the work has come.
    pub(crate) fn show(&self, progress: Progress) {
        self.0.set_position(progress.done_bytes);
    }

    /// As [`Bar::show`], when it turns out only now how many bytes there are.
    pub(crate) fn show_of(&self, done_bytes: u64, total_bytes: u64) {
        self.0.set_length(total_bytes);
        self.0.set_position(done_bytes);
    }

    /// Starts again at nothing, for the next part of the work.
    pub(crate) fn next(&self, what: &'static str) {
        self.0.set_message(what);
        self.0.reset();
    }

    /// Takes the bar away, to make room for a summary.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

fn style(total_is_known: bool) -> ProgressStyle {
    let template = match total_is_known {
        true => {
            "{msg:6} [{wide_bar}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}, \
             {eta} left"
        }
        false => "{msg:6} {spinner} {binary_bytes} {binary_bytes_per_sec}, {elapsed}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
