//! How far a file grows at a time.

use crate::map::round_up;

/// Growth is in whole granules, of the size that is one on every system.
const GRANULE_BYTES: u64 = 64 << 10;
/// The steps double up to this.
const STEP_BYTES_MAX: u64 = 64 << 20;

/// Steps that start small, so that a tiny store stays tiny, and double up to a cap, so that a large
/// one does not wait for the file system often.
#[derive(Debug)]
pub(crate) struct Growth {
    step_bytes: u64,
}

impl Growth {
    pub(crate) fn new() -> Self {
        Self { step_bytes: GRANULE_BYTES }
    }

    /// The length to grow to when `need_bytes` no longer fit into `len_bytes`.
    pub(crate) fn next_len(&mut self, len_bytes: u64, need_bytes: u64) -> u64 {
        let wanted = need_bytes.max(len_bytes.saturating_add(self.step_bytes));
        self.step_bytes = (self.step_bytes * 2).min(STEP_BYTES_MAX);
        Self::least_len(wanted)
    }

    /// The least length that holds `need_bytes`: what to try when the disk has no room for a step.
    pub(crate) fn least_len(need_bytes: u64) -> u64 {
        round_up(need_bytes, GRANULE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_double_up_to_a_cap_and_end_on_granules() {
        let mut growth = Growth::new();
        let mut len = 65_536;
        let mut steps = Vec::new();
        for _ in 0..14 {
            let next = growth.next_len(len, len + 1);
            steps.push((next - len) >> 10);
            len = next;
        }
        assert_eq!(steps[..4], [64, 128, 256, 512]);
        assert_eq!(steps[11..], [65_536; 3]);
        assert_eq!(growth.next_len(65_536, 1 << 40), 1 << 40);
        assert_eq!(Growth::new().next_len(0, 65_537), 131_072);
    }
}
