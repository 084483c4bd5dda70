//! A foreign file whose records are lent in place.

use std::path::Path;

use super::file::ForeignFile;
use super::layout::ForeignLayout;
use crate::array::RecordView;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Field, Geometry, Schema};
use crate::io::{Access, Backing as _, FileBacking};
use crate::number::len_of;
use crate::txn::Row;

/// The records of a foreign file, in place: of a Rust type, or bytes.
///
/// ```
/// # #![allow(unsafe_code)]
/// # #[cfg(feature = "derive")] {
/// use flatrec::foreign::{ForeignLayout, ForeignView};
/// use flatrec::{Record, be};
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Sample { n: be::U16 }
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("samples.bin");
/// std::fs::write(&path, [0, 7, 1, 0]).unwrap();
/// let json = r#"{ "endian": "big", "fields": [{ "name": "n", "type": "uint16" }] }"#;
/// let layout = ForeignLayout::from_json(json, &path).unwrap();
/// // SAFETY: nothing changes the file while the view lives.
/// let samples = unsafe { ForeignView::<Sample>::open(&path, &layout) }.unwrap();
/// assert_eq!(samples.get(1).unwrap().n.get(), 256);
/// assert_eq!(samples.iter().count(), 2);
/// # }
/// ```
#[derive(Debug)]
pub struct ForeignView<R: Row + ?Sized = [u8]> {
    view: RecordView<R::Unit>,
    schema: Schema,
    record_size: usize,
}

#[allow(unsafe_code, reason = "only the caller knows what else changes the file")]
impl<R: Row + ?Sized> ForeignView<R> {
    /// Maps the records of the file at `path`, which lie as `layout` says.
    ///
    /// A read through a reference raises a signal or an exception if the device fails: see
    /// [`documents::safety`](crate::documents::safety).
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if a field has no type in the file:
    /// [`ForeignLayout::schema_in_place`]; [`ErrorKind::SchemaMismatch`] if the type has other
    /// fields than the file, or another stride; [`ErrorKind::InvalidArgument`] if the records are
    /// not aligned for the type; [`ErrorKind::Corrupt`] if one of them lacks the bytes that each
    /// must have; as [`ForeignFile::open`].
    ///
    /// # Safety
    /// While the view lives, nothing changes the records in the file or truncates it: neither this
    /// process nor another.
    pub unsafe fn open(path: impl AsRef<Path>, layout: &ForeignLayout) -> Result<Self> {
        let path = path.as_ref();
        // Compares the lengths.
        let file = ForeignFile::open(path, layout)?;
        let named = |error: Error| error.path(path);
        let schema = layout.schema_in_place().ok_or_else(|| {
            named(Error::new(ErrorKind::Unsupported, "lend the records of")).detail(
                "some of its values are not stored as those of a type, so that they can only be \
                 copied",
            )
        })?;
        if let Some(wanted) = R::schema_to_create(None)? {
            check(&wanted, &schema).map_err(named)?;
        }
        if layout.guard.is_some() {
            let mut copies = file.copies(..);
            while copies.next_record()?.is_some() {}
        }
        // SAFETY: the caller's promise.
        let view = unsafe { map::<R>(path, layout) }.map_err(named)?;
        let record_size = len_of(schema.record_size());
        Ok(Self { view, schema, record_size })
    }

    /// The number of records.
    pub fn count(&self) -> u64 {
        self.view.count()
    }

    /// The schema of the records as they lie in the file.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Record `id`, in place; `None` past the last.
    #[inline]
    pub fn get(&self, id: u64) -> Option<&R> {
        R::in_view_or(&self.view, id, self.record_size, || None)
    }

    /// All records in place and in order, each with its number.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &R)> + '_ {
        (0..self.count()).filter_map(|id| Some((id, self.get(id)?)))
    }
}

/// The records, mapped.
///
/// # Safety
/// As [`ForeignView::open`].
#[allow(unsafe_code, reason = "passes on the promise of the caller")]
unsafe fn map<R: Row + ?Sized>(path: &Path, layout: &ForeignLayout) -> Result<RecordView<R::Unit>> {
    if layout.count == 0 {
        return Ok(RecordView::empty());
    }
    let backing = FileBacking::open(path, false)?;
    let geometry = Geometry::new(layout.data_offset, layout.stride.into())?;
    let len_bytes = geometry.offset_of(layout.count)? - layout.data_offset;
    let len_bytes = usize::try_from(len_bytes).map_err(|_| {
        Error::new(ErrorKind::OutOfRange, "map")
            .detail("the records do not fit into the address space")
            .advice("copy them: ForeignFile maps nothing")
    })?;
    let view = backing.view(layout.data_offset, len_bytes, Access::ReadOnly)?;
    // SAFETY: a row is bytes, or a type that is valid for any pattern of bytes, without padding or
    // interior mutability (`Record`).
    let mut records = unsafe { RecordView::new(view.into(), geometry) }?;
    // SAFETY: `ForeignFile::open` found the records in the file, and nothing changes or cuts them
    // off while the view lives (the caller's promise).
    unsafe { records.publish(layout.count) }?;
    Ok(records)
}

/// Refuses records of `found` as values of a type with the schema `wanted`.
fn check(wanted: &Schema, found: &Schema) -> Result<()> {
    let mismatch = |detail: String| {
        Err(Error::new(ErrorKind::SchemaMismatch, "lend the records of").detail(detail))
    };
    if wanted.record_size() != found.record_size() {
        let (wanted, found) = (wanted.record_size(), found.record_size());
        return mismatch(format!(
            "the type has {wanted} bytes, and the file has a record each {found} bytes"
        ));
    }
    let is_in = |field: &&Field, fields: &[Field]| fields.iter().any(|it| it.has_layout_of(field));
    if let Some(field) = wanted.fields().iter().find(|field| !is_in(field, found.fields())) {
        return mismatch(format!("the type has a field {field}, and the file does not"));
    }
    if let Some(field) = found.fields().iter().find(|field| !is_in(field, wanted.fields())) {
        return mismatch(format!("the file has a field {field}, and the type does not"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code, reason = "nothing changes the files of this test")]
    fn records_are_lent_in_place() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [0, 1, 0, 0, 7, 8]).unwrap();
        let json = r#"{ "offset": 1, "count": 2, "stride": 2, "fields": [
            { "name": "a", "type": "uint8" }, { "name": "b", "type": "uint8" }
        ] }"#;
        let layout = ForeignLayout::from_json(json, file.path()).unwrap();
        // SAFETY: nothing changes the file.
        let view = unsafe { ForeignView::<[u8]>::open(file.path(), &layout) }.unwrap();
        assert_eq!(view.iter().map(|(_, it)| it.to_vec()).collect::<Vec<_>>(), [[1, 0], [0, 7]]);
        assert_eq!(view.get(2), None);
        let json = r#"{ "kind": "text", "count": 0, "fields": [
            { "name": "n", "type": "int8", "width": 3 }
        ] }"#;
        let layout = ForeignLayout::from_json(json, file.path()).unwrap();
        // SAFETY: nothing changes the file.
        let opened = unsafe { ForeignView::<[u8]>::open(file.path(), &layout) };
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
