//! Tests that some machines cannot run.

/// Reports why a test, or a part of it, cannot run on this machine. If `FLATREC_NO_SKIPS` is set,
/// as in the project's check, the test fails instead.
///
/// The line bypasses the captured output of the test, so that scripts/suite.sh can count it.
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
