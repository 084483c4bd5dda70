//! The progress bar: bytes, rate and remaining time, on standard error if that is a terminal.

use flatrec::exchange::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that disappears when dropped. If standard error is not a terminal, it never shows.
#[derive(Clone)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar for work on `total_bytes` bytes, if the number is known.
    pub(crate) fn new(what: &'static str, total_bytes: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total_bytes, ProgressDrawTarget::stderr());
        bar.set_style(style(total_bytes.is_some()));
        bar.set_message(what);
        Self(bar)
    }

    /// Shows the progress of the work.
    pub(crate) fn show(&self, progress: Progress) {
        self.0.set_position(progress.done_bytes);
    }

    /// As [`Bar::show`], with the total number of bytes, which may be new.
    pub(crate) fn show_of(&self, done_bytes: u64, total_bytes: u64) {
        self.0.set_length(total_bytes);
        self.0.set_position(done_bytes);
    }

    /// Restarts the bar for the next part of the work.
    pub(crate) fn next(&self, what: &'static str) {
        self.0.set_message(what);
        self.0.reset();
    }

    /// Lets `tell` write lines to standard error, without the bar among them.
    pub(crate) fn aside(&self, tell: impl FnOnce()) {
        self.0.suspend(tell);
    }

    /// Removes the bar, to make room for a summary.
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
