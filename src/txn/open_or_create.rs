//! Opening the store at a path, or creating it if no file is there, while other starters do that.
//!
//! Invariant: a store gets its name when it is whole, and its name replaces nothing. So a starter
//! that finds a file opens it and never writes into it before it knows that it is the right store,
//! and a starter that finds no file either creates the store or finds that of a quicker starter.

use std::io;
use std::path::Path;
use std::time::Instant;

use super::metadata::NewMetadata;
use super::opening::Opening;
use super::options::Common;
use super::row::Row;
use super::superblock::Superblock;
use crate::error::{Error, ErrorKind, Result};
use crate::format::Schema;
use crate::sums::Checksums;

/// How often a starter finds that another program has made or removed the file since it looked.
const TRIES: u32 = 100;

/// Calls `open`, and `create` if there is no file at `path`. If another starter is quicker than
/// `create`, calls `open` again. Both get the options, with the rest of the wait.
pub(crate) fn open_or_create<V>(
    path: &Path,
    mut common: Common,
    mut open: impl FnMut(&Common) -> Result<V>,
    mut create: impl FnMut(&Common) -> Result<V>,
) -> Result<V> {
    let (started, wait) = (Instant::now(), common.wait);
    let mut tries = 0;
    loop {
        tries += 1;
        common.wait = wait.rest_since(started);
        match open(&common) {
            Err(error) if error.kind() == ErrorKind::NotFound => match look(path) {
                Found::Nothing => {}
                Found::DanglingLink => return Err(dangling(path)),
                // A quicker starter created it since.
                Found::Other if tries < TRIES => continue,
                Found::Other => return Err(error),
            },
            Err(error) if error.kind() == ErrorKind::NotAStore => {
                return Err(error.advice("choose another path, or remove the file"));
            }
            other => return other,
        }
        common.wait = wait.rest_since(started);
        match create(&common) {
            Err(error)
                if error.kind() == ErrorKind::AlreadyExists
                    && tries < TRIES
                    && matches!(look(path), Found::Other) => {}
            other => return other,
        }
    }
}

/// What a path leads to.
enum Found {
    Nothing,
    DanglingLink,
    /// A file of any kind, or a system error, which opening it reports.
    Other,
}

fn look(path: &Path) -> Found {
    let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    match (path.symlink_metadata(), path.metadata()) {
        (Err(error), _) if is_missing(&error) => Found::Nothing,
        (Ok(link), Err(error)) if link.is_symlink() && is_missing(&error) => Found::DanglingLink,
        _ => Found::Other,
    }
}

fn dangling(path: &Path) -> Error {
    Error::new(ErrorKind::NotFound, "open or create")
        .path(path)
        .detail("a symbolic link is there, and the file that it leads to does not exist")
        .advice("remove the link, or open or create the store at the path that it leads to")
}

/// Refuses a store with other rows, or one that was created with other options than those that the
/// caller has set. Only reads.
///
/// # Errors
/// As [`Opening::check_rows`]; [`ErrorKind::OptionsMismatch`], which names each difference; as
/// [`Checksums::look`].
pub(crate) fn check_created_as<R: Row + ?Sized>(
    opening: Opening,
    by_hand: Option<&Schema>,
    common: &Common,
) -> Result<Opening> {
    let opening = opening.check_rows::<R>(by_hand, common)?;
    check_options(&opening.superblock, common)?;
    Ok(opening)
}

