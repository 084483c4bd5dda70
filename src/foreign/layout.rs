//! Where the records of a foreign file lie, and what their bytes mean.

use std::sync::Arc;

use super::column::Column;
use super::kind::ForeignKind;
use super::source::READ;
use crate::error::{Error, ErrorKind, Result, quoted};
use crate::format::{Geometry, MAX_RECORD_BYTES, Schema};

/// The layout of a foreign file: where its records lie, and what their bytes mean.
///
/// A layout without a decoder describes records that are used as they lie in the file; its
/// [schema](ForeignLayout::schema) has the places of the fields there, and big-endian fields. One
/// with a decoder has fields whose bytes are not those of a type of flatrec, such as a number in
/// ASCII. Its schema is that of the records that a [`ForeignFile`](super::ForeignFile) makes of
/// them.
///
/// ```
/// use flatrec::foreign::ForeignLayout;
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("samples.bin");
/// std::fs::write(&path, [0, 7, 0, 8])?;
/// let json = r#"{ "endian": "big", "fields": [{ "name": "n", "type": "int16" }] }"#;
/// let layout = ForeignLayout::from_json(json, &path)?;
/// assert_eq!((layout.count(), layout.stride(), layout.has_decoder()), (2, 2, false));
/// assert!(layout.schema().fields()[0].is_big_endian());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ForeignLayout {
    pub(super) kind: ForeignKind,
    pub(super) data_offset: u64,
    pub(super) count: u64,
    pub(super) stride: u32,
    pub(super) columns: Arc<[Column]>,
    pub(super) deleted: Option<DeletedMark>,
    pub(super) guard: Option<Guard>,
    /// How many bytes at the end of the last record the file may lack: those of its line end.
    pub(super) tail_bytes: u32,
    facts: Vec<(&'static str, String)>,
    pub(super) edits: Edits,
    /// Whether records are decoded; if not, they are used as they lie in the file.
    pub(super) decodes: bool,
    schema: Schema,
}

/// The byte of a record that says whether it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeletedMark {
    pub(super) at: u32,
    pub(super) live: u8,
    pub(super) deleted: u8,
}

/// Bytes that each record has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Guard {
    pub(super) at: u32,
    pub(super) bytes: Vec<u8>,
    /// Whether they end a line, so that no line may end before them.
    pub(super) ends_line: bool,
    /// What other bytes there mean.
    pub(super) otherwise: &'static str,
}

/// What the rest of the file has of the records, so that a change would make it wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Edits {
    /// Something about all bytes: a checksum, an index.
    pub(super) sealed_by: Option<&'static str>,
    /// Names of fields, and what the header has of their values.
    pub(super) summarised: Vec<(String, &'static str)>,
}

/// The parts of a layout before they are checked.
pub(super) struct Parts {
    pub(super) kind: ForeignKind,
    pub(super) data_offset: u64,
    pub(super) count: u64,
    pub(super) stride: u64,
    pub(super) columns: Vec<Column>,
    pub(super) deleted: Option<DeletedMark>,
    pub(super) guard: Option<Guard>,
    pub(super) tail_bytes: u32,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) edits: Edits,
}

impl Parts {
    pub(super) fn new(kind: ForeignKind, data_offset: u64, count: u64, stride: u64) -> Self {
        Self {
            kind,
            data_offset,
            count,
            stride,
            columns: Vec::new(),
            deleted: None,
            guard: None,
            tail_bytes: 0,
            facts: Vec::new(),
            edits: Edits::default(),
        }
    }

    /// The layout, after a check of everything that does not depend on the file.
    pub(super) fn checked(self) -> Result<ForeignLayout> {
        let invalid = |detail: String| Error::new(ErrorKind::InvalidSchema, READ).detail(detail);
        let stride = u32::try_from(self.stride).ok();
        let stride = stride.filter(|stride| (1..=MAX_RECORD_BYTES).contains(stride));
        let Some(stride) = stride else {
            return Err(invalid(format!(
                "a record has {} bytes; 1 to {MAX_RECORD_BYTES} are possible",
                self.stride
            )));
        };
        Geometry::new(self.data_offset, u64::from(stride))?.offset_of(self.count)?;
        let mut order: Vec<&Column> = self.columns.iter().collect();
        order.sort_by_key(|column| column.at);
        let mut end = 0;
        for column in order {
            let name = quoted(column.field.name());
            if column.width == 0 {
                return Err(invalid(format!("field {name} has no bytes")));
            }
            if column.at < end && !column.shares_bytes() {
                return Err(invalid(format!(
                    "field {name} begins at byte {} of the record, and the field before it ends \
                     at {end}",
                    column.at
                )));
            }
            end = end.max(column.end());
            if end > stride {
                return Err(invalid(format!(
                    "field {name} ends at byte {end}, past the record's {stride}"
                )));
            }
        }
        let decodes = self.deleted.is_some() || !self.columns.iter().all(Column::is_plain);
        let schema = match decodes {
            true => native_schema(&self.columns)?,
            false => schema_in_place(&self.columns, stride)?,
        };
        Ok(ForeignLayout {
            kind: self.kind,
            data_offset: self.data_offset,
            count: self.count,
            stride,
            columns: self.columns.into(),
            deleted: self.deleted,
            guard: self.guard,
            tail_bytes: self.tail_bytes,
            facts: self.facts,
            edits: self.edits,
            decodes,
            schema,
        })
    }
}

