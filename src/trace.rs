//! Events and spans for the crate `tracing` (feature `tracing`), all with the target `flatrec`.
//!
//! Without the feature the functions are empty, and a [`Stopwatch`] holds nothing: no other module
//! asks for the feature. docs/OBSERVABILITY.md has the table of events; `tests/it/trace_events.rs`
//! compares it with what happens.
//!
//! No caller holds a lock of the engine's for a moment only (the group's, the published state's)
//! while it calls a function here: a subscriber may ask the database for its facts.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// What an event concerns.
pub(crate) trait Traced {
    /// The path of the file, if it has one.
    fn traced_path(&self) -> Option<PathBuf>;
}

impl Traced for Path {
    fn traced_path(&self) -> Option<PathBuf> {
        Some(self.to_path_buf())
    }
}

#[cfg(feature = "tracing")]
macro_rules! event {
    ($level:ident $name:literal, $text:literal, $place:expr, $($field:ident = $value:expr),*) => {
        ::tracing::event!(
            name: $name,
            target: "flatrec",
            ::tracing::Level::$level,
            { path = shown($place), $($field = $value),* },
            $text
        )
    };
}

#[cfg(not(feature = "tracing"))]
macro_rules! event {
    ($level:ident $name:literal, $text:literal, $place:expr, $($field:ident = $value:expr),*) => {
        if false {
            let _ = (shown($place), $(&$value),*);
        }
    };
}

#[cfg(feature = "tracing")]
macro_rules! span {
    ($name:literal, $place:expr $(, $field:ident = $value:expr)*) => {
        Span(
            ::tracing::info_span!(
                target: "flatrec",
                $name,
                path = shown($place)
                $(, $field = $value)*
            )
            .entered(),
        )
    };
}

#[cfg(not(feature = "tracing"))]
macro_rules! span {
    ($name:literal, $place:expr $(, $field:ident = $value:expr)*) => {{
        let _ = ($place, $(&$value),*);
        Span
    }};
}

/// The path of a place, as errors show it.
#[cfg(feature = "tracing")]
fn shown<P: Traced + ?Sized>(place: &P) -> Option<tracing::field::DisplayValue<String>> {
    let path = place.traced_path()?;
    let text = crate::error::printable(&path.to_string_lossy()).into_owned();
    Some(tracing::field::display(text))
}

#[cfg(not(feature = "tracing"))]
fn shown<P: Traced + ?Sized>(place: &P) -> Option<PathBuf> {
    place.traced_path()
}

/// A span, until this is dropped.
#[cfg(feature = "tracing")]
pub(crate) struct Span(
    #[expect(dead_code, reason = "its drop ends the span")] tracing::span::EnteredSpan,
);

/// Nothing, for want of the feature.
#[cfg(not(feature = "tracing"))]
pub(crate) struct Span;

/// Measures a time for an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    #[cfg(feature = "tracing")]
    started: std::time::Instant,
}

impl Stopwatch {
    #[inline]
    pub(crate) fn start() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            started: std::time::Instant::now(),
        }
    }

    /// Microseconds since the start; 0 without the feature.
    #[inline]
    fn micros(self) -> u64 {
        #[cfg(feature = "tracing")]
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        #[cfg(not(feature = "tracing"))]
        let micros = 0;
        micros
    }
}

/// What a writer found in the log that an earlier writer left, and made durable.
pub(crate) struct Recovery {
    pub(crate) commits: u64,
    pub(crate) log_len_bytes: u64,
    /// The newest commit.
    pub(crate) commit: u64,
    /// How many records recovery copied to the array, to end the log.
    pub(crate) records: u64,
}

/// The span of a recovery.
#[inline]
pub(crate) fn recovery<P: Traced + ?Sized>(place: &P) -> Span {
    span!("recovery", place)
}

#[inline]
pub(crate) fn recovered<P: Traced + ?Sized>(place: &P, found: &Recovery, watch: Stopwatch) {
    event!(
        INFO "recovered", "recovered the log of an earlier writer", place,
        commits = found.commits,
        log_len_bytes = found.log_len_bytes,
        commit = found.commit,
        records = found.records,
        took_us = watch.micros()
    );
}

/// The span of a checkpoint, made for a reason.
#[inline]
pub(crate) fn checkpoint<P: Traced + ?Sized>(place: &P, reason: &'static str) -> Span {
    span!("checkpoint", place, reason = reason)
}

