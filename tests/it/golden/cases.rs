//! The content of the golden files by formula, without reading any file.

use flatrec::{DataType, Field, Record, Schema, TimeUnit, Utf8, Value, le};

/// The record of all cases but `plain`, which is the same on every machine. The cases were made
/// with the native types of a machine that aligns 64-bit numbers to eight bytes: [`ALIGNMENT`].
#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
pub(crate) struct Row {
    pub(crate) id: le::U64,
    pub(crate) at: le::I64,
    pub(crate) amount: le::F64,
    pub(crate) kind: le::U32,
    pub(crate) name: Utf8<20>,
}

const ALIGNMENT: u32 = 8;

/// The schema of the files.
pub(crate) fn row_schema() -> Schema {
    Schema::new(Row::schema().unwrap().fields().to_vec(), 48, ALIGNMENT).unwrap()
}

/// The name of the record, cut to the length of the field.
pub(crate) fn name(id: u64, version: u32) -> String {
    format!("row {id}, version {version}")
}

/// The record `id` as the commit called `version` left it.
pub(crate) fn row(id: u64, version: u32) -> Row {
    Row {
        id: id.into(),
        at: (id as i64 * -1000 - i64::from(version)).into(),
        amount: (id as f64 * 0.5 + f64::from(version)).into(),
        kind: version.into(),
        name: Utf8::new(&name(id, version)).unwrap(),
    }
}

/// The bytes of [`row`], by docs/FORMAT.md.
pub(crate) fn row_bytes(id: u64, version: u32) -> Vec<u8> {
    let mut bytes = id.to_le_bytes().to_vec();
    bytes.extend((id as i64 * -1000 - i64::from(version)).to_le_bytes());
    bytes.extend((id as f64 * 0.5 + f64::from(version)).to_le_bytes());
    bytes.extend(version.to_le_bytes());
    bytes.extend(name(id, version).bytes());
    bytes.resize(48, 0);
    bytes
}

/// A store of [`Row`]s in a folder of its own.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) metadata: &'static str,
    /// The count of the newest commit, deleted records included.
    pub(crate) count: u64,
    /// The count of the header.
    pub(crate) committed_count: u64,
    /// The version of each record, or `None` for a deleted one.
    pub(crate) version: fn(u64) -> Option<u32>,
    pub(crate) deletes: bool,
    pub(crate) free_head: Option<u64>,
    /// The newest commit.
    pub(crate) commit: u64,
    /// The number of records with images in the log.
    pub(crate) logged: u64,
    /// The commits in the log, and its segments.
    pub(crate) log: Option<(u64, u64)>,
    /// The blocks with checksums.
    pub(crate) blocks: Option<u64>,
    pub(crate) editing: bool,
}

/// A case without special properties.
const AT_REST: Case = Case {
    name: "",
    metadata: "",
    count: 0,
    committed_count: 0,
    version: |_| Some(0),
    deletes: false,
    free_head: None,
    commit: 1,
    logged: 0,
    log: None,
    blocks: None,
    editing: false,
};

pub(crate) const DELETES_COUNT: u64 = 100;
/// The deleted records, in order. Inserts use the last two places again.
pub(crate) const DELETED: [u64; 5] = [3, 50, 7, 99, 20];
pub(crate) const SUMS_COUNT: u64 = 2900;
pub(crate) const LOG_COUNT: u64 = 300;
/// The records of the long append. The log has only their count.
pub(crate) const LOG_BULK: u64 = 800;
pub(crate) const TORN_COUNT: u64 = 200;
pub(crate) const EDITING_COUNT: u64 = 64;

/// Every case of [`Row`]s.
pub(crate) const CASES: [Case; 5] = [
    Case {
        name: "deletes",
        metadata: "records that come and go",
        count: DELETES_COUNT,
        committed_count: DELETES_COUNT,
        version: |id| match id {
            3 | 50 | 7 => None,
            20 | 99 => Some(1),
            _ => Some(0),
        },
        deletes: true,
        free_head: Some(7),
        commit: 3,
        ..AT_REST
    },
    Case {
        name: "sums",
        count: SUMS_COUNT,
        committed_count: SUMS_COUNT,
        version: |id| Some(if id % 1000 == 5 { 1 } else { 0 }),
        blocks: Some(3),
        commit: 2,
        ..AT_REST
    },
    Case {
        name: "log",
        metadata: "left by a writer that died",
        count: LOG_COUNT + LOG_BULK + 2,
        committed_count: LOG_COUNT,
        version: |id| match id {
            3 | 7 | 291 | 5 => None,
            0 | 1 => Some(2),
            2..10 => Some(1),
            100 => Some(2),
            10..200 => Some(9),
            700 => Some(10),
            300..1100 => Some(3),
            1100.. => Some(10),
            _ => Some(0),
        },
        deletes: true,
        free_head: Some(5),
        log: Some((9, 2)),
        blocks: Some(1),
        commit: 11,
        logged: 196,
        ..AT_REST
    },
    Case {
        name: "torn",
        count: TORN_COUNT + 10,
        committed_count: TORN_COUNT,
        version: |id| match id {
            0..20 => Some(1),
            200.. => Some(2),
            _ => Some(0),
        },
        log: Some((2, 1)),
        commit: 3,
        logged: 30,
        ..AT_REST
    },
    Case {
        name: "editing",
        count: EDITING_COUNT,
        committed_count: EDITING_COUNT,
        version: |id| Some(if id < 32 { 1 } else { 0 }),
        editing: true,
        ..AT_REST
    },
];

