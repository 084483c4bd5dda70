//! Named shared memory: one stretch of zeros that every process on the machine finds by its name.
//!
//! The same on each system:
//!
//! - The first process to open a name gives the size, rounded up to whole pages; later ones get
//!   that size.
//! - Exactly one opener is told that it created the section. [`NamedSection::lock_initialisation`]
//!   makes the others wait until it is initialised, and tells the next one that the first died.
//! - Only the same user can open it, on this machine. Unix refuses a section that another user made
//!   or that others may use, also for root.
//!
//! Different: on Unix the memory lives until [`NamedSection::remove`] (and the last handle) or the
//! next boot; on Windows it lives as long as a handle or a view.
//! the next boot; on Windows it lives as long as a handle or a view does.
//!
//! | system | memory | lock |
//! | --- | --- | --- |
//! | Linux | `shm_open`: a file in /dev/shm | open file description lock on it |
//! | macOS | a file in the user's temporary directory | the same |
//! | Windows | `CreateFileMappingW` over the page file | named mutex |
//!
//! (macOS has `shm_open`, but its objects cannot be locked, and their names end at 31 bytes.)

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as system;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;

use std::io;
use std::marker::PhantomData;

/// An open section of named shared memory.
#[derive(Debug)]
pub(crate) struct NamedSection(system::Section);

impl NamedSection {
    /// Opens the section `name`, or creates it with `len_bytes` zero bytes (rounded up to whole
    /// pages); the `bool` says whether this call created it.
    ///
    /// An existing section keeps its own size: see [`NamedSection::len_bytes`].
    ///
    /// # Errors
    ///
    /// `InvalidInput` for zero bytes, for a name that is not 1 to 200 of the characters `A-Z a-z
    /// 0-9 . _ -`, and for a name that begins with a dot; `StorageFull` or `OutOfMemory` if there
    /// is too little memory (on Unix an empty name then remains, which counts as absent);
    /// `PermissionDenied` if the section belongs to another user or others may use it.
    pub(crate) fn open_or_create(name: &str, len_bytes: u64) -> io::Result<(NamedSection, bool)> {
        check_name(name)?;
        let page = super::page_size_bytes() as u64;
        let len_bytes = len_bytes.checked_next_multiple_of(page).filter(|len| *len > 0);
        let len_bytes =
            len_bytes.ok_or_else(|| invalid("the size of a section must be 1 to 2^63 bytes"))?;
        let (section, created) = system::Section::open_or_create(name, len_bytes)?;
        Ok((Self(section), created))
    }

    /// Opens the section `name`.
    ///
    /// # Errors
    ///
    /// `NotFound` if no section has this name; for invalid names as
    /// [`NamedSection::open_or_create`].
    pub(crate) fn open(name: &str) -> io::Result<NamedSection> {
        check_name(name)?;
        system::Section::open(name).map(Self)
    }

    /// The section's size in bytes: the size its creator gave, rounded up to whole pages.
    pub(crate) fn len_bytes(&self) -> u64 {
        self.0.len_bytes()
    }

    /// Waits for the lock of this section, and holds it until the guard drops or the process dies.
    ///
    /// A thread that already holds the lock, by this handle or another, would wait for itself.
    pub(crate) fn lock_initialisation(&self) -> io::Result<InitGuard<'_>> {
        let lock = self.0.lock()?;
        Ok(InitGuard { _lock: lock, _stays_on_its_thread: PhantomData })
    }

    /// Maps `len_bytes` bytes from any `offset` on, for reading and, if asked, writing.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for zero bytes and for a range outside the section.
    pub(crate) fn view(
        &self,
        offset: u64,
        len_bytes: usize,
        writable: bool,
    ) -> io::Result<SectionView> {
        let access = if writable { Access::ReadWrite } else { Access::ReadOnly };
        self.view_with(offset, len_bytes, access)
    }

    /// As [`NamedSection::view`], but writes stay in this view (copy on write).
    pub(crate) fn view_private(&self, offset: u64, len_bytes: usize) -> io::Result<SectionView> {
        self.view_with(offset, len_bytes, Access::Private)
    }

    fn view_with(&self, offset: u64, len_bytes: usize, access: Access) -> io::Result<SectionView> {
        let end = offset.checked_add(len_bytes as u64).filter(|end| *end <= self.len_bytes());
        if end.is_none() || len_bytes == 0 {
            return Err(invalid("the range of a view is empty or lies outside the section"));
        }
        self.0.view(offset, len_bytes, access).map(SectionView)
    }

    /// Removes the name: open handles keep the section, and the next process to create the name
    /// gets a new one. A missing name is no error.
    ///
    /// On Windows this does nothing: the section goes with its last handle.
    pub(crate) fn remove(name: &str) -> io::Result<()> {
        check_name(name)?;
        match system::Section::remove(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

/// Holds a section's lock and releases it when dropped. It stays on its thread, because on Windows
/// the lock belongs to the thread.
#[derive(Debug)]
#[must_use = "dropping the guard releases the lock"]
pub(crate) struct InitGuard<'a> {
    _lock: system::Lock<'a>,
    _stays_on_its_thread: PhantomData<*const ()>,
}

/// A mapped range of a section. Other processes may write to it: no reference to its bytes is
/// sound, only atomics and copies in and out.
#[derive(Debug)]
pub(crate) struct SectionView(system::View);

impl SectionView {
    /// The address of the first byte, valid as long as the view. The caller may write through it
    /// only if the view was mapped for writing.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    /// The bytes mapped.
    pub(crate) fn len_bytes(&self) -> usize {
        self.0.len_bytes()
    }
}

/// What a view of a section is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    ReadOnly,
    ReadWrite,
    Private,
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Accepts names that every system takes unchanged, as a path component and as an object name.
fn check_name(name: &str) -> io::Result<()> {
    const NAME_BYTES_MAX: usize = 200;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let valid = (1..=NAME_BYTES_MAX).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(allowed);
    if valid {
        return Ok(());
    }
    Err(invalid(
        "a section's name must be 1 to 200 of A-Z a-z 0-9 . _ - and must not begin with a dot",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_every_system_takes_are_accepted() {
        let longest = "n".repeat(200);
        for name in ["a", "flatrec.test-1_B", longest.as_str()] {
            check_name(name).unwrap();
        }
        let too_long = "n".repeat(201);
        for name in ["", ".a", "..", "a/b", "a\\b", "a b", "ä", "a\0", "a:b", too_long.as_str()] {
            let error = check_name(name).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
    }
}
