//! The file of rows that did not fit: written under another name, and published after a successful
//! load.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use flatrec::exchange::{Reject, RejectWriter, UnpublishedFile};

use crate::aside;
use crate::failure::Failure;
use crate::load::unfinished::RejectsSoFar;
use crate::names;
use crate::own::{self, Found};

/// The option for these files.
const OPTION: &str = "--rejects ";

/// The first line of every file of such rows.
const HEAD: &[u8] = b"line,column,reason,row\n";

/// Writes rows that do not fit to a file.
pub(crate) struct Rejects {
    out: RejectWriter<BufWriter<File>>,
    /// None for a device or pipe, which is written directly.
    aside: Option<UnpublishedFile>,
}

impl Rejects {
    /// Refuses a `path` that is one of `read`, or a file of `store`, under any name.
    pub(crate) fn check<'p>(
        path: &'p Path,
        store: &'p Path,
        read: impl IntoIterator<Item = &'p Path>,
    ) -> Result<(), Failure> {
        names::refuse(OPTION, path, [store], read)
    }

    /// Opens `path` if it is a device or a pipe, which is written directly. A pipe waits for its
    /// reader, so this comes before making a file that a signal would leave.
    pub(crate) fn stream(path: &Path) -> Result<Option<File>, Failure> {
        let named = |error| Failure::Message(format!("create {}: {error}", path.display()));
        aside::stream(path).map_err(named)
    }

    /// Begins the file that will be `path`, which must not exist unless `replace` is true; or
    /// writes to a `stream` of [`Rejects::stream`].
    pub(crate) fn create(
        path: &Path,
        replace: bool,
        stream: Option<File>,
    ) -> Result<Self, Failure> {
        let (file, aside) = match stream {
            Some(stream) => (stream, None),
            None if !replace && path.symlink_metadata().is_ok() => return Err(taken(path)),
            None => {
                names::refuse_replacing(OPTION, path)?;
                let (file, aside) = aside::create(path, replace)?;
                (file, Some(aside))
            }
        };
        Ok(Self { out: RejectWriter::new(BufWriter::new(file))?, aside })
    }

    /// Continues the unpublished file of an earlier load.
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
        let made_at = UnpublishedFile::kept_at(path, tag);
        let named = |why: &dyn std::fmt::Display| {
            Failure::Message(format!(
                "the rows set aside so far, in {}: {why} (start over without --resume)",
                made_at.display()
            ))
        };
        let mut file = match left(&made_at).map_err(|error| named(&error))? {
            Left::Rows(file) => file,
            Left::Nothing => return Err(named(&"the file is missing")),
            Left::Foreign(why) => return Err(named(&why)),
        };
        if file.metadata().map_err(|error| named(&error))?.len() < *len_bytes {
            return Err(named(&"some rows are missing"));
        }
        let end = file.set_len(*len_bytes).and_then(|()| file.seek(SeekFrom::End(0)));
        end.map_err(|error| named(&error))?;
        let kept = file.try_clone().map_err(|error| named(&error))?;
        let out = RejectWriter::resume(BufWriter::new(file));
        Ok(Self { out, aside: Some(UnpublishedFile::resume(path, tag, kept, replace)) })
    }

    /// The file of a load whose store was finished but not this file; `None` if the file already
    /// has its place.
    pub(crate) fn kept(
        path: &Path,
        so_far: &RejectsSoFar,
        replace: bool,
    ) -> Result<Option<UnpublishedFile>, Failure> {
        let made_at = UnpublishedFile::kept_at(path, &so_far.tag);
        let named = |why: &dyn std::fmt::Display| {
            Failure::Message(format!("the rows set aside, in {}: {why}", made_at.display()))
        };
        match left(&made_at).map_err(|error| named(&error))? {
            Left::Nothing => Ok(None),
            Left::Foreign(why) => Err(named(&why)),
            Left::Rows(file) => {
                names::refuse_replacing(OPTION, path)?;
                Ok(Some(UnpublishedFile::resume(path, &so_far.tag, file, replace)))
            }
        }
    }

    /// Whether the rows are in a file that a later load can continue.
    pub(crate) fn can_resume(&self) -> bool {
        self.aside.is_some()
    }

    /// Makes the rows written so far durable.
    pub(crate) fn so_far(&mut self) -> io::Result<Option<RejectsSoFar>> {
        let Some(aside) = &mut self.aside else { return Ok(None) };
        let so_far = sync(self.out.get_mut(), aside);
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("write {}: {error}", aside.made_at().display()))
        };
        so_far.map(Some).map_err(named)
    }

    /// Whether the file stays if the load is not finished.
    pub(crate) fn keep(&mut self, keep: bool) {
        if let Some(aside) = &mut self.aside {
            aside.keep(keep);
        }
    }

    pub(crate) fn write(&mut self, reject: &Reject<'_>) -> flatrec::Result<()> {
        self.out.write(reject).map_err(|error| {
            // Also for a pipe whose reader has left: these rows are not the command's result.
            let (kind, why) = match error.io_error() {
                Some(source) => (source.kind(), source.to_string()),
                None => (io::ErrorKind::Other, error.to_string()),
            };
            io::Error::new(kind, format!("write the rows set aside: {why}")).into()
        })
    }

    /// Checks that all rows are written; the file still has to get its name.
    pub(crate) fn finish(&mut self) -> Result<Option<UnpublishedFile>, Failure> {
        let shown = self.aside.as_ref().map(|aside| aside.path().display().to_string());
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

fn sync(out: &mut BufWriter<File>, aside: &mut UnpublishedFile) -> io::Result<RejectsSoFar> {
    out.flush()?;
    let file = out.get_mut();
    file.sync_data()?;
    if !aside.is_kept() {
        // The first time: from now on its name must survive too.
        aside.name_for_later().map_err(io::Error::other)?;
    }
    Ok(RejectsSoFar { tag: aside.number().to_owned(), len_bytes: file.stream_position()? })
}

/// What has the name of an unpublished file of an earlier load.
enum Left {
    Nothing,
    /// Rows that were set aside, opened for reading and writing.
    Rows(File),
    /// Another file, and why it is not trusted.
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
        false => Left::Foreign("it has no rows set aside"),
    })
}

/// Removes the rows that an earlier load has set aside for `path`; another file there stays.
pub(crate) fn discard(path: &Path, so_far: &RejectsSoFar) {
    let made_at = UnpublishedFile::kept_at(path, &so_far.tag);
    if let Ok(Left::Rows(file)) = left(&made_at) {
        // Best effort: the name shows that the file is temporary.
        let _ = own::remove(&made_at, file);
    }
}

/// The path is taken, by this file or by another one.
pub(crate) fn taken(path: &Path) -> Failure {
    Failure::Message(format!(
        "--rejects {} exists already (name another file, or remove it; load --force replaces it)",
        path.display()
    ))
}