impl Case {
    /// The live records, with their numbers.
    pub(crate) fn live(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        (0..self.count).filter_map(|id| Some((id, (self.version)(id)?)))
    }
}

pub(crate) const PLAIN_METADATA: &[u8] = b"any bytes: \x00\xff \xe2\x82\xac";
pub(crate) const PLAIN_COUNT: u64 = 40;

/// Every type, nullable and not, in arrays and alone, in both byte orders, with long and short
/// names.
pub(crate) fn every_kind() -> Schema {
    use DataType::*;
    const LONG: &str = "a name that is longer than the forty bytes of a descriptor";
    let fields = [
        Field::new("flag", Bool),
        Field::new("i8", Int8),
        Field::new("i16", Int16).nullable(),
        Field::new("i32", Int32).big_endian(),
        Field::new("i64", Int64),
        Field::new("u8", UInt8).array(2),
        Field::new("u16", UInt16).big_endian().nullable(),
        Field::new("u32", UInt32).array(3),
        Field::new("u64", UInt64).big_endian().array(2).nullable(),
        Field::new("f32", Float32).array(2).nullable(),
        Field::new("f64", Float64).big_endian(),
        Field::new(LONG, Date32).nullable(),
        Field::new("at", Timestamp(TimeUnit::Second)).utc(),
        Field::new("at ms", Timestamp(TimeUnit::Millisecond)).nullable(),
        Field::new("at_us", Timestamp(TimeUnit::Microsecond)).big_endian(),
        Field::new("at_ns", Timestamp(TimeUnit::Nanosecond)).array(2).utc(),
        Field::new("text", Utf8(9)),
        Field::new("exactly forty bytes are in a descriptor!", Utf8(3)).array(2).nullable(),
        Field::new("bytes", Binary(5)),
        Field::new("größer als die vierzig Bytes eines Deskriptors", Bool).array(4),
    ];
    let mut offset = 0;
    let placed = fields.into_iter().map(|field| {
        let field = field.at(offset);
        offset += field.size_bytes() + 3;
        field
    });
    let placed: Vec<Field> = placed.collect();
    Schema::new(placed, offset.next_multiple_of(8), 8).unwrap()
}

/// The elements of field number `place` of [`every_kind`] in record `id`, or `None` for null.
pub(crate) fn elements(field: &Field, place: u64, id: u64) -> Option<Vec<Value<'static>>> {
    if field.is_nullable() && (id + place) % 3 == 0 {
        return None;
    }
    let len = field.array_len().map_or(1, u64::from);
    Some((0..len).map(|at| value(field.data_type(), id * 1000 + place * 10 + at)).collect())
}

/// A value of the type, different for each `seed` and exact in decimal digits.
fn value(data_type: DataType, seed: u64) -> Value<'static> {
    const TEXTS: [&str; 5] = ["", "a", "ä", "x y", "€"];
    const BYTES: [&[u8]; 3] = [b"\0\0\0\0\0", b"\x01\xff\x7f\x80\0", b"hello"];
    // Spreads the seed over all bits.
    let bits = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    match data_type {
        DataType::Bool => Value::Bool(bits >> 63 == 1),
        DataType::Int8 => Value::from(bits as i8),
        DataType::Int16 => Value::from(bits as i16),
        DataType::Int32 => Value::from(bits as i32),
        DataType::Int64 => Value::from(bits as i64),
        DataType::UInt8 => Value::from(bits as u8),
        DataType::UInt16 => Value::from(bits as u16),
        DataType::UInt32 => Value::from(bits as u32),
        DataType::UInt64 => Value::from(bits),
        DataType::Float32 => Value::from(f32::from(bits as i16) + 0.25),
        DataType::Float64 => Value::from(f64::from(bits as i16) + 0.25),
        DataType::Date32 => Value::Date((bits % 60_000) as i32 - 20_000),
        DataType::Timestamp(unit) => Value::Timestamp((bits >> 8) as i64 - (1 << 54), unit),
        DataType::Utf8(_) => Value::Text(TEXTS[(bits % 5) as usize]),
        _ => Value::Binary(BYTES[(bits % 3) as usize]),
    }
}
