//! `#[derive(Record)]` for flatrec.