/// The records that a decoder makes.
fn native_schema(columns: &[Column]) -> Result<Schema> {
    Schema::packed(columns.iter().map(Column::native_field))
}

/// The records as they lie in the file.
fn schema_in_place(columns: &[Column], stride: u32) -> Result<Schema> {
    Schema::new(columns.iter().map(Column::field_in_place).collect(), stride, 1)
}

impl ForeignLayout {
    /// The kind of file.
    pub fn kind(&self) -> ForeignKind {
        self.kind
    }

    /// Bytes from the start of the file to record 0.
    pub fn data_offset(&self) -> u64 {
        self.data_offset
    }

    /// The number of records, deleted ones included.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bytes from one record of the file to the next.
    pub fn stride(&self) -> u32 {
        self.stride
    }

    /// Whether the file marks deleted records.
    pub fn has_deletes(&self) -> bool {
        self.deleted.is_some()
    }

    /// Whether records are decoded. If not, they are used as they lie in the file.
    pub fn has_decoder(&self) -> bool {
        self.decodes
    }

    /// The schema of the records that a [`ForeignFile`](super::ForeignFile) gives: as they lie in
    /// the file, or as the decoder makes them.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The schema of the records as they lie in the file, which a
    /// [`ForeignView`](super::ForeignView) lends; `None` if a field has no type there, such as a
    /// number in ASCII. A text then ends with the bytes that pad it.
    ///
    /// ```
    /// use flatrec::Value;
    /// use flatrec::foreign::ForeignLayout;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// let json = r#"{ "count": 0, "fields": [
    ///     { "name": "name", "type": "utf8(4)", "pad": "space" }
    /// ] }"#;
    /// let layout = ForeignLayout::from_json(json, file.path())?;
    /// let schema = layout.schema_in_place().expect("text has a type");
    /// assert_eq!(schema.fields()[0].read(b"Ada ")?, Value::Text("Ada "));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn schema_in_place(&self) -> Option<Schema> {
        if self.deleted.is_some() || !self.columns.iter().all(Column::has_place) {
            return None;
        }
        schema_in_place(&self.columns, self.stride).ok()
    }

    /// The same layout with a decoder, which makes little-endian records without gaps: those that
    /// are best kept in a store.
    ///
    /// ```
    /// use flatrec::foreign::ForeignLayout;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// let json = r#"{ "count": 0, "stride": 8, "endian": "big", "fields": [
    ///     { "name": "n", "type": "int16", "offset": 2 }
    /// ] }"#;
    /// let native = ForeignLayout::from_json(json, file.path())?.into_native()?;
    /// assert_eq!(native.schema().fields()[0].to_string(), "n: int16 at 0");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] if such a record would have more than 16 MiB.
    pub fn into_native(mut self) -> Result<Self> {
        if !self.decodes {
            self.schema = native_schema(&self.columns)?;
            self.decodes = true;
        }
        Ok(self)
    }

    /// What else the file says of itself, as names and values for people.
    pub fn facts(&self) -> &[(&'static str, String)] {
        &self.facts
    }

    /// The fields of the file's records, each with its place and its bytes there.
    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }
}

/// How many records of `stride` bytes lie from `offset` to the end of a file of `len_bytes`.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if another part of a record follows them.
pub(super) fn count_to_end(len_bytes: u64, offset: u64, stride: u64) -> Result<u64> {
    let corrupt =
        |detail: String| Error::new(ErrorKind::Corrupt, READ).offset(offset).detail(detail);
    let Some(bytes) = len_bytes.checked_sub(offset) else {
        return Err(corrupt(format!("the file ends at byte {len_bytes}, before its records")));
    };
    let stride = stride.max(1);
    let (count, rest) = (bytes / stride, bytes % stride);
    if rest != 0 {
        return Err(corrupt(format!(
            "{count} records of {stride} bytes end {rest} bytes before the end of the file"
        ))
        .advice("a layout file with a \"count\" leaves the rest out"));
    }
    Ok(count)
}
