#[derive(Clone, Copy, Debug, flatrec::Record)]
#[repr(C)]
pub struct Nested {
    pub id: flatrec::Uuid,
    pub side: flatrec::Enum<Side>,
    pub sides: [flatrec::Enum<Side>; 2],
    pub venue: flatrec::Nullable<flatrec::Enum<Venue>>,
    pub matrix: [[flatrec::le::F64; 3]; 2],
    #[record(nested)]
    pub pos: Pos,
    #[record(nested)]
    pub legs: [Legs; 3],
    #[record(rename = "one leg", nested)]
    pub one_leg: [OneLeg; 1],
    #[record(skip)]
    pub _gap_125: [u8; 5],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, flatrec::RecordEnum)]
#[repr(u8)]
pub enum Side {
    Buy = 1,
    #[record(rename = "sell short")]
    SellShort = 2,
    #[record(rename = "Self")]
    Self_ = 3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, flatrec::RecordEnum)]
#[repr(i16)]
pub enum Venue {
    #[record(rename = "x")]
    X = -7,
}

#[derive(Clone, Copy, Debug, flatrec::Record)]
#[repr(C)]
pub struct Pos {
    pub x: flatrec::le::I32,
    #[record(skip)]
    pub _gap_4: [u8; 2],
    #[record(rename = "in", nested)]
    pub in_: In,
}

#[derive(Clone, Copy, Debug, flatrec::Record)]
#[repr(C)]
pub struct In {
    pub y: flatrec::Nullable<flatrec::le::I32>,
}

#[derive(Clone, Copy, Debug, flatrec::Record)]
#[repr(C)]
pub struct Legs {
    #[record(skip)]
    pub _gap_0: [u8; 2],
    pub price: flatrec::le::F64,
    #[record(nested)]
    pub of: Of,
    #[record(skip)]
    pub _gap_11: [u8; 3],
}

#[derive(Clone, Copy, Debug, flatrec::Record)]
#[repr(C)]
pub struct Of {
    pub kind: flatrec::Enum<Side>,
}

#[derive(Clone, Copy, Debug, flatrec::Record)]
#[repr(C)]
pub struct OneLeg {
    pub n: flatrec::le::U16,
}
