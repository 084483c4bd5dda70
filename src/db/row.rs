//! What a record is seen as: a Rust type, or bytes whose schema is found in the file.

use crate::error::{Error, ErrorKind, Result};
use crate::format::{Record, Schema, bytes_of, one_from_bytes, one_from_bytes_mut};
use crate::map::RecordView;

/// What the records of a [`Database`](crate::Database) are seen as: a type that is a [`Record`], or
/// `[u8]`, whose fields the [`Schema`] in the file tells.
///
/// Implemented for these, and for nothing else.
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
/// assert_eq!(database.begin_read().get(0), Some(&7u32.to_le_bytes()[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[allow(private_bounds, reason = "sealed: how a record lies in a view is nobody else's business")]
pub trait Row: Access {}

impl<R: Record> Row for R {}
impl Row for [u8] {}

/// How rows lie in views and in images.
pub(crate) trait Access: Send + Sync + 'static {
    /// What a view of the records is a view of.
    type Unit: Copy + Send + Sync + 'static;

    /// What the address of a row is a multiple of.
    const ALIGNMENT: usize;

    /// Whether rows of the schema can be seen as this.
    fn check_schema(by_hand: Option<&Schema>, found: &Schema) -> Result<()>;

    /// Row `id` of the view; `size` is the record's.
    fn in_view(view: &RecordView<Self::Unit>, id: u64, size: usize) -> Option<&Self>;

    /// The row in the bytes of a record.
    fn of_bytes(bytes: &[u8]) -> Option<&Self>;

    /// As [`Access::of_bytes`], for changing.
    fn of_bytes_mut(bytes: &mut [u8]) -> Option<&mut Self>;

    /// The record's bytes, which must be `size` many.
    fn bytes(&self, size: usize) -> Result<&[u8]>;
}

impl<R: Record> Access for R {
    type Unit = R;
    const ALIGNMENT: usize = align_of::<R>();

    fn check_schema(by_hand: Option<&Schema>, found: &Schema) -> Result<()> {
        super::store::check_schema::<R>(by_hand, found)
    }

    #[inline]
    fn in_view(view: &RecordView<R>, id: u64, _size: usize) -> Option<&R> {
        view.get(id)
    }

    #[inline]
    fn of_bytes(bytes: &[u8]) -> Option<&R> {
        one_from_bytes(bytes)
    }

    fn of_bytes_mut(bytes: &mut [u8]) -> Option<&mut R> {
        one_from_bytes_mut(bytes)
    }

    fn bytes(&self, _size: usize) -> Result<&[u8]> {
        Ok(bytes_of(std::slice::from_ref(self)))
    }
}

impl Access for [u8] {
    type Unit = u8;
    const ALIGNMENT: usize = 1;

    fn check_schema(by_hand: Option<&Schema>, found: &Schema) -> Result<()> {
        by_hand.map_or(Ok(()), |wanted| wanted.check_found(found))
    }

    #[inline]
    fn in_view(view: &RecordView<u8>, id: u64, size: usize) -> Option<&[u8]> {
        view.bytes(id, size)
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
            .detail(format!("{} bytes are no record, which has {size}", self.len())))
    }
}
