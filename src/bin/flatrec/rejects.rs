//! The file of rows that did not fit: written aside, and published when the load has succeeded.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use flatrec::exchange::{Reject, RejectWriter};

use crate::failure::Failure;
use crate::load::unfinished::{ENDINGS, RejectsSoFar};
use crate::paths::{is_same, sync_directory_of, with_ending};

/// Names that are tried for the file aside, before something else must be wrong.
const ATTEMPTS_MAX: u32 = 100;

/// Rows that do not fit, on their way into a file.
pub(crate) struct Rejects {
    out: RejectWriter<BufWriter<File>>,
    /// None for a device or pipe, which is written as it is.
    aside: Option<Aside>,
}

/// A file beside its place, removed when dropped.
pub(crate) struct Aside {
    made_at: PathBuf,
    path: PathBuf,
    replace: bool,
    keep: bool,
}

impl Rejects {
    /// Makes a file aside that will be `path`; which may be none of `read`, nor the store or a
    /// file of its making, nor exist unless `replace` says so.
    pub(crate) fn create<'p>(
        path: &Path,
        read: impl IntoIterator<Item = &'p Path>,
        store: &Path,
        replace: bool,
    ) -> Result<Self, Failure> {
        let shown = path.display();
        let in_use = |other: &Path| is_same(path, other);
        let is_taken = in_use(store) || ENDINGS.iter().any(|end| in_use(&with_ending(store, end)));
        if is_taken || read.into_iter().any(in_use) {
            return Err(Failure::Message(format!("--rejects {shown} would overwrite that file")));
        }
        let named = |error| Failure::Message(format!("create {shown}: {error}"));
        let (file, aside) = match path.symlink_metadata() {
            found if is_device(path) || found.is_ok() && path.exists() && !path.is_file() => {
                (OpenOptions::new().write(true).open(path).map_err(named)?, None)
            }
            Ok(_) if !replace => return Err(taken(path)),
            _ => create_aside(path, replace)
                .map(|(file, aside)| (file, Some(aside)))
                .map_err(named)?,
        };
        Ok(Self { out: RejectWriter::new(BufWriter::new(file))?, aside })
    }

    /// Goes on with the file aside that an earlier load has left.
    pub(crate) fn resume(
        path: &Path,
        so_far: &RejectsSoFar,
        replace: bool,
    ) -> Result<Self, Failure> {
        let RejectsSoFar { made_at, len_bytes } = so_far;
        if !replace && path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
        let named = |why: &dyn std::fmt::Display| {
            Failure::Message(format!(
                "the rows set aside so far, in {}: {why} (start over without --resume)",
                made_at.display()
            ))
        };
        let mut file =
            OpenOptions::new().write(true).open(made_at).map_err(|error| named(&error))?;
        if file.metadata().map_err(|error| named(&error))?.len() < *len_bytes {
            return Err(named(&"some are missing"));
        }
        let end = file.set_len(*len_bytes).and_then(|()| file.seek(SeekFrom::End(0)));
        end.map_err(|error| named(&error))?;
        let out = RejectWriter::resume(BufWriter::new(file));
        let aside = Aside { made_at: made_at.clone(), path: path.to_owned(), replace, keep: true };
        Ok(Self { out, aside: Some(aside) })
    }

    /// Whether they are in a file that a later load can go on with.
    pub(crate) fn can_resume(&self) -> bool {
        self.aside.as_ref().is_some_and(|aside| aside.made_at.to_str().is_some())
    }

    /// Makes what was written so far durable.
    pub(crate) fn so_far(&mut self) -> io::Result<Option<RejectsSoFar>> {
        let Some(aside) = &self.aside else { return Ok(None) };
        let so_far = sync(self.out.get_mut(), aside);
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("write {}: {error}", aside.made_at.display()))
        };
        so_far.map(Some).map_err(named)
    }

    /// Whether the file stays if the load is not finished.
    pub(crate) fn keep(&mut self, keep: bool) {
        if let Some(aside) = &mut self.aside {
            aside.keep = keep;
        }
    }

    pub(crate) fn write(&mut self, reject: &Reject<'_>) -> flatrec::Result<()> {
        self.out.write(reject).map_err(|error| {
            // Of a pipe whose reader has left, too: they are not what the command is for.
            let source = std::error::Error::source(&error);
            let source = source.and_then(|source| source.downcast_ref::<io::Error>());
            let (kind, why) = match source {
                Some(source) => (source.kind(), source.to_string()),
                None => (io::ErrorKind::Other, error.to_string()),
            };
            io::Error::new(kind, format!("write the rows set aside: {why}")).into()
        })
    }

    /// Makes sure that all of them are written; the file still has to get its name.
    pub(crate) fn finish(&mut self) -> Result<Option<Aside>, Failure> {
        let shown = self.aside.as_ref().map(|aside| aside.path.display().to_string());
        let named = |error| match &shown {
            Some(shown) => Failure::Message(format!("write {shown}: {error}")),
            None => Failure::Message(format!("write the rows set aside: {error}")),
        };
        let out = self.out.get_mut();
        out.flush().map_err(named)?;
        if self.aside.is_some() {
            out.get_mut().sync_data().map_err(named)?;
        }
        Ok(self.aside.take())
    }
}

