//! The bytes of a store, without any files.
//!
//! The bytes of a header slot, a field descriptor, a value and a checksum; the checks of untrusted
//! bytes; and the fields of a Rust type.
//!
//! Invariants:
//!
//! - A [`Header`] is trusted only after [`UnverifiedHeader::verify`]; every other description
//!   ([`Schema`], [`RecordLayout`]) is made from a checked one.
//! - A length in a file takes no memory before that many bytes were read.
//! - Only this folder knows where records lie and what a status byte means ([`RecordLayout`]).
//! - Offsets end at 2^63: larger ones are an error, and no arithmetic wraps.

mod annotation_block;
mod annotations;
pub(crate) mod checksum;
mod counts;
pub(crate) mod data_type;
#[doc(hidden)]
pub mod derived;
pub(crate) mod descriptor;
mod diff;
mod enumeration;
pub(crate) mod field;
#[cfg(any(fuzzing, all(test, feature = "derive", feature = "text")))]
#[doc(hidden)]
pub mod fuzzing;
mod geometry;
pub(crate) mod header;
pub(crate) mod layout;
mod nested;
pub(crate) mod record;
pub(crate) mod schema;
mod schema_change;
#[cfg(feature = "serde")]
mod serial;
mod source;
mod status;
mod sum_file;
#[cfg(feature = "text")]
mod text;
mod time;
mod types;
mod uuid;
mod value;

pub(crate) use annotation_block::encode as encode_annotations;
pub use annotations::{DisplayHint, Group, Variant};
pub(crate) use checksum::{BLOCK_BYTES, BlockChecksum, block_checksum, crc32c_append};
pub(crate) use counts::Counts;
pub use data_type::{DataType, TimeUnit};
pub(crate) use descriptor::{new_header, parse_schema};
pub use enumeration::{Enum, EnumRepr, RecordEnum, UnknownVariant};
pub use field::Field;
pub(crate) use geometry::{Geometry, OFFSET_MAX, Place, StatusByte, Windows, round_up, widen};
pub(crate) use header::{
    DATA_ALIGNMENT_BYTES, DESCRIPTORS_OFFSET, Header, MAGIC, NUMBERS_END, Slot, SlotReport,
    SlotState, UnverifiedHeader, VERSION, other_version,
};
pub(crate) use layout::RecordLayout;
pub use record::{FieldType, PodRecord, Record};
pub(crate) use record::{
    bytes_of, bytes_of_mut, from_bytes, one_from_bytes, one_from_bytes_mut, zeroed,
};
pub use schema::{MAX_RECORD_BYTES, Schema};
pub use schema_change::SchemaChange;
pub(crate) use schema_change::{Changed, NewField, added};
pub(crate) use source::{Source, crc32c_of, in_pieces};
pub(crate) use status::{Found, bad_status, next_free, put_dead, put_live};
pub(crate) use sum_file::{ENTRY_BYTES, NoSumHeader, SUM_HEADER_BYTES, SUM_MAGIC, SumHeader};
#[cfg(feature = "exchange")]
pub(crate) use text::{
    CellForm, Cells, Copied, FixedText, Marks, Piece, PreparedField, ROWS_MAX, TextBuffer,
    below_in, equal_in, has_same_text_as_float32, is_left, join, piece_of, push_float, put_number,
    room_at, time_text,
};
#[cfg(any(feature = "query", feature = "exchange"))]
pub(crate) use text::{Fit, fit_float, fit_integer};
#[cfg(feature = "query")]
pub(crate) use text::{Float, Loss, Refusal, Shown, duration_nanoseconds};
#[cfg(any(feature = "chrono", feature = "jiff"))]
pub use time::CalendarDate;
pub use time::{PointInTime, TimeSpan};
pub use types::{Bool, Char, Nullable, Utf8};
pub use uuid::Uuid;
pub(crate) use value::time_in_unit;
pub use value::{ArrayValue, Value};
/// Numbers that are big-endian on every host, for foreign files: `be::U32`, `be::F64` and so on.
pub use zerocopy::big_endian as be;
/// Numbers that are little-endian on every host, as files are: `le::U32`, `le::F64` and so on.
pub use zerocopy::little_endian as le;

#[cfg(test)]
mod tests;
