//! Sections on Unix: a file in memory, found by name, locked and mapped like any other.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use memmap2::{MmapOptions, MmapRaw};

use super::Access;
#[cfg(target_os = "linux")]
use crate::os::linux as kernel;
#[cfg(target_os = "macos")]
use crate::os::macos as kernel;
use crate::os::{
    preallocate,
    unix::{lock_range, unlock_range},
};

/// A section's file and its size, which never changes once it is not 0.
#[derive(Debug)]
pub(super) struct Section {
    file: File,
    len_bytes: u64,
}

impl Section {
    /// A size of 0 marks a section that is still being made: the process that finds it 0, under the
    /// lock, is the creator. So a creator that dies half-way leaves nothing that looks like a
    /// section.
    pub(super) fn open_or_create(name: &str, len_bytes: u64) -> io::Result<(Self, bool)> {
        loop {
            let file = own(kernel::open_section(name, true)?)?;
            let found = file.metadata()?.len();
            if found > 0 {
                return Ok((Self { file, len_bytes: found }, false));
            }
            let lock = Lock::of(&file)?;
            let metadata = file.metadata()?;
            if metadata.nlink() == 0 {
                // The name was removed after this call opened it, so other processes would not find
                // this file.
                drop(lock);
                continue;
            }
            let created = metadata.len() == 0;
            if created {
                // Allocated now, so that a store cannot raise a SIGBUS for lack of memory.
                preallocate(&file, 0, len_bytes)?;
            }
            drop(lock);
            let len_bytes = if created { len_bytes } else { metadata.len() };
            return Ok((Self { file, len_bytes }, created));
        }
    }

    pub(super) fn open(name: &str) -> io::Result<Self> {
        let file = own(kernel::open_section(name, false)?)?;
        match file.metadata()?.len() {
            0 => Err(io::ErrorKind::NotFound.into()),
            len_bytes => Ok(Self { file, len_bytes }),
        }
    }

    pub(super) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    pub(super) fn lock(&self) -> io::Result<Lock<'_>> {
        Lock::of(&self.file)
    }

    pub(super) fn view(&self, offset: u64, len_bytes: usize, access: Access) -> io::Result<View> {
        let mut options = MmapOptions::new();
        options.offset(offset).len(len_bytes);
        let map = match access {
            Access::ReadOnly => options.map_raw_read_only(&self.file),
            Access::ReadWrite => options.map_raw(&self.file),
            Access::Private => {
                // SAFETY: memmap2 requires that nothing else changes the file while references to
                // the map exist; the `MmapRaw` made from it at once gives out none.
                unsafe { options.map_copy(&self.file) }.map(MmapRaw::from)
            }
        }?;
        Ok(View(map))
    }

    pub(super) fn remove(name: &str) -> io::Result<()> {
        kernel::unlink_section(name)
    }
}

/// Refuses a section that another user made, or that others may write: any user can take a name and
/// put a trap there. Root can open every file, so the check holds for root too.
fn own(file: File) -> io::Result<File> {
    let found = file.metadata()?;
    let denied = |why| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if found.uid() != rustix::process::geteuid().as_raw() {
        return denied("the section belongs to another user");
    }
    if !found.is_file() || found.mode() & 0o077 != 0 {
        return denied("other users may use the section");
    }
    Ok(file)
}

/// An open file description lock on the first byte, which stands for the whole section.
#[derive(Debug)]
pub(super) struct Lock<'a>(&'a File);

impl<'a> Lock<'a> {
    fn of(file: &'a File) -> io::Result<Self> {
        lock_range(file, 0, 1)?;
        Ok(Self(file))
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // Unlocking a held lock fails only for lack of memory (when a range is split); then the
        // lock lasts until the section is closed.
        let _ = unlock_range(self.0, 0, 1);
    }
}

#[derive(Debug)]
pub(super) struct View(MmapRaw);

impl View {
    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    pub(super) fn len_bytes(&self) -> usize {
        self.0.len()
    }
}
