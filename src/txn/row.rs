//! The form in which handles show records: a Rust type, or bytes with the schema in the file.

use std::slice;

use crate::array::RecordView;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{
    Record, Schema, bytes_of, bytes_of_mut, from_bytes, one_from_bytes, one_from_bytes_mut, zeroed,
};

/// The form in which a [`Database`](crate::Database) or a [`Store`](crate::Store) shows records: a
/// type that implements [`Record`], or `[u8]`, whose fields the [`Schema`] in the file describes.
///
/// Only these implement it.
///
/// ```
/// use flatrec::{DataType, Database, Durability, DynDatabase, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// let database: Database<[u8]> = DynDatabase::create(&path, &schema)?;
/// let mut transaction = database.begin_write()?;
/// transaction.append(&7u32.to_le_bytes())?;
/// transaction.commit(Durability::Immediate)?;
/// assert_eq!(database.begin_read()?.get(0), Some(&7u32.to_le_bytes()[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[allow(private_bounds, reason = "sealed: other crates must not depend on a view's layout")]
pub trait Row: RowForm + ToOwned {}

impl<R: Record> Row for R {}
impl Row for [u8] {}

/// A form of rows: the schema that it needs, and how its rows are found in views and images.
pub(crate) trait RowForm: ToOwned + Send + Sync + 'static {
    /// The element type of a view of the records.
    type Unit: Copy + Send + Sync + 'static;

    /// An iterator over adjacent rows.
    type Run<'a>: DoubleEndedIterator<Item = &'a Self> + ExactSizeIterator + Clone + Send + Sync;

    /// The alignment of a row's address.
    const ALIGNMENT: usize;

    /// An error if records of the schema `found` cannot be rows of this type.
    fn check_schema(by_hand: Option<&Schema>, found: &Schema) -> Result<()>;

    /// The schema to create a store with: the one that the caller gave, or the type's own. `None`
    /// if neither exists.
    fn schema_to_create(by_hand: Option<&Schema>) -> Result<Option<Schema>>;

    /// Row `id` of the view, or what `otherwise` gives. `size` is the record size.
    fn in_view_or<'v>(
        view: &'v RecordView<Self::Unit>,
        id: u64,
        size: usize,
        otherwise: impl FnOnce() -> Option<&'v Self>,
    ) -> Option<&'v Self>;

    /// As [`RowForm::in_view_or`], but from the array even if the overlay has an image of the row.
    fn beneath(view: &RecordView<Self::Unit>, id: u64, size: usize) -> Option<&Self>;

    /// The rows of records that lie `stride` bytes apart, if an iterator can lend them in place:
    /// always for bytes, and for a type if no gap lies between the records.
    fn run(strides: &[u8], stride: usize, size: usize) -> Option<Self::Run<'_>>;

    /// A run of no rows.
    fn no_rows<'a>() -> Self::Run<'a>;

    /// The row in the bytes of a record.
    fn of_bytes(bytes: &[u8]) -> Option<&Self>;

    /// As [`RowForm::of_bytes`], to change it.
    fn of_bytes_mut(bytes: &mut [u8]) -> Option<&mut Self>;

    /// The record's bytes. An error if their number is not `size`.
    fn bytes(&self, size: usize) -> Result<&[u8]>;

    /// Takes the value of `from`, which must have as many bytes.
    fn assign(&mut self, from: &Self);

    /// A row of `size` bytes that `fill` writes; `None` if `fill` returns false.
    fn filled_by(
        size: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<bool>,
    ) -> Result<Option<Self::Owned>>;
}

impl<R: Record> RowForm for R {
    type Unit = R;
    type Run<'a> = slice::Iter<'a, R>;
    const ALIGNMENT: usize = align_of::<R>();

    fn check_schema(by_hand: Option<&Schema>, found: &Schema) -> Result<()> {
        check_schema::<R>(by_hand, found)
    }

    fn schema_to_create(by_hand: Option<&Schema>) -> Result<Option<Schema>> {
        wanted_schema::<R>(by_hand).map(Some)
    }

    #[inline]
    fn in_view_or<'v>(
        view: &'v RecordView<R>,
        id: u64,
        _size: usize,
        otherwise: impl FnOnce() -> Option<&'v R>,
    ) -> Option<&'v R> {
        view.get_or(id, otherwise)
    }

    #[inline]
    fn beneath(view: &RecordView<R>, id: u64, _size: usize) -> Option<&R> {
        view.beneath(id)
    }

    fn run(strides: &[u8], stride: usize, _size: usize) -> Option<slice::Iter<'_, R>> {
        (stride == size_of::<R>()).then(|| from_bytes(strides))?.map(<[R]>::iter)
    }

    fn no_rows<'a>() -> slice::Iter<'a, R> {
        [].iter()
    }

    #[inline]
    fn of_bytes(bytes: &[u8]) -> Option<&R> {
        one_from_bytes(bytes)
    }

    fn of_bytes_mut(bytes: &mut [u8]) -> Option<&mut R> {
        one_from_bytes_mut(bytes)
    }

    #[inline]
    fn bytes(&self, _size: usize) -> Result<&[u8]> {
        Ok(bytes_of(slice::from_ref(self)))
    }

    #[inline]
    fn assign(&mut self, from: &R) {
        *self = *from;
    }

    fn filled_by(_size: usize, fill: impl FnOnce(&mut [u8]) -> Result<bool>) -> Result<Option<R>> {
        let mut record = zeroed();
        let filled = fill(bytes_of_mut(slice::from_mut(&mut record)))?;
        Ok(filled.then_some(record))
    }
}