/// What a checkpoint copied to the array.
pub(crate) struct Copied {
    pub(crate) commits: u64,
    pub(crate) records: u64,
    pub(crate) len_bytes: u64,
    /// The newest commit that the array holds now.
    pub(crate) commit: u64,
    /// The bytes that stay in the log.
    pub(crate) log_len_bytes: u64,
}

#[inline]
pub(crate) fn checkpointed<P: Traced + ?Sized>(place: &P, copied: &Copied, watch: Stopwatch) {
    event!(
        DEBUG "checkpointed", "made a checkpoint", place,
        commits = copied.commits,
        records = copied.records,
        len_bytes = copied.len_bytes,
        commit = copied.commit,
        log_len_bytes = copied.log_len_bytes,
        took_us = watch.micros()
    );
}

/// What keeps a checkpoint from going further.
pub(crate) struct Obstacle<'o> {
    /// The reader, in words.
    pub(crate) held_by: &'o dyn std::fmt::Display,
    /// Its process, and the commit that it reads, if the writer sees them.
    pub(crate) process: Option<u64>,
    pub(crate) held_commit: Option<u64>,
    pub(crate) held_for_s: Option<u64>,
    /// The newest commit that the array holds.
    pub(crate) commit: u64,
    /// The newest commit in the log.
    pub(crate) newest: u64,
}

#[inline]
pub(crate) fn held_back<P: Traced + ?Sized>(place: &P, by: &Obstacle<'_>, log_len_bytes: u64) {
    event!(
        INFO "checkpoint_held_back", "a reader keeps commits in the log", place,
        held_by = by.held_by.to_string().as_str(),
        process = by.process,
        held_commit = by.held_commit,
        held_for_s = by.held_for_s,
        commit = by.commit,
        newest = by.newest,
        log_len_bytes = log_len_bytes
    );
}

#[inline]
pub(crate) fn checkpoint_failed<P: Traced + ?Sized>(place: &P, error: &Error) {
    event!(
        WARN "checkpoint_failed", "a checkpoint failed", place,
        error = error.to_string().as_str()
    );
}

/// The log, with the long appends that only it counts, is `times` as long as the size at which a
/// checkpoint is due.
#[inline]
pub(crate) fn log_is_long<P: Traced + ?Sized>(place: &P, len_bytes: u64, checkpoint_at_bytes: u64) {
    event!(
        WARN "log_is_long", "the log stays long after a checkpoint", place,
        len_bytes = len_bytes,
        checkpoint_at_bytes = checkpoint_at_bytes,
        times = len_bytes / checkpoint_at_bytes.max(1)
    );
}

#[inline]
pub(crate) fn log_segment<P: Traced + ?Sized>(
    place: &P,
    suffix: &str,
    len_bytes: u64,
    first_commit: u64,
) {
    event!(
        DEBUG "log_segment", "the log goes on in another segment", place,
        suffix = suffix,
        len_bytes = len_bytes,
        first_commit = first_commit
    );
}

#[inline]
pub(crate) fn file_grew<P: Traced + ?Sized>(place: &P, from_bytes: u64, to_bytes: u64) {
    event!(
        DEBUG "file_grew", "the data file grew", place,
        from_bytes = from_bytes,
        to_bytes = to_bytes
    );
}

/// The end of a wait for a lock, with it or without it.
#[inline]
pub(crate) fn lock_wait<P: Traced + ?Sized>(
    place: &P,
    (held_by, process): (&str, Option<u64>),
    watch: Stopwatch,
    is_locked: bool,
) {
    event!(
        INFO "lock_wait", "waited for a lock", place,
        held_by = held_by,
        process = process,
        waited_us = watch.micros(),
        locked = is_locked
    );
}

/// A wait of this length for another transaction is worth an event.
const LONG_WAIT_US: u64 = 100_000;

/// The end of a wait for another transaction of this process, or for a call of its engine.
#[inline]
pub(crate) fn transaction_wait(held_by: &str, watch: Stopwatch, is_begun: bool) {
    let waited_us = watch.micros();
    if waited_us >= LONG_WAIT_US {
        event!(
            INFO "transaction_wait", "waited for another transaction", &Nowhere,
            held_by = held_by,
            waited_us = waited_us,
            begun = is_begun
        );
    }
}

/// The place of an event that knows no path.
struct Nowhere;

impl Traced for Nowhere {
    fn traced_path(&self) -> Option<PathBuf> {
        None
    }
}

/// A handle refuses all writes from now on.
#[inline]
pub(crate) fn poisoned<P: Traced + ?Sized>(place: &P, error: &Error) {
    event!(
        ERROR "poisoned", "a failed write or sync ended all writes of this handle", place,
        error = error.to_string().as_str()
    );
}