fn sync(out: &mut BufWriter<File>, aside: &Aside) -> io::Result<RejectsSoFar> {
    out.flush()?;
    let file = out.get_mut();
    file.sync_data()?;
    if !aside.keep {
        // The first time: from now on its name must not get lost either.
        sync_directory_of(&aside.made_at)?;
    }
    let made_at = std::path::absolute(&aside.made_at)?;
    Ok(RejectsSoFar { made_at, len_bytes: file.stream_position()? })
}

/// Whether the system has a device of that name, as `NUL`: on Unix one lies where files do.
fn is_device(path: &Path) -> bool {
    let is_device = |full: PathBuf| {
        let rest = full.as_os_str().as_encoded_bytes().strip_prefix(br"\\.\");
        // `\\.\C:\file` is a file.
        rest.is_some_and(|rest| !matches!(rest, [_, b':', ..]))
    };
    cfg!(windows) && std::path::absolute(path).is_ok_and(is_device)
}

/// The file has got its place already, or somebody else's is there.
fn taken(path: &Path) -> Failure {
    Failure::Message(format!(
        "--rejects {} exists already (name another file, or remove it; load --force replaces it)",
        path.display()
    ))
}

impl Aside {
    /// The file that a load left which had its store finished, and not this; `None` if it has its
    /// place already.
    pub(crate) fn left(path: &Path, so_far: &RejectsSoFar, replace: bool) -> Option<Self> {
        let made_at = so_far.made_at.clone();
        made_at.is_file().then(|| Self { made_at, path: path.to_owned(), replace, keep: true })
    }

    /// Gives the file its name. If that fails the file stays where it is: the rows are loaded, and
    /// those that were not must not be lost.
    pub(crate) fn publish(self) -> Result<(), Failure> {
        self.publish_after(
            "the store has the rows that fit; those that do not are in the former file",
        )
    }

    /// As [`Aside::publish`], when something else has been done already.
    pub(crate) fn publish_after(mut self, done: &str) -> Result<(), Failure> {
        self.keep = true;
        self.rename().map_err(|error| {
            Failure::Message(format!(
                "rename {} to {}: {error} ({done})",
                self.made_at.display(),
                self.path.display()
            ))
        })
    }

    fn rename(&self) -> io::Result<()> {
        if self.replace {
            return fs::rename(&self.made_at, &self.path);
        }
        match fs::hard_link(&self.made_at, &self.path) {
            Ok(()) => fs::remove_file(&self.made_at),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            // A file system without hard links.
            Err(_) if self.path.symlink_metadata().is_ok() => {
                Err(io::ErrorKind::AlreadyExists.into())
            }
            Err(_) => fs::rename(&self.made_at, &self.path),
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.keep {
            // Nobody is left to hear of a failure; the name says that the file is temporary.
            let _ = fs::remove_file(&self.made_at);
        }
    }
}

/// Makes a file that did not exist: with the permissions of the one that it is to replace, if there
/// is one that this user owns, too.
#[cfg(unix)]
fn create_new(path: &Path, replaced: Option<&Path>) -> io::Result<File> {
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
    let replaced = replaced.and_then(|replaced| fs::metadata(replaced).ok());
    let mode = if replaced.is_some() { 0o600 } else { 0o666 };
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    if let Some(replaced) = replaced.filter(fs::Metadata::is_file) {
        let made = file.metadata()?;
        if (made.uid(), made.gid()) == (replaced.uid(), replaced.gid()) {
            // Best effort: where it fails the file stays the owner's alone.
            let _ = file.set_permissions(fs::Permissions::from_mode(replaced.mode() & 0o666));
        }
    }
    Ok(file)
}

#[cfg(not(unix))]
fn create_new(path: &Path, _replaced: Option<&Path>) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// A new file beside `path`, under a name that nobody has.
pub(crate) fn create_aside(path: &Path, replace: bool) -> io::Result<(File, Aside)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let process = std::process::id();
    let mut attempt = 0;
    loop {
        let made_at = path.with_file_name(format!(".{name}.{process}-{attempt}.tmp"));
        match create_new(&made_at, if replace { Some(path) } else { None }) {
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS_MAX =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error),
            Ok(file) => {
                return Ok((file, Aside { made_at, path: path.into(), replace, keep: false }));
            }
        }
    }
}
