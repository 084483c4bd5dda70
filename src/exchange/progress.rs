//! How far a long job has come.

/// How far a load, an inference or an export has come.
///
/// ```
/// use flatrec::exchange::Progress;
/// let progress = Progress { done_bytes: 25, total_bytes: Some(100), rows: 3 };
/// assert_eq!(progress.fraction(), Some(0.25));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read of the input, as it lies on disk (compressed, if it is gzipped); for an export,
    /// bytes of records written out.
    pub done_bytes: u64,
    /// Of how many, where that is known.
    pub total_bytes: Option<u64>,
    /// Rows seen or written so far.
    pub rows: u64,
}

impl Progress {
    /// The share that is done, from 0 to 1, where the total is known.
    pub fn fraction(&self) -> Option<f64> {
        let total = self.total_bytes?;
        if total == 0 {
            return Some(1.0);
        }
        Some((self.done_bytes as f64 / total as f64).min(1.0))
    }
}