fn check_options(superblock: &Superblock, common: &Common) -> Result<()> {
    let mut differences = Vec::new();
    let header = superblock.header();
    if common.explicit.deletes && common.deletes != header.deletes {
        differences.push(match header.deletes {
            true => "deletes: expected false, and its records can be deleted".to_owned(),
            false => "deletes: expected true, and its records cannot be deleted".to_owned(),
        });
    }
    if common.explicit.checksums {
        let found = Checksums::look(&**superblock.backing(), header)
            .map_err(|error| superblock.name(error))?;
        if common.checksums != matches!(found, Checksums::Present { .. }) {
            differences.push(format!("checksums: expected {}, found {found}", common.checksums));
        }
    }
    if common.explicit.metadata {
        differences.extend(other_metadata(superblock, &common.metadata)?);
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(superblock.name(
        Error::new(ErrorKind::OptionsMismatch, "open").detail(differences.join("; ")).advice(
            "leave out the settings that need not agree, or choose another path; nothing was \
             changed",
        ),
    ))
}

/// How the metadata in the file differ from those that the caller gave.
fn other_metadata(superblock: &Superblock, wanted: &NewMetadata) -> Result<Option<String>> {
    // Only copies of a store have other metadata than bytes, and these are always created.
    let NewMetadata::Bytes(wanted) = wanted else { return Ok(None) };
    let (found, expected) = (superblock.header().metadata_len_bytes, wanted.len());
    if u64::from(found) != expected as u64 {
        return Ok(Some(format!("metadata: expected {expected} bytes, found {found}")));
    }
    let found = superblock.metadata().get()?;
    let differs = wanted.iter().zip(found).position(|(wanted, found)| wanted != found);
    Ok(differs
        .map(|at| format!("metadata: as long as expected, and other bytes from byte {at} on")))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::shm::Wait;

    fn failed<V>(kind: ErrorKind) -> Result<V> {
        Err(Error::new(kind, "test"))
    }

    /// Finds a call that waits the whole time again after another starter was quicker.
    #[test]
    fn the_waits_of_all_tries_have_one_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let limit = Wait::AtMost(Duration::from_secs(3600));
        let common = Common { wait: limit, ..Common::default() };
        let mut waits = Vec::new();
        let waited = std::cell::RefCell::new(&mut waits);
        let open = |common: &Common| {
            waited.borrow_mut().push(common.wait);
            if path.exists() { Ok("opened") } else { failed(ErrorKind::NotFound) }
        };
        let create = |common: &Common| {
            waited.borrow_mut().push(common.wait);
            let before = Instant::now();
            while before.elapsed().is_zero() {}
            fs::write(&path, "of a quicker starter").unwrap();
            failed(ErrorKind::AlreadyExists)
        };
        assert_eq!(open_or_create(&path, common, open, create).unwrap(), "opened");
        let limits = waits.iter().map(|wait| match wait {
            Wait::AtMost(limit) => *limit,
            other => panic!("{other:?}"),
        });
        let limits: Vec<_> = limits.collect();
        assert!(limits.is_sorted_by(|one, next| one >= next), "{limits:?}");
        assert!(limits.len() == 3 && limits[2] < limits[0], "{limits:?}");
    }

    /// Finds a call that never ends while other programs make and remove a file at its path.
    #[test]
    fn a_path_that_changes_for_ever_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let restless = |_: &Common| {
            let _ = fs::remove_file(&path);
            failed::<()>(ErrorKind::NotFound)
        };
        let quicker = |_: &Common| {
            fs::write(&path, "").unwrap();
            failed(ErrorKind::AlreadyExists)
        };
        let error = open_or_create(&path, Common::default(), restless, quicker).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);

        let misled = |_: &Common| failed::<()>(ErrorKind::NotFound);
        let never = |_: &Common| unreachable!("the file exists");
        let error = open_or_create(&path, Common::default(), misled, never).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    /// Finds an error of a side file that is taken for a quicker starter, and tried again.
    #[test]
    fn a_side_file_in_the_way_is_reported_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let mut creations = 0;
        let open = |_: &Common| failed::<()>(ErrorKind::NotFound);
        let create = |_: &Common| {
            creations += 1;
            failed(ErrorKind::AlreadyExists)
        };
        let error = open_or_create(&path, Common::default(), open, create).unwrap_err();
        assert_eq!((error.kind(), creations), (ErrorKind::AlreadyExists, 1));
    }
}
