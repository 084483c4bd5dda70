//! Steps of the protocol that the simulation's own tests leave out, to show that it notices.
//!
//! Outside those tests [`skip`] is the constant `false`, and nothing of it is left in the program.

/// A step that a power cut punishes whoever leaves it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(test), allow(dead_code, reason = "tests alone list them"))]
pub(crate) enum Step {
    LogSyncAtCommit,
}

/// Whether to leave `step` out.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn skip(_: Step) -> bool {
    false
}

/// Whether to leave `step` out: the one that this thread's test has named.
#[cfg(test)]
pub(crate) fn skip(step: Step) -> bool {
    tests::SKIPPED.get() == Some(step)
}

#[cfg(test)]
pub(crate) use tests::without;

#[cfg(test)]
mod tests {
    use super::Step;
    use std::cell::Cell;

    thread_local! {
        pub(super) static SKIPPED: Cell<Option<Step>> = const { Cell::new(None) };
    }

    /// Runs `work`, on this thread, without `step`.
    pub(crate) fn without<T>(step: Step, work: impl FnOnce() -> T) -> T {
        SKIPPED.set(Some(step));
        let result = work();
        SKIPPED.set(None);
        result
    }
}