impl RowForm for [u8] {
    type Unit = u8;
    type Run<'a> = ByteRows<'a>;
    const ALIGNMENT: usize = 1;

    fn check_schema(by_hand: Option<&Schema>, found: &Schema) -> Result<()> {
        by_hand.map_or(Ok(()), |wanted| wanted.check_found(found))
    }

    fn schema_to_create(by_hand: Option<&Schema>) -> Result<Option<Schema>> {
        Ok(by_hand.cloned())
    }

    #[inline]
    fn in_view_or<'v>(
        view: &'v RecordView<u8>,
        id: u64,
        size: usize,
        otherwise: impl FnOnce() -> Option<&'v [u8]>,
    ) -> Option<&'v [u8]> {
        view.bytes_or(id, size, otherwise)
    }

    #[inline]
    fn beneath(view: &RecordView<u8>, id: u64, size: usize) -> Option<&[u8]> {
        view.slot(id)?.get(..size)
    }

    fn run(strides: &[u8], stride: usize, size: usize) -> Option<ByteRows<'_>> {
        (size <= stride).then(|| ByteRows { strides: strides.chunks_exact(stride.max(1)), size })
    }

    fn no_rows<'a>() -> ByteRows<'a> {
        ByteRows { strides: [].chunks_exact(1), size: 0 }
    }

    #[inline]
    fn of_bytes(bytes: &[u8]) -> Option<&[u8]> {
        Some(bytes)
    }

    fn of_bytes_mut(bytes: &mut [u8]) -> Option<&mut [u8]> {
        Some(bytes)
    }

    fn bytes(&self, size: usize) -> Result<&[u8]> {
        if self.len() == size {
            return Ok(self);
        }
        Err(Error::new(ErrorKind::InvalidArgument, "take a record")
            .detail(format!("it has {} bytes; records of this store have {size}", self.len())))
    }

    fn assign(&mut self, from: &[u8]) {
        self.copy_from_slice(from);
    }

    fn filled_by(
        size: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<bool>,
    ) -> Result<Option<Vec<u8>>> {
        let mut record = vec![0; size];
        Ok(fill(&mut record)?.then_some(record))
    }
}

/// The first bytes of each stride: records without the bytes that follow them.
#[derive(Clone)]
pub(crate) struct ByteRows<'a> {
    strides: slice::ChunksExact<'a, u8>,
    /// The record size, at most the stride.
    size: usize,
}

impl<'a> Iterator for ByteRows<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.strides.next().map(|stride| &stride[..self.size])
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.strides.size_hint()
    }

    #[inline]
    fn nth(&mut self, skipped: usize) -> Option<&'a [u8]> {
        self.strides.nth(skipped).map(|stride| &stride[..self.size])
    }
}

impl DoubleEndedIterator for ByteRows<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.strides.next_back().map(|stride| &stride[..self.size])
    }
}

impl ExactSizeIterator for ByteRows<'_> {}

/// Whether native-endian types are refused, because this machine is big-endian and files are
/// little-endian. `--cfg flatrec_any_endian` accepts them, only for tests: most tests do not depend
/// on the byte order, and no other machine reads their files.
const REFUSES_NATIVE: bool = cfg!(all(target_endian = "big", not(flatrec_any_endian)));

/// The schema to create a store with: the one that the caller gave, or the type's own.
pub(crate) fn wanted_schema<R: Record>(by_hand: Option<&Schema>) -> Result<Schema> {
    if R::NATIVE_ENDIAN && REFUSES_NATIVE {
        return Err(Error::new(ErrorKind::Unsupported, "use the record type")
            .detail("it has native-endian fields, and files are little-endian")
            .advice("use the little-endian types of flatrec::le"));
    }
    let Some(schema) = by_hand else { return R::schema() };
    // A type that knows its fields checks them; any other type checks its size.
    R::check_schema(schema).map_err(|error| {
        Error::new(ErrorKind::InvalidSchema, "use the schema given").source_error(error)
    })?;
    Ok(schema.clone())
}

/// Accepts the schema found in a file if its records can be `R`s.
pub(crate) fn check_schema<R: Record>(by_hand: Option<&Schema>, found: &Schema) -> Result<()> {
    let wanted = wanted_schema::<R>(by_hand)?;
    match by_hand {
        None => R::check_schema(found),
        Some(_) => wanted.check_found(found),
    }
}
