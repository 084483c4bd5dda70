//! Recognises lock files, so that no other file in the place of one is written to.
//!
//! ```text
//! byte   0   zeros: only locks lie here
//!       64   magic 89 'FLATLK', then the version of the words
//!      192   a bell and how many wait for it
//!     4096   entries of 64 bytes, each with its reader's process at 40
//! ```
//!
//! The first writer stores the magic. Until then a lock file is empty, or has only the bell and the
//! entries of readers that came before.

use std::ops::Range;
use std::path::Path;

use super::WORDS_MAX_BYTES;
use crate::error::{Error, ErrorKind, Result};
use crate::io::{OpenFile, begins_like_a_lock_file, irregular};

/// The words that readers write before the magic exists.
const BELL: Range<usize> = 192..208;
/// The offset of the entries; a lock file's length is a multiple of it.
pub(super) const PAGE_BYTES: u64 = 4096;
const PAGE_LEN: usize = 4096;
const ENTRY_LEN: usize = 64;
/// The process of an entry's reader, as a word.
const PROCESS: Range<usize> = 40..48;

/// How often the file is read: a writer may be storing the magic at that moment.
const LOOKS: u32 = 3;

/// Refuses a file in a lock file's place that is not a lock file. Only reads.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] for such a file; [`ErrorKind::InvalidArgument`] for anything but a
/// regular file; [`ErrorKind::Io`] if the operating system reports an error.
pub(super) fn refuse_foreign(found: &OpenFile, path: &Path, data: &Path) -> Result<()> {
    if found.file().metadata().is_ok_and(|found| !found.is_file()) {
        return Err(irregular().path(path));
    }
    let mut refusal = None;
    for _ in 0..LOOKS {
        refusal = why_foreign(found)?;
        if refusal.is_none() {
            return Ok(());
        }
    }
    let Some(why) = refusal else { return Ok(()) };
    let name = data.file_name().unwrap_or(data.as_os_str()).to_string_lossy();
    Err(Error::new(ErrorKind::AlreadyExists, "open the lock file")
        .path(path)
        .detail(format!("{why}, and a store or mapping called {name} needs that name"))
        .advice(
            "rename one of the two; if another program has damaged the lock file, close the store \
             everywhere and remove it",
        ))
}

/// Why a file is not a lock file; `None` if it is one, or can become one without losing data.
fn why_foreign(found: &OpenFile) -> Result<Option<String>> {
    let len_bytes = found.len_bytes()?;
    let mut page = vec![0; PAGE_LEN];
    let got = found.read_at(0, &mut page)?;
    page.truncate(got);
    if begins_like_a_lock_file(&page) {
        let is_whole = len_bytes % PAGE_BYTES == 0 && len_bytes <= WORDS_MAX_BYTES;
        return Ok((!is_whole).then(|| format!("a lock file cannot have {len_bytes} bytes")));
    }
    let foreign = Some("its content is not that of a lock file".to_owned());
    if len_bytes > WORDS_MAX_BYTES || !is_blank_but_for_bell(&page) {
        return Ok(foreign);
    }
    let mut entries = vec![0; usize::try_from(len_bytes.saturating_sub(PAGE_BYTES)).unwrap_or(0)];
    let got = found.read_at(PAGE_BYTES, &mut entries)?;
    entries.truncate(got);
    let is_blank = is_zero(&page) && is_zero(&entries);
    let is_ours = len_bytes % PAGE_BYTES == 0 && entries.chunks(ENTRY_LEN).all(is_entry);
    Ok(if is_blank || is_ours { None } else { foreign })
}

fn is_blank_but_for_bell(page: &[u8]) -> bool {
    page.iter().enumerate().all(|(at, &byte)| byte == 0 || BELL.contains(&at))
}

/// Whether these bytes may be the words of an entry, in use or left.
fn is_entry(entry: &[u8]) -> bool {
    let process = entry.get(PROCESS).and_then(|word| word.try_into().ok()).map(u64::from_le_bytes);
    process.is_some_and(|process| u32::try_from(process).is_ok())
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}
