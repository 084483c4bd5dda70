//! Tests that cannot be run everywhere.

/// Says why a test, or a part of it, does not run here. Where `FLATREC_NO_SKIPS` is set, as it is
/// when the project is checked, the test fails instead.
///
/// The line goes past the test's captured output, so that scripts/suite.sh can count it.
macro_rules! skip {
    ($($why:tt)+) => {{
        let why = format!($($why)+);
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        assert!(std::env::var_os("FLATREC_NO_SKIPS").is_none(), "FLATREC_NO_SKIPS is set: {why}");
        let line = format!("skipped: {test}: {why}\n");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
    }};
}

pub(crate) use skip;
