//! The file of rows that did not fit: written aside, and published when the load has succeeded.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use flatrec::exchange::{Reject, RejectWriter};

use crate::failure::Failure;
use crate::load::unfinished::RejectsSoFar;
use crate::names;
use crate::own::{self, Found};
use crate::paths::sync_directory_of;

/// What the command line calls these files.
const OPTION: &str = "--rejects ";
/// Names that are tried for the file aside, before something else must be wrong.
const ATTEMPTS_MAX: u32 = 100;

/// The first line of every file of such rows.
const HEAD: &[u8] = b"line,column,reason,row\n";

/// Rows that do not fit, on their way into a file.
pub(crate) struct Rejects {
    out: RejectWriter<BufWriter<File>>,
    /// None for a device or pipe, which is written as it is.
    aside: Option<Aside>,
}

/// A file beside its place, removed when dropped.
pub(crate) struct Aside {
    made_at: PathBuf,
    /// The part of the name `made_at` that `path` does not give.
    tag: String,
    path: PathBuf,
    replace: bool,
    keep: bool,
}

impl Rejects {
    /// Refuses a `path` that is one of `read`, or a file of `store`, by whatever name.
    pub(crate) fn check<'p>(
        path: &'p Path,
        store: &'p Path,
        read: impl IntoIterator<Item = &'p Path>,
    ) -> Result<(), Failure> {
        names::refuse(OPTION, path, [store], read)
    }

    /// Makes a file aside that will be `path`, which may not exist unless `replace` says so.
    pub(crate) fn create(path: &Path, replace: bool) -> Result<Self, Failure> {
        let shown = path.display();
        let named = |error| Failure::Message(format!("create {shown}: {error}"));
        let (file, aside) = match path.symlink_metadata() {
            found if is_device(path) || found.is_ok() && path.exists() && !path.is_file() => {
                (OpenOptions::new().write(true).open(path).map_err(named)?, None)
            }
            Ok(_) if !replace => return Err(taken(path)),
            _ => {
                names::refuse_replacing(OPTION, path)?;
                let made = create_aside(path, replace).map_err(named)?;
                (made.0, Some(made.1))
            }
        };
        Ok(Self { out: RejectWriter::new(BufWriter::new(file))?, aside })
    }

    /// Goes on with the file aside that an earlier load has left.
    pub(crate) fn resume(
        path: &Path,
        so_far: &RejectsSoFar,
        replace: bool,
    ) -> Result<Self, Failure> {
        let RejectsSoFar { tag, len_bytes } = so_far;
        if !replace && path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
        names::refuse_replacing(OPTION, path)?;
        let made_at = aside_path(path, tag);
        let named = |why: &dyn std::fmt::Display| {
            Failure::Message(format!(
                "the rows set aside so far, in {}: {why} (start over without --resume)",
                made_at.display()
            ))
        };
        let mut file = match left(&made_at).map_err(|error| named(&error))? {
            Left::Rows(file) => file,
            Left::Nothing => return Err(named(&"there is no such file")),
            Left::Foreign(why) => return Err(named(&why)),
        };
        if file.metadata().map_err(|error| named(&error))?.len() < *len_bytes {
            return Err(named(&"some are missing"));
        }
        let end = file.set_len(*len_bytes).and_then(|()| file.seek(SeekFrom::End(0)));
        end.map_err(|error| named(&error))?;
        let out = RejectWriter::resume(BufWriter::new(file));
        let (tag, path) = (tag.clone(), path.to_owned());
        let aside = Aside { made_at, tag, path, replace, keep: true };
        Ok(Self { out, aside: Some(aside) })
    }

    /// Whether they are in a file that a later load can go on with.
    pub(crate) fn can_resume(&self) -> bool {
        self.aside.is_some()
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
    Ok(RejectsSoFar { tag: aside.tag.clone(), len_bytes: file.stream_position()? })
}

/// What lies under the name of a file aside of an earlier load.
enum Left {
    Nothing,
    /// Rows that were set aside, opened to read and to write.
    Rows(File),
    /// Something else, and why it is not believed.
    Foreign(&'static str),
}

fn left(made_at: &Path) -> io::Result<Left> {
    let mut file = match own::look(made_at, OpenOptions::new().read(true).write(true))? {
        Found::Own(file) => file,
        Found::Nothing => return Ok(Left::Nothing),
        Found::Foreign(why) => return Ok(Left::Foreign(why)),
    };
    let mut head = Vec::new();
    (&mut file).take(HEAD.len() as u64).read_to_end(&mut head)?;
    // A power cut may leave a part of the first line.
    Ok(match HEAD.starts_with(&head) {
        true => Left::Rows(file),
        false => Left::Foreign("it does not hold rows set aside"),
    })
}

/// Removes the rows that an earlier load has set aside for `path`; another file there stays.
pub(crate) fn discard(path: &Path, so_far: &RejectsSoFar) {
    let made_at = aside_path(path, &so_far.tag);
    if let Ok(Left::Rows(file)) = left(&made_at) {
        // Best effort: the name says that the file is temporary.
        let _ = own::remove(&made_at, file);
    }
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
    pub(crate) fn left(
        path: &Path,
        so_far: &RejectsSoFar,
        replace: bool,
    ) -> Result<Option<Self>, Failure> {
        let (tag, made_at) = (so_far.tag.clone(), aside_path(path, &so_far.tag));
        let named = |why: &dyn std::fmt::Display| {
            Failure::Message(format!("the rows set aside, in {}: {why}", made_at.display()))
        };
        match left(&made_at).map_err(|error| named(&error))? {
            Left::Nothing => Ok(None),
            Left::Foreign(why) => Err(named(&why)),
            Left::Rows(_) => {
                names::refuse_replacing(OPTION, path)?;
                Ok(Some(Self { made_at, tag, path: path.to_owned(), replace, keep: true }))
            }
        }
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
    if path.file_name().is_none() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let process = std::process::id();
    let mut attempt = 0;
    loop {
        let tag = format!("{process}-{attempt}");
        let made_at = aside_path(path, &tag);
        match create_new(&made_at, if replace { Some(path) } else { None }) {
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS_MAX =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error),
            Ok(file) => {
                return Ok((file, Aside { made_at, tag, path: path.into(), replace, keep: false }));
            }
        }
    }
}

/// The name beside `path` under which it is made.
fn aside_path(path: &Path, tag: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{tag}.tmp"))
}
