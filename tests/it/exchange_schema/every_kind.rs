#[derive(Clone, Copy, Debug, flatrec::Record)]
#[repr(C)]
#[allow(non_snake_case)]
pub struct EveryKind {
    pub flag: flatrec::Bool,
    #[record(skip)]
    pub _gap_1: [u8; 3],
    pub i8: i8,
    #[record(skip)]
    pub _gap_5: [u8; 3],
    pub i16: flatrec::Nullable<flatrec::le::I16>,
    #[record(skip)]
    pub _gap_11: [u8; 3],
    pub i32: flatrec::be::I32,
    #[record(skip)]
    pub _gap_18: [u8; 3],
    pub i64: flatrec::le::I64,
    #[record(skip)]
    pub _gap_29: [u8; 3],
    pub u8: u8,
    #[record(skip)]
    pub _gap_33: [u8; 3],
    pub u16: flatrec::Nullable<flatrec::be::U16>,
    #[record(skip)]
    pub _gap_39: [u8; 3],
    pub u32: [flatrec::le::U32; 3],
    #[record(skip)]
    pub _gap_54: [u8; 3],
    pub u64: flatrec::le::U64,
    #[record(skip)]
    pub _gap_65: [u8; 3],
    pub f32: flatrec::Nullable<[flatrec::le::F32; 2]>,
    #[record(skip)]
    pub _gap_77: [u8; 3],
    pub f64: flatrec::le::F64,
    #[record(skip)]
    pub _gap_88: [u8; 3],
    #[record(date)]
    pub day: flatrec::Nullable<flatrec::le::I32>,
    #[record(skip)]
    pub _gap_96: [u8; 3],
    #[record(timestamp = "s", utc)]
    pub at: flatrec::le::I64,
    #[record(skip)]
    pub _gap_107: [u8; 3],
    #[record(rename = "at ms", timestamp = "ms")]
    pub at_ms: flatrec::Nullable<flatrec::le::I64>,
    #[record(skip)]
    pub _gap_119: [u8; 3],
    #[record(timestamp = "us")]
    pub at_us: flatrec::be::I64,
    #[record(skip)]
    pub _gap_130: [u8; 3],
    #[record(rename = "at-us", timestamp = "ns")]
    pub at_us_: [flatrec::le::I64; 2],
    #[record(skip)]
    pub _gap_149: [u8; 3],
    #[record(rename = "type")]
    pub type_: flatrec::Utf8<7>,
    #[record(skip)]
    pub _gap_159: [u8; 3],
    #[record(rename = "struct")]
    pub struct_: flatrec::Nullable<[flatrec::Utf8<3>; 2]>,
    #[record(skip)]
    pub _gap_169: [u8; 3],
    #[record(rename = "2nd \"*/\\'")]
    pub _2nd______: [u8; 5],
    #[record(skip)]
    pub _gap_177: [u8; 3],
    #[record(rename = "Größe")]
    pub Gr__e: [flatrec::Bool; 4],
    #[record(skip)]
    pub _gap_184: [u8; 3],
    #[record(duration = "us")]
    pub took: flatrec::Nullable<flatrec::le::I64>,
    #[record(skip)]
    pub _gap_196: [u8; 3],
    pub i128: flatrec::le::I128,
    #[record(skip)]
    pub _gap_215: [u8; 3],
    pub u128: flatrec::be::U128,
    #[record(skip)]
    pub _gap_234: [u8; 6],
}
