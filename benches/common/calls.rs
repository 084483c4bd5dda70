//! A system call for each access: `pread` and `pwrite`, or `ReadFile` and `WriteFile`.

use std::fs::File;

/// Fills `into` from `offset` on.
#[inline]
pub(crate) fn read_at(file: &File, offset: u64, into: &mut [u8]) {
    #[cfg(unix)]
    std::os::unix::fs::FileExt::read_exact_at(file, into, offset).expect("read");
    #[cfg(windows)]
    {
        let read = std::os::windows::fs::FileExt::seek_read(file, into, offset).expect("read");
        assert_eq!(read, into.len(), "a short read");
    }
}

/// Writes all of `from` at `offset`.
#[inline]
pub(crate) fn write_at(file: &File, offset: u64, from: &[u8]) {
    #[cfg(unix)]
    std::os::unix::fs::FileExt::write_all_at(file, from, offset).expect("write");
    #[cfg(windows)]
    {
        let written = std::os::windows::fs::FileExt::seek_write(file, from, offset).expect("write");
        assert_eq!(written, from.len(), "a short write");
    }
}
