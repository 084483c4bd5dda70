//! Commands that a test interrupts, stops or kills at a certain moment.

#[cfg(unix)]
use std::process::Child;

/// Interrupts a running command.
#[cfg(unix)]
pub(crate) fn interrupt(child: &Child) {
    let process = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
}

/// A shell that runs these tests in the background makes them ignore interrupts, and their commands
/// too: this command must not.
#[cfg(unix)]
#[allow(unsafe_code, reason = "a call about signals, before the command is run")]
pub(crate) fn heed_interrupts(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt as _;
    let heed = || {
        // SAFETY: the call takes two numbers, and may be made between fork and exec.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
        Ok(())
    };
    // SAFETY: the closure makes that one call and touches no memory.
    unsafe { command.pre_exec(heed) };
}

/// Lets other processes run before the command, so that a test sees what the command does before
/// that is over, on a busy machine too.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "a call about the process's priority, before the command is run")]
pub(crate) fn give_way(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt as _;
    let give_way = || {
        // SAFETY: the call takes three numbers, and may be made between fork and exec.
        match unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 10) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: the closure makes that one call and takes no memory.
    unsafe { command.pre_exec(give_way) };
}

/// Stops the process, and returns when all of its threads stand still or it has ended.
#[cfg(target_os = "linux")]
pub(crate) fn stop(child: &Child) {
    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

    kill_process(Pid::from_child(child), Signal::STOP).unwrap();
    let either = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(Pid::from_child(child)), either).unwrap();
}

#[cfg(unix)]
pub(crate) fn was_run_in_a_console_of_its_own(_test: &str) -> bool {
    false
}

#[cfg(windows)]
pub(crate) use console::{heed_interrupts, interrupt, was_run_in_a_console_of_its_own};

/// On Windows an interrupt goes to all processes of a console. So a test that sends one is run
/// again, in a console of its own.
#[cfg(windows)]
#[allow(unsafe_code, reason = "calls about the console")]
mod console {
    use std::os::windows::process::CommandExt as _;
    use std::process::{Child, Command};

    use windows_sys::Win32::System::Console as console;
    use windows_sys::Win32::System::Threading::CREATE_NO_WINDOW;

    const ALONE: &str = "FLATREC_TEST_CONSOLE";

    /// Whether `test`, which calls this, has been run by this call in a process with its own
    /// console; `false` in that process.
    pub(crate) fn was_run_in_a_console_of_its_own(test: &str) -> bool {
        if std::env::var_os(ALONE).is_some() {
            // SAFETY: the handler lives as long as the program.
            assert_ne!(unsafe { console::SetConsoleCtrlHandler(Some(stay), 1) }, 0);
            // The parent of this process may have made its children ignore Ctrl-C.
            // SAFETY: without a handler, the call is about that alone.
            assert_ne!(unsafe { console::SetConsoleCtrlHandler(None, 0) }, 0);
            return false;
        }
        let ran = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(ALONE, "")
            .creation_flags(CREATE_NO_WINDOW)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{said}");
        assert!(said.contains("1 passed"), "{said}");
        true
    }

    unsafe extern "system" fn stay(_event: u32) -> windows_sys::core::BOOL {
        1
    }

    /// Sends Ctrl-C to a running command and to all other processes in the console.
    pub(crate) fn heed_interrupts(_command: &mut Command) {}

    pub(crate) fn interrupt(_child: &Child) {
        // SAFETY: the call takes two numbers; group 0 is the console's.
        let sent = unsafe { console::GenerateConsoleCtrlEvent(console::CTRL_C_EVENT, 0) };
        assert_ne!(sent, 0, "{}", std::io::Error::last_os_error());
    }
}
