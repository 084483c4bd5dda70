//! flatrec command line.
fn main() {}
