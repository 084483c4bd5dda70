//! Lines of shell, for work without a call in Rust, such as mounting a small disk.
//!
//! Windows has no such shell. Wine can start programs of the Unix below it, which do to a mapped
//! file and to a disk what no Windows program can.

use std::path::Path;
use std::process::Command;

/// Runs a line of shell, without double quotes, in `directory`, and waits for its end. Returns what
/// a failed line printed, or `None` without a shell.
#[cfg(unix)]
pub(crate) fn shell(directory: &Path, line: &str) -> Option<Result<(), String>> {
    let ran = Command::new("sh").args(["-c", line]).current_dir(directory).output().ok()?;
    let said = || String::from_utf8_lossy(&ran.stderr).trim().to_owned();
    Some(if ran.status.success() { Ok(()) } else { Err(said()) })
}

/// Runs a line of shell, without double quotes, in `directory`, and waits for its end. Returns what
/// a failed line printed, or `None` without a shell.
#[cfg(windows)]
pub(crate) fn shell(directory: &Path, line: &str) -> Option<Result<(), String>> {
    const SHELL: &str = r"Z:\bin\sh";
    if !Path::new(SHELL).exists() {
        return None;
    }
    let aside = tempfile::tempdir_in(directory).unwrap();
    let line = format!("(cd .. && {line}) >said 2>&1; echo $? >status; mv status ended");
    let started = Command::new(SHELL).args(["-c", &line]).current_dir(aside.path()).spawn();
    // A Windows program gets no handle that it could wait for.
    let _ = started.unwrap().wait();
    let ended = aside.path().join("ended");
    while !ended.exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let succeeded = std::fs::read_to_string(ended).unwrap().trim() == "0";
    let said = std::fs::read_to_string(aside.path().join("said")).unwrap();
    Some(if succeeded { Ok(()) } else { Err(said.trim().to_owned()) })
}
