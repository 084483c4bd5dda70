//! By how much a file grows at a time.

use crate::error::{Error, ErrorKind, Result};
use crate::format::round_up;
use crate::io::{Access, Backing, View};

/// Files grow by whole granules. The size is a multiple of the allocation granularity of every
/// system.
const GRANULE_BYTES: u64 = 64 << 10;
/// The least room that a view leaves for growth, if views may pass the end of the file.
const HEADROOM_BYTES: u64 = 64 << 20;
/// The steps double up to this size.
const STEP_BYTES_MAX: u64 = 64 << 20;

/// Steps that start small, so that a tiny store stays tiny, and double up to a cap, so that a large
/// one does not wait for the file system often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    step_bytes: u64,
}

impl Growth {
    pub(crate) fn new() -> Self {
        Self { step_bytes: GRANULE_BYTES }
    }

    /// Grows a file of `len_bytes` with `grow_to`, so that it holds `need_bytes`: by a whole step,
    /// or, if the disk has no room for that, by as much as is needed. Returns the new length.
    pub(crate) fn grow(
        &mut self,
        len_bytes: u64,
        need_bytes: u64,
        mut grow_to: impl FnMut(u64) -> Result<()>,
    ) -> Result<u64> {
        let step = self.next_len(len_bytes, need_bytes);
        let least = Self::least_len(need_bytes);
        match grow_to(step) {
            Err(error) if error.kind() == ErrorKind::NoSpace && least < step => {
                grow_to(least).map(|()| least)
            }
            other => other.map(|()| step),
        }
    }

    /// The length to grow to if `need_bytes` do not fit into `len_bytes`.
    pub(crate) fn next_len(&mut self, len_bytes: u64, need_bytes: u64) -> u64 {
        let wanted = need_bytes.max(len_bytes.saturating_add(self.step_bytes));
        self.step_bytes = (self.step_bytes * 2).min(STEP_BYTES_MAX);
        Self::least_len(wanted)
    }

    /// The least length that holds `need_bytes`, to try if the disk has no room for a step.
    pub(crate) fn least_len(need_bytes: u64) -> u64 {
        round_up(need_bytes, GRANULE_BYTES)
    }
}

/// A view of the first `end` bytes of a file that will grow, with room for that if views may pass
/// the end of the file.
pub(crate) fn view_with_room(backing: &dyn Backing, end: u64, access: Access) -> Result<View> {
    let exact = mappable(end)?;
    if backing.properties().views_pass_end {
        let room = end.saturating_add(end.max(HEADROOM_BYTES));
        let roomy = usize::try_from(round_up(room, GRANULE_BYTES));
        // If address space is short, a view without room works too, but must be replaced sooner.
        if let Some(Ok(view)) = roomy.ok().map(|len| backing.view(0, len, access)) {
            return Ok(view);
        }
    }
    backing.view(0, exact, access)
}

/// `end` as the length of a view.
pub(super) fn mappable(end: u64) -> Result<usize> {
    usize::try_from(end).map_err(|_| {
        Error::new(ErrorKind::OutOfRange, "map")
            .detail("the store is larger than the address space")
            .advice("read it through sliding windows, with a WindowedStore")
    })
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
